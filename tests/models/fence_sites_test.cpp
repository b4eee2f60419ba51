#include "models/fence_sites.hpp"

#include <algorithm>
#include <chrono>
#include <vector>

#include <doctest/doctest.h>

#include "models/low_latency.hpp"
#include "sim/execute.hpp"
#include "tests/support/round_constants.hpp"

using namespace epsim;
using namespace std::chrono_literals;

namespace {

// Two ranks, E = 8 experts on 4 SMs: 2 warp groups a CTA, 4 CTAs. H = 1024: D = 2 decode warps, so
// two token groups a CTA, N_g = 8. T = 20 tokens of K = 2: t_g = ceil(20 / 8) = 3 tokens on the
// busiest group, n = 6 rows; T K = 40.
constexpr std::uint32_t kE = 8;
constexpr std::uint32_t kGroups = 8;
constexpr std::uint32_t kT = 20;
constexpr std::uint32_t kK = 2;
constexpr std::uint32_t kD = 2;

Workload twenty_tokens(FencePlacement placement) {
  Workload workload = round_workload(
      {.experts = kE, .top_k = kK, .tokens = {same_tokens(kT, {0, 5}), same_tokens(kT, {1, 4})}},
      4);
  workload.fence = placement;
  return workload;
}

struct Fences {
  std::uint32_t executed = 0;        // by warps of rank 0
  std::uint32_t most_in_a_load = 0;  // by one load warp, one after the other
  std::vector<FenceKind> kinds;
};

// The agent of the decode warps stands for D warps that each execute what it holds.
Fences fences_of(const Plan& plan, std::uint32_t decode_warps) {
  Fences fences;
  for (const Agent& agent : plan.agents) {
    if (plan.rank_of(agent) != RankId{0}) continue;
    std::uint32_t own = 0;
    for (const Operation& operation : plan.operations_of(agent)) {
      if (operation.kind != OpKind::fence) continue;
      ++own;
      const auto kind = static_cast<FenceKind>(operation.detail);
      if (std::find(fences.kinds.begin(), fences.kinds.end(), kind) == fences.kinds.end())
        fences.kinds.push_back(kind);
    }
    fences.executed += agent.role == Role::decode_warps ? own * decode_warps : own;
    if (agent.role == Role::load_warp) fences.most_in_a_load = std::max(fences.most_in_a_load, own);
  }
  return fences;
}

Fences fences_at(FencePlacement placement) {
  const Workload workload = twenty_tokens(placement);
  return fences_of(plan_low_latency_combine(workload, round_hardware(), round_low_latency()), kD);
}

using Kinds = std::vector<FenceKind>;

}  // namespace

TEST_CASE("fence sites: P0, P6 and P7 execute no fence") {
  for (const FencePlacement placement :
       {FencePlacement::P0, FencePlacement::P6, FencePlacement::P7})
    CHECK(fences_at(placement).executed == 0);
}

TEST_CASE("fence sites: P1 is one fence a poller, E in all") {
  const Fences fences = fences_at(FencePlacement::P1);
  CHECK(fences.executed == kE);
  CHECK(fences.most_in_a_load == 0);
  CHECK(fences.kinds == Kinds{FenceKind::proxy_async});
}

TEST_CASE("fence sites: P1b is one fence a load warp, N_g in all") {
  const Fences fences = fences_at(FencePlacement::P1b);
  CHECK(fences.executed == kGroups);
  CHECK(fences.most_in_a_load == 1);
  CHECK(fences.kinds == Kinds{FenceKind::proxy_async});
}

TEST_CASE("fence sites: P2 is one fence a token, t_g of them one after the other") {
  const Fences fences = fences_at(FencePlacement::P2);
  CHECK(fences.executed == kT);
  CHECK(fences.most_in_a_load == 3);
  CHECK(fences.kinds == Kinds{FenceKind::proxy_async});
}

TEST_CASE("fence sites: P3, P3g, P3s and P5 are one fence a row, n of them one after the other") {
  const auto check_per_row = [](FencePlacement placement, FenceKind kind) {
    const Fences fences = fences_at(placement);
    CHECK(fences.executed == kT * kK);
    CHECK(fences.most_in_a_load == 6);
    CHECK(fences.kinds == Kinds{kind});
  };
  check_per_row(FencePlacement::P3, FenceKind::proxy_async);
  check_per_row(FencePlacement::P3g, FenceKind::proxy_async_global);
  check_per_row(FencePlacement::P3s, FenceKind::proxy_async_shared_cta);
  check_per_row(FencePlacement::P5, FenceKind::acq_rel_sys);
}

TEST_CASE("fence sites: P4 is one fence a row in each of D decode warps") {
  const Fences fences = fences_at(FencePlacement::P4);
  CHECK(fences.executed == kD * kT * kK);
  CHECK(fences.most_in_a_load == 0);
  CHECK(fences.kinds == Kinds{FenceKind::proxy_async_shared_cta});
}

TEST_CASE("fence sites: P1b with P4 is the sum of both") {
  const Fences fences = fences_at(FencePlacement::P1b_P4);
  CHECK(fences.executed == kGroups + kD * kT * kK);
  CHECK(fences.most_in_a_load == 1);
  CHECK(fences.kinds == Kinds{FenceKind::proxy_async, FenceKind::proxy_async_shared_cta});
}

