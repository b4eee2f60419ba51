#include "kernels/micro/word_loops.cuh"

#include <cooperative_groups.h>

#include "kernels/cuda_check.hpp"
#include "kernels/ptx.cuh"

namespace epsim::kernels {
namespace {

__device__ __forceinline__ void store_release_gpu(int* word, int value) {
  asm volatile("st.release.gpu.global.s32 [%0], %1;" ::"l"(word), "r"(value) : "memory");
}
__device__ __forceinline__ int add_relaxed_gpu(int* word, int value) {
  int before;
  asm volatile("atom.add.relaxed.gpu.global.s32 %0, [%1], %2;"
               : "=r"(before)
               : "l"(word), "r"(value)
               : "memory");
  return before;
}

__global__ void __launch_bounds__(32, 1) atomic_loops_kernel(AtomicLoops work) {
  int* const word = work.words + blockIdx.x * work.word_stride;
  for (int sample = 0; sample < work.sample_count; ++sample) {
    cooperative_groups::this_grid().sync();
    if (threadIdx.x == 0) {
      int before = 0;
      const std::uint64_t begin = cycle_counter();
      // A sum is never negative; but only its return tells where the next addition goes.
      for (int repeat = 0; repeat < work.repeat_count; ++repeat)
        before = add_relaxed_gpu(word + (before < 0 ? 1 : 0), 1);
      if (before < 0) __trap();  // never; but the clock is read only once the last sum is back
      work.cycles[sample * work.cta_count + static_cast<int>(blockIdx.x)] = cycle_counter() - begin;
    }
  }
}

template <FlagScope kScope>
__device__ __forceinline__ void send(int* word, int value) {
  if constexpr (kScope == FlagScope::gpu)
    store_release_gpu(word, value);
  else
    store_release_sys(word, value);
}
template <FlagScope kScope>
__device__ __forceinline__ void receive(const int* word, int value) {
  if constexpr (kScope == FlagScope::gpu)
    spin_until([&] { return load_acquire_gpu(word) >= value; });
  else
    spin_until([&] { return load_acquire_sys(word) >= value; });
}

template <FlagScope kScope>
__global__ void __launch_bounds__(32, 1) local_ping_pong_kernel(LocalPingPong work) {
  const bool is_first = blockIdx.x == 0;
  if (threadIdx.x != 0 || (!is_first && static_cast<int>(blockIdx.x) != work.partner)) return;
  int* const to_partner = work.words;
  int* const to_first = work.words + kPingPongStride;
  int value = work.first_value;
  for (int sample = 0; sample < work.sample_count; ++sample) {
    const std::uint64_t begin = cycle_counter();
    for (int repeat = 0; repeat < work.repeat_count; ++repeat, ++value) {
      if (is_first) send<kScope>(to_partner, value);
      receive<kScope>(is_first ? to_first : to_partner, value);
      if (!is_first) send<kScope>(to_first, value);
    }
    if (is_first) work.cycles[sample] = cycle_counter() - begin;
  }
}

// CTAs that wait for each other are all on the GPU, or the launch fails.
template <typename Work>
void launch_together(void (*kernel)(Work), Work work, int cta_count, cudaStream_t stream) {
  void* arguments[] = {&work};
  cuda_check(cudaLaunchCooperativeKernel(reinterpret_cast<const void*>(kernel),
                                         dim3(static_cast<unsigned>(cta_count)),
                                         dim3(32),
                                         arguments,
                                         0,
                                         stream));
}

}  // namespace

void launch_atomic_loops(const AtomicLoops& work, cudaStream_t stream) {
  launch_together(atomic_loops_kernel, work, work.cta_count, stream);
}

void launch_local_ping_pong(const LocalPingPong& work, cudaStream_t stream) {
  auto* const kernel = work.scope == FlagScope::gpu ? local_ping_pong_kernel<FlagScope::gpu>
                                                    : local_ping_pong_kernel<FlagScope::sys>;
  launch_together(kernel, work, work.partner + 1, stream);
}

}  // namespace epsim::kernels
