#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "sim/base/rng.hpp"
#include "tests/support/seeds.hpp"
#include "traces/clock_skew.hpp"

using namespace epsim;

namespace {

constexpr std::int64_t kUs = 1'000'000;  // in picoseconds
constexpr std::int64_t kNsPs = 1000;

struct RankSet {
  std::vector<GpuTrace> traces;
  std::vector<std::int64_t> to_first_ps;  // the truth
  std::int64_t jitter_ps = 0;             // ends differ by less between two ranks
  std::size_t collectives = 0;
};

bool is_collective(std::string_view name) {
  return name.starts_with("nccl");
}

void add_kernel(GpuTrace& trace, std::uint32_t name, std::int64_t start_ps, std::int64_t end_ps) {
  GpuActivity kernel{};
  kernel.start = Instant{Duration{start_ps}};
  kernel.time = Duration{end_ps - start_ps};
  kernel.name = name;
  trace.activities.push_back(kernel);
}

// Ranks that compute for times of their own, meet in collectives of two names, and leave each
// within the jitter; each rank's clock is up to a second off, and each trace counts from its own
// start.
RankSet random_ranks(std::uint64_t seed) {
  Rng rng(seed);
  RankSet set;
  const std::size_t rank_count = 2 + rng.below(7);
  set.collectives = 3 + rng.below(60);
  set.jitter_ps = static_cast<std::int64_t>(1 + rng.below(5)) * kUs;
  set.traces.resize(rank_count);
  std::vector<std::int64_t> clock(rank_count), now(rank_count, 0);
  for (std::size_t r = 0; r < rank_count; ++r) {
    clock[r] = (static_cast<std::int64_t>(rng.below(2'000'000)) - 1'000'000) * kUs;
    set.traces[r].names = {"gemm", "ncclDevKernel_AllGather", "ncclDevKernel_ReduceScatter"};
  }
  const auto below = [&](std::int64_t most) {
    return static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(most)));
  };
  for (std::size_t k = 0; k < set.collectives; ++k) {
    const auto name = static_cast<std::uint32_t>(1 + rng.below(2));
    for (std::size_t r = 0; r < rank_count; ++r) {
      const std::int64_t compute = 50 * kUs + below(300 * kUs);
      add_kernel(set.traces[r], 0, now[r] + clock[r], now[r] + compute + clock[r]);
      now[r] += compute;
    }
    const std::int64_t left = *std::max_element(now.begin(), now.end()) + 20 * kUs;
    for (std::size_t r = 0; r < rank_count; ++r) {
      const std::int64_t end = left + below(set.jitter_ps);
      add_kernel(set.traces[r], name, now[r] + clock[r], end + clock[r]);
      now[r] = end;
    }
  }
  std::vector<std::int64_t> epoch(rank_count);
  for (std::size_t r = 0; r < rank_count; ++r) {
    epoch[r] = set.traces[r].activities.front().start.time_since_epoch().count();
    set.traces[r].epoch_ns = epoch[r] / kNsPs;
    for (GpuActivity& activity : set.traces[r].activities) activity.start -= Duration{epoch[r]};
  }
  // Real time t stands in trace r as t + clock[r] - epoch[r].
  for (std::size_t r = 0; r < rank_count; ++r)
    set.to_first_ps.push_back((clock[0] - epoch[0]) - (clock[r] - epoch[r]));
  return set;
}

}  // namespace

TEST_CASE("clock skew: offsets of random ranks are found to within the jitter of their ends") {
  for (const std::uint64_t seed : property_seeds(200)) {
    CAPTURE(seed);
    const RankSet set = random_ranks(seed);
    const std::vector<ClockSkew> skews = clock_skews(set.traces, is_collective);
    REQUIRE(skews.size() == set.traces.size());
    CHECK(skews[0].to_first == Duration{});
    for (std::size_t r = 0; r < skews.size(); ++r) {
      CAPTURE(r);
      REQUIRE(skews[r].refusal == "");
      CHECK(skews[r].collectives == set.collectives);
      // Two ends differ by less than the jitter either way: so does their median from the truth,
      // and an end from the median by less than twice as much.
      CHECK(std::abs(skews[r].to_first.count() - set.to_first_ps[r]) < set.jitter_ps);
      CHECK(skews[r].uncertainty.count() < 2 * set.jitter_ps);
    }
  }
}

TEST_CASE("clock skew: one rank that comes late to a tenth of its collectives changes nothing") {
  for (const std::uint64_t seed : property_seeds(50)) {
    CAPTURE(seed);
    RankSet set = random_ranks(seed);
    const std::vector<ClockSkew> before = clock_skews(set.traces, is_collective);
    std::size_t seen = 0;
    for (GpuActivity& activity : set.traces[1].activities)
      if (activity.name != 0 && ++seen % 11 == 0) activity.time += Duration{400 * kUs};
    const std::vector<ClockSkew> after = clock_skews(set.traces, is_collective);
    REQUIRE(after[1].is_known());
    CHECK(std::abs((after[1].to_first - before[1].to_first).count()) < set.jitter_ps);
  }
}

TEST_CASE("clock skew: ranks whose collectives are not the same are refused, with the reason") {
  RankSet set = random_ranks(1);
  set.traces.resize(2);
  GpuTrace& other = set.traces[1];
  const std::vector<GpuActivity> whole = other.activities;
  other.activities.pop_back();  // a collective
  std::vector<ClockSkew> skews = clock_skews(set.traces, is_collective);
  CHECK(skews[0].is_known());
  CHECK(skews[1].refusal.find("on the first rank") != std::string::npos);
  CHECK(skews[1].to_first == Duration{});

  other.activities = whole;
  other.names[1] = "ncclDevKernel_Broadcast";
  CHECK(clock_skews(set.traces, is_collective)[1].refusal.find("AllGather") != std::string::npos);

  const auto none = [](std::string_view) { return false; };
  CHECK(clock_skews(set.traces, none)[1].refusal == "0 collectives; at least 3 are needed");
  CHECK(clock_skews({}, is_collective).empty());
}

TEST_CASE("clock skew: recordings that begin at different collectives are refused") {
  // Ends of the first rank at 0, 10, 110, 120, 1120, 1130 us; the other recorded from the second
  // on: each end is compared with the next one. Differences 10, 100, 10, 1000, 10 us and, at the
  // end, 870: the scatter is 990 us and the gap (1130 - 0) / 5 = 226 us.
  GpuTrace first, other;
  first.names = other.names = {"nccl"};
  const std::vector<std::int64_t> ends_us = {0, 10, 110, 120, 1120, 1130, 2000};
  for (std::size_t i = 0; i < 6; ++i) {
    add_kernel(first, 0, (ends_us[i] - 5) * kUs, ends_us[i] * kUs);
    add_kernel(other, 0, (ends_us[i + 1] - 5) * kUs, ends_us[i + 1] * kUs);
  }
  const std::vector<GpuTrace> ranks = {first, other};
  const ClockSkew skew = clock_skews(ranks, is_collective)[1];
  CHECK(skew.refusal.find("do not begin at the same one") != std::string::npos);
}
