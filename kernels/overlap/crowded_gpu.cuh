// crowded_gpu: a kernel that holds SMs for as long as it is told to, and one whose CTAs each want
// an SM and say when and where they found it. What a kernel finds free beside another one.
#pragma once

#include <cstdint>

#include <cuda_runtime.h>

namespace epsim::kernels {

// On the GPU that runs the holders; zeroed once.
struct alignas(128) HolderWords {
  alignas(128) int started;    // CTAs of all launches so far
  alignas(128) int stop;       // the last generation that was told to stop
  alignas(128) int timed_out;  // CTAs that were told nothing for kHolderLimitNs
  alignas(128) unsigned kept;  // of no meaning: lets a holder keep its registers
};

// A holder that was not told to stop ends by itself.
inline constexpr std::uint64_t kHolderLimitNs = 100'000'000;
inline constexpr int kHolderThreads = 768;
inline constexpr int kWholeSmThreads = 1024;

struct Holders {
  HolderWords* words;
  int* sms;        // cta_count of them: where each CTA runs; nullptr: not asked
  int generation;  // one more at each launch; never 0
  int cta_count;
  int cluster_size = 1;  // CTAs; divides cta_count
  int shared_bytes = 0;  // dynamic
  // With 1024 threads that hold all registers of an SM: no other CTA runs there.
  bool whole_sms = false;
};

// Nothing but its words is read or written.
constexpr std::int64_t bytes_moved(const Holders& work) {
  return work.cta_count * std::int64_t{sizeof(int)};
}

// When and where a CTA of the newcomer ran: the GPU's global timer, ns.
struct SmStamp {
  std::uint64_t first;
  std::uint64_t sm;
};

inline constexpr int kNewcomerThreads = 384;
inline constexpr int kNewcomerSharedBytes = 200 * 1024;  // one CTA a SM
inline constexpr std::uint64_t kNewcomerNs = 50'000;     // each CTA lasts as long

struct Newcomer {
  SmStamp* stamps;  // cta_count of them
  int cta_count;
  int cluster_size = 1;  // CTAs; divides cta_count
};

constexpr std::int64_t bytes_moved(const Newcomer& work) {
  return work.cta_count * std::int64_t{sizeof(SmStamp)};
}

// Once per GPU, with the GPU current, before the first launch: allows the shared memory.
// `most_shared`: holders without shared memory ask for SMs set up for as much of it as there is,
// and not for what the driver chooses.
void prepare_holders(int shared_bytes, bool most_shared);
void prepare_newcomer();

void launch_holders(const Holders& work, cudaStream_t stream);
// On another stream, launched after the holders: ends when `started` CTAs of all launches run.
void launch_await_holders(const HolderWords* words, int started, cudaStream_t stream);
// Tells the holders up to `generation` to stop.
void launch_stop_holders(HolderWords* words, int generation, cudaStream_t stream);

// Whether clusters of this size can run at all.
[[nodiscard]] bool can_launch_newcomer(const Newcomer& work);
void launch_newcomer(const Newcomer& work, cudaStream_t stream);

}  // namespace epsim::kernels
