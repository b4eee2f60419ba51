#include "models/formatted_gemm.hpp"

#include <algorithm>
#include <numeric>

#include "models/measured_curve.hpp"
#include "sim/base/check.hpp"

namespace epsim {
namespace {

constexpr double kBytesOfBf16 = 2;
constexpr double kBitsOfByte = 8;
// Of warp-group instructions: the fewest rows of a tile.
constexpr std::int64_t kLeastRows = 64, kTileRows = 128;
constexpr std::int64_t kTileColumns = 256;  // of cuBLASLt's BF16 tiles
// DeepGEMM's choice, deep_gemm/jit_kernels/gemm.py of February 2025.
constexpr std::int64_t kColumnStep = 8, kLeastColumns = 16, kMostColumns = 128;
constexpr std::int64_t kScaledDepth = 128;
// FP32 multiply-adds of a Hopper SM in a cycle, at the clock of kSmOperationsPerUs.
constexpr double kMultiplyAddsPerUs = 128 * 1980.0;

std::int64_t parts(std::int64_t value, std::int64_t unit) {
  return (value + unit - 1) / unit;
}

std::int64_t row_tile(std::int64_t rows) {
  return rows <= kLeastRows ? kLeastRows : kTileRows;
}

// Of the groups that have any, rounded up.
std::int64_t mean_rows(std::span<const std::int64_t> rows) {
  const auto groups = std::count_if(rows.begin(), rows.end(), [](auto count) { return count > 0; });
  check(groups > 0, "a GEMM has rows");
  return parts(std::accumulate(rows.begin(), rows.end(), std::int64_t{}), groups);
}

std::int64_t row_tiles(std::span<const std::int64_t> rows, std::int64_t tile) {
  std::int64_t tiles = 0;
  for (const std::int64_t count : rows) tiles += parts(count, tile);
  return tiles;
}

// Bytes that a GEMM reads and writes.
struct Traffic {
  double read = 0, written = 0;
};

struct Arithmetic {
  double us = 0;
  std::int64_t tiles = 0;
};

double efficiency_of(const StepMachine& machine) {
  return measured_curve(
      machine.overlap, "gemm_efficiency", {0, 4, 8, 16, 20, 32, 64}, machine.reserved_sms);
}

Arithmetic scaled_arithmetic(std::span<const std::int64_t> rows,
                             std::int64_t columns,
                             std::int64_t depth,
                             const StepMachine& machine,
                             const BlockScaledTimes& times) {
  const BlockTiles tiles = block_tiles(rows, columns, machine.sm_count - machine.reserved_sms);
  const double outputs = static_cast<double>(tiles.rows * tiles.columns);
  // Twice the operations of BF16 in the same time.
  const double tensor =
      outputs * static_cast<double>(depth) / (kSmOperationsPerUs * machine.tensor_ratio);
  const auto blocks = static_cast<double>(parts(depth, kScaledDepth));
  // The efficiency is mostly the clock that the power limit leaves, which CUDA cores share.
  const double efficiency = efficiency_of(machine);
  const double promotion =
      machine.scales_in_tensor_cores
          ? 0.0
          : blocks * std::max(outputs / (kMultiplyAddsPerUs * efficiency), times.block_us);
  return {static_cast<double>(tiles.rounds) * (tensor / efficiency + promotion), tiles.tiles};
}

// cuBLASLt fits its tiles to the SMs: rows are filled up, rounds are not counted.
Arithmetic plain_arithmetic(std::span<const std::int64_t> rows,
                            std::int64_t columns,
                            std::int64_t depth,
                            const StepMachine& machine) {
  const std::int64_t tile = row_tile(*std::max_element(rows.begin(), rows.end()));
  const std::int64_t tiles = row_tiles(rows, tile);
  const double operations = 2.0 * static_cast<double>(tiles * tile) * static_cast<double>(columns) *
                            static_cast<double>(depth);
  return {operations / ((machine.sm_count - machine.reserved_sms) * kSmOperationsPerUs *
                        machine.tensor_ratio * efficiency_of(machine)),
          tiles * parts(columns, kTileColumns)};
}

}  // namespace

BlockTiles block_tiles(std::span<const std::int64_t> rows,
                       std::int64_t columns,
                       std::int64_t slots) {
  const std::int64_t expected = mean_rows(rows);
  const auto groups = std::count_if(rows.begin(), rows.end(), [](auto count) { return count > 0; });
  BlockTiles best;
  best.rows = row_tile(expected);
  const std::int64_t across = parts(expected, best.rows) * groups;
  std::int64_t best_rounds = 0, best_last = 0;  // and tiles of the last round
  for (std::int64_t width = kLeastColumns; width <= kMostColumns; width += kColumnStep) {
    const std::int64_t tiles = across * parts(columns, width);
    const std::int64_t rounds = parts(tiles, slots);
    const std::int64_t last = tiles - (rounds - 1) * slots;
    if (best.columns > 0 && (rounds > best_rounds || (rounds == best_rounds && last <= best_last)))
      continue;
    best.columns = width;
    best_rounds = rounds;
    best_last = last;
  }
  best.tiles = row_tiles(rows, best.rows) * parts(columns, best.columns);
  best.rounds = parts(best.tiles, slots);
  return best;
}

ComputeTime formatted_gemm_time(std::span<const std::int64_t> rows,
                                std::int64_t columns,
                                std::int64_t depth,
                                const GemmFormat& format,
                                const StepMachine& machine,
                                const BlockScaledTimes& times) {
  const auto groups = std::count_if(rows.begin(), rows.end(), [](auto count) { return count > 0; });
  if (groups == 0 || columns == 0 || depth == 0) return {};
  check(machine.reserved_sms < machine.sm_count, "a GEMM has SMs");
  const bool is_fp8 = format.dtype == StepDtype::fp8;
  const auto total = static_cast<double>(std::accumulate(rows.begin(), rows.end(), std::int64_t{}));
  const double matrix = static_cast<double>(columns) * static_cast<double>(depth);
  const Traffic traffic{total * static_cast<double>(depth) * (is_fp8 ? 1.0 : kBytesOfBf16) +
                            static_cast<double>(groups) * matrix * format.weight_bits / kBitsOfByte,
                        total * static_cast<double>(columns) * kBytesOfBf16};
  const Arithmetic arithmetic = is_fp8 ? scaled_arithmetic(rows, columns, depth, machine, times)
                                       : plain_arithmetic(rows, columns, depth, machine);
  const double exposed = machine.overlap.ratio("gemm_memory_exposed");
  const double memory = memory_us(traffic.read, machine) + memory_us(traffic.written, machine);
  double us = 0;
  if (is_fp8) {
    us = times.fixed_us + std::max(arithmetic.us, memory) +
         exposed * std::min(arithmetic.us, memory);
  } else {
    const double fixed = to_us(machine.overlap.duration("gemm_fixed"));
    us = fixed + std::max(arithmetic.us + exposed * memory, memory);
  }
  ComputeTime compute;
  compute.time = from_us(us);
  compute.memory_share = std::max(memory / us, machine.overlap.ratio("gemm_memory_share"));
  compute.clock_share = std::min(1.0, arithmetic.us / us);
  compute.ctas = machine.sm_count - machine.reserved_sms;
  compute.tiles = static_cast<std::uint32_t>(
      std::clamp<std::int64_t>(arithmetic.tiles, 1, std::int64_t{1'000'000'000}));
  return compute;
}

}  // namespace epsim
