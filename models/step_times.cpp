#include "models/step_times.hpp"

#include <algorithm>
#include <cmath>

#include "models/measured_curve.hpp"
#include "sim/base/check.hpp"

namespace epsim {
namespace {

// Of cuBLASLt's and DeepGEMM's usual tile, and of FlashAttention-3's queries of one head.
constexpr std::int64_t kTileRows = 128;
constexpr std::int64_t kTileColumns = 256;
// CTAs of 256 threads that an SM hosts at once.
constexpr std::uint16_t kSmallCtasPerSm = 8;
constexpr double kBytesOfBf16 = 2;

ComputeTime compute_time(double arithmetic_us, double bytes, const StepMachine& machine) {
  const double memory = memory_us(bytes, machine);
  const double us = std::max(arithmetic_us, memory);
  if (us <= 0) return {};
  ComputeTime compute;
  compute.time = from_us(us);
  compute.memory_share = memory / us;
  compute.clock_share = std::min(1.0, arithmetic_us / us);
  return compute;
}

std::uint32_t whole_number(std::int64_t value) {
  constexpr std::int64_t kMost = 1'000'000'000;
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(value, 1, kMost));
}

std::int64_t rounded_up(std::int64_t value, std::int64_t unit) {
  return (value + unit - 1) / unit;
}

// A GEMM gives way to others' traffic as if it took a measured share of the memory's rate (M17),
// whatever its operands need at least.
ComputeTime gemm_kernel(ComputeTime compute, const GemmWork& gemm, const StepMachine& machine) {
  compute.memory_share = std::max(compute.memory_share, machine.overlap.ratio("gemm_memory_share"));
  compute.ctas = machine.sm_count - machine.reserved_sms;
  compute.tiles = whole_number(rounded_up(gemm.m, kTileRows) * rounded_up(gemm.n, kTileColumns));
  return compute;
}

GemmWork in_bf16(GemmWork gemm, StepDtype dtype) {
  if (dtype == StepDtype::fp8) gemm.k = (gemm.k + 1) / 2;
  return gemm;
}

}  // namespace

double memory_us(double bytes, const StepMachine& machine) {
  const Bandwidth rate = machine.stream_rate.bytes_per_second > 0
                             ? machine.stream_rate
                             : machine.overlap.bandwidth("memory_rate");
  return 1e6 * bytes / rate.bytes_per_second;
}

ComputeTime gemm_compute_time(const GemmWork& gemm, const StepMachine& machine) {
  if (gemm.m == 0) return {};
  const GemmWork work = in_bf16(gemm, machine.dtype);
  const double law = gemm_time_us(
      work, machine.sm_count, machine.reserved_sms, machine.overlap, machine.tensor_ratio);
  return gemm_kernel(compute_time(law, gemm_bytes(work), machine), work, machine);
}

ComputeTime grouped_gemm_time(std::span<const std::int64_t> rows,
                              std::int64_t columns,
                              std::int64_t depth,
                              const StepMachine& machine) {
  std::int64_t filled = 0;
  std::int64_t groups = 0;
  for (const std::int64_t count : rows) {
    filled += rounded_up(count, kTileRows) * kTileRows;
    groups += count > 0 ? 1 : 0;
  }
  if (groups == 0) return {};
  const GemmWork work = in_bf16({filled, columns, depth}, machine.dtype);
  // The law counts one matrix; the others are read as well, and only so much of that is exposed.
  const double matrices = kBytesOfBf16 * static_cast<double>(groups - 1) *
                          static_cast<double>(work.n) * static_cast<double>(work.k);
  const double law =
      gemm_time_us(
          work, machine.sm_count, machine.reserved_sms, machine.overlap, machine.tensor_ratio) +
      machine.overlap.ratio("gemm_memory_exposed") * memory_us(matrices, machine);
  return gemm_kernel(compute_time(law, gemm_bytes(work) + matrices, machine), work, machine);
}

ComputeTime attention_core_time(const AttentionCore& core, const StepMachine& machine) {
  if (core.tokens == 0) return {};
  check(machine.reserved_sms < machine.sm_count, "attention has SMs");
  check(core.efficiency > 0, "attention reaches some of the peak");
  const auto number = [](std::int64_t value) { return static_cast<double>(value); };
  const double width = number(core.key_size + core.value_size);
  const double operations =
      2.0 * number(core.tokens) * number(core.heads) * number(core.attended) * width;
  const double on_hopper = operations / (number(machine.sm_count - machine.reserved_sms) *
                                         kSmOperationsPerUs * core.efficiency);
  const double arithmetic = machine.tensor_ratio < 1
                                ? on_hopper * (1 + core.efficiency * (1 / machine.tensor_ratio - 1))
                                : on_hopper / machine.tensor_ratio;
  const double cached =
      core.cached_bytes > 0 ? core.cached_bytes : kBytesOfBf16 * width * number(core.key_heads);
  const double queries = kBytesOfBf16 * width * number(core.tokens) * number(core.heads);
  const double bytes = queries + number(core.cached_tokens) * cached;
  const double exposed = core.exposes_queries ? memory_us(queries, machine) : 0;
  ComputeTime compute = compute_time(arithmetic + exposed, bytes, machine);
  compute.time += machine.hardware.duration("empty_kernel") + core.fixed;
  compute.ctas = whole_number(rounded_up(core.tokens * core.heads, kTileRows));
  return compute;
}

ComputeTime elementwise_time(Bytes traffic, std::int64_t rows, const StepMachine& machine) {
  ComputeTime compute = compute_time(0, static_cast<double>(traffic.count), machine);
  const double memory = to_us(compute.time);
  compute.time += machine.hardware.duration("empty_kernel");
  if (compute.time > Duration{}) compute.memory_share = memory / to_us(compute.time);
  compute.ctas = whole_number(rows);
  compute.ctas_per_sm = kSmallCtasPerSm;
  return compute;
}

Duration link_time(Bytes payload, std::uint32_t ctas, const StepMachine& machine) {
  const double links = 1e9 * measured_curve(machine.overlap, "link_rate", {16, 20, 32, 64}, ctas);
  // Few CTAs do not fill the link.
  const double sms = ctas * machine.overlap.bandwidth("sm_copy").bytes_per_second;
  return machine.overlap.duration("exchange_fixed") + payload / Bandwidth{std::min(links, sms)};
}

}  // namespace epsim
