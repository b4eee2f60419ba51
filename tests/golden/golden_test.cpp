// Golden timelines: small scenarios in round constants whose whole timeline is committed. The
// README beside them says what to see in each. EPSIM_UPDATE_GOLDEN=1 rewrites them; git diff
// reviews.
#include <array>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

#include <doctest/doctest.h>

#include "models/intranode.hpp"
#include "models/low_latency.hpp"
#include "sim/base/json_writer.hpp"
#include "sim/base/text_file.hpp"
#include "sim/execute.hpp"
#include "tests/support/round_constants.hpp"

using namespace epsim;
using namespace std::chrono_literals;

namespace {

constexpr std::array<std::string_view, 9> kKindNames = {
    "work", "serve", "load", "put", "drain", "signal", "wait", "fence", "barrier"};

std::string timeline_text(const Plan& plan, const Timeline& timeline) {
  const auto ns = [](Instant moment) { return to_ns(moment.time_since_epoch()); };
  JsonWriter writer(2);
  writer.begin_object().field("plan", plan.name).key("kernels").begin_array();
  for (std::size_t k = 0; k < plan.kernels.size(); ++k)
    writer.begin_object()
        .field("rank", plan.kernels[k].rank.value)
        .field("name", plan.kernels[k].name)
        .field("start_ns", ns(timeline.kernel_start[k]))
        .field("end_ns", ns(timeline.kernel_end[k]))
        .end_object();
  writer.end_array().key("operations").begin_array();
  for (std::size_t a = 0; a < plan.agents.size(); ++a) {
    const Agent& agent = plan.agents[a];
    for (std::size_t i = 0; i < agent.operation_count; ++i) {
      const std::size_t index = agent.first_operation + i;
      const Operation& operation = plan.operations[index];
      writer.begin_object()
          .field("rank", plan.rank_of(agent).value)
          .field("role", kRoleNames[static_cast<std::size_t>(agent.role)])
          .field("agent", a)
          .field("phase", kPhaseNames[static_cast<std::size_t>(operation.phase)])
          .field("kind", kKindNames[static_cast<std::size_t>(operation.kind)])
          .field("start_ns", ns(timeline.start[index]))
          .field("end_ns", ns(timeline.end[index]))
          .end_object();
    }
  }
  writer.end_array().end_object();
  return writer.take();
}

void check_golden(const std::string& name, const Plan& plan, const Workload& workload) {
  const std::string text = timeline_text(plan, execute(plan, *workload.topology));
  const std::filesystem::path path =
      std::filesystem::path(EPSIM_SOURCE_DIR) / "tests" / "golden" / (name + ".json");
  if (std::getenv("EPSIM_UPDATE_GOLDEN") != nullptr) replace_text_file(path, text);
  CAPTURE(path);
  INFO("EPSIM_UPDATE_GOLDEN=1 rewrites it; see what changed with git diff");
  const bool is_same = read_text_file(path) == text;
  CHECK(is_same);
}

// Two ranks with one expert each; the tokens of rank 0 all choose the expert of rank 1.
Workload to_the_peer(std::size_t tokens) {
  return round_workload({.experts = 2, .top_k = 1, .tokens = {same_tokens(tokens, {1}), {}}}, 4);
}

void check_combine(const std::string& name, std::size_t tokens, FencePlacement fence) {
  Workload workload = to_the_peer(tokens);
  workload.fence = fence;
  check_golden(
      name, plan_low_latency_combine(workload, round_hardware(), round_low_latency()), workload);
}

}  // namespace

TEST_CASE("golden: a low-latency dispatch of one message has the committed timeline") {
  const Workload workload = to_the_peer(1);
  check_golden("ll_dispatch_one_message",
               plan_low_latency_dispatch(workload, round_hardware(), round_low_latency()),
               workload);
}

TEST_CASE("golden: a low-latency dispatch in two launches has the committed timeline") {
  Workload workload = to_the_peer(1);
  workload.split = {.split = true, .gap = 10us};
  check_golden("ll_dispatch_split",
               plan_low_latency_dispatch(workload, round_hardware(), round_low_latency()),
               workload);
}

TEST_CASE("golden: a low-latency combine of one row has the committed timelines, fenced or not") {
  check_combine("ll_combine_one_row", 1, FencePlacement::P0);
  check_combine("ll_combine_one_row_p3", 1, FencePlacement::P3);
}

TEST_CASE("golden: a low-latency combine of a hot expert has the committed timeline") {
  check_combine("ll_combine_hot_expert", 4, FencePlacement::P0);
}

TEST_CASE("golden: an intranode dispatch of one chunk has the committed timeline") {
  const Workload workload = to_the_peer(3);
  check_golden("intranode_dispatch_one_chunk",
               plan_intranode_dispatch(workload, round_hardware(), round_intranode()),
               workload);
}
