#include "calibrate/observation.hpp"

#include <string>

#include <doctest/doctest.h>

#include "sim/base/input_error.hpp"
#include "sim/base/text_file.hpp"
#include "tests/base/temporary_folder.hpp"

using namespace epsim;

namespace {

const std::string kRecord =
    R"({"id": "one", "kernel": "deepep-ll-1.2.1", "op": "combine", "gpu": "H200",
        "system": "hgx-h200", "ranks": 4, "gpus_per_node": 8, "tokens": 128, "hidden": 7168,
        "experts": 256, "topk": 8, "dispatch_dtype": "fp8", "combine_dtype": "bf16",
        "routing": "zipf:0.6", "fence": "proxy_async_per_load", "sms": null, "latency_us": 57.5,
        "p10_us": 57.1, "p90_us": 58.2, "iterations": 30})";

std::string with(std::string text, const std::string& piece, const std::string& replacement) {
  const std::size_t at = text.find(piece);
  REQUIRE(at != std::string::npos);
  return text.replace(at, piece.size(), replacement);
}

// Reads a file that holds these records.
ObservationSet read(const std::string& records) {
  const TemporaryFolder folder;
  replace_text_file(
      folder / "o.json",
      R"({"schema": "epsim.observations/1", "what": "test", "records": [)" + records + "]}");
  return read_observations(folder / "o.json");
}

// The message of the error, without the folder in front.
std::string error_of(const std::string& records) {
  try {
    (void)read(records);
  } catch (const InputError& error) {
    const std::string text = error.what();
    return text.substr(text.find("o.json"));
  }
  return "no error";
}

}  // namespace

TEST_CASE("observations: a record says what was measured, on which shape") {
  const ObservationSet set = read(kRecord);
  REQUIRE(set.records.size() == 1);
  const Observation& record = set.records[0];
  CHECK(record.id == "one");
  CHECK(record.kernel == "deepep-ll-1.2.1");
  CHECK(record.system == "hgx-h200");
  CHECK(record.op == MoeOperation::combine);
  CHECK(record.ranks == 4);
  CHECK(record.tokens == 128);
  CHECK(record.experts == 256);
  CHECK(record.top_k == 8);
  CHECK(record.hidden == 7168);
  CHECK(record.dispatch_format == DispatchFormat::fp8);
  CHECK(record.combine_format == CombineFormat::bf16);
  CHECK(record.routing == "zipf:0.6");
  CHECK(record.fence == FencePlacement::P3);
  CHECK(record.sms == 0);
  CHECK(record.latency_us == 57.5);
}

TEST_CASE("observations: kernels that take SMs say how many") {
  CHECK(read(with(kRecord, "\"sms\": null", "\"sms\": 24")).records[0].sms == 24);
}

TEST_CASE("observations: records that state no latency are counted, not read as zero") {
  const ObservationSet set =
      read(kRecord + "," + with(kRecord, "57.5", "null") + "," + with(kRecord, "57.5", "60"));
  CHECK(set.records.size() == 2);
  CHECK(set.without_latency == 1);
  CHECK(set.records[1].latency_us == 60.0);
}

TEST_CASE("observations: a file without records is an empty set") {
  const ObservationSet set = read("");
  CHECK(set.records.empty());
  CHECK(set.without_latency == 0);
}

TEST_CASE("observations: a record that breaks the format is refused at the place that breaks it") {
  const auto refused =
      [](const std::string& piece, const std::string& replacement, const std::string& message) {
        CAPTURE(replacement);
        CHECK(error_of(kRecord + "," + with(kRecord, piece, replacement)) ==
              "o.json: /records/1" + message);
      };
  refused("\"id\": \"one\", ", "", ": missing key \"id\"");
  refused("\"topk\"", "\"top_k\"", ": missing key \"topk\"");
  refused("\"gpu\"", "\"gpus\"", "/gpus: unknown key; did you mean \"gpu\"?");
  refused("57.5", "-1", "/latency_us: expected a number from 0.001 to 1000000000, found -1");
  refused("57.5", "\"57.5 us\"", "/latency_us: expected a number, found \"57.5 us\"");
  refused("\"combine\"", "\"gather\"", "/op: expected one of dispatch, combine, found \"gather\"");
  refused(
      "\"ranks\": 4", "\"ranks\": 0", "/ranks: expected a whole number from 1 to 65535, found 0");
  refused("\"tokens\": 128",
          "\"tokens\": -1",
          "/tokens: expected a whole number from 0 to 10000000, found -1");
  refused("\"sms\": null", "\"sms\": 0", "/sms: expected a whole number from 1 to 1024, found 0");
  refused("\"fp8\"", "\"fp4\"", "/dispatch_dtype: expected one of fp8, bf16, found \"fp4\"");
}

TEST_CASE("observations: a file of another schema, a missing one and an empty one are refused") {
  const TemporaryFolder folder;
  CHECK_THROWS_AS((void)read_observations(folder / "nowhere.json"), InputError);
  replace_text_file(folder / "empty.json", "");
  CHECK_THROWS_AS((void)read_observations(folder / "empty.json"), InputError);
  replace_text_file(folder / "other.json", R"({"schema": "epsim.observations/2", "records": []})");
  CHECK_THROWS_AS((void)read_observations(folder / "other.json"), InputError);
}

TEST_CASE("observations: paths of a set start at its file") {
  const TemporaryFolder folder;
  replace_text_file(folder / "o.json", R"({"schema": "epsim.observations/1", "records": []})");
  CHECK(read_observations(folder / "o.json").folder == folder.path());
}
