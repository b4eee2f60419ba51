#include "models/step_constants.hpp"

#include <string>

#include <doctest/doctest.h>

#include "sim/base/input_error.hpp"
#include "sim/base/json_writer.hpp"
#include "tests/support/round_step_constants.hpp"

using namespace epsim;

namespace {

std::string file_text(const ConstantSet& constants, const std::string& schema) {
  JsonWriter writer;
  writer.begin_object();
  writer.key("schema").value(schema);
  writer.key("system").value("test");
  writer.key("constants");
  write_constants(constants, writer);
  writer.end_object();
  return writer.take();
}

ConstantSet parsed(const std::string& text) {
  return read_step_constants(JsonDocument::parse(text, "c.json"));
}

std::string complaint(const std::string& text) {
  try {
    (void)parsed(text);
  } catch (const InputError& error) {
    return error.what();
  }
  return "none";
}

}  // namespace

TEST_CASE("step constants: the embedded table holds every constant, in its unit, with a source") {
  const ConstantSet constants = load_step_constants("hgx-h200");
  CHECK(constants.all().size() == step_constants().size());
  for (const ConstantSpec& spec : step_constants()) {
    CAPTURE(spec.name);
    const Constant& constant = constants.at(spec.name);
    CHECK(constant.unit == spec.unit);
    CHECK(constant.value >= constant.low);
    CHECK(constant.value <= constant.high);
    CHECK_FALSE(constant.source.empty());
    CHECK(constant.source != "prior");
  }
}

TEST_CASE("step constants: a file gives back what was written into it") {
  const ConstantSet read = parsed(file_text(round_step_constants(), "epsim.step_constants/1"));
  CHECK(read.all().size() == step_constants().size());
  const ConstantSet round = round_step_constants();
  for (const Constant& constant : round.all())
    CHECK(read.at(constant.name).value == constant.value);
}

TEST_CASE("step constants: another schema, a name too few or one too many are told") {
  CHECK(complaint(file_text(round_step_constants(), "epsim.constants/1"))
            .find("epsim.step_constants/1") != std::string::npos);
  ConstantSet more = round_step_constants();
  more.put({.name = "event_leap", .unit = "us", .value = 1, .low = 1, .high = 1, .source = "x"});
  CHECK(complaint(file_text(more, "epsim.step_constants/1")).find("event_leap") !=
        std::string::npos);
  ConstantSet fewer;
  const ConstantSet round = round_step_constants();
  for (const Constant& constant : round.all())
    if (constant.name != "rank_signal") fewer.put(constant);
  CHECK(complaint(file_text(fewer, "epsim.step_constants/1")).find("rank_signal") !=
        std::string::npos);
}

TEST_CASE("step constants: an unknown name is told with those there are") {
  CHECK_THROWS_WITH_AS(
      load_step_constants("hgx-h300"), doctest::Contains("there are: hgx-h200"), InputError);
  CHECK_THROWS_AS(load_step_constants("no/such/file.json"), InputError);
}
