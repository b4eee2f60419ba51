// The committed accuracy: predictions of every committed observation, against what validation.json
// says they were when it was generated. A change that makes them worse has to say so by
// regenerating it.
#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <vector>

#include <doctest/doctest.h>

#include "calibrate/observation.hpp"
#include "calibrate/validate.hpp"
#include "cli/observation_workload.hpp"
#include "models/calibration.hpp"
#include "sim/base/json.hpp"
#include "sim/prediction.hpp"
#include "topologies/registry.hpp"

using namespace epsim;

namespace {

const std::filesystem::path kRoot = EPSIM_SOURCE_DIR;

std::vector<ValidationRecord> predict_committed() {
  const ObservationSet set = read_observations(kRoot / "calibrate/observations/deepep_h200.json");
  const Calibration calibration = load_calibration("hgx-h200");
  const auto topology =
      std::make_shared<const Topology>(load_topology(calibration.topology).topology);
  std::vector<ValidationRecord> records;
  for (const Observation& observation : set.records) {
    const FamilyKind& kind = *find_family(observation.kernel);
    const Workload workload = workload_of(observation, set, kind, topology);
    const Prediction prediction = predict(observation.op,
                                          workload,
                                          kind,
                                          calibration.hardware,
                                          calibration.family(observation.kernel).constants);
    ValidationRecord record;
    record.id = observation.id;
    record.kernel = observation.kernel;
    record.operation = kMoeOperationNames[static_cast<std::size_t>(observation.op)];
    record.measured_us = observation.latency_us;
    record.predicted_us = to_us(prediction.latency);
    records.push_back(std::move(record));
  }
  return records;
}

}  // namespace

TEST_CASE("accuracy: no family is worse than the committed table says") {
  const JsonDocument committed = JsonDocument::read(kRoot / "calibrate/results/validation.json");
  JsonObject root = committed.root().object();
  const auto median_of = [](const JsonValue& value) {
    return value.object().required("median_abs_pct").number();
  };
  const std::vector<ValidationRecord> records = predict_committed();

  // 5 % over all and 10 % in a family, relative to the committed error, and 0.05 points for the
  // last digit of a libm.
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

TEST_CASE("accuracy: held-out hot-spot and local records are within 12 %") {
  for (const ValidationRecord& record : predict_committed()) {
    const bool held_out = record.id.find("-random-") == std::string::npos;
    if (!held_out) continue;
    CAPTURE(record.id);
    CHECK(std::abs(record.error_pct()) <= 12.0);
  }
}