TEST_CASE("fence sites: at 1024 tokens of top-8 on an H200 the counts are those of the table") {
  // E = 256 on 132 SMs: 128 CTAs, N_g = 256, D = 14, n = 4 x 8 = 32 rows a load warp.
  std::vector<TokenChoices> tokens;
  for (int t = 0; t < 1024; ++t) {
    TokenChoices choices;
    for (int k = 0; k < 8; ++k) choices.push_back(static_cast<ExpertChoice>((t * 8 + k) % 256));
    tokens.push_back(choices);
  }
  Workload workload = round_workload({.experts = 256, .top_k = 8, .tokens = {tokens, {}}});
  workload.hidden = 7168;
  const auto executed = [&](FencePlacement placement) {
    workload.fence = placement;
    return fences_of(plan_low_latency_combine(workload, round_hardware(), round_low_latency()), 14);
  };
  CHECK(executed(FencePlacement::P1).executed == 256);
  CHECK(executed(FencePlacement::P1b).executed == 256);
  CHECK(executed(FencePlacement::P2).executed == 1024);
  CHECK(executed(FencePlacement::P3).executed == 8192);
  CHECK(executed(FencePlacement::P3).most_in_a_load == 32);
  CHECK(executed(FencePlacement::P4).executed == 114'688);
}

TEST_CASE("fence sites: a masked choice needs no fence") {
  // Of each token one row is left: 20 instead of 40.
  Workload workload = round_workload(
      {.experts = kE, .top_k = kK, .tokens = {same_tokens(kT, {0, kMasked}), {}}}, 4);
  workload.fence = FencePlacement::P3;
  const Plan plan = plan_low_latency_combine(workload, round_hardware(), round_low_latency());
  CHECK(fences_of(plan, kD).executed == kT);
}

TEST_CASE("fence sites: P6 loads rows by ordinary loads, P7 reduces in a kernel of its own") {
  const auto count = [](FencePlacement placement, OpKind kind) {
    const Workload workload = twenty_tokens(placement);
    const Plan plan = plan_low_latency_combine(workload, round_hardware(), round_low_latency());
    return std::count_if(plan.operations.begin(), plan.operations.end(), [&](const Operation& o) {
      return o.kind == kind;
    });
  };
  // Two ranks of 40 rows each.
  CHECK(count(FencePlacement::P0, OpKind::load) == 80);
  CHECK(count(FencePlacement::P0, OpKind::serve) == 0);
  CHECK(count(FencePlacement::P6, OpKind::load) == 0);
  CHECK(count(FencePlacement::P6, OpKind::serve) == 80);
  const Workload split = twenty_tokens(FencePlacement::P7);
  CHECK(plan_low_latency_combine(split, round_hardware(), round_low_latency()).kernels.size() == 4);
}

TEST_CASE("fence sites: what a fence of a loader costs is what it keeps the ring from hiding") {
  // Memory and the SM's load path are nearly out of the way. A row takes 1 us to load and 1 us to
  // decode, a token 1 us to store. The busiest group has three tokens of two rows: without fences
  // its decode warps are never short of a row after the first, which comes at 1 us.
  // * A fence of 100 ns by the pollers, or once, delays everything by 100 ns; before each load but
  //   for one space (P3g, P3s) it delays the first row only.
  // * P3 waits for the load before, so rows 0 and 1 land 1.1 us apart, 0.1 us late each; the store
  //   of the first token then lets the loader catch up: 200 ns.
  // * P2 waits at the start of the second token, when the first one's rows have long landed.
  // * P5 waits too, but its 100 ns pass while the row lands: only the first is late.
  // * A fence in the decode warps costs its 100 ns in each of the six rows.
  const ConstantSet hardware = round_hardware()
                                   .with("l2_read_rate", 20'000)
                                   .with("hbm_read_rate", 20'000)
                                   .with("sm_bulk_load", 1'000);
  const ConstantSet family = round_low_latency().with("row_decode", 7.0);  // at 7168 channels
  const auto adds = [&](FencePlacement placement, Duration expected) {
    const auto latency = [&](FencePlacement at) {
      const Workload workload = twenty_tokens(at);
      const Plan plan = plan_low_latency_combine(workload, hardware, family);
      return execute(plan, *workload.topology).aligned_latency(plan);
    };
    CAPTURE(kFencePlacementNames[static_cast<std::size_t>(placement)]);
    // A row of 2 KB still takes 2 ns through the SM.
    const Duration added = latency(placement) - latency(FencePlacement::P0);
    CHECK(to_ns(added) == doctest::Approx(to_ns(expected)).epsilon(0.05));
  };
  for (const FencePlacement placement : {FencePlacement::P1,
                                         FencePlacement::P1b,
                                         FencePlacement::P2,
                                         FencePlacement::P3g,
                                         FencePlacement::P3s,
                                         FencePlacement::P5})
    adds(placement, 100ns);
  adds(FencePlacement::P3, 200ns);
  adds(FencePlacement::P4, 600ns);
  adds(FencePlacement::P1b_P4, 700ns);
}
