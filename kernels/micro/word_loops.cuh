// word_loops: words in the memory of a GPU that its own CTAs add to, or pass back and forth.
#pragma once

#include <cstdint>

#include <cuda_runtime.h>

namespace epsim::kernels {

// One thread of each CTA adds 1 to a word, again and again, each time after the sum before came
// back. All CTAs begin each sample together.
struct AtomicLoops {
  int cta_count;
  int word_stride;  // ints from one CTA's word to the next one's; 0: all add to one word
  int sample_count;
  int repeat_count;       // additions in a sample
  int* words;             // not negative, and nor are they ever to become
  std::uint64_t* cycles;  // [sample_count][cta_count]
};
constexpr std::int64_t bytes_moved(const AtomicLoops& work) {
  return std::int64_t{4} * work.cta_count * work.sample_count * work.repeat_count;
}
void launch_atomic_loops(const AtomicLoops& work, cudaStream_t stream);

enum class FlagScope { gpu, sys };  // of release and acquire

// Two CTAs answer each other through two words: CTA 0 and CTA `partner`.
struct LocalPingPong {
  FlagScope scope;
  int partner;  // CTAs between the two only take their place
  int sample_count;
  int repeat_count;  // round trips in a sample
  int first_value;   // greater than any value of the words before; uses sample * repeat values on
  int* words;        // two, kPingPongStride ints apart
  std::uint64_t* cycles;  // [sample_count], of CTA 0
};
inline constexpr int kPingPongStride = 32;  // a line of 128 bytes each
constexpr std::int64_t bytes_moved(const LocalPingPong& work) {
  return std::int64_t{8} * work.sample_count * work.repeat_count;
}
void launch_local_ping_pong(const LocalPingPong& work, cudaStream_t stream);

}  // namespace epsim::kernels
