#include "sim/replay_report.hpp"

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "sim/base/input_error.hpp"
#include "sim/base/json.hpp"
#include "sim/replay_trace.hpp"
#include "tests/support/hand_made_trace.hpp"

using namespace epsim;
using namespace std::chrono_literals;

namespace {

// A layer: attention, dispatch beside the shared expert, experts, combine.
GpuTrace layer() {
  HandMadeTrace hand_made;
  hand_made.kernel("fmhaSm90", 7, 0, 100, 100);
  hand_made.kernel(kNotifyName, 22, 105, 5, 1);
  hand_made.kernel("void deep_ep::intranode::dispatch<4, 768, 8192>(int4*)", 22, 110, 200, 24);
  hand_made.kernel(kComputeName, 7, 120, 80, 100);
  hand_made.kernel(kComputeName, 7, 315, 385, 100);
  hand_made.kernel("void deep_ep::intranode::combine<__nv_bfloat16, 4>(int*)", 22, 705, 290, 24);
  hand_made.copy(7, 995, 5);
  GpuTrace trace = hand_made.take();
  trace.rank = 0;
  trace.rank_count = 4;
  trace.warnings.push_back({"kernels with a negative duration dropped", "byte 17", 2});
  return trace;
}

ReplayReport report_of(std::vector<GpuTrace> traces, std::uint64_t steps = 0) {
  return replay_report(std::move(traces), KernelClassTable::built_in(), steps);
}

// A rank of three collectives that end at 100, 200 and 300 on all ranks.
GpuTrace rank_of(std::uint32_t rank, double late, double clock) {
  HandMadeTrace hand_made;
  for (int i = 1; i <= 4; ++i) {
    const double end = 100.0 * i + clock;
    hand_made.kernel("ncclDevKernel_AllReduce_Sum_bf16_RING_LL", 7, end - 50 + late, 50 - late);
  }
  GpuTrace trace = hand_made.take();
  trace.rank = rank;
  return trace;
}

double number(JsonObject& object, const char* key) {
  return object.required(key).number();
}

}  // namespace

TEST_CASE("Replay report: the text answers first, fits a screen, and shows what is exposed") {
  // M = 105-310 and 705-995 = 495 us; P = 0-100, 120-200, 315-700 = 565 us; both: 120-200 = 80 us.
  CHECK(replay_text(report_of({layer()})) ==
        R"(16.2 % of the communication hides behind compute; 415.0 us of 495.0 us is exposed

hand_made.json: Kineto, rank 0 of 4
  device 0 Test GPU, 100 SMs, 7 activities on 2 streams

span                  1000.0 us 100.0 %   the dump tells no steps
compute                565.0 us  56.5 %
communication          495.0 us  49.5 %   5.00 us of it waits for peers
  overlapped            80.0 us   8.0 %   16.2 % of what could overlap
  exposed              415.0 us  41.5 %
copies, fills            5.0 us   0.5 %
idle                    15.0 us   1.5 %

all       ▄▄▄▄▄▄▄▀▜█████▀▀▀▀▀▀▀▀▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀
stream 7  ▄▄▄▄▄▄▄ ▗▄▄▄▄▄        ▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄                    ·
stream 22        ▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀                           ▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀
          0             200           400           600           800 us
          ▀ communication   ▄ compute   █ both at once   · copies, or a little

family               class              count   total us   alone us  SM-time %
DeepEP               communication          3      495.0      415.0       11.8
  dispatch                                  1      200.0
  combine                                   1      290.0
  notify                                    1        5.0
GEMM                 compute                2      465.0      385.0       46.5
attention            compute                1      100.0      100.0       10.0
copy                 copy                   1        5.0        5.0

most exposed
      290.0 us at      705.0 us  deep_ep::intranode::combine
      120.0 us at      110.0 us  deep_ep::intranode::dispatch
        5.0 us at      105.0 us  deep_ep::intranode::cached_notify_dispatch
critical path (inferred waits): compute 48.5 %, communication 49.5 %,
  copies 0.5 %, launches 0.0 %, gaps 1.5 %
  DeepEP 49.5 %, GEMM 38.5 %, attention 10.0 %, copy 0.5 %
device idle 3 times, 15.0 us in all; the host launched too late for none of it
warning: 2 kernels with a negative duration dropped, first at byte 17
)");
}

TEST_CASE("Replay report: totals of several devices are means, and shares are of sums") {
  HandMadeTrace hidden, exposed;
  hidden.kernel(kCommunicationName, 7, 0, 30);
  hidden.kernel(kComputeName, 8, 0, 30);
  exposed.kernel(kCommunicationName, 7, 0, 10);
  const ReplayReport report = report_of({hidden.take(), exposed.take()});
  const ReplayTotals totals = report.totals();
  CHECK(totals.span == 20us);
  CHECK(totals.communication == 20us);
  CHECK(totals.overlap == 15us);
  CHECK(totals.exposed == 5us);
  CHECK(totals.overlap_pct == doctest::Approx(75));  // 30 of 40
  const std::vector<FamilyUse> families = report.families();
  CHECK(families[0].name == "NCCL");
  CHECK(families[0].count == 2);
  CHECK(families[0].total == 40us);
}

