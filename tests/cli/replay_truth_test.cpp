// epsim replay --truth: predictions beside what is known of the steps.
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "sim/base/json.hpp"
#include "sim/base/text_file.hpp"
#include "tests/base/temporary_folder.hpp"
#include "tests/support/shell.hpp"

using namespace epsim;

namespace {

// Three layers of two micro-batches, one after the other.
const std::string kSerial = EPSIM_SOURCE_DIR "/examples/traces/deepep_t8192_serial.json.gz";

// One exchange and one GEMM: no layers in it.
constexpr const char* kShort = R"({
  "schemaVersion": 1,
  "deviceProperties": [{"id": 0, "name": "NVIDIA H200", "numSms": 132}],
  "traceEvents": [
    {"ph": "X", "cat": "kernel", "name": "ncclDevKernel_SendRecv", "pid": 0, "tid": 7, "ts": 100,
     "dur": 30, "args": {"device": 0, "stream": 7, "grid": [8, 1, 1], "block": [32, 1, 1]}},
    {"ph": "X", "cat": "kernel", "name": "nvjet_sm90_tst", "pid": 0, "tid": 7, "ts": 140,
     "dur": 30, "args": {"device": 0, "stream": 7, "grid": [9, 1, 1], "block": [32, 1, 1]}}
  ]})";

std::string row(const std::string& file, const std::string& schedule, const std::string& more) {
  return R"({"file": ")" + file + R"(", "overlap_pct": 0, "schedule": ")" + schedule + "\"" + more +
         "}";
}

struct Replayed {
  JsonObject json;
  std::string text;
};

Replayed replayed(const std::filesystem::path& truth) {
  const TemporaryFolder folder;
  const std::string json = (folder / "out.json").string();
  const Outcome outcome = shell("replay --truth " + truth.string() + " --json " + json);
  CAPTURE(outcome.err);
  REQUIRE(outcome.code == 0);
  return {JsonDocument::read(json).root().object(), outcome.out};
}

}  // namespace

TEST_CASE("Command line: replay predicts a known two-batch step from its serial dump") {
  const TemporaryFolder folder;
  const std::string truth = (folder / "truth.json").string();
  // One dump stands for both schedules: what is tested is who is compared with whom.
  replace_text_file(truth,
                    R"({"traces": [)" +
                        row(kSerial, "serial", R"(, "config": "a", "step_us": 30000)") + "," +
                        row(kSerial, "tbo", R"(, "config": "a", "step_us": 20000)") + "," +
                        row(kSerial, "tbo_same", R"(, "config": "a", "step_us": 25000)") + "," +
                        row(kSerial, "tbo", R"(, "config": "b", "step_us": 10000)") + "]}");
  Replayed out = replayed(truth);
  JsonObject& root = out.json;
  CHECK(root.required("traces").array().size() == 4);
  const std::vector<JsonValue> predictions = root.required("predictions").array();
  REQUIRE(predictions.size() == 2);  // of a: tbo from serial, serial from tbo
  JsonObject two_batch = predictions[0].object();
  CHECK(two_batch.required("schedule").string() == "tbo");
  CHECK(two_batch.required("config").string() == "a");
  const double step_us = two_batch.required("step_us").number();
  CHECK(two_batch.required("error_pct").number() == doctest::Approx(100 * (step_us / 20000 - 1)));
  CHECK(two_batch.required("difference").number() ==
        two_batch.required("overlap_pct").number());  // truth: 0 %
  JsonObject free = two_batch.required("hidden_for_free").object();
  CHECK(free.required("step_us").number() < step_us);
  JsonObject serial = predictions[1].object();
  CHECK(serial.required("schedule").string() == "serial");
  CHECK(serial.required("overlap_pct").number() == 0);

  CHECK(has(out.text, "| a | tbo | epsim |"));
  CHECK(has(out.text, "| hidden for free |"));
  CHECK_FALSE(has(out.text, "| a | tbo_same |"));
}

TEST_CASE("Command line: replay says why a known step is not predicted") {
  const TemporaryFolder folder;
  const std::string truth = (folder / "truth.json").string();
  replace_text_file(folder / "short.json", kShort);
  replace_text_file(truth,
                    R"({"traces": [)" +
                        row("short.json", "serial", R"(, "config": "a", "step_us": 70)") + "," +
                        row("short.json", "tbo", R"(, "config": "a", "step_us": 70)") + "]}");
  const Outcome text = shell("replay --truth " + truth);
  CHECK(text.code == 0);
  CHECK(has(text.out, "No prediction of tbo from short.json: short.json: "));
  // 30 us, 10 us of nothing, 30 us.
  CHECK(has(text.out, "| short.json | 70.0 | 70.0 | +0.00 | 70.0 | +0.0 |"));
  CHECK(shell("replay --truth " + truth + " --system nowhere").code == 2);
}

TEST_CASE("Command line: replay predicts the reference two-batch steps within its goals") {
  const auto truth =
      std::filesystem::path(EPSIM_SOURCE_DIR) / "../shared/reference/traces/truth.json";
  if (!std::filesystem::exists(truth)) {
    MESSAGE("skipped: no reference/traces beside this tree");
    return;
  }
  JsonObject root = replayed(truth).json;
  for (const JsonValue& value : root.required("traces").array()) {
    JsonObject dump = value.object();
    CAPTURE(dump.required("file").string());
    const double recorded_us = dump.required("recorded_step_us").number();
    CHECK(std::abs(dump.required("played_step_us").number() / recorded_us - 1) < 0.03);
  }
  int two_batch = 0;
  for (const JsonValue& value : root.required("predictions").array()) {
    JsonObject prediction = value.object();
    if (!prediction.required("schedule").string().starts_with("tbo")) continue;
    CAPTURE(prediction.required("of").string());
    ++two_batch;
    const double error_pct = std::abs(prediction.required("error_pct").number());
    CHECK(error_pct < 4);
    CHECK(std::abs(prediction.required("difference").number()) < 5);
    JsonObject free = prediction.required("hidden_for_free").object();
    CHECK(std::abs(free.required("error_pct").number()) > error_pct);
  }
  CHECK(two_batch == 2);
}
