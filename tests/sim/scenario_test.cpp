#include "sim/scenario.hpp"

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "sim/base/input_error.hpp"
#include "sim/base/text_file.hpp"
#include "tests/base/temporary_folder.hpp"

using namespace epsim;
using namespace std::chrono_literals;

namespace {

const std::string kLowLatency = R"({
  "schema": "epsim.scenario/1",
  "topology": {"preset": "hgx-h200", "override": {"gpus": 4}},
  "traffic": {"routing": "random", "experts": 64, "top_k": 8, "tokens_per_rank": 16},
  "kernel": {"family": "deepep-ll-1.2.1", "mode": "split", "split_gap": "20 us"},
  "hidden": 7168,
  "combine": {"format": "logfmt10", "fence": "P1b+P4"},
  "launch_skew": "2 us",
  "seed": 7
})";

const std::string kIntranode = R"({
  "schema": "epsim.scenario/1",
  "topology": {"preset": "hgx-h200"},
  "traffic": {"routing": "zipf:0.6", "experts": 64, "top_k": 8, "tokens_per_rank": 16},
  "kernel": {"family": "deepep-intranode-1.2.1", "sms": 24, "notify": "counted"},
  "hidden": 7168
})";

std::string with(std::string text, const std::string& piece, const std::string& replacement) {
  const std::size_t at = text.find(piece);
  REQUIRE(at != std::string::npos);
  return text.replace(at, piece.size(), replacement);
}

Scenario read(const std::string& text) {
  return read_scenario(JsonDocument::parse(text, "s.json"), ".");
}

