#include "kernels/micro/signal_kernel.cuh"

#include "kernels/cuda_check.hpp"
#include "kernels/ptx.cuh"

namespace epsim::kernels {
namespace {

__global__ void signal_kernel(DelayedSignal work) {
  const std::uint64_t begin = global_timer();
  const std::uint64_t delay = static_cast<std::uint64_t>(work.delay_ns);
  spin_until([&] { return global_timer() - begin >= delay; });
  // The stamp is taken before the store but written after it: a release waits for earlier writes.
  const std::uint64_t sent_at = global_timer();
  store_release_sys(work.word, work.value);
  if (work.sent_at != nullptr) *work.sent_at = sent_at;
}

__global__ void arrival_kernel(Arrival work) {
  *work.began_at = global_timer();
}

}  // namespace

void launch_delayed_signal(const DelayedSignal& work, cudaStream_t stream) {
  signal_kernel<<<1, 1, 0, stream>>>(work);
  cuda_check_launch();
}

void launch_arrival(const Arrival& work, cudaStream_t stream) {
  arrival_kernel<<<1, 1, 0, stream>>>(work);
  cuda_check_launch();
}

}  // namespace epsim::kernels
