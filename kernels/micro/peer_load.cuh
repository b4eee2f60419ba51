// peer_load: threads pull memory of a peer, or of their own GPU, into their own. Loads and stores
// go by 1, 4 or 16 bytes a lane.
#pragma once

#include <cstddef>
#include <cstdint>

#include <cuda_runtime.h>

namespace epsim::kernels {

enum class LoadForm : std::uint8_t {
  strided,          // a fixed grid strides over the words, eight of them in flight a thread
  byte_per_thread,  // as many threads as bytes, one byte each: the kernel of a byte tensor copy
};

struct PeerLoad {
  const void* source;  // 16-byte aligned, here or on a peer
  void* target;        // on this GPU
  std::size_t bytes;   // a multiple of 16, below 2^31 words
  LoadForm form;
  int width;      // bytes a lane loads at once: 1, 4 or 16; one byte a thread knows only 1
  int cta_count;  // of the strided form
  int threads_per_cta;
  int passes;  // of the strided form: how often everything is copied
};

// Read and written.
constexpr std::int64_t bytes_moved(const PeerLoad& work) {
  return 2 * static_cast<std::int64_t>(work.bytes) * work.passes;
}

void launch_peer_load(const PeerLoad& work, cudaStream_t stream);

}  // namespace epsim::kernels
