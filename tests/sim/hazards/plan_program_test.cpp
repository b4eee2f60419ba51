#include "sim/hazards/plan_program.hpp"

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "models/low_latency.hpp"
#include "sim/hazards/happens_before.hpp"
#include "tests/support/round_constants.hpp"
#include "tests/support/small_workloads.hpp"

using namespace epsim;

namespace {

// Two ranks of twenty tokens with two rows each on four SMs: groups reuse their ring.
Workload ring_workload(FencePlacement fence) {
  Workload workload = round_workload(
      {.experts = 8, .top_k = 2, .tokens = {same_tokens(20, {0, 7}), same_tokens(20, {1, 6})}}, 4);
  workload.fence = fence;
  workload.record_accesses = true;
  return workload;
}

// "E1", "E2": what a combine leaves open, strictly or leniently.
std::string open_edges(FencePlacement fence, bool lenient, bool split = false) {
  Workload workload = ring_workload(fence);
  workload.split.split = split;
  const Plan plan = plan_low_latency_combine(workload, round_hardware(), round_low_latency());
  const HazardReport report = find_hazards(plan_sync_program(plan), {.lenient = lenient});
  std::string open;
  for (const Finding& finding : report.findings) {
    CHECK(finding.verdict == Verdict::formal);
    open += finding.kind == HazardKind::stale_read         ? "E1 "
            : finding.kind == HazardKind::overwritten_read ? "E2 "
                                                           : "other ";
  }
  return open;
}

}  // namespace

TEST_CASE("plan program: each placement closes the edges that its place and its space can close") {
  struct Row {
    FencePlacement fence;
    const char* strict;
    const char* lenient;
  };
  // E1: rows of peers, published through a flag that generic loads acquire. E2: stages that decode
  // warps read with ordinary loads. P1 fences in the pollers' CTAs, not in all that load. P2 fences
  // before a token's first load; the second row of a token may still meet a stage just read. P5 is
  // no proxy fence. P6 loads rows in the generic proxy. P7 puts a kernel boundary behind the polls.
  const std::vector<Row> rows = {{FencePlacement::P0, "E1 E2 ", "E1 E2 "},
                                 {FencePlacement::P1, "E1 E2 ", "E2 "},
                                 {FencePlacement::P1b, "E2 ", "E2 "},
                                 {FencePlacement::P2, "E2 ", "E2 "},
                                 {FencePlacement::P3, "", ""},
                                 {FencePlacement::P3g, "E2 ", "E2 "},
                                 {FencePlacement::P3s, "E1 ", "E1 "},
                                 {FencePlacement::P4, "E1 ", "E1 "},
                                 {FencePlacement::P5, "E1 E2 ", "E1 E2 "},
                                 {FencePlacement::P6, "", ""},
                                 {FencePlacement::P7, "E2 ", "E2 "},
                                 {FencePlacement::P1b_P4, "", ""}};
  for (const Row& row : rows) {
    CAPTURE(kFencePlacementNames[static_cast<std::size_t>(row.fence)]);
    CHECK(open_edges(row.fence, false) == row.strict);
    CHECK(open_edges(row.fence, true) == row.lenient);
  }
}

TEST_CASE("plan program: a split launch leaves the same edges open, as its polls come second") {
  CHECK(open_edges(FencePlacement::P0, false, true) == "E1 E2 ");
  CHECK(open_edges(FencePlacement::P1b_P4, false, true) == "");
}

TEST_CASE("plan program: without its fences a plan keeps every order that is none of a proxy's") {
  // Dispatch by ordinary loads; both operations of every odd case.
  for (const NamedWorkload& odd : odd_workloads()) {
    CAPTURE(odd.name);
    Workload workload = odd.workload;
    workload.record_accesses = true;
    workload.fence = FencePlacement::P1b_P4;
    for (const bool split : {false, true}) {
      workload.split.split = split;
      const Plan sends =
          plan_tagged_low_latency_dispatch(workload, round_hardware(), round_low_latency());
      const Plan returns =
          plan_low_latency_combine(workload, round_hardware(), round_low_latency());
      for (const Plan* plan : {&sends, &returns})
        CHECK(find_hazards(plan_sync_program(*plan)).findings.empty());
    }
  }
}

TEST_CASE("plan program: DeepEP's dispatch reads with ld.global.nc what its own time saw written") {
  const Plan plan = plan_low_latency_dispatch(
      ring_workload(FencePlacement::P0), round_hardware(), round_low_latency());
  const HazardReport report = find_hazards(plan_sync_program(plan));
  // Staging rows of the own CTA, and messages of the receive buffer.
  REQUIRE(report.findings.size() == 2);
  for (const Finding& finding : report.findings) {
    CHECK(finding.kind == HazardKind::non_coherent_read);
    CHECK(finding.basis == Basis::outside_model);
    CHECK(!finding.path.empty());
  }
}

TEST_CASE("plan program: a plan that recorded nothing touches nothing") {
  Workload workload = ring_workload(FencePlacement::P0);
  workload.record_accesses = false;
  const Plan plan = plan_low_latency_combine(workload, round_hardware(), round_low_latency());
  CHECK(plan.accesses.empty());
  CHECK(find_hazards(plan_sync_program(plan)).accesses == 0);
}

TEST_CASE("plan program: recording what a plan touches changes none of its operations") {
  Workload workload = ring_workload(FencePlacement::P3);
  const auto plans = [&](bool record) {
    workload.record_accesses = record;
    return std::vector{plan_low_latency_combine(workload, round_hardware(), round_low_latency()),
                       plan_low_latency_dispatch(workload, round_hardware(), round_low_latency())};
  };
  const std::vector<Plan> with = plans(true);
  const std::vector<Plan> without = plans(false);
  for (std::size_t p = 0; p < with.size(); ++p) {
    REQUIRE(with[p].operations.size() == without[p].operations.size());
    for (std::size_t o = 0; o < with[p].operations.size(); ++o) {
      CHECK(with[p].operations[o].kind == without[p].operations[o].kind);
      CHECK(with[p].operations[o].target == without[p].operations[o].target);
      CHECK(with[p].operations[o].time == without[p].operations[o].time);
    }
  }
}
