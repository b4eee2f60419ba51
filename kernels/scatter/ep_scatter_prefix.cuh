// ep_scatter_prefix: where each expert's rows begin, and which expert each row belongs to. One CTA
// an expert; every CTA adds up all counts itself, so that one launch does. The variants differ in
// how a CTA's warps get to know its own start, which one warp computed; one of them is a race.
#pragma once

#include <cstdint>

#include <cuda_runtime.h>

namespace epsim::kernels {

inline constexpr int kMostScatterExperts = 512;  // two a thread of a CTA of 256

enum class EpScatterVariant : std::uint8_t {
  racy,              // V0: store all starts, load the own one, nothing in between
  barrier,           // V1: V0 with a CTA barrier in between
  block_sum,         // V2: store all starts; the own one by a masked sum over the CTA's registers
  block_sum_own,     // V3: V2, but each CTA stores its own start alone
  two_kernels,       // V4: a kernel of one CTA stores all starts, a second one loads them
  shared_broadcast,  // V5: the thread that has the own start puts it into shared memory, and stores
                     // that one alone
};
inline constexpr int kEpScatterVariants = 6;

struct EpScatterPrefix {
  const int* counts;  // [expert_count], not negative; a caller pads them, for example to 128
  int expert_count;   // 1 to kMostScatterExperts
  int* starts;        // [expert_count], out: exclusive prefix sums of counts
  int* row_experts;   // [row_capacity], out: rows starts[e] to starts[e] + counts[e] - 1 become e
  int row_capacity;
  // [expert_count]: becomes 1 where a thread of the expert's CTA got a start at which its rows do
  // not fit. That thread then writes no row. Fill `starts` with a negative number before a launch,
  // and every stale read is found, since no store writes anything but the right number.
  int* stale_reads;
  int first_expert;  // experts first_expert to first_expert + cta_count - 1 have a CTA
  int cta_count;
  // To provoke the race: in each CTA, the warp that stores the CTA's own start waits so long first.
  int storing_warp_delay_ns;
};

// What must move at least: each count read once, each start and each row's expert written once.
constexpr std::int64_t bytes_moved(const EpScatterPrefix& work) {
  return std::int64_t{sizeof(int)} * (2 * std::int64_t{work.expert_count} + work.row_capacity);
}

// Kernels whose name contains "ep_scatter_" that a launch of the variant runs.
constexpr int kernels_per_launch(EpScatterVariant variant) {
  return variant == EpScatterVariant::two_kernels ? 2 : 1;
}

void launch_ep_scatter_prefix(EpScatterVariant variant,
                              const EpScatterPrefix& work,
                              cudaStream_t stream);

}  // namespace epsim::kernels
