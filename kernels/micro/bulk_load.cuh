// bulk_load: one warp a CTA streams blocks into a ring of stages in shared memory by bulk copies,
// as the loading warp of a combine does.
#pragma once

#include <cstddef>
#include <cstdint>

#include <cuda_runtime.h>

namespace epsim::kernels {

inline constexpr int kMostBulkStages = 16;

// Load i of CTA c fetches block (first_block + i * cta_count + c) % block_count of the source.
struct BulkLoad {
  const uint4* source;  // block_count blocks, vector v holding the stamp of v
  std::int64_t first_block;
  std::int64_t block_count;  // at least cta_count
  int block_bytes;           // a multiple of 16
  int stages;                // in flight for each CTA, at most kMostBulkStages
  int loads_per_cta;
  int cta_count;
  std::int64_t* load_cycles;  // [CTAs][loads_per_cta], or nullptr; only with one stage
  unsigned long long* right;  // counts vectors that held their stamp; nullptr in timed runs
  std::uint32_t stamp;
};

constexpr std::int64_t bytes_moved(const BulkLoad& work) {
  return std::int64_t{work.block_bytes} * work.loads_per_cta * work.cta_count;
}

// Needs sm_90. Sets the kernel's limit of shared memory on the current GPU.
void launch_bulk_load(const BulkLoad& work, cudaStream_t stream);

}  // namespace epsim::kernels
