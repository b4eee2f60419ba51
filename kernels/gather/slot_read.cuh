// slot_read: reads a staging slot as a NIC would, and counts the rows that are not the request's.
#pragma once

#include <cstdint>

#include <cuda_runtime.h>

namespace epsim::kernels {

struct SlotRead {
  const uint4* slot;  // memory of this GPU or of a peer
  int row_count;
  int vectors_per_row;
  int generation;   // what the last word of every vector must be
  int* stale_rows;  // gets the rows added in which some vector had another
};

constexpr std::int64_t bytes_moved(const SlotRead& work) {
  return std::int64_t{16} * work.vectors_per_row * work.row_count;
}

void launch_slot_read(const SlotRead& work, cudaStream_t stream);

}  // namespace epsim::kernels
