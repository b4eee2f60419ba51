#include "kernels/low_latency/stamp_oracle.cuh"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <doctest/doctest.h>

#include "kernels/device_array.hpp"
#include "kernels/reference/low_latency_reference.hpp"
#include "tests/kernels/gpu_tests.hpp"

using namespace epsim;
using namespace epsim::kernels;

namespace {

// One rank, two experts, three tokens with one choice each: tokens 0 and 2 go to expert 1, token 1
// to expert 0.
constexpr LowLatencyShape kShape = {.rank = 0,
                                    .rank_count = 1,
                                    .expert_count = 2,
                                    .token_count = 3,
                                    .most_tokens = 3,
                                    .top_k = 1,
                                    .hidden = 512};
const std::vector<std::int64_t> kIds = {1, 0, 1};
constexpr std::size_t kRows = 3;  // of an expert
constexpr std::size_t kHidden = 512;
constexpr std::size_t kGroups = kHidden / kScaleGroup;

// What a right dispatch leaves; a test spoils it before the oracle sees it.
struct Arrived {
  std::vector<std::uint8_t> rows;
  std::vector<float> scales;
  std::vector<int> source_token;
  std::vector<int2> source_range;
};

Arrived arrived(bool fp8) {
  const std::size_t row_bytes = kHidden * (fp8 ? 1 : 2);
  Arrived all{std::vector<std::uint8_t>(2 * kRows * row_bytes, kStampPoisonByte),
              std::vector<float>(2 * kGroups * kRows, std::bit_cast<float>(0xffffffffU)),
              std::vector<int>(2 * kRows, -1),
              {make_int2(1, 0), make_int2(2, 0)}};
  const auto place = [&](std::size_t expert, std::size_t row, int token) {
    std::vector<std::uint16_t> stamps;
    for (int c = 0; c < static_cast<int>(kHidden); ++c) stamps.push_back(token_stamp(0, token, c));
    const DispatchedRow sent = dispatched_row(stamps, fp8);
    std::copy(sent.payload.begin(),
              sent.payload.end(),
              all.rows.begin() + static_cast<std::ptrdiff_t>((expert * kRows + row) * row_bytes));
    for (std::size_t g = 0; g < sent.scales.size(); ++g)
      all.scales[(expert * kGroups + g) * kRows + row] = sent.scales[g];
    all.source_token[expert * kRows + row] = token;
  };
  place(0, 0, 1);
  place(1, 0, 2);  // in the order of arrival, which may be any
  place(1, 1, 0);
  return all;
}

// Faults of each kind that the oracle counts.
std::vector<int> faults_in(const Arrived& all, bool fp8) {
  DeviceArray<std::uint8_t> rows(0, all.rows.size());
  DeviceArray<float> scales(0, all.scales.size());
  DeviceArray<int> source_token(0, all.source_token.size()), faults(0, kStampFaults);
  DeviceArray<int2> source_range(0, all.source_range.size());
  DeviceArray<std::int64_t> ids(0, kIds.size());
  DeviceArray<std::uint16_t> expert_output(0, 2 * kRows * kHidden);
  rows.upload(all.rows);
  scales.upload(all.scales);
  source_token.upload(all.source_token);
  source_range.upload(all.source_range);
  ids.upload(kIds);
  faults.fill(0);
  launch_check_dispatch(
      {.shape = kShape,
       .expert_ids = ids.data(),
       .input = {rows.data(), scales.data(), source_token.data(), source_range.data()},
       .expert_output = expert_output.data(),
       .faults = faults.data()},
      fp8 ? RowFormat::fp8 : RowFormat::bf16,
      nullptr);
  return faults.download();
}

// As many faults of one kind, and none of another.
std::vector<int> only(StampFault kind, int count) {
  std::vector<int> faults(kStampFaults, 0);
  faults[static_cast<std::size_t>(kind)] = count;
  return faults;
}
const std::vector<int> kNoFaults(kStampFaults, 0);

}  // namespace

TEST_CASE("Stamp oracle: a right dispatch has no faults") {
  if (!enough_gpus(1)) return;
  for (const bool fp8 : {true, false}) CHECK(faults_in(arrived(fp8), fp8) == kNoFaults);
}

