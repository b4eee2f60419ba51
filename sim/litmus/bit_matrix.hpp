// BitMatrix: a relation over a few dozen events, one bit a pair. Rows are whole words, so that
// joining two sets is one instruction for up to 64 events.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace epsim {

using BitRow = std::span<const std::uint64_t>;

[[nodiscard]] inline bool holds(BitRow row, std::size_t column) {
  return ((row[column / 64] >> (column % 64)) & 1U) != 0;
}

[[nodiscard]] inline bool intersects(BitRow a, BitRow b) {
  for (std::size_t word = 0; word < a.size(); ++word)
    if ((a[word] & b[word]) != 0) return true;
  return false;
}

// Calls `visit(column)` for each member, in rising order.
template <typename Visit>
void for_each_member(BitRow row, Visit visit) {
  for (std::size_t word = 0; word < row.size(); ++word)
    for (std::uint64_t left = row[word]; left != 0; left &= left - 1)
      visit(64 * word + static_cast<std::size_t>(std::countr_zero(left)));
}

class BitMatrix {
 public:
  BitMatrix() = default;
  BitMatrix(std::size_t rows, std::size_t columns)
      : rows_(rows), words_((columns + 63) / 64), bits_(rows * words_) {}
  explicit BitMatrix(std::size_t size) : BitMatrix(size, size) {}

  [[nodiscard]] std::size_t rows() const { return rows_; }
  [[nodiscard]] BitRow row(std::size_t i) const { return {bits_.data() + i * words_, words_}; }
  [[nodiscard]] bool has(std::size_t i, std::size_t j) const { return holds(row(i), j); }

  void add(std::size_t i, std::size_t j) {
    bits_[i * words_ + j / 64] |= std::uint64_t{1} << (j % 64);
  }
  void add(std::size_t i, BitRow members) {
    for (std::size_t word = 0; word < words_; ++word) bits_[i * words_ + word] |= members[word];
  }
  void keep(std::size_t i, BitRow members) {
    for (std::size_t word = 0; word < words_; ++word) bits_[i * words_ + word] &= members[word];
  }
  void clear(std::size_t i) {
    for (std::size_t word = 0; word < words_; ++word) bits_[i * words_ + word] = 0;
  }

  // Makes a square relation transitive.
  void close() {
    for (std::size_t middle = 0; middle < rows_; ++middle)
      for (std::size_t i = 0; i < rows_; ++i)
        if (has(i, middle)) add(i, row(middle));
  }
  // Adds one pair to a transitive relation and keeps it transitive.
  void add_closed(std::size_t from, std::size_t to) {
    if (has(from, to)) return;
    for (std::size_t i = 0; i < rows_; ++i)
      if (i == from || has(i, from)) {
        add(i, to);
        add(i, row(to));
      }
  }
  [[nodiscard]] bool is_reflexive_somewhere() const {
    for (std::size_t i = 0; i < rows_; ++i)
      if (has(i, i)) return true;
    return false;
  }

 private:
  std::size_t rows_ = 0;
  std::size_t words_ = 0;
  std::vector<std::uint64_t> bits_;
};

}  // namespace epsim
