// formatted_gemm: how long a GEMM takes whose weights have a format of their own: BF16 by
// cuBLASLt's law (gemm_law.hpp), FP8 with a scale for each 128 numbers of depth as DeepGEMM runs
// it, and weights of fewer bits that are unpacked on the way to the tensor cores.
#pragma once

#include <cstdint>
#include <span>

#include "models/step_times.hpp"

namespace epsim {

// What a GEMM computes in, and what its weights are stored in. FP8 is scaled by blocks.
struct GemmFormat {
  StepDtype dtype = StepDtype::bf16;
  double weight_bits = 16;
  bool operator==(const GemmFormat&) const = default;
};

// Tiles that DeepGEMM would take: fewest rounds over the SMs, and of those the fullest last one, if
// every group had the mean's rows. The host knows no more when it launches; tiles and rounds are of
// the rows that there are.
struct BlockTiles {
  std::int64_t rows = 0, columns = 0;
  std::int64_t tiles = 0, rounds = 0;
};
[[nodiscard]] BlockTiles block_tiles(std::span<const std::int64_t> rows,
                                     std::int64_t columns,
                                     std::int64_t slots);

// Of block-scaled FP8 kernels, beside gemm_law's efficiency and exposed part of the memory time.
// `epsim calibrate compute` fits both to DeepGEMM's times on an H800, which
// calibrate/observations/compute_h800.json lists with their sources.
struct BlockScaledTimes {
  // Before the first tile's arithmetic and behind the last one's. More than gemm_law's: nothing of
  // the operands is in a cache yet, and the pipeline of loads is empty.
  double fixed_us = 6.04;
  // From one block of 128 numbers of depth to the next, beside the tensor cores' work: their
  // pipeline runs empty, the block's scales come in, the next block is started.
  double block_us = 0.0809;
};
inline constexpr BlockScaledTimes kBlockScaledTimes;

// One GEMM for each group of rows, each with a matrix of its own, in one kernel; one group is a
// plain GEMM. Of FP8:
//   rounds     tiles of 64 or 128 rows are worked off in whole rounds
//   promotion  Hopper's tensor cores cannot scale by blocks: CUDA cores add each 128 of depth to
//              FP32 sums, one multiply-add a number of the tile, and a block takes `block_us` at
//              least, however small the tile; neither is hidden, since the warps that wait for the
//              tensor cores do it
//   overlap    of arithmetic and memory time (operands read, results written) the longer counts,
//              and of the shorter gemm_law's exposed part
// Of other formats gemm_law, but never less than the fixed part and the memory time.
[[nodiscard]] ComputeTime formatted_gemm_time(std::span<const std::int64_t> rows,
                                              std::int64_t columns,
                                              std::int64_t depth,
                                              const GemmFormat& format,
                                              const StepMachine& machine,
                                              const BlockScaledTimes& times = kBlockScaledTimes);

}  // namespace epsim
