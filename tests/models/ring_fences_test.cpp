// Fences of the receivers of an intranode dispatch.
#include <chrono>
#include <vector>

#include <doctest/doctest.h>

#include "models/intranode.hpp"
#include "sim/execute.hpp"
#include "tests/support/round_constants.hpp"

using namespace epsim;
using namespace std::chrono_literals;

namespace {

// Two ranks, so 12 warps serve a ring, in chunks of 24 rows; 30 rows are a chunk of 24, two rows a
// warp, and one of 6.
Workload thirty_rows(const FenceChoice& fence) {
  Workload workload =
      round_workload({.experts = 2, .top_k = 1, .tokens = {same_tokens(30, {1}), {}}}, 4);
  workload.dispatch_fence = fence;
  return workload;
}

struct Fences {
  std::uint32_t operations = 0;
  std::uint32_t executions = 0;
  std::vector<FenceKind> kinds;
  Duration latency{};
};

Fences fences_of(FencePlacement placement, FenceForm form = {}) {
  const Workload workload = thirty_rows({placement, form});
  const Plan plan = plan_intranode_dispatch(workload, round_hardware(), round_intranode());
  Fences fences;
  for (const Operation& operation : plan.operations) {
    if (operation.kind != OpKind::fence) continue;
    ++fences.operations;
    fences.executions += operation.count;
    fences.kinds.push_back(static_cast<FenceKind>(operation.detail));
  }
  fences.latency = execute(plan, *workload.topology).aligned_latency(plan);
  return fences;
}

}  // namespace

TEST_CASE("ring fences: P0 has none, and P1 one a chunk, in the thread that acquired the tail") {
  CHECK(fences_of(FencePlacement::P0).operations == 0);
  const Fences fences = fences_of(FencePlacement::P1);
  CHECK(fences.operations == 2);
  CHECK(fences.executions == 2);
  CHECK(fences.kinds == std::vector(2, FenceKind::proxy_async));
}

TEST_CASE("ring fences: P1b is one a chunk in each warp that has rows of it") {
  // 12 warps have rows of the chunk of 24, 6 of the chunk of 6.
  const Fences fences = fences_of(FencePlacement::P1b);
  CHECK(fences.operations == 2);
  CHECK(fences.executions == 18);
}

TEST_CASE("ring fences: P3 and P5 are one a row") {
  for (const FencePlacement placement :
       {FencePlacement::P3, FencePlacement::P3g, FencePlacement::P5}) {
    const Fences fences = fences_of(placement);
    CHECK(fences.operations == 3);  // one after the other: two rows of a warp, then one
    CHECK(fences.executions == 30);
  }
  CHECK(fences_of(FencePlacement::P3g).kinds == std::vector(3, FenceKind::proxy_async_global));
  CHECK(fences_of(FencePlacement::P5).kinds == std::vector(3, FenceKind::acq_rel_sys));
  CHECK(fences_of(FencePlacement::P5, {.scope = Scope::gpu}).kinds ==
        std::vector(3, FenceKind::acq_rel_gpu));
}

TEST_CASE("ring fences: what they cost is what the receiver, the last to end, runs of them") {
  // A fence takes 100 ns. The second chunk is long there when the first has been taken out: with
  // P1 and P1b the receiver ends two fences later, with P3 three.
  const Duration none = fences_of(FencePlacement::P0).latency;
  const ConstantSet hardware = round_hardware();
  CHECK(hardware.duration("fence_proxy_async") == 100ns);
  const auto added = [&](FencePlacement placement) {
    return to_ns(fences_of(placement).latency - none);
  };
  CHECK(added(FencePlacement::P1) > 0);
  CHECK(added(FencePlacement::P1) == added(FencePlacement::P1b));
  CHECK(added(FencePlacement::P3) >= added(FencePlacement::P1b));
  CHECK(added(FencePlacement::P3) <= 300);
}
