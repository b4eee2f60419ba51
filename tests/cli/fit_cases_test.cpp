#include "cli/fit_cases.hpp"

#include <string>

#include <doctest/doctest.h>

#include "cli/sized_topologies.hpp"
#include "sim/base/input_error.hpp"
#include "sim/base/text_file.hpp"
#include "tests/base/temporary_folder.hpp"
#include "tests/support/round_constants.hpp"

using namespace epsim;

namespace {

Observation observed(const std::string& id, std::uint32_t ranks, std::uint32_t tokens) {
  Observation observation;
  observation.id = id;
  observation.kernel = "deepep-ll-1.2.1";
  observation.system = "hgx-h200";
  observation.ranks = ranks;
  observation.tokens = tokens;
  observation.experts = 8;
  observation.top_k = 2;
  observation.hidden = 1024;
  observation.routing = "random";
  observation.latency_us = 10;
  return observation;
}

// Small and large at 2 and 4 ranks; one of another routing, one held out, one of another system.
ObservationSet seven_records() {
  ObservationSet set;
  set.file = "o.json";
  set.records = {observed("two small", 2, 1),
                 observed("two large", 2, 64),
                 observed("four small", 4, 1),
                 observed("four large", 4, 64),
                 observed("zipf", 4, 1),
                 observed("held out", 4, 1),
                 observed("elsewhere", 4, 1)};
  set.records[4].routing = "zipf:0.6";
  set.records[5].held_out = true;
  set.records[6].system = "gb200-nvl72";
  return set;
}

FitSelection of_h200() {
  FitSelection selection;
  selection.system = "hgx-h200";
  selection.kernel = "deepep-ll-1.2.1";
  return selection;
}

std::string fitted_ids(const ObservationSet& set, const FitSelection& selection) {
  std::string ids;
  const auto cases = fit_cases(set, selection, *find_family(selection.kernel), "hgx-h200");
  CHECK(cases.size() == 6);  // the others of the system are predicted, too
  for (const FitCase& c : cases)
    if (c.fitted) ids += (ids.empty() ? "" : ", ") + c.observation->id;
  return ids;
}

Readings old_readings() {
  return {.system = "old", .topology = "hgx-h200", .hardware = round_hardware(), .families = {}};
}

}  // namespace

TEST_CASE("fit cases: random routings are fitted unless the file held them out") {
  CHECK(fitted_ids(seven_records(), of_h200()) == "two small, two large, four small, four large");
  FitSelection all = of_h200();
  all.all_routings = true;
  CHECK(fitted_ids(seven_records(), all) == "two small, two large, four small, four large, zipf");
}

TEST_CASE("fit cases: ranks and tokens choose what is fitted, and the rest stays to be predicted") {
  const ObservationSet set = seven_records();
  FitSelection selection = of_h200();
  selection.ranks = {2};
  CHECK(fitted_ids(set, selection) == "two small, two large");
  selection.most_tokens = 1;
  CHECK(fitted_ids(set, selection) == "two small");
  selection.ranks = {2, 4};
  CHECK(fitted_ids(set, selection) == "two small, four small");
  CHECK(options_text(selection) == " --ranks 2,4 --most-tokens 1");
  const auto cases = fit_cases(set, selection, *find_family(selection.kernel), "hgx-h200");
  const CalibratedRange range = fitted_range(cases);
  CHECK(range.ranks_min == 2);
  CHECK(range.ranks_max == 4);
  CHECK(range.tokens_max == 1);
}

TEST_CASE("fit cases: a choice that leaves nothing is refused and says what was asked") {
  const ObservationSet set = seven_records();
  FitSelection selection = of_h200();
  selection.ranks = {8};
  CHECK_THROWS_WITH_AS(
      (void)fit_cases(set, selection, *find_family(selection.kernel), "hgx-h200"),
      "o.json: /records: expected a record of kernel deepep-ll-1.2.1 on hgx-h200 with routing "
      "random --ranks 8, found none",
      InputError);
}

TEST_CASE("fit: a base keeps its hardware and its other families, an earlier output its families") {
  const TemporaryFolder folder;
  const std::string file = (folder / "c.json").string();
  const std::string nowhere = (folder / "nowhere.json").string();
  Calibration earlier;
  earlier.system = "old";
  earlier.topology = "hgx-h200";
  earlier.hardware = round_hardware().with("grid_sync", 9);
  for (const char* name : {"deepep-ll-1.2.1", "epsim-ll"})
    earlier.families.push_back({.name = name, .constants = {}, .range = {}, .fit = {}});
  for (KernelFamily& family : earlier.families)
    for (const ConstantSpec& spec : find_family(family.name)->constants())
      family.constants.put(
          {std::string(spec.name), std::string(spec.unit), spec.high, spec.low, spec.high, "test"});
  replace_text_file(file, calibration_text(earlier));

  const Readings readings = old_readings();
  const Calibration fresh = calibration_before(readings, "epsim-ll", "", nowhere);
  CHECK(fresh.families.empty());
  CHECK(fresh.hardware.at("grid_sync").value == round_hardware().at("grid_sync").value);

  const Calibration added = calibration_before(readings, "epsim-ll", "", file);
  REQUIRE(added.families.size() == 1);  // the one to be fitted is left out
  CHECK(added.families[0].name == "deepep-ll-1.2.1");
  CHECK(added.hardware.at("grid_sync").value == round_hardware().at("grid_sync").value);

  const Calibration based = calibration_before(readings, "deepep-ll-legacy", file, nowhere);
  CHECK(based.families.size() == 2);
  CHECK(based.hardware.at("grid_sync").value == 9);

  Readings other = readings;
  other.system = "new";
  CHECK_THROWS_AS((void)calibration_before(other, "epsim-ll", file, nowhere), InputError);
}

TEST_CASE("sized topologies: hosts are as many as the ranks fill") {
  Observation observation = observed("one", 16, 1);
  CHECK(hosts_of(observation) == 0);  // it does not say
  observation.gpus_per_node = 8;
  CHECK(hosts_of(observation) == 2);
  observation.ranks = 17;
  CHECK(hosts_of(observation) == 3);
  observation.ranks = 4;
  CHECK(hosts_of(observation) == 1);
}

TEST_CASE("sized topologies: a preset without hosts is built once, whatever the ranks") {
  SizedTopologies topologies;
  Observation observation = observed("one", 4, 1);
  observation.gpus_per_node = 2;
  const auto topology = topologies.find("hgx-h200", observation);
  observation.ranks = 8;
  CHECK(topologies.find("hgx-h200", observation) == topology);
  CHECK(topology->gpu_count() == 8);
}

TEST_CASE("sized topologies: hosts of another size than several that were measured are refused") {
  SizedTopologies topologies;
  Observation observation = observed("one", 16, 1);
  observation.gpus_per_node = 8;
  CHECK(topologies.find("hgx-h800-cx7", observation)->gpu_count() == 16);
  observation.ranks = 8;
  observation.gpus_per_node = 4;
  CHECK_THROWS_WITH_AS((void)topologies.find("hgx-h800-cx7", observation),
                       "one: gpus_per_node: expected 8, as hgx-h800-cx7 has on a host, found 4",
                       InputError);
  observation.ranks = 4;  // one host, half used
  CHECK(topologies.find("hgx-h800-cx7", observation)->gpu_count() == 8);
}
