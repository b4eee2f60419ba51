#include "sim/perfetto_trace.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "sim/link_load.hpp"
#include "sim/scenario.hpp"
#include "sim/trace_lanes.hpp"

using namespace epsim;

namespace {

using Track = std::pair<std::int64_t, std::int64_t>;  // process and thread
struct Span {
  double start_us;
  double end_us;
};

// The events of a trace, as a viewer reads them.
struct Trace {
  std::map<Track, std::vector<Span>> slices;
  std::map<Track, std::string> thread_names;
  std::set<std::string> process_names;
  std::set<std::string> slice_names;
  std::map<std::string, std::vector<double>> counters;
};

Trace read_trace(const std::string& text) {
  Trace trace;
  const JsonDocument document = JsonDocument::parse(text, "trace");
  JsonObject root = document.root().object();
  CHECK(root.required("displayTimeUnit").string() == "ns");
  for (const JsonValue& value : root.required("traceEvents").array()) {
    JsonObject event = value.object();
    const std::string kind = event.required("ph").string();
    const std::string name = event.required("name").string();
    const std::int64_t process = event.required("pid").integer_in(1, 1'000'000);
    if (kind == "X") {
      const double start = event.required("ts").number_in(0, 1e9);
      const double length = event.required("dur").number_in(1e-6, 1e9);
      const Track track{process, event.required("tid").integer_in(1, 1'000'000)};
      trace.slices[track].push_back({start, start + length});
      trace.slice_names.insert(name);
    } else if (kind == "C") {
      JsonObject args = event.required("args").object();
      trace.counters[name].push_back(args.required("busy %").number_in(0, 100));
    } else {
      CHECK(kind == "M");
      JsonObject args = event.required("args").object();
      if (name == "process_name") trace.process_names.insert(args.required("name").string());
      if (name == "thread_name")
        trace.thread_names[{process, event.required("tid").integer_in(1, 1'000'000)}] =
            args.required("name").string();
    }
  }
  return trace;
}

std::string example_trace(const std::vector<std::string>& settings) {
  const Scenario scenario =
      load_scenario(EPSIM_SOURCE_DIR "/examples/deepseek_v3_decode_h200.json", settings);
  const Calibration calibration = load_calibration("hgx-h200");
  const Workload workload = make_workload(scenario);
  std::vector<Prediction> predictions;
  for (const MoeOperation operation : {MoeOperation::dispatch, MoeOperation::combine})
    predictions.push_back(predict(operation,
                                  workload,
                                  *find_family(scenario.kernel),
                                  calibration.hardware,
                                  calibration.family(scenario.kernel).constants,
                                  {.record_link_uses = true}));
  return perfetto_trace(predictions, *scenario.topology);
}

}  // namespace

TEST_CASE("Perfetto trace: tracks are named and their slices follow one another") {
  const Trace trace = read_trace(example_trace({"traffic.ranks=2", "traffic.tokens_per_rank=40"}));
  CHECK(trace.process_names ==
        std::set<std::string>{"critical path", "rank 0 (gpu0)", "rank 1 (gpu1)"});
  for (const char* phase : {"cast", "send", "wire", "receive", "reduce", "dispatch", "combine"})
    CHECK(trace.slice_names.contains(phase));
  for (auto [track, spans] : trace.slices) {
    CAPTURE(track.first);
    CAPTURE(track.second);
    CHECK(trace.thread_names.contains(track));
    std::sort(spans.begin(), spans.end(), [](const Span& a, const Span& b) {
      return a.start_us < b.start_us;
    });
    for (std::size_t i = 1; i < spans.size(); ++i)
      CHECK(spans[i].start_us >= spans[i - 1].end_us - 1e-6);
  }
}

TEST_CASE("Perfetto trace: each link that carries something has a counter that ends at zero") {
  const Trace trace = read_trace(example_trace({"traffic.ranks=2", "traffic.tokens_per_rank=40"}));
  CHECK(trace.counters.size() == 4);  // two ranks, up and down
  for (const auto& [name, values] : trace.counters) {
    CAPTURE(name);
    CHECK(*std::max_element(values.begin(), values.end()) > 20);
    CHECK(values.back() == 0);
  }
}

TEST_CASE("Perfetto trace: a rank without tokens or peers is drawn too") {
  for (const char* setting : {"traffic.tokens_per_rank=0", "traffic.ranks=1"}) {
    CAPTURE(setting);
    const Trace trace = read_trace(example_trace({"traffic.tokens_per_rank=4", setting}));
    CHECK(trace.counters.empty());
    CHECK(trace.process_names.contains("rank 0 (gpu0)"));
  }
}

TEST_CASE("Perfetto trace: the same run gives the same bytes") {
  const std::vector<std::string> settings = {"traffic.ranks=2", "traffic.tokens_per_rank=3"};
  CHECK(example_trace(settings) == example_trace(settings));
}

TEST_CASE("TraceLanes: agents share a lane as soon as they do not overlap, and lanes are few") {
  Plan plan;
  plan.rank_count = 1;
  plan.kernels.push_back({.rank = RankId{0},
                          .first_cta = 0,
                          .cta_count = 1,
                          .after = -1,
                          .delay = {},
                          .start_overhead = {},
                          .finish_overhead = {},
                          .ctas_per_sm = 1,
                          .name = "k"});
  plan.ctas.push_back({.kernel = KernelId{0}, .first_agent = 0, .agent_count = 4});
  Timeline timeline;
  const auto add = [&](int start, int end) {
    const auto i = static_cast<std::uint32_t>(plan.operations.size());
    plan.agents.push_back({i, 1, CtaId{0}, Role::sender});
    plan.operations.push_back({OpKind::work, Phase::send, 0, 0, 0, 0});
    timeline.agent_start.push_back(Instant{Duration{start}});
    timeline.start.push_back(Instant{Duration{start}});
    timeline.end.push_back(Instant{Duration{end}});
  };
  add(0, 10);
  add(5, 20);
  add(6, 7);    // both lanes are taken
  add(10, 30);  // the first is free again
  const std::vector<TraceRole> roles = trace_lanes(plan, timeline, 2);
  REQUIRE(roles.size() == 1);
  CHECK(roles[0].agent_count == 4);
  CHECK(roles[0].lane_count == 2);
  REQUIRE(roles[0].shown.size() == 3);
  CHECK(roles[0].shown[2].agent == 3);
  CHECK(roles[0].shown[2].lane == 0);
}

TEST_CASE("LinkLoad: a use counts to each bin that it touches") {
  Timeline timeline;
  // 500 ps of the first nanosecond, all of the second, a tenth of the third.
  timeline.link_uses.push_back({LinkId{3}, Instant{Duration{500}}, Instant{Duration{2100}}});
  const std::vector<LinkLoad> loads = link_loads(timeline, Duration{1000});
  REQUIRE(loads.size() == 1);
  CHECK(loads[0].link == LinkId{3});
  std::vector<int> percent;
  for (const LinkLoad::Sample& sample : loads[0].samples) percent.push_back(sample.busy_pct);
  CHECK(percent == std::vector<int>{50, 100, 10, 0});
}