TEST_CASE("Replay report: ranks wait for the last one, by clocks that are aligned first") {
  // Rank 1 begins each collective 20 us late and its clock is 1 ms ahead.
  const ReplayReport report = report_of({rank_of(0, 0, 0), rank_of(1, 20, 1000)});
  CHECK(report.clock_refusal.empty());
  CHECK(report.ranks[1].offset == -1000us);
  CHECK(report.waits.collectives == 4);
  CHECK(report.waits.ranks[0].waiting == 80us);
  CHECK(report.waits.ranks[1].waiting == 0us);
  CHECK(report.waits.ranks[1].last == 4);
}

TEST_CASE("Replay report: clocks that cannot be compared leave the waits unknown") {
  const ReplayReport report = report_of({layer(), rank_of(1, 0, 0)});
  CHECK_FALSE(report.clock_refusal.empty());
  CHECK(report.waits.ranks.empty());
  CHECK(replay_text(report).find("waiting is not known") != std::string::npos);
  CHECK_NOTHROW((void)replay_json(report));
}

TEST_CASE("Replay report: the JSON has the times, streams, families and warnings") {
  const std::string text = replay_json(report_of({layer()}, 2));
  JsonObject root = JsonDocument::parse(text, "replay").root().object();
  CHECK(root.required("schema").string() == "epsim.replay/1");
  CHECK(root.required("file").string() == "hand_made.json");
  CHECK(number(root, "steps") == 2);
  CHECK(number(root, "span_us") == 1000);
  CHECK(number(root, "communication_us") == 495);
  CHECK(number(root, "compute_us") == 565);
  CHECK(number(root, "overlap_us") == 80);
  CHECK(number(root, "overlap_pct") == doctest::Approx(100.0 * 80 / 495));
  CHECK(number(root, "exposed_us") == 415);
  CHECK(number(root, "notify_us") == 5);
  CHECK(root.required("streams").array().size() == 2);
  JsonObject family = root.required("families").array().at(1).object();
  CHECK(family.required("name").string() == "GEMM");
  JsonObject deep_ep = root.required("families").array().at(0).object();
  CHECK(deep_ep.required("name").string() == "DeepEP");
  CHECK(deep_ep.required("class").string() == "communication");
  CHECK(number(deep_ep, "count") == 3);
  CHECK(number(deep_ep, "total_us") == 495);
  CHECK(deep_ep.required("phases").array().size() == 3);
  JsonObject warning = root.required("warnings").array().at(0).object();
  CHECK(number(warning, "count") == 2);
  CHECK(root.required("devices").array().size() == 1);
  CHECK_FALSE(root.optional("predicted").has_value());
}

TEST_CASE("Replay report: a prediction stands under its own key") {
  ReplayReport report = report_of({layer()});
  report.predicted = ReplayPrediction{.schedule = "tbo",
                                      .step_us = 900,
                                      .communication_us = 500,
                                      .overlap_pct = 80,
                                      .exposed_us = 100,
                                      .low_us = 880,
                                      .high_us = 920,
                                      .notes = {"as told"}};
  JsonObject predicted = JsonDocument::parse(replay_json(report), "replay")
                             .root()
                             .object()
                             .required("predicted")
                             .object();
  CHECK(number(predicted, "step_us") == 900);
  CHECK(predicted.required("interval_us").array().size() == 2);
  CHECK(replay_text(report).find("predicted tbo: step 900.0 us [880.0, 920.0]") !=
        std::string::npos);
}

TEST_CASE("Replay report: steps are the profiler's where it tells them") {
  HandMadeTrace hand_made;
  hand_made.kernel(kComputeName, 7, 0, 10);
  hand_made.range("ProfilerStep#1", 0, 5);
  hand_made.range("ProfilerStep#2", 5, 5);
  hand_made.range("ProfilerStep#2", 6, 5);  // the same, as the GPU saw it
  const GpuTrace trace = hand_made.take();
  CHECK(report_of({trace}).steps == 2);
  CHECK(report_of({trace}).are_steps_told);
  CHECK(report_of({trace}, 7).steps == 7);
  CHECK_FALSE(report_of({layer()}).are_steps_told);
}

TEST_CASE("Replay report: a dump without kernels is no result") {
  CHECK_THROWS_WITH_AS((void)report_of({HandMadeTrace().take()}),
                       "hand_made.json: expected kernels that ran on a GPU, found none",
                       InputError);
}

TEST_CASE("Replay trace: a track a stream, and one for what is exposed") {
  const std::string text = replay_trace(report_of({layer()}));
  JsonObject root = JsonDocument::parse(text, "trace").root().object();
  std::size_t slices = 0, exposed = 0;
  double exposed_us = 0;
  for (const JsonValue& value : root.required("traceEvents").array()) {
    JsonObject event = value.object();
    if (event.required("ph").string() != "X") continue;
    ++slices;
    if (event.required("cat").string() != "exposed") continue;
    ++exposed;
    CHECK(number(event, "tid") == 1);
    exposed_us += number(event, "dur");
  }
  CHECK(exposed == 3);  // 105-120, 200-310, 705-995
  CHECK(exposed_us == doctest::Approx(415));
  CHECK(slices == 7 + exposed);
  CHECK(text.find("deep_ep::intranode::dispatch") != std::string::npos);
}
