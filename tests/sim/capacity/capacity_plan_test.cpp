#include "sim/capacity/capacity_plan.hpp"

#include <algorithm>
#include <string>

#include <doctest/doctest.h>

#include "models/step_schedule.hpp"
#include "sim/base/input_error.hpp"
#include "sim/base/json.hpp"
#include "sim/capacity/deployment_step.hpp"
#include "sim/capacity/exchange_times.hpp"
#include "sim/capacity/expert_slots.hpp"
#include "sim/capacity/played_step.hpp"
#include "sim/capacity/search_space.hpp"
#include "sim/capacity/serving_system.hpp"
#include "sim/step_run.hpp"

using namespace epsim;

namespace {

CapacityQuestion decode_on_h800() {
  CapacityQuestion question;
  question.model = load_model("deepseek-v3");
  question.system = "hgx-h800-cx7";
  question.gpus = 32;
  question.phase = ServingPhase::decode;
  question.lengths = {.input = 4096, .output = 1024};
  question.limits.ranks = {16, 32};
  question.limits.attention_ranks = {1};
  question.limits.batches = {16, 64, 128};
  question.limits.kernels = {"deepep-ll-v1"};
  question.seed = 7;
  return question;
}

const DeploymentResult* find_result(const CapacityPlan& plan,
                                    std::int64_t batch,
                                    MicroBatching micro_batching) {
  for (const DeploymentResult& result : plan.results)
    if (result.deployment.ranks == 32 && result.deployment.batch == batch &&
        result.deployment.micro_batching == micro_batching)
      return &result;
  return nullptr;
}

}  // namespace

TEST_CASE("capacity plan: the same answer for any number of threads") {
  const CapacityQuestion question = decode_on_h800();
  CHECK(capacity_json(plan_capacity(question, 1)) == capacity_json(plan_capacity(question, 2)));
}

TEST_CASE("capacity plan: every deployment is counted once") {
  const CapacityPlan plan = plan_capacity(decode_on_h800(), 2);
  const SearchCounts& counts = plan.counts;
  // 2 EP degrees x 2 ways of micro-batching x 3 batches.
  CHECK(counts.enumerated == 12);
  CHECK(counts.impossible + counts.too_large + counts.too_slow + counts.dominated +
            counts.simulated ==
        counts.enumerated);
  CHECK(counts.simulated == plan.results.size());
}

TEST_CASE("capacity plan: no simulation beats its bound") {
  CapacityQuestion question = decode_on_h800();
  for (const ServingPhase phase : {ServingPhase::decode, ServingPhase::prefill}) {
    question.phase = phase;
    question.limits.batches = phase == ServingPhase::decode ? std::vector<std::int64_t>{8, 128}
                                                            : std::vector<std::int64_t>{4096, 8192};
    if (phase == ServingPhase::prefill) {
      question.limits.kernels = {"deepep-normal-v1"};
      question.limits.sms = {20};
      question.limits.ranks = {16};
    }
    const ServingSystem system = load_serving_system(question.system, question.topology);
    const ServingQuestion serving{
        .question = question, .system = system, .shares = expert_shares(question), .measured = {}};
    ExchangeTimes exchanges(system, question.seed);
    for (const Deployment& deployment : search_space(question, system, false).deployments) {
      const DeploymentWork work = deployment_work(serving, deployment);
      const DeploymentBound bound = deployment_bound(serving, work, exchanges);
      const DeploymentResult result = simulate_deployment(serving, work, exchanges);
      CAPTURE(deployment.ranks);
      CAPTURE(deployment.batch);
      CHECK(result.latency_ms >= bound.latency_ms);
      CHECK(result.tokens_per_s_per_gpu <= bound.tokens_per_s_per_gpu);
    }
  }
}

TEST_CASE(
    "capacity plan: nothing simulated is both faster and cheaper than a point of the Pareto set") {
  const CapacityPlan plan = plan_capacity(decode_on_h800(), 2);
  REQUIRE(!plan.pareto.empty());
  for (const std::size_t index : plan.pareto)
    for (const DeploymentResult& other : plan.results) {
      const DeploymentResult& point = plan.results[index];
      CHECK_FALSE((other.latency_ms < point.latency_ms &&
                   other.tokens_per_s_per_gpu > point.tokens_per_s_per_gpu));
    }
  REQUIRE(plan.recommended.has_value());
  // Within 2 % of the most that any gives.
  CHECK(plan.results[*plan.recommended].tokens_per_s_per_gpu >=
        0.98 * plan.results[plan.pareto.back()].tokens_per_s_per_gpu);
}

TEST_CASE("capacity plan: a decode step's tokens are its batch, whatever the step takes") {
  CapacityQuestion question = decode_on_h800();
  question.limits.ranks = {32};
  question.limits.batches = {64};
  const CapacityPlan plan = plan_capacity(question, 1);
  const DeploymentResult* result = find_result(plan, 64, MicroBatching::none);
  REQUIRE(result != nullptr);
  // 64 sequences a GPU, one token each a step.
  CHECK(result->tokens_per_s_per_gpu == doctest::Approx(64e6 / result->step_us));
  CHECK(result->latency_ms == doctest::Approx(result->step_us / 1e3));
  // On one stream nothing hides.
  CHECK(result->overlap_pct == doctest::Approx(0).epsilon(0.01));
  CHECK(result->step_us ==
        doctest::Approx(result->compute_us + result->communication_us).epsilon(0.05));
}

