// kv_gather: one request's state rows, scattered over many regions of a KV cache, become one run of
// bytes in a staging slot, so that a NIC needs one entry for them and not one a region.
#pragma once

#include <cstdint>

#include <cuda_runtime.h>

namespace epsim::kernels {

struct KvGather {
  const uint4* const* region_bases;  // device memory, region_count pointers to dense arrays of rows
  const int* row_ids;  // device memory, region_count: the request's row of each region
  uint4* slot;         // device memory, region_count rows, in the regions' order
  int region_count;
  int vectors_per_row;  // 16-byte vectors in a row
  // Number of the request, never 0. It replaces the last word of every 16-byte vector, so that a
  // reader can tell what it read without a second look at the source. Same traffic as a plain copy.
  int generation;
  // Hand-over by flag: the last CTA to finish releases `generation` to *done_flag. nullptr: no
  // flag, nothing is counted. Gathers that share a counter must be stream-ordered.
  int* done_flag;            // memory of the host that the GPU maps
  unsigned int* tiles_done;  // device memory, zeroed once; every gather leaves it zero
};

// What the kernel must move at least: rows read and written once, an id and a base a region.
constexpr std::int64_t bytes_moved(const KvGather& work) {
  const std::int64_t row_bytes = std::int64_t{16} * work.vectors_per_row;
  return work.region_count *
         (2 * row_bytes + std::int64_t{sizeof(int)} + std::int64_t{sizeof(const uint4*)});
}

// Returns when the gather is queued, not when it ran: the slot must not be read yet.
void launch_kv_gather(const KvGather& work, cudaStream_t stream);

}  // namespace epsim::kernels
