// signal_kernel: one thread that waits a while and then sets a word, and its counterpart that
// stamps when it began. Between the two lies whatever a stream makes of the word.
#pragma once

#include <cstdint>

#include <cuda_runtime.h>

namespace epsim::kernels {

struct DelayedSignal {
  int* word;               // of this GPU, a peer or the host
  int value;               // what the word becomes
  std::int64_t delay_ns;   // from the kernel's first instruction; well under a second
  std::uint64_t* sent_at;  // nullptr, or where the global timer just before the store goes, ns
};
constexpr std::int64_t bytes_moved(const DelayedSignal& work) {
  return work.sent_at == nullptr ? 4 : 12;
}
// The kernel's name contains "signal_kernel". The store is its last act but for sent_at.
void launch_delayed_signal(const DelayedSignal& work, cudaStream_t stream);

struct Arrival {
  std::uint64_t* began_at;  // becomes the global timer at the kernel's first instruction, ns
};
constexpr std::int64_t bytes_moved(const Arrival&) {
  return 8;
}
// The kernel's name contains "arrival_kernel".
void launch_arrival(const Arrival& work, cudaStream_t stream);

}  // namespace epsim::kernels
