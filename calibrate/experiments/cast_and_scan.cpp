// M14: what a dispatch computes before it sends: the cast of a token's row to FP8, and the scan of
// all choices by a counting warp.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include "calibrate/device_error.hpp"
#include "calibrate/experiments/cta_count.hpp"
#include "calibrate/experiments/cycle_samples.hpp"
#include "calibrate/experiments/experiments.hpp"
#include "kernels/device_array.hpp"
#include "kernels/micro/cast_and_scan.cuh"
#include "kernels/reference/cast_rows_reference.hpp"
#include "sim/base/check.hpp"

namespace epsim::cast_and_scan {
namespace {

using kernels::CastRows;
using kernels::ScanChoices;

constexpr std::size_t kCalls = kWarmups + kSamples;
constexpr int kMostHidden = 8192;
constexpr int kMostChoices = 8192;
constexpr int kRows = 1024;  // at most 16 MB of BF16, which a kernel before left in the L2 cache
constexpr int kExperts = 256;
constexpr int kCheckedRows = 64;  // first ones, against the reference; all, against the poison
constexpr std::uint8_t kPoison = 0xff;  // NaN in e4m3 and as a float: no finite value casts to it

// Row i's channel j in BF16 bits: signs, a spread of magnitudes, and some zeros; never infinite.
std::uint16_t channel_bits(std::size_t i) {
  const std::uint32_t mixed = static_cast<std::uint32_t>(i) * 2654435761U;  // Knuth's multiplier
  if (mixed >> 28 == 0) return 0;
  const std::uint32_t exponent = 118 + (mixed >> 20) % 12;  // 2^-9 to 2^2
  return static_cast<std::uint16_t>((mixed & 0x8000U) | exponent << 7 | (mixed >> 8 & 0x7fU));
}

struct State {
  explicit State(Lab& in)
      : lab(in),
        source(0, std::size_t{kRows} * kMostHidden),
        values(0, std::size_t{kRows} * kMostHidden),
        scales(0, std::size_t{kRows} * kMostHidden / kernels::kCastGroup),
        token_cycles(0, static_cast<std::size_t>(in.gpus().sm_count()) * kCalls),
        choices(0, kMostChoices),
        counts(0, kernels::kScannedExperts),
        scan_cycles(0, kCalls),
        cycles_per_ns(in.cycles_per_ns()) {
    for (std::size_t i = 0; i < source.size(); ++i) row_bits.push_back(channel_bits(i));
    source.upload(row_bits);
    for (int i = 0; i < kMostChoices; ++i)
      choice_ids.push_back(static_cast<int>(channel_bits(static_cast<std::size_t>(i))) % kExperts);
    choices.upload(choice_ids);
  }

