#include "models/step_plan.hpp"

#include <cstdint>
#include <vector>

#include <doctest/doctest.h>

#include "tests/support/hand_made_step.hpp"
#include "tests/support/round_step_constants.hpp"

using namespace epsim;

namespace {

Plan planned(HandMadeStep& made, const ConstantSet& constants = round_step_constants()) {
  return plan_step(made.step(), constants, {.runs_beside = false});
}

}  // namespace

TEST_CASE("step plan: task i on rank r is kernel i times the ranks plus r") {
  HandMadeStep made;
  made.elementwise(0, 10).name = "first";
  made.exchange(0, 10).name = "second";
  made.step().rank_count = 3;
  const Plan plan = planned(made);
  REQUIRE(plan.kernels.size() == 6);
  CHECK(plan.rank_count == 3);
  for (std::uint32_t r = 0; r < 3; ++r) {
    CHECK(plan.kernels[r].name == "first");
    CHECK(plan.kernels[r].rank == RankId{r});
    CHECK(plan.kernels[r].after == -1);
    CHECK(plan.kernels[3 + r].name == "second");
    CHECK(plan.kernels[3 + r].after == r);
  }
}

TEST_CASE("step plan: more ranks than say something new are left out, and so are recorded ones") {
  HandMadeStep made;
  made.exchange(0, 10);
  made.step().rank_count = 64;
  CHECK(planned_ranks(made.step()) == kMostStepRanks);
  CHECK(planned(made).rank_count == kMostStepRanks);
  made.step().as_recorded = true;
  CHECK(planned_ranks(made.step()) == 1);
  made.step().as_recorded = false;
  made.step().rank_count = 0;
  CHECK(planned_ranks(made.step()) == 1);
}

TEST_CASE("step plan: a persistent kernel has a CTA for each tile, and as many slots as CTAs fit") {
  HandMadeStep made;
  made.gemm(0, 40, 30);  // 30 tiles on 8 SMs: 4 rounds of 10 us
  made.gemm(0, 40, 5).cta_count = 5;
  made.gemm(0, 40, 40).ctas_per_sm = 2;
  made.step().tasks[2].cta_count = 16;
  made.gemm(0, 48, 0);        // not known
  made.gemm(0, 48, 100'000);  // more rounds than tell apart
  const Plan plan = planned(made);
  CHECK(plan.kernels[0].cta_count == 30);
  CHECK(plan.kernels[0].persistent_ctas == 8);
  CHECK(plan.kernels[0].own_first_tiles);
  CHECK(plan.kernels[0].crowded_ctas == kCrowdedByTable);
  CHECK(plan.operations[0].time == 10'000'000);  // ps
  CHECK(plan.kernels[1].cta_count == 5);
  CHECK(plan.kernels[1].persistent_ctas == 5);
  CHECK(plan.kernels[2].persistent_ctas == 16);
  CHECK(plan.kernels[2].cta_count == 40);
  CHECK(plan.kernels[3].cta_count == 16 * 8);
  CHECK(plan.kernels[4].cta_count == 48 * 8);
}

TEST_CASE("step plan: waves of a kernel are whole, and a short last one counts as none") {
  HandMadeStep made;
  made.elementwise(0, 40).cta_count = 5;     // 5 SMs, one wave
  made.elementwise(0, 40).cta_count = 19;    // 2.4: two
  made.elementwise(0, 40).cta_count = 20;    // 2.5: three
  made.elementwise(0, 40).cta_count = 8000;  // sixteen
  StepTask& dense = made.elementwise(0, 40);
  dense.cta_count = 64;
  dense.ctas_per_sm = 4;  // 32 at once, four on an SM: two waves of 8
  const Plan plan = planned(made);
  const std::vector<std::uint32_t> ctas = {5, 16, 24, 128, 16};
  for (std::size_t k = 0; k < ctas.size(); ++k) {
    CAPTURE(k);
    CHECK(plan.kernels[k].cta_count == ctas[k]);
    CHECK(plan.kernels[k].persistent_ctas == 0);
    CHECK(plan.kernels[k].ctas_per_sm == 1);
  }
}

TEST_CASE("step plan: exchanges are urgent, and cooperative ones start whole") {
  HandMadeStep made(2);
  made.elementwise(0, 10);
  made.exchange(1, 10);
  made.exchange(1, 10).starts_whole = true;
  made.exchange(1, 10, 500);
  const Plan plan = planned(made);
  CHECK_FALSE(plan.kernels[0].is_urgent);
  CHECK(plan.kernels[1].is_urgent);
  CHECK_FALSE(plan.kernels[1].starts_whole);
  CHECK(plan.kernels[2].starts_whole);
  CHECK(plan.kernels[3].cta_count == 8);  // no more than there are SMs
}

TEST_CASE("step plan: single CTAs split neighbouring SMs, so that clusters find less room") {
  HandMadeStep made(2);
  made.exchange(1, 10).memory_share = 0.1;
  const ConstantSet constants = round_step_constants().with("cluster_room", 0.9);
  // Beside n of 8 SMs: 0.9 * (8 - n) / 2 whole pairs. Beside none all 8; one SM at least.
  CHECK(planned(made, constants).crowded_slots ==
        std::vector<std::uint32_t>{8, 6, 4, 4, 2, 2, 0, 0, 1});
  // Clusters among themselves, and kernels that only notify: all pairs that are left.
  made.step().tasks[0].cluster_size = 2;
  CHECK(planned(made, constants).crowded_slots ==
        std::vector<std::uint32_t>{8, 6, 6, 4, 4, 2, 2, 0, 1});
}

TEST_CASE("step plan: equal seeds give equal launches, others differ") {
  HandMadeStep made(2);
  made.elementwise(0, 10);
  made.exchange(1, 10).after = {0};
  made.step().rank_count = 2;
  const ConstantSet constants =
      round_step_constants().with("launch_jitter", 3).with("exchange_jitter", 5);
  const auto delays = [&](std::uint64_t seed) {
    std::vector<Duration> all;
    const Plan plan = plan_step(made.step(), constants, {.seed = seed});
    for (const Kernel& kernel : plan.kernels) all.push_back(kernel.delay);
    for (const KernelEdge& edge : plan.kernel_edges) all.push_back(edge.delay);
    return all;
  };
  CHECK(delays(1) == delays(1));
  CHECK(delays(1) != delays(2));
  // An exchange's hop of 5 us and up to 5 more.
  for (const Duration delay : {delays(3)[4], delays(3)[5]}) {
    CHECK(delay >= from_us(5));
    CHECK(delay <= from_us(10));
  }
}
