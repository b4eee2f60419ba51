// gemm_law: how long a BF16 GEMM of cuBLASLt takes on some SMs, and how many CTAs share it how.
// cuBLASLt's tile is not visible; its times are. Told how many SMs to use, it takes about as long
// as the SMs' arithmetic takes, without the steps that tiles of one size would make, so it fits the
// tile to the SMs; told nothing, it leaves the last wave of 128 x 256 tiles partly empty.
#pragma once

#include <cstdint>

#include "models/constants.hpp"
#include "models/two_batch.hpp"

namespace epsim {

struct GemmShape {
  std::uint32_t tiles = 0;          // in all
  std::uint32_t slots = 0;          // CTAs at once
  std::uint32_t crowded_slots = 0;  // of them, beside an exchange that came first
  Duration fixed{};                 // before the first tile
  Duration tile_time{};             // of one tile, alone
  Bytes tile_traffic;               // of it through memory, at the memory's rate
};

// Operations of one SM's tensor cores, BF16 with FP32 sums: 1024 multiply-adds for each of four
// quarters in two cycles, at 1.98 GHz.
inline constexpr double kSmOperationsPerUs = 4096 * 1980.0;

[[nodiscard]] constexpr double gemm_operations(const GemmWork& gemm) {
  return 2.0 * static_cast<double>(gemm.m) * static_cast<double>(gemm.n) *
         static_cast<double>(gemm.k);
}
// Each operand and the result once.
[[nodiscard]] constexpr double gemm_bytes(const GemmWork& gemm) {
  return 2.0 * (static_cast<double>(gemm.m) * static_cast<double>(gemm.k) +
                static_cast<double>(gemm.n) * static_cast<double>(gemm.k) +
                static_cast<double>(gemm.m) * static_cast<double>(gemm.n));
}

// Alone: a fixed part, arithmetic at the efficiency measured for so many SMs left free, and the
// part of its memory traffic that arithmetic does not hide. `tensor_ratio`: of an SM's tensor cores
// over a Hopper SM's.
[[nodiscard]] double gemm_time_us(const GemmWork& gemm,
                                  std::uint32_t sm_count,
                                  std::uint32_t reserved_sms,
                                  const ConstantSet& constants,
                                  double tensor_ratio = 1);

[[nodiscard]] GemmShape gemm_shape(const GemmWork& gemm,
                                   std::uint32_t sm_count,
                                   std::uint32_t reserved_sms,
                                   std::uint32_t communication_ctas,
                                   const ConstantSet& constants);

}  // namespace epsim
