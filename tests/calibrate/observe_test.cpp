#include "calibrate/observe.hpp"

#include <string_view>

#include <doctest/doctest.h>

#include "sim/base/input_error.hpp"
#include "sim/base/text_file.hpp"
#include "tests/base/temporary_folder.hpp"

using namespace epsim;

namespace {

MeasuredPoint low_latency_point(int ranks, int tokens, int top_k, const char* launch = "fused") {
  MeasuredPoint point;
  point.experiment = "M18";
  point.point.with("op", "combine")
      .with("ranks", ranks)
      .with("tokens", tokens)
      .with("top_k", top_k)
      .with("experts", 256)
      .with("hidden", 7168)
      .with("routing", "random")
      .with("seed", 3)
      .with("format", "bf16")
      .with("fence", "P1b+P4")
      .with("pitch", "packed")
      .with("launch", launch);
  point.result.add("latency_ns", {41000, 42000, 43000});
  if (std::string_view(launch) == "split") point.result.add("receive_ns", {6000, 7000, 8000});
  return point;
}

Measurement file_of(std::vector<MeasuredPoint> points) {
  Measurement file;
  file.file = "x4.json";
  file.provenance.gpus = {{"NVIDIA H200", "0", 700}};
  file.points = std::move(points);
  return file;
}

}  // namespace

TEST_CASE("observe: a fused point becomes an observation with its median, draw and fence") {
  const auto set = observe_kernels(
      {file_of({low_latency_point(4, 128, 8), low_latency_point(4, 128, 8, "split")})}, "hgx-h200");
  REQUIRE(set.records.size() == 2);
  const Observation& record = set.records.front();
  CHECK(record.id == "epsim-ll-combine-4-128-7168-256-8-bf16-random-3-P1b+P4");
  CHECK(record.kernel == "epsim-ll");
  CHECK(record.op == MoeOperation::combine);
  CHECK(record.latency_us == doctest::Approx(42));
  CHECK(record.p10_us == doctest::Approx(41.2));  // 0.2 of the way from 41 to 42
  CHECK(record.seed == 3);
  CHECK(record.fence == FencePlacement::P1b_P4);
  CHECK_FALSE(record.held_out);
  // Of the split launch, the receive half.
  CHECK(set.records.back().id == record.id + "-receive");
  CHECK(set.records.back().part == SplitPart::receive);
  CHECK(set.records.back().latency_us == doctest::Approx(7));
}

TEST_CASE("observe: 256 and 512 tokens, top-4 and two ranks are held out of every fit") {
  const auto held_out = [](int ranks, int tokens, int top_k) {
    return observe_kernels({file_of({low_latency_point(ranks, tokens, top_k)})}, "s")
        .records.front()
        .held_out;
  };
  CHECK(held_out(4, 256, 8));
  CHECK(held_out(4, 512, 8));
  CHECK(held_out(4, 128, 4));
  CHECK(held_out(2, 128, 8));
  CHECK_FALSE(held_out(4, 1024, 8));
}

TEST_CASE("observe: what is written reads back as observations") {
  const auto set = observe_kernels({file_of({low_latency_point(4, 256, 8)})}, "hgx-h200");
  const TemporaryFolder folder;
  replace_text_file(folder / "o.json", observations_text(set));
  const ObservationSet back = read_observations(folder / "o.json");
  REQUIRE(back.records.size() == 1);
  CHECK(back.records.front().id == set.records.front().id);
  CHECK(back.records.front().seed == 3);
  CHECK(back.records.front().held_out);
  CHECK(back.records.front().latency_us == doctest::Approx(42));
  CHECK(back.source == set.source);
}

TEST_CASE("observe: a call of the graph exchange keeps its mode, copy kernel and capacity") {
  MeasuredPoint point;
  point.experiment = "M19";
  point.point.with("op", "combine")
      .with("mode", "stream")
      .with("copy", "persistent")
      .with("ranks", 4)
      .with("tokens", 128)
      .with("top_k", 1)
      .with("hidden", 7168)
      .with("ctas", 20)
      .with("capacity", "2.0")
      .with("seed", 19);
  point.result.add("latency_ns", {97000, 98000, 99000});
  const auto set = observe_kernels({file_of({point})}, "hgx-h200");
  const TemporaryFolder folder;
  replace_text_file(folder / "o.json", observations_text(set));
  const ObservationSet back = read_observations(folder / "o.json");
  REQUIRE(back.records.size() == 1);
  const Observation& record = back.records.front();
  CHECK(record.id == "epsim-graph-combine-stream-persistent-4-128-7168-1-20-2.0");
  CHECK(record.kernel == "epsim-graph");
  CHECK(record.experts == 128);
  CHECK(record.sms == 20);
  CHECK(record.exchange.mode == ExchangeMode::stream);
  CHECK(record.exchange.copy == ExchangeCopy::persistent);
  CHECK(record.exchange.capacity == 2.0);
  CHECK_FALSE(record.held_out);
}

TEST_CASE("observe: a file without points of our kernels is an input error") {
  CHECK_THROWS_WITH_AS((void)observe_kernels({file_of({})}, "hgx-h200"),
                       "x4.json: /points: expected points of M18 or M19, found none new",
                       InputError);
}
