// step_times: how long the parts of a model's step take alone on one GPU. Laws in closed form over
// the calibrated constants of the overlap model; each says where it comes from and what it leaves
// out.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "models/constants.hpp"
#include "models/gemm_law.hpp"
#include "sim/base/units.hpp"

namespace epsim {

enum class StepDtype : std::uint8_t { bf16, fp8 };  // of a GEMM's operands; results are BF16
inline constexpr std::array<std::string_view, 2> kStepDtypeNames = {"bf16", "fp8"};

// What a time depends on beside the work. `overlap` has the constants of two_batch_constants(),
// `hardware` those of hardware_constants().
struct StepMachine {
  const ConstantSet& overlap;
  const ConstantSet& hardware;
  std::uint32_t sm_count = 0;
  std::uint32_t reserved_sms = 0;  // that compute leaves free for communication
  StepDtype dtype = StepDtype::bf16;
  double tensor_ratio = 1;  // of an SM's tensor cores over a Hopper SM's, BF16
  // Of kernels on all SMs that mostly read; none: memory_rate, which 64 SMs reach.
  Bandwidth stream_rate{};
  bool scales_in_tensor_cores = false;  // blocks of FP8, which Hopper's tensor cores cannot
};

// Of so many bytes, when nothing else uses the memory.
[[nodiscard]] double memory_us(double bytes, const StepMachine& machine);

// A kernel alone: its time, what it takes of the memory's rate, what of its time grows as the clock
// falls, and its CTAs. Tiles: worked off by CTAs that stay; 0 where CTAs come and go.
struct ComputeTime {
  Duration time{};
  double memory_share = 0;
  double clock_share = 0;
  std::uint32_t ctas = 0, tiles = 0;
  std::uint16_t ctas_per_sm = 1;
};

// C[m][n] = A[m][k] B[n][k]^T, by gemm_law, but not less than the memory needs. FP8 operands take
// half of the arithmetic and half of the bytes (the data sheet's peaks; the efficiency is taken
// over from BF16, not measured), which is a BF16 GEMM of half the depth.
[[nodiscard]] ComputeTime gemm_compute_time(const GemmWork& gemm, const StepMachine& machine);

// One GEMM for each group of rows, all of one shape, in one kernel. Each group is filled up to
// tiles of 128 rows, and reads a matrix of its own.
[[nodiscard]] ComputeTime grouped_gemm_time(std::span<const std::int64_t> rows,
                                            std::int64_t columns,
                                            std::int64_t depth,
                                            const StepMachine& machine);

struct AttentionCore {
  std::int64_t tokens = 0;  // queries
  std::int64_t heads = 0;
  std::int64_t key_size = 0, value_size = 0;  // of a head
  std::int64_t key_heads = 0;
  std::int64_t attended = 0;       // keys that a query looks at, mean
  std::int64_t cached_tokens = 0;  // keys and values read from memory
  double efficiency = 0;           // of a Hopper's tensor cores' peak
  double cached_bytes = 0;         // of a token, all key heads; 0: BF16 keys and values
  // One CTA fills an SM: while it reads queries and writes results, nothing is multiplied there.
  bool exposes_queries = false;
  Duration fixed{};  // beside an empty kernel's, whatever the work
};
// The longer of arithmetic, 2 operations for each of key_size + value_size numbers of each head of
// each pair of query and key, and of memory: queries, results, keys and values once. Where tensor
// cores are slower than Hopper's, only their part of the time grows; the rest (softmax, waits) is
// the same. Where they are faster the rest is taken to have kept up.
[[nodiscard]] ComputeTime attention_core_time(const AttentionCore& core,
                                              const StepMachine& machine);

// Kernels that only read and write, a CTA a row: an empty kernel and the bytes at the memory's
// rate.
[[nodiscard]] ComputeTime elementwise_time(Bytes traffic,
                                           std::int64_t rows,
                                           const StepMachine& machine);

// An exchange or collective in which each rank sends and receives `payload` over its link, on so
// many CTAs: its fixed part and the payload at the rate that M20 found for so many CTAs.
[[nodiscard]] Duration link_time(Bytes payload, std::uint32_t ctas, const StepMachine& machine);

}  // namespace epsim
