// stamp_oracle: tells on the GPU whether a dispatch and a combine did what they should, so that
// buffers of gigabytes need not be downloaded before every timing.
//
// Each element of a token is a stamp of (rank, token, channel), each element of an expert's output
// a stamp of (expert, rank, token, channel). All ranks have the same number of tokens here. Buffers
// are filled with kStampPoisonByte before the exchange; what no row belongs to must still be
// poison.
#pragma once

#include <cstdint>

#include <cuda_runtime.h>

#include "kernels/low_latency/dispatch.cuh"
#include "kernels/low_latency/shape.cuh"

namespace epsim::kernels {

inline constexpr int kStampPoisonByte = 0xff;  // NaN in BF16, FP8 and FP32; -1 in indices

// What may be wrong, and its place among the faults that the oracle counts.
enum class StampFault {
  row_count,       // a pair has more or fewer rows than the ids say
  row_range,       // two pairs of an expert overlap, or leave a gap
  source_token,    // no such token, one that did not choose the expert, or one that came twice
  row_element,     // an element or a scale is not the source's
  poison,          // something was written where no row belongs
  output_element,  // a combined element is not the weighted sum
};
inline constexpr int kStampFaults = 6;

// BF16 bits of magnitude 0.5 to 2: no zero, no NaN, all 8 bits of precision in use.
__host__ __device__ constexpr std::uint16_t stamp_bits(std::uint32_t a,
                                                       std::uint32_t b,
                                                       std::uint32_t c,
                                                       std::uint32_t d) {
  std::uint32_t h = a * 0x9e3779b1U + b * 0x85ebca77U + c * 0xc2b2ae3dU + d * 0x27d4eb2fU;
  h = (h ^ (h >> 15)) * 0x2c1b3c6dU;
  h = (h ^ (h >> 12)) * 0x297a2d39U;
  h ^= h >> 15;
  return static_cast<std::uint16_t>((h & 0x8000U) | 0x3f00U | (h >> 16 & 0xffU));
}
__host__ __device__ constexpr std::uint16_t token_stamp(int rank, int token, int channel) {
  return stamp_bits(0xffffU,
                    static_cast<std::uint32_t>(rank),
                    static_cast<std::uint32_t>(token),
                    static_cast<std::uint32_t>(channel));
}
__host__ __device__ constexpr std::uint16_t expert_stamp(int expert,
                                                         int rank,
                                                         int token,
                                                         int channel) {
  return stamp_bits(static_cast<std::uint32_t>(expert),
                    static_cast<std::uint32_t>(rank),
                    static_cast<std::uint32_t>(token),
                    static_cast<std::uint32_t>(channel));
}

// Fills tokens [T][H] of rank shape.rank.
void launch_stamp_tokens(const LowLatencyShape& shape, std::uint16_t* tokens, cudaStream_t stream);

struct DispatchCheck {
  LowLatencyShape shape;
  const std::int64_t* expert_ids;  // of all ranks: [R][T][K]
  ExpertInput input;               // what the dispatch left
  std::uint16_t* expert_output;    // [E_l][R * T_max][H]: gets the stamps that a combine returns
  int* faults;                     // kStampFaults counters, zeroed by the host
};
void launch_check_dispatch(const DispatchCheck& check, RowFormat format, cudaStream_t stream);

struct CombineCheck {
  LowLatencyShape shape;
  const std::int64_t* expert_ids;  // of this rank: [T][K]
  const float* weights;            // [T][K]
  const std::uint16_t* output;     // [T + 1][H]; the last row is poison that must stay
  int* faults;                     // kStampFaults counters, zeroed by the host
};
void launch_check_combine(const CombineCheck& check, cudaStream_t stream);

}  // namespace epsim::kernels