TEST_CASE("capacity plan: an SLO that nothing reaches is refused with what comes nearest") {
  CapacityQuestion question = decode_on_h800();
  question.slo_ms = 0.5;
  const CapacityPlan plan = plan_capacity(question, 1);
  CHECK_FALSE(plan.recommended.has_value());
  REQUIRE(plan.nearest.has_value());
  for (const DeploymentResult& result : plan.results) {
    CHECK_FALSE(result.meets_slo);
    CHECK(result.latency_ms >= plan.results[*plan.nearest].latency_ms);
  }
  CHECK(plan.reason.find("nearest") != std::string::npos);
  CHECK(plan.counts.too_slow + plan.counts.simulated + plan.counts.too_large ==
        plan.counts.enumerated);
}

TEST_CASE("capacity plan: weights that fit nowhere are refused with the least need") {
  CapacityQuestion question = decode_on_h800();
  question.gpus = 8;
  question.limits = {};
  question.limits.kernels = {"deepep-ll-v1"};
  const CapacityPlan plan = plan_capacity(question, 1);  // 671 GB on 8 x 80 GB
  CHECK(plan.results.empty());
  CHECK_FALSE(plan.recommended.has_value());
  CHECK(plan.counts.too_large + plan.counts.impossible == plan.counts.enumerated);
  CHECK(plan.reason.find("nothing fits") != std::string::npos);
}

TEST_CASE("capacity plan: a limit that no deployment can meet is one error") {
  CapacityQuestion question = decode_on_h800();
  question.limits.ranks = {12};
  CHECK_THROWS_AS((void)plan_capacity(question, 1), InputError);
}

TEST_CASE("capacity plan: its JSON names every result and the chosen one") {
  const CapacityPlan plan = plan_capacity(decode_on_h800(), 2);
  const JsonDocument document = JsonDocument::parse(capacity_json(plan), "plan.json");
  JsonObject root = document.root().object();
  CHECK(root.required("schema").string() == "epsim.capacity/1");
  CHECK(root.required("results").array().size() == plan.results.size());
  CHECK(root.required("recommended").integer_in(0, 100) ==
        static_cast<std::int64_t>(*plan.recommended));
}

TEST_CASE("exchange times: the line through fewer tokens meets the simulation of more") {
  const ServingSystem system = load_serving_system("hgx-h800-cx7", "");
  ExchangeTimes exchanges(system, 7);
  ExchangeQuestion question{.kernel = "deepep-normal-v1",
                            .ranks = 16,
                            .slots = 256,
                            .top_k = 8,
                            .hidden = 7168,
                            .tokens = 2048,
                            .sms = 20,
                            .is_fp8 = true,
                            .routing = "random"};
  const ExchangeTime on_line = exchanges.find(question);
  const ExchangeTime simulated = exchanges.simulate(question);
  CHECK(to_us(on_line.dispatch.time) ==
        doctest::Approx(to_us(simulated.dispatch.time)).epsilon(0.05));
  CHECK(to_us(on_line.combine.time) ==
        doctest::Approx(to_us(simulated.combine.time)).epsilon(0.05));
}

TEST_CASE("capacity plan: a step on one stream takes what the engine says") {
  const CapacityQuestion question = decode_on_h800();
  const ServingSystem system = load_serving_system(question.system, question.topology);
  const ServingQuestion serving{
      .question = question, .system = system, .shares = expert_shares(question), .measured = {}};
  Deployment deployment{.ranks = 32, .batch = 16, .kernel = "deepep-ll-v1"};
  MoeStep step = layer_alone(serving, deployment, 16, 4096);
  step.rank_count = 1;
  const PlayedStep played = play_serial(step, system);
  const ScheduledStep scheduled =
      schedule_step(step,
                    {.kind = ScheduleKind::serial,
                     .stream_gap = system.calibration.hardware.duration("stream_gap")});
  // So few tokens wait for memory: the clock stays at its top in both.
  const StepRun run = run_step(scheduled.step, system.compute.step);
  CHECK(played.step_us == doctest::Approx(to_us(run.step)).epsilon(0.01));
}

TEST_CASE("exchange times: what lies between simulated tokens is near its own simulation") {
  const ServingSystem system = load_serving_system("hgx-h800-cx7", "");
  ExchangeTimes exchanges(system, 7);
  ExchangeQuestion question{.kernel = "deepep-ll-v1",
                            .ranks = 128,
                            .slots = 256,
                            .top_k = 8,
                            .hidden = 7168,
                            .tokens = 64,
                            .is_fp8 = true,
                            .routing = "random"};
  for (const std::int64_t tokens : {64, 200}) {
    question.tokens = tokens;
    const ExchangeTime between = exchanges.find(question);
    const ExchangeTime simulated = exchanges.simulate(question);
    CHECK(to_us(between.dispatch.time) ==
          doctest::Approx(to_us(simulated.dispatch.time)).epsilon(0.06));
    CHECK(to_us(between.combine.time) ==
          doctest::Approx(to_us(simulated.combine.time)).epsilon(0.06));
  }
}
