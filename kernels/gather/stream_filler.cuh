// stream_filler: a kernel that does nothing for a set time, so that what follows on its stream
// waits.
#pragma once

#include <cstdint>

#include <cuda_runtime.h>

namespace epsim::kernels {

struct StreamFiller {
  std::int64_t duration_ns;
};

constexpr std::int64_t bytes_moved(const StreamFiller&) {
  return 0;
}

void launch_stream_filler(const StreamFiller& filler, cudaStream_t stream);

}  // namespace epsim::kernels
