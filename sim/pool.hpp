// Pool: slots that are given back and used again, so that memory grows with what is in flight and
// not with all that ever was.
#pragma once

#include <cstdint>
#include <vector>

namespace epsim {

template <typename T>
class Pool {
 public:
  [[nodiscard]] std::uint32_t put(const T& value) {
    if (free_.empty()) {
      values_.push_back(value);
      return static_cast<std::uint32_t>(values_.size() - 1);
    }
    const std::uint32_t slot = free_.back();
    free_.pop_back();
    values_[slot] = value;
    return slot;
  }
  [[nodiscard]] T& operator[](std::uint32_t slot) { return values_[slot]; }
  // To be fetched ahead of its use.
  [[nodiscard]] const T* address(std::uint32_t slot) const { return &values_[slot]; }
  void release(std::uint32_t slot) { free_.push_back(slot); }

 private:
  std::vector<T> values_;
  std::vector<std::uint32_t> free_;
};

}  // namespace epsim