std::string error_of(const std::string& text) {
  try {
    (void)make_workload(read(text));
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

std::string written(const Scenario& scenario) {
  JsonWriter writer;
  write_scenario(scenario, writer);
  return writer.take();
}

}  // namespace

TEST_CASE("Scenario: a file says what to simulate") {
  const Scenario scenario = read(kLowLatency);
  CHECK(scenario.name == "s");
  CHECK(scenario.topology->gpu_count() == 4);
  CHECK(scenario.overridden == std::vector<std::string>{"gpus: 8 -> 4"});
  CHECK(scenario.routing.shape == RoutingShape{.ranks = 4, .experts = 64, .top_k = 8});
  CHECK(scenario.routing.tokens_per_rank == 16U);
  CHECK(scenario.kernel == "deepep-ll-1.2.1");
  CHECK(scenario.split.split);
  CHECK(scenario.split.gap == 20us);
  CHECK(scenario.combine_format == CombineFormat::logfmt10);
  CHECK(scenario.fence == FencePlacement::P1b_P4);
  CHECK(scenario.launch_skew == 2us);
  CHECK(scenario.seed == 7);
}

TEST_CASE("Scenario: what a file leaves out has a default that can be seen") {
  const Scenario scenario = read(kIntranode);
  CHECK(scenario.run_dispatch);
  CHECK(scenario.run_combine);
  CHECK(scenario.dispatch_format == DispatchFormat::fp8);
  CHECK(scenario.combine_format == CombineFormat::bf16);
  CHECK(scenario.fence == FencePlacement::P0);
  CHECK(scenario.routing.shape.ranks == 8);
  CHECK(scenario.calibration == "hgx-h200");
  CHECK(scenario.launch_skew == Duration{});
  CHECK(scenario.counted);
}

TEST_CASE("Scenario: what is shown reads back to the same scenario") {
  for (const std::string& text :
       {kLowLatency,
        kIntranode,
        with(kLowLatency, "\"mode\": \"split\", \"split_gap\": \"20 us\"", "\"mode\": \"fused\""),
        with(kIntranode, "\"hidden\"", "\"operations\": [\"combine\"], \"hidden\""),
        with(kLowLatency, "\"top_k\": 8", "\"placement\": \"round-robin\", \"top_k\": 8"),
        with(kLowLatency, "\"top_k\": 8", "\"masked_fraction\": 0.25, \"top_k\": 8")}) {
    const Scenario scenario = read(text);
    const std::string shown = written(scenario);
    CAPTURE(shown);
    const Scenario again = read(shown);
    CHECK(written(again) == shown);
    CHECK(again.run_dispatch == scenario.run_dispatch);
    CHECK(again.split.gap == scenario.split.gap);
    CHECK(again.fence == scenario.fence);
    const Workload first = make_workload(scenario);
    const Workload second = make_workload(again);
    CHECK(*first.routing == *second.routing);
    CHECK(first.rank_start == second.rank_start);
  }
}

TEST_CASE("Scenario: the launch skew is drawn from the seed, within its bound") {
  const Workload once = make_workload(read(kLowLatency));
  REQUIRE(once.rank_start.size() == 4);
  for (const Duration start : once.rank_start) {
    CHECK(start >= Duration{});
    CHECK(start <= 2us);
  }
  CHECK(make_workload(read(kLowLatency)).rank_start == once.rank_start);
  const Workload other = make_workload(read(with(kLowLatency, "\"seed\": 7", "\"seed\": 8")));
  CHECK(other.rank_start != once.rank_start);
  CHECK_FALSE(*other.routing == *once.routing);
}

TEST_CASE("Scenario: traffic and times that break the format are refused at their place") {
  const auto refused =
      [](const std::string& piece, const std::string& replacement, const std::string& message) {
        CAPTURE(replacement);
        CHECK(error_of(with(kLowLatency, piece, replacement)) == "s.json: " + message);
      };
  refused("scenario/1",
          "scenario/2",
          "/schema: expected one of epsim.scenario/1, found \"epsim.scenario/2\"");
  refused("\"hidden\"", "\"hiden\"", "missing key \"hidden\"");
  refused("\"seed\"", "\"sead\"", "/sead: unknown key; did you mean \"seed\"?");
  refused("\"top_k\": 8",
          "\"topk\": 1, \"top_k\": 8",
          "/traffic/topk: unknown key; did you mean \"top_k\"?");
  refused(
      "\"2 us\"", "2", "/launch_skew: expected a time with its unit, such as \"1.1 us\", found 2");
  refused("\"2 us\"", "\"2\"", "/launch_skew: \"2\" has no unit; write for example \"1.1 us\"");
  refused("\"2 us\"",
          "\"-2 us\"",
          "/launch_skew: expected a time that is not negative, found \"-2 us\"");
  refused("\"tokens_per_rank\": 16",
          "\"tokens_per_rank\": -1",
          "/traffic/tokens_per_rank: expected a whole number from 0 to 1048576, found -1");
  refused(", \"tokens_per_rank\": 16", "", "/traffic: missing key \"tokens_per_rank\"");
  refused("\"experts\": 64",
          "\"experts\": 63",
          "/traffic/experts: expected a multiple of the 4 ranks, found 63");
  refused("\"experts\": 64",
          "\"experts\": 4",
          "/traffic/top_k: expected at most the 4 experts, found 8");
  refused("\"top_k\": 8",
          "\"top_k\": 17",
          "/traffic/top_k: expected at most 16 for deepep-ll-1.2.1, found 17");
  refused("\"random\"",
          "\"randem\"",
          "/traffic/routing: unknown routing \"randem\"; did you mean \"random\"?");
  refused("\"top_k\": 8",
          "\"ranks\": 5, \"top_k\": 8",
          "/traffic/ranks: expected at most the 4 GPUs of hgx-h200 (topology.override.hosts asks "
          "for more hosts, .gpus for more of one), found 5");
}

TEST_CASE("Scenario: low-latency options that break the format are refused at their place") {
  const auto refused =
      [](const std::string& piece, const std::string& replacement, const std::string& message) {
        CAPTURE(replacement);
        CHECK(error_of(with(kLowLatency, piece, replacement)) == "s.json: " + message);
      };
  const std::string family = error_of(with(kLowLatency, "deepep-ll-1.2.1", "deepep-ll-9"));
  CAPTURE(family);
  CHECK(family.starts_with("s.json: /kernel/family: expected one of deepep-ll-1.2.1, "));
  CHECK(family.ends_with(", found \"deepep-ll-9\""));
  refused("\"mode\"",
          "\"sms\": 24, \"mode\"",
          "/kernel/sms: deepep-ll-1.2.1 does not take this option");
  refused("\"mode\"",
          "\"notify\": \"counted\", \"mode\"",
          "/kernel/notify: deepep-ll-1.2.1 does not take this option");
  refused("\"mode\": \"split\"",
          "\"mode\": \"fused\"",
          "/kernel/split_gap: only a split kernel has a gap; set mode to \"split\"");
  refused("20 us",
          "-20 us",
          "/kernel/split_gap: expected a time that is not negative, found \"-20 us\"");
  refused("7168", "7000", "/hidden: expected a multiple of 128 channels, found 7000");
  refused("7168", "0", "/hidden: expected a whole number from 128 to 65536, found 0");
  refused("\"hidden\"",
          "\"dispatch\": {\"format\": \"nvfp4\"}, \"hidden\"",
          "/dispatch/format: expected one of fp8, bf16, found \"nvfp4\"");
  refused("\"seed\": 7",
          "\"seed\": 7, \"operations\": []",
          "/operations: expected \"dispatch\", \"combine\" or both, found an array of 0");
  refused(
      "\"P1b+P4\"",
      "\"P9\"",
      "/combine/fence: expected one of P0, P1, P1b, P2, P3, P3g, P3s, P4, P5, P6, P7, P1b+P4, "
      "none, proxy_async_once, proxy_async_per_load, threadfence_system_per_load, found \"P9\"");
}

TEST_CASE("Scenario: an intranode scenario that breaks the format is refused at its place") {
  const auto refused =
      [](const std::string& piece, const std::string& replacement, const std::string& message) {
        CAPTURE(replacement);
        CHECK(error_of(with(kIntranode, piece, replacement)) == "s.json: " + message);
      };
  refused("\"sms\": 24",
          "\"sms\": 23",
          "/kernel/sms: expected an even number: channels are pairs of SMs, found 23");
  refused("\"sms\": 24",
          "\"sms\": 133",
          "/kernel/sms: expected a whole number from 2 to 132, found 133");
  refused("\"sms\": 24, ", "", "/kernel: missing key \"sms\"");
  refused("\"sms\"",
          "\"mode\": \"split\", \"sms\"",
          "/kernel/mode: deepep-intranode-1.2.1 does not take this option");
  refused("\"hidden\"",
          "\"combine\": {\"fence\": \"P3\"}, \"hidden\"",
          "/combine/fence: P3 means nothing here: this combine reads its rings by ordinary loads, "
          "as it does their tails");
  CHECK(
      error_of(with(kIntranode, "\"hidden\"", "\"combine\": {\"fence\": \"none\"}, \"hidden\"")) ==
      "no error");
}

TEST_CASE("Scenario: the form of fences is read, kept, shown and given to the model") {
  const Scenario scenario =
      read(with(kLowLatency, "\"P1b+P4\"", "\"P3\", \"fence_space\": \"global\""));
  CHECK(scenario.fence_form.space == FenceSpace::global);
  CHECK(make_workload(scenario).fence_form == scenario.fence_form);
  CHECK(written(read(written(scenario))) == written(scenario));
  CHECK(written(scenario).find("\"fence_space\": \"global\"") != std::string::npos);
  CHECK(written(read(kLowLatency)).find("\"fence_space\": \"both+shared::cta\"") !=
        std::string::npos);
  const Scenario wide = read(with(kLowLatency, "\"P1b+P4\"", "\"P5\", \"fence_scope\": \"gpu\""));
  CHECK(make_workload(wide).fence_form.scope == Scope::gpu);
  CHECK(written(read(written(wide))) == written(wide));
}

TEST_CASE("Scenario: the receivers of an intranode dispatch have fences of their own") {
  const std::string fenced =
      with(kIntranode, "\"hidden\"", "\"dispatch\": {\"fence\": \"P1b\"}, \"hidden\"");
  const Scenario scenario = read(fenced);
  CHECK(scenario.dispatch_fence.placement == FencePlacement::P1b);
  CHECK(make_workload(scenario).dispatch_fence == scenario.dispatch_fence);
  CHECK(written(read(written(scenario))) == written(scenario));
  CHECK(read(kIntranode).dispatch_fence == FenceChoice{});
  CHECK(error_of(with(fenced, "P1b", "P4")) ==
        "s.json: /dispatch/fence: P4 means nothing here: a receiver has no grid sync, no decode "
        "warps and no second kernel, and no ordinary access to the shared memory that its rows "
        "pass");
  CHECK(
      error_of(with(kLowLatency, "\"hidden\"", "\"dispatch\": {\"fence\": \"P3\"}, \"hidden\"")) ==
      "s.json: /dispatch/fence: P3 means nothing here: this dispatch reads its messages by "
      "ordinary loads; see combine.fence");
}

TEST_CASE("Scenario: settings replace values by their dotted keys") {
  const TemporaryFolder folder;
  replace_text_file(folder / "s.json", kLowLatency);
  const Scenario scenario = load_scenario(
      folder / "s.json", {"traffic.tokens_per_rank=3", "combine.fence=P3", "launch_skew=500 ns"});
  CHECK(scenario.routing.tokens_per_rank == 3U);
  CHECK(scenario.fence == FencePlacement::P3);
  CHECK(scenario.launch_skew == 500ns);
  CHECK_THROWS_WITH_AS((void)load_scenario(folder / "s.json", {"seed"}),
                       "--set seed: expected dotted.key=value",
                       InputError);
  const std::string through =
      (folder / "s.json").string() + ": /hidden: --set hidden.size: not an object";
  CHECK_THROWS_WITH_AS(
      (void)load_scenario(folder / "s.json", {"hidden.size=1"}), through.c_str(), InputError);
  CHECK_THROWS_AS((void)load_scenario(folder / "s.json", {"traffic.tokens=3"}), InputError);
}

TEST_CASE("Scenario: an empty file, a missing one and one that is not JSON are refused") {
  const TemporaryFolder folder;
  for (const char* text : {"", " ", "{", "[]", "tokens: 3"}) {
    CAPTURE(text);
    replace_text_file(folder / "s.json", text);
    CHECK_THROWS_AS((void)load_scenario(folder / "s.json"), InputError);
  }
  CHECK_THROWS_AS((void)load_scenario(folder / "nowhere.json"), InputError);
}

TEST_CASE("Scenario: a routing file is found beside the scenario, and refused where it is wrong") {
  const TemporaryFolder folder;
  const std::string routing =
      R"({"schema": "epsim.routing/1", "experts": 4, "ranks": 2, "topk": 2,
          "tokens": [[[3, 0], [1, -1]], []]})";
  const std::string scenario = R"({
    "schema": "epsim.scenario/1", "topology": {"preset": "hgx-h200"},
    "traffic": {"routing": "file:r.json.gz", "ranks": 2, "experts": 4, "top_k": 2},
    "kernel": {"family": "deepep-ll-1.2.1"}, "hidden": 1024})";
  replace_text_file(folder / "s.json", scenario);
  const auto load = [&] { return make_workload(load_scenario(folder / "s.json")); };
  CHECK_THROWS_AS((void)load(), InputError);  // no such file yet
  replace_text_file(folder / "r.json.gz", routing);
  CHECK(load().routing->token_count(RankId{0}) == 2);
  CHECK(load().routing->token_count(RankId{1}) == 0);

  // Cut short, with an expert out of range, and of another shape.
  const auto size = std::filesystem::file_size(folder / "r.json.gz");
  std::filesystem::resize_file(folder / "r.json.gz", size - 9);
  CHECK_THROWS_AS((void)load(), InputError);
  replace_text_file(folder / "r.json.gz", with(routing, "[3, 0]", "[4, 0]"));
  const std::string out_of_range = (folder / "r.json.gz").string() +
                                   ": /tokens/0/0/0: expected a whole number from -1 to 3, found 4";
  CHECK_THROWS_WITH_AS((void)load(), out_of_range.c_str(), InputError);
  replace_text_file(folder / "r.json.gz", with(routing, "\"experts\": 4", "\"experts\": 6"));
  CHECK_THROWS_AS((void)load(), InputError);
  replace_text_file(folder / "r.json.gz", "");
  CHECK_THROWS_AS((void)load(), InputError);
}

