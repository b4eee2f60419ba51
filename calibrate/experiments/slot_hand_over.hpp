// SlotHandOver: the ways in which the host learns that a gather has filled its staging slot.
#pragma once

#include <atomic>
#include <cstddef>
#include <string_view>

#include <cuda_runtime.h>

#include "kernels/device_array.hpp"

namespace epsim {

class SlotHandOver {
 public:
  explicit SlotHandOver(std::size_t slots);
  SlotHandOver(const SlotHandOver&) = delete;
  SlotHandOver& operator=(const SlotHandOver&) = delete;
  ~SlotHandOver();

  // The word to which a gather into `slot` releases its number where `variant` is "flag"; else
  // nullptr.
  [[nodiscard]] int* flag_of(std::string_view variant, std::size_t slot) const;

  // Called right after the gather was launched on `stream`. Returns when the host knows that the
  // slot is filled; with variant "none" at once. Throws DeviceError after 2 s of polling, Bug when
  // there is no such variant.
  void wait(std::string_view variant, cudaStream_t stream, std::size_t slot, int generation);

 private:
  kernels::PinnedArray<int> flags_;
  cudaEvent_t gathered_ = nullptr;
  std::atomic<int> calls_ = 0;  // of host functions
  int expected_calls_ = 0;
};

}  // namespace epsim