TEST_CASE("Stamp oracle: one wrong element, scale or poisoned byte of a dispatch is one fault") {
  if (!enough_gpus(1)) return;
  for (const bool fp8 : {true, false}) {
    const std::size_t row_bytes = kHidden * (fp8 ? 1 : 2);
    Arrived element = arrived(fp8);
    element.rows[3 * row_bytes + 17] ^= 1U;  // the first row of expert 1
    CHECK(faults_in(element, fp8) == only(StampFault::row_element, 1));
    Arrived poison = arrived(fp8);
    poison.rows[5 * row_bytes + 17] = 0;  // behind the two rows of expert 1
    CHECK(faults_in(poison, fp8) == only(StampFault::poison, 1));
    Arrived index = arrived(fp8);
    index.source_token[5] = 0;
    CHECK(faults_in(index, fp8) == only(StampFault::poison, 1));
  }
  Arrived scale = arrived(true);
  scale.scales[0] *= 2;
  CHECK(faults_in(scale, true) == only(StampFault::row_element, 1));
}

TEST_CASE("Stamp oracle: a token that came twice, or did not choose the expert, is a fault") {
  if (!enough_gpus(1)) return;
  Arrived twice = arrived(true);
  twice.source_token[4] = 2;
  CHECK(faults_in(twice, true)[static_cast<std::size_t>(StampFault::source_token)] == 1);
  Arrived stranger = arrived(true);
  stranger.source_token[3] = 1;
  CHECK(faults_in(stranger, true) == only(StampFault::source_token, 1));
  Arrived nobody = arrived(true);
  nobody.source_token[3] = 3;
  CHECK(faults_in(nobody, true) == only(StampFault::source_token, 1));
}

TEST_CASE("Stamp oracle: a wrong count or a gap before the rows is a fault") {
  if (!enough_gpus(1)) return;
  Arrived fewer = arrived(true);
  fewer.source_range[1].x = 1;
  CHECK(faults_in(fewer, true) == only(StampFault::row_count, 1));
  Arrived gap = arrived(true);
  gap.source_range[1].y = 1;
  CHECK(faults_in(gap, true)[static_cast<std::size_t>(StampFault::row_range)] == 1);
}

TEST_CASE("Stamp oracle: a combine is right to its last element, and its guard row stays poison") {
  if (!enough_gpus(1)) return;
  const std::vector<float> weights = {0.5F, 0.25F, 1.0F};
  std::vector<std::uint16_t> output;
  for (int token = 0; token < kShape.token_count; ++token) {
    std::vector<std::uint16_t> row;
    const auto expert = static_cast<int>(kIds[static_cast<std::size_t>(token)]);
    for (int c = 0; c < static_cast<int>(kHidden); ++c)
      row.push_back(expert_stamp(expert, 0, token, c));
    const WeightedRow weighted{row, weights[static_cast<std::size_t>(token)]};
    const std::vector<std::uint16_t> sum = combine_rows({&weighted, 1}, kHidden);
    output.insert(output.end(), sum.begin(), sum.end());
  }
  output.insert(output.end(), kHidden, 0xffff);
  const auto faults = [&](std::size_t spoilt, std::uint16_t flip) {
    std::vector<std::uint16_t> seen = output;
    seen[spoilt] = static_cast<std::uint16_t>(seen[spoilt] ^ flip);
    DeviceArray<std::int64_t> ids(0, kIds.size());
    DeviceArray<float> device_weights(0, weights.size());
    DeviceArray<std::uint16_t> device_output(0, seen.size());
    DeviceArray<int> counted(0, kStampFaults);
    ids.upload(kIds);
    device_weights.upload(weights);
    device_output.upload(seen);
    counted.fill(0);
    launch_check_combine({.shape = kShape,
                          .expert_ids = ids.data(),
                          .weights = device_weights.data(),
                          .output = device_output.data(),
                          .faults = counted.data()},
                         nullptr);
    return counted.download();
  };
  CHECK(faults(0, 0) == kNoFaults);
  CHECK(faults(700, 0x0008) == only(StampFault::output_element, 1));
  CHECK(faults(3 * kHidden + 5, 1) == only(StampFault::poison, 1));
}
