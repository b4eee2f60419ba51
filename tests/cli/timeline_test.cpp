// epsim run --timeline, as a user runs it.
#include <string>

#include <doctest/doctest.h>

#include "sim/base/json.hpp"
#include "tests/support/shell.hpp"

using namespace epsim;

namespace {

const std::string kRun = "run " EPSIM_SOURCE_DIR
                         "/examples/deepseek_v3_decode_h200.json --set traffic.tokens_per_rank=4 "
                         "--set traffic.ranks=2 --json - ";
const std::string kStep =
    "run " EPSIM_SOURCE_DIR "/examples/deepseek_v3_prefill_tbo.json --json - ";

}  // namespace

TEST_CASE("Command line: a timeline is told where it is asked for and changes nothing else") {
  const Outcome plain = shell(kRun);
  const Outcome told = shell(kRun + "--timeline");
  REQUIRE(plain.code == 0);
  REQUIRE(told.code == 0);
  CHECK_FALSE(has(plain.out, "\"timeline\""));
  const JsonDocument document = JsonDocument::parse(told.out, "stdout");
  JsonObject root = document.root().object();
  const JsonDocument plain_document = JsonDocument::parse(plain.out, "stdout");
  JsonObject plain_root = plain_document.root().object();
  const auto operations = root.required("operations").array();
  const auto plain_operations = plain_root.required("operations").array();
  REQUIRE(operations.size() == 2);
  REQUIRE(plain_operations.size() == 2);
  for (std::size_t i = 0; i < 2; ++i) {
    JsonObject operation = operations[i].object();
    JsonObject plain_operation = plain_operations[i].object();
    CHECK(operation.keys().size() == plain_operation.keys().size() + 2);
    for (const std::string& key : plain_operation.keys())
      CHECK(operation.required(key).dump() == plain_operation.required(key).dump());
    JsonObject timeline = operation.required("timeline").object();
    CHECK(timeline.required("ranks").array().size() == 2);
    CHECK(timeline.required("spans").array().size() > 4);
    // Two ranks, up and down.
    JsonObject link_use = operation.required("link_use").object();
    CHECK(link_use.required("links").array().size() == 4);
  }
}

TEST_CASE("Command line: the timeline of a step has each of its tasks once") {
  const Outcome told = shell(kStep + "--timeline");
  REQUIRE(told.code == 0);
  const JsonDocument document = JsonDocument::parse(told.out, "stdout");
  JsonObject root = document.root().object();
  std::int64_t tasks = 0;
  for (const JsonValue& stream : root.required("streams").array())
    tasks += stream.object().required("tasks").integer_in(0, 1'000'000);
  JsonObject timeline = root.required("timeline").object();
  CHECK(timeline.required("task_count").integer_in(0, 1'000'000) == tasks);
  CHECK(timeline.required("spans").array().size() == static_cast<std::size_t>(tasks));
  CHECK_FALSE(has(shell(kStep).out, "\"timeline\""));
}

TEST_CASE("Command line: a timeline without a place to go is exit 2") {
  check_refused({"run " EPSIM_SOURCE_DIR "/examples/deepseek_v3_decode_h200.json --timeline",
                 "--timeline requires --json"});
}
