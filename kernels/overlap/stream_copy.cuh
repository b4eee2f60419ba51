// stream_copy: a stand-in for a communication kernel, which keeps a few SMs and a memory or a link
// busy for as long as something else runs: it copies round and round a buffer until it is told to
// stop.
#pragma once

#include <cstdint>

#include <cuda_runtime.h>

namespace epsim::kernels {

// 16-byte vectors that a CTA copies between two looks at the stop word: 256 KiB, about 10 us.
inline constexpr std::int64_t kCopyChunkVectors = 16384;

// On the GPU that runs the copy; zeroed once.
struct alignas(128) CopyWords {
  alignas(128) int started;               // CTAs of all launches so far
  alignas(128) int stop;                  // the last generation that was told to stop
  alignas(128) unsigned long long moved;  // bytes copied by all launches so far
};

struct StreamCopy {
  const uint4* source;       // of any GPU
  uint4* target;             // of any GPU
  std::int64_t vectors;      // of both, a multiple of kCopyChunkVectors
  std::int64_t most_chunks;  // of one CTA; then it ends in any case
  CopyWords* words;
  int generation;  // one more at each launch; never 0
  int cta_count;
};

// Unless it is told to stop before: each byte is read once and written once.
constexpr std::int64_t bytes_moved(const StreamCopy& work) {
  return 2 * std::int64_t{16} * kCopyChunkVectors * work.most_chunks * work.cta_count;
}

void launch_stream_copy(const StreamCopy& work, cudaStream_t stream);

// On another stream, launched after the copy: ends when `started` CTAs of all launches have begun.
void launch_await_copy(const CopyWords* words, int started, cudaStream_t stream);
// Tells the copies up to `generation` to stop.
void launch_stop_copy(CopyWords* words, int generation, cudaStream_t stream);

}  // namespace epsim::kernels
