#include "calibrate/experiments/slot_hand_over.hpp"

#include <chrono>
#include <string>

#include "calibrate/device_error.hpp"
#include "sim/base/check.hpp"

namespace epsim {
namespace {

using kernels::cuda_check;

// Spins on the host; a kernel that never says so becomes an error.
template <typename Ready>
void poll_until(Ready ready, const char* what) {
  const auto begin = std::chrono::steady_clock::now();
  while (!ready())
    if (std::chrono::steady_clock::now() - begin > std::chrono::seconds(2))
      throw DeviceError(std::string("KV gather: waited 2 s for ") + what);
}

// A host function may not call CUDA, so it cannot post a copy. It does what it could do for a NIC:
// one store that the posting thread, or a doorbell, sees.
void CUDART_CB count_call(void* calls) {
  static_cast<std::atomic<int>*>(calls)->fetch_add(1, std::memory_order_release);
}

}  // namespace

SlotHandOver::SlotHandOver(std::size_t slots) : flags_(slots) {
  cuda_check(cudaEventCreateWithFlags(&gathered_, cudaEventDisableTiming));
}

SlotHandOver::~SlotHandOver() {
  cudaEventDestroy(gathered_);
}

int* SlotHandOver::flag_of(std::string_view variant, std::size_t slot) const {
  check(slot < flags_.size(), "a slot has a flag");
  return variant == "flag" ? flags_.data() + slot : nullptr;
}

void SlotHandOver::wait(std::string_view variant,
                        cudaStream_t stream,
                        std::size_t slot,
                        int generation) {
  if (variant == "sync") {
    cuda_check(cudaStreamSynchronize(stream));
  } else if (variant == "event") {
    cuda_check(cudaEventRecord(gathered_, stream));
    cuda_check(cudaEventSynchronize(gathered_));
  } else if (variant == "host_function") {
    ++expected_calls_;
    cuda_check(cudaLaunchHostFunc(stream, count_call, &calls_));
    poll_until([&] { return calls_.load(std::memory_order_acquire) == expected_calls_; },
               "a host function");
  } else if (variant == "flag") {
    const std::atomic_ref<int> flag(flags_[slot]);
    poll_until([&] { return flag.load(std::memory_order_acquire) == generation; },
               "the flag of a gather");
  } else {
    check(variant == "none", "a variant of the KV gather has a name of the sweep");
  }
}

}  // namespace epsim
