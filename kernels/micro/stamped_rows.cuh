// stamped_rows: rows whose every 16-byte vector says which row, vector and iteration it is, so that
// a stale or misplaced one is seen.
#pragma once

#include <cstddef>
#include <cstdint>

#include <cuda_runtime.h>

namespace epsim::kernels {

struct StampedRows {
  std::uint8_t* rows;  // row_count rows, pitch_bytes apart; multiples of 16
  std::size_t pitch_bytes;
  int row_bytes;
  int row_count;
  int iteration;
};

// The product spreads neighbours, so that no shift of a row looks like another row.
__device__ __forceinline__ uint4 stamp(int row, int vector, int iteration) {
  const unsigned id = static_cast<unsigned>(row), at = static_cast<unsigned>(vector);
  return make_uint4(id, at, static_cast<unsigned>(iteration), (id ^ (at << 20)) * 2654435761U);
}
__device__ __forceinline__ bool is_stamp(uint4 v, int row, int vector, int iteration) {
  const uint4 want = stamp(row, vector, iteration);
  return v.x == want.x && v.y == want.y && v.z == want.z && v.w == want.w;
}

void launch_stamp_rows(const StampedRows& work, cudaStream_t stream);
// Adds the vectors that are not their stamp to *wrong.
void launch_count_wrong_stamps(const StampedRows& work,
                               unsigned long long* wrong,
                               cudaStream_t stream);

}  // namespace epsim::kernels
