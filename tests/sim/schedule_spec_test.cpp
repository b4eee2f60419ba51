#include "sim/schedule_spec.hpp"

#include <string>

#include <doctest/doctest.h>

#include "sim/base/input_error.hpp"
#include "sim/scenario.hpp"

using namespace epsim;

namespace {

const std::string kStep = R"({
  "schema": "epsim.scenario/1",
  "topology": {"preset": "hgx-h200", "override": {"gpus": 4}},
  "traffic": {"routing": "random", "experts": 64, "top_k": 8, "tokens_per_rank": 512},
  "kernel": {"family": "deepep-intranode-1.2.1", "sms": 20},
  "hidden": 7168,
  "schedule": {
    "kind": "tbo+aux",
    "layers": 3,
    "attention": {"heads": 16, "key_size": 128, "attended": 256},
    "experts": {"intermediate": 2048}
  }
})";

std::string with(std::string text, const std::string& piece, const std::string& replacement) {
  const std::size_t at = text.find(piece);
  REQUIRE(at != std::string::npos);
  return text.replace(at, piece.size(), replacement);
}

Scenario read(const std::string& text) {
  return read_scenario(JsonDocument::parse(text, "s.json"), ".");
}

std::string error_of(const std::string& piece, const std::string& replacement) {
  try {
    (void)read(with(kStep, piece, replacement));
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

TEST_CASE("ScheduleSpec: defaults are two micro-batches in stages, in BF16, with no mechanism") {
  const ScheduleSpec schedule = *read(kStep).schedule;
  CHECK(schedule.kind == ScheduleKind::tbo_aux);
  CHECK(schedule.order == QueueOrder::stages);
  CHECK(schedule.micro_batches == 2);
  CHECK(schedule.dtype == StepDtype::bf16);
  CHECK(schedule.collective_ctas == 20);
  CHECK_FALSE(schedule.one_communicator);
  CHECK(schedule.hardware_queues == 0);
  CHECK(schedule.attention.core.value_size == 128);
  // Queries, keys and values: 16 heads of 128, and as many keys and values: 3 * 2048 columns.
  CHECK(schedule.attention.projections == std::vector<MatrixShape>{{6144, 7168}});
  CHECK(schedule.attention.output == std::vector<MatrixShape>{{7168, 2048}});
}

TEST_CASE("ScheduleSpec: what is written with every default reads back the same") {
  const std::string text = written(read(kStep));
  CHECK(written(read(text)) == text);
}

TEST_CASE("ScheduleSpec: sliced experts need no kernel, and take none") {
  const std::string sliced =
      with(with(kStep, R"("intermediate": 2048)", R"("intermediate": 2048, "sharing": "sliced")"),
           R"("kernel": {"family": "deepep-intranode-1.2.1", "sms": 20},)",
           "");
  const Scenario scenario = read(sliced);
  CHECK(scenario.kernel.empty());
  CHECK(written(read(written(scenario))) == written(scenario));
  CHECK_THROWS_AS((void)make_workload(scenario), InputError);
  CHECK(error_of(R"("intermediate": 2048)", R"("intermediate": 2048, "sharing": "sliced")") ==
        "s.json: /kernel: sliced experts gather rows by collectives; leave this out");
}

TEST_CASE("ScheduleSpec: a value that makes no sense is named with its place") {
  CHECK(
      error_of(R"("kind": "tbo+aux")", R"("kind": "dbo")").starts_with("s.json: /schedule/kind: "));
  CHECK(error_of(R"("layers": 3)", R"("layers": 0)").starts_with("s.json: /schedule/layers: "));
  CHECK(error_of(R"("layers": 3)", R"("layers": 3, "colour": 1)")
            .starts_with("s.json: /schedule/colour: unknown key"));
  CHECK(error_of(R"("layers": 3)", R"("layers": 3, "micro_batches": 3)")
            .starts_with("s.json: /schedule/micro_batches: expected 2"));
  CHECK(error_of(R"("layers": 3)", R"("layers": 3, "reserved_sms": 132)")
            .starts_with("s.json: /schedule/reserved_sms: "));
  CHECK(error_of(R"("tokens_per_rank": 512)", R"("tokens_per_rank": 511)")
            .starts_with("s.json: /schedule: expected tokens_per_rank to be a multiple of the 2"));
  CHECK(error_of(R"("attended": 256)", R"("attended": 256, "projections": [[1, 2, 3]])")
            .starts_with("s.json: /schedule/attention/projections/0: expected [columns, depth]"));
  CHECK(error_of(R"("attended": 256)", R"("attended": -1)")
            .starts_with("s.json: /schedule/attention/attended: "));
  CHECK(error_of(R"("layers": 3)", R"("layers": 3, "collectives": {"output": "all-reduce"})")
            .starts_with("s.json: /schedule/collectives/output: expected \"none\""));
  CHECK(error_of(R"("layers": 3)", R"("layers": 3, "mechanisms": {"skew": "-1 us"})")
            .starts_with("s.json: /schedule/mechanisms/skew: "));
  CHECK(error_of(R"("layers": 3)", R"("layers": 3, "mechanisms": {"skew": 1})")
            .starts_with("s.json: /schedule/mechanisms/skew: "));
}

TEST_CASE("ScheduleSpec: a routing file cannot be split into micro-batches") {
  CHECK(error_of(R"("routing": "random", "experts": 64, "top_k": 8, "tokens_per_rank": 512)",
                 R"("routing": "file:r.json", "experts": 64, "top_k": 8)")
            .starts_with("s.json: /schedule: the tokens of a routing file"));
}