  Lab& lab;
  kernels::DeviceArray<std::uint16_t> source;
  kernels::DeviceArray<std::uint8_t> values;
  kernels::DeviceArray<float> scales;
  kernels::DeviceArray<std::int64_t> token_cycles;
  kernels::DeviceArray<int> choices, counts;
  kernels::DeviceArray<std::int64_t> scan_cycles;
  double cycles_per_ns;
  std::vector<std::uint16_t> row_bits;
  std::vector<int> choice_ids;
};

void run(State& state, const CastRows& work) {
  kernels::cuda_check(cudaSetDevice(0));
  launch_cast_rows(work, state.lab.gpus().stream(0));
  state.lab.gpus().synchronize();
}

void verify_cast(State& state, CastRows work) {
  work.tokens_per_cta = work.row_count / work.cta_count;
  check(static_cast<std::size_t>(work.tokens_per_cta) <=
            kCalls * static_cast<std::size_t>(state.lab.gpus().sm_count() / work.cta_count),
        "the cycle counts of all rows have room");
  state.values.fill(kPoison);
  state.scales.fill(kPoison);
  run(state, work);
  const std::size_t rows = static_cast<std::size_t>(work.row_count);
  const std::size_t hidden = static_cast<std::size_t>(work.hidden);
  const std::size_t groups = hidden / kernels::kCastGroup;
  const auto values = state.values.download(0, rows * hidden);
  const auto scales = state.scales.download(0, rows * groups);
  if (std::ranges::count(values, kPoison) > 0) throw DeviceError("cast: a channel was not written");
  if (std::ranges::any_of(scales, [](float scale) { return std::isnan(scale); }))
    throw DeviceError("cast: a scale was not written");
  for (std::size_t row = 0; row < std::min<std::size_t>(rows, kCheckedRows); ++row) {
    const auto expected = kernels::cast_reference(
        std::span<const std::uint16_t>(state.row_bits).subspan(row * hidden, hidden));
    if (std::memcmp(values.data() + row * hidden, expected.values.data(), hidden) != 0 ||
        std::memcmp(scales.data() + row * groups, expected.scales.data(), groups * 4) != 0)
      throw DeviceError("cast: a row is not what the reference makes of it");
  }
}

PointResult measure_cast(State& state, const Point& point) {
  const int ctas = cta_count(point, state.lab);
  CastRows work{.source = reinterpret_cast<const __nv_bfloat16*>(state.source.data()),
                .values = state.values.data(),
                .scales = state.scales.data(),
                .token_cycles = state.token_cycles.data(),
                .row_count = kRows / ctas * ctas,
                .hidden = static_cast<int>(point.integer("hidden")),
                .tokens_per_cta = 0,
                .cta_count = ctas};
  verify_cast(state, work);
  work.tokens_per_cta = static_cast<int>(kCalls);
  run(state, work);
  const auto counts = state.token_cycles.download(0, static_cast<std::size_t>(ctas) * kCalls);
  PointResult result;
  result.bytes_moved = bytes_moved(work) / static_cast<std::int64_t>(kCalls);
  return result.add(
      "cast_ns",
      mean_over_units_ns({.counts = counts, .samples_per_unit = kCalls}, state.cycles_per_ns));
}

PointResult measure_scan(State& state, const Point& point) {
  const ScanChoices work{.choices = state.choices.data(),
                         .counts = state.counts.data(),
                         .scan_cycles = state.scan_cycles.data(),
                         .choice_count = static_cast<int>(point.integer("choices")),
                         .first_expert = kExperts / 2,
                         .scan_count = static_cast<int>(kCalls)};
  state.counts.fill(kPoison);
  kernels::cuda_check(cudaSetDevice(0));
  launch_scan_choices(work, state.lab.gpus().stream(0));
  state.lab.gpus().synchronize();
  const auto scanned =
      std::span<const int>(state.choice_ids).first(static_cast<std::size_t>(work.choice_count));
  const auto counts = state.counts.download();
  for (int i = 0; i < kernels::kScannedExperts; ++i)
    if (counts[static_cast<std::size_t>(i)] != std::ranges::count(scanned, work.first_expert + i))
      throw DeviceError("scan: an expert's choices are not counted right");
  const auto cycles = state.scan_cycles.download();
  PointResult result;
  result.bytes_moved = bytes_moved(work) / static_cast<std::int64_t>(kCalls);
  return result.add(
      "scan_ns",
      mean_over_units_ns({.counts = cycles, .samples_per_unit = kCalls}, state.cycles_per_ns));
}

}  // namespace

std::vector<Point> points(int) {
  std::vector<Point> all;
  for (const char* ctas : {"1", "all"})
    for (const std::int64_t hidden : {2048, 4096, 7168, 8192})
      all.push_back(Point{}.with("kind", "cast").with("ctas", ctas).with("hidden", hidden));
  for (const std::int64_t choices : {128, 512, 1024, 2048, 4096, 8192})
    all.push_back(Point{}.with("kind", "scan").with("choices", choices));
  return all;
}

Bench open(Lab& lab) {
  auto state = std::make_shared<State>(lab);
  return [state](const Point& point) {
    return point.text("kind") == "cast" ? measure_cast(*state, point) : measure_scan(*state, point);
  };
}

}  // namespace epsim::cast_and_scan