TEST_CASE("Scenario: a graph exchange has a mode, a copy kernel and a capacity, strictly read") {
  const std::string plain = with(kIntranode,
                                 R"("deepep-intranode-1.2.1", "sms": 24, "notify": "counted")",
                                 R"("epsim-graph")");
  const Scenario defaults = read(plain);
  CHECK(defaults.exchange.mode == ExchangeMode::graph);
  CHECK(defaults.exchange.copy == ExchangeCopy::persistent);
  CHECK(defaults.exchange.capacity == 0.0);
  CHECK(defaults.sms == 32);
  CHECK(defaults.dispatch_format == DispatchFormat::bf16);
  CHECK(written(read(written(defaults))) == written(defaults));

  const Scenario chosen = read(with(plain,
                                    R"("epsim-graph")",
                                    R"("epsim-graph", "mode": "cpu_sync", "copy": "byte",
                                       "capacity": 1.5)"));
  CHECK(chosen.exchange.mode == ExchangeMode::cpu_sync);
  CHECK(chosen.sms == 0);
  CHECK(make_workload(chosen).exchange.capacity == 1.5);
  CHECK(written(read(written(chosen))) == written(chosen));

  const auto error = [&](const std::string& options) {
    return error_of(with(plain, R"("epsim-graph")", R"("epsim-graph", )" + options));
  };
  CHECK(error(R"("copy": "byte", "sms": 8)") ==
        "s.json: /kernel/sms: only the persistent copy kernel has a number of SMs");
  CHECK(error(R"("mode": "fused")") ==
        "s.json: /kernel/mode: expected one of stream, graph, cpu_sync, found \"fused\"");
  CHECK(error(R"("capacity": "best")") ==
        "s.json: /kernel/capacity: expected one of worst, found \"best\"");
  CHECK(error(R"("notify": "counted")") != "no error");
  CHECK(error_of(with(kLowLatency, R"("mode": "split")", R"("capacity": 2, "mode": "split")")) !=
        "no error");
}
