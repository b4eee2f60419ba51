// The committed accuracy: predictions of every committed observation, against what validation.json
// says they were when it was generated. A change that makes them worse has to say so by
// regenerating it.
#include <algorithm>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "calibrate/observation.hpp"
#include "calibrate/validate.hpp"
#include "cli/observation_workload.hpp"
#include "cli/sized_topologies.hpp"
#include "models/calibration.hpp"
#include "sim/base/json.hpp"
#include "sim/prediction.hpp"

using namespace epsim;

namespace {

const std::filesystem::path kRoot = EPSIM_SOURCE_DIR;

// Records of a file with at most so many tokens, each on the system that it names.
std::vector<ValidationRecord> predict_committed(const std::string& file,
                                                std::uint32_t most_tokens) {
  const ObservationSet set = read_observations(kRoot / "calibrate/observations" / file);
  std::map<std::string, Calibration> calibrations;
  SizedTopologies topologies;
  std::vector<ValidationRecord> records;
  for (const Observation& observation : set.records) {
    if (observation.tokens > most_tokens) continue;
    auto calibration = calibrations.find(observation.system);
    if (calibration == calibrations.end())
      calibration =
          calibrations.emplace(observation.system, load_calibration(observation.system)).first;
    const Calibration& known = calibration->second;
    const FamilyKind& kind = *find_family(observation.kernel);
    const Workload workload =
        workload_of(observation, set, kind, topologies.find(known.topology, observation));
    const Prediction prediction = predict(
        observation.op, workload, kind, known.hardware, known.family(observation.kernel).constants);
    ValidationRecord record;
    record.id = observation.id;
    record.kernel = observation.kernel;
    record.operation = kMoeOperationNames[static_cast<std::size_t>(observation.op)];
    record.system = observation.system;
    record.ranks = observation.ranks;
    record.measured_us = observation.latency_us;
    record.predicted_us = to_us(stated_latency(prediction, kind));
    records.push_back(std::move(record));
  }
  return records;
}

// 5 % over all and 10 % in a family, relative to the committed error, and 0.05 points for the last
// digit of a libm.
void check_no_worse(const std::vector<ValidationRecord>& records, const std::string& committed) {
  const JsonDocument document = JsonDocument::read(kRoot / "calibrate/results" / committed);
  JsonObject root = document.root().object();
  const auto median_of = [](const JsonValue& value) {
    return value.object().required("median_abs_pct").number();
  };
  constexpr double kDigit = 0.05;
  CHECK(summarize_errors(records).median_abs_pct <=
        1.05 * median_of(root.required("summary")) + kDigit);
  const auto groups = root.required("groups").array();
  const auto now = group_errors(records);
  REQUIRE(now.size() == groups.size());
  for (std::size_t g = 0; g < groups.size(); ++g) {
    CAPTURE(now[g].kernel);
    CAPTURE(now[g].operation);
    CHECK(groups[g].object().required("op").string() == now[g].operation);
    CHECK(now[g].errors.median_abs_pct <= 1.10 * median_of(groups[g]) + kDigit);
  }
}

constexpr std::uint32_t kAnyTokens = 1U << 31;

}  // namespace

TEST_CASE("accuracy: no family is worse than the committed table says") {
  check_no_worse(predict_committed("deepep_h200.json", kAnyTokens), "validation.json");
}

TEST_CASE("accuracy: no published family is worse at 128 tokens and fewer than committed") {
  check_no_worse(predict_committed("published.json", 128), "validation-published.json");
}

TEST_CASE("accuracy: published low-latency and one-sided records are within 7 and 20 %") {
  // Median and p90 of a kernel and operation: the sources differ among themselves by 7 to 21 %.
  for (const ErrorGroup& group : group_errors(predict_committed("published.json", 128))) {
    CAPTURE(group.kernel);
    CAPTURE(group.operation);
    CHECK(group.errors.median_abs_pct <= 7.0);
    CHECK(group.errors.p90_abs_pct <= 20.0);
  }
}

TEST_CASE("accuracy: held-out hot-spot and local records are within 12 %") {
  for (const ValidationRecord& record : predict_committed("deepep_h200.json", kAnyTokens)) {
    const bool held_out = record.id.find("-random-") == std::string::npos;
    if (!held_out) continue;
    CAPTURE(record.id);
    CHECK(std::abs(record.error_pct()) <= 12.0);
  }
}
