// empty_kernel: a kernel that does nothing, in every form in which a kernel can be launched. What
// remains of its time is what a launch costs.
#pragma once

#include <cstdint>

#include <cuda_runtime.h>

namespace epsim::kernels {

// When a CTA ran by its own account: the GPU's global timer, ns.
struct CtaStamp {
  std::uint64_t first;  // thread 0's first instruction
  std::uint64_t last;   // after all threads of the CTA have begun
};

struct EmptyLaunch {
  int cta_count = 1;
  int thread_count = 32;
  int shared_bytes = 0;  // dynamic
  int cluster_size = 1;  // CTAs; divides cta_count
  bool cooperative = false;
  CtaStamp* stamps = nullptr;  // cta_count of them; nullptr: the kernel does nothing at all
};

constexpr std::int64_t bytes_moved(const EmptyLaunch& work) {
  return work.stamps == nullptr ? 0 : work.cta_count * std::int64_t{sizeof(CtaStamp)};
}

// Once per GPU, with the GPU current, before the first launch of that form: allows the shared
// memory. It is not part of a launch, so that a timed launch call does nothing else.
void prepare_empty(const EmptyLaunch& work);

// The kernel's name contains "empty_kernel" without stamps and "stamped_kernel" with them.
void launch_empty(const EmptyLaunch& work, cudaStream_t stream);

}  // namespace epsim::kernels
