#include "sim/scenario_reach.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "models/network_constants.hpp"
#include "sim/base/input_error.hpp"
#include "topologies/registry.hpp"

namespace epsim {
namespace {

constexpr std::string_view kContiguous = "\"contiguous\"";

std::string names_where(bool FamilyKind::*takes) {
  std::string names;
  for (const FamilyKind& kind : kernel_families())
    if (kind.*takes) names += (names.empty() ? "" : ", ") + std::string(kind.name);
  return names;
}

// NVLink domains that the ranks lie in.
std::size_t domains_of(const Scenario& scenario) {
  std::vector<std::uint32_t> domains;
  for (std::uint32_t r = 0; r < scenario.routing.shape.ranks; ++r)
    domains.push_back(scenario.topology->nvlink_domain(GpuId{r}));
  std::sort(domains.begin(), domains.end());
  return static_cast<std::size_t>(std::unique(domains.begin(), domains.end()) - domains.begin());
}

// Whether the scenario's kernels post to NICs.
bool uses_network(const Scenario& scenario) {
  const FamilyKind* kind = find_family(scenario.kernel);
  if (kind == nullptr || !kind->takes_network) return false;
  if (kind->needs_network && scenario.routing.shape.ranks > 1) return true;
  if (scenario.fold.planned != 0) return scenario.fold.planned < scenario.routing.shape.ranks;
  return domains_of(scenario) > 1;
}

// Every host must do what every other does: nothing may tell one from another but chance.
void check_symmetry(const Scenario& scenario) {
  const auto refuse = [&](std::string_view place, const std::string& why) {
    throw InputError(scenario.file, place, "one host stands for all (symmetry): " + why);
  };
  if (scenario.schedule)
    refuse("/schedule", "a whole step cannot be told by one host; leave it out");
  const RoutingSpec& routing = scenario.routing;
  if (routing.shape.ranks != scenario.gpu_count)
    refuse("/traffic/ranks",
           fmt::format("expected {}, one on each GPU of all hosts, found {}; "
                       "topology.override.hosts says how many hosts there are",
                       scenario.gpu_count,
                       routing.shape.ranks));
  if (!kind_of(routing.name).ranks_are_alike)
    refuse("/traffic/routing",
           fmt::format("expected a routing whose ranks are alike, found \"{}\"",
                       to_text(routing.name)));
  if (scenario.placement != kContiguous)
    refuse("/traffic/placement",
           fmt::format("expected {}, found {}", kContiguous, scenario.placement));
  if (scenario.launch_skew != Duration{})
    refuse("/launch_skew", "ranks that start apart are not alike; leave it out");
  if (!find_family(scenario.kernel)->takes_fold)
    refuse("/kernel/family",
           fmt::format("expected one of {}, found \"{}\"",
                       names_where(&FamilyKind::takes_fold),
                       scenario.kernel));
}

}  // namespace

void read_topology(JsonObject& root, Scenario& scenario) {
  const auto symmetry = root.optional("symmetry");
  const JsonValue value = root.required("topology");
  JsonObject object = value.object();
  const JsonValue preset = object.required("preset");
  scenario.topology_name = preset.string();
  std::optional<JsonObject> overrides;
  scenario.topology_override = "{}";
  if (const auto given = object.optional("override")) {
    overrides = given->object();
    scenario.topology_override = given->dump();
  }
  const auto take = [&](LoadedTopology loaded) {
    scenario.overridden = std::move(loaded.overridden);
    scenario.topology = std::make_shared<const Topology>(std::move(loaded.topology));
    scenario.gpu_count = static_cast<std::uint32_t>(scenario.topology->gpu_count());
  };
  if (symmetry && symmetry->boolean()) {
    FoldedTopology folded = load_folded_topology(preset, overrides);
    take(std::move(folded.loaded));
    scenario.fold.planned = folded.gpus_per_host;
    scenario.gpu_count = folded.hosts * folded.gpus_per_host;
  } else {
    take(load_topology(preset, overrides));
  }
  object.finish();
}

void check_reach(const Scenario& scenario) {
  if (scenario.fold.planned != 0) return check_symmetry(scenario);
  const std::size_t domains = domains_of(scenario);
  const FamilyKind* kind = find_family(scenario.kernel);  // none where experts are sliced
  const bool is_needed = uses_network(scenario);
  if (!is_needed && domains == 1) return;
  const auto apart = [&] {
    return fmt::format(
        "the {} ranks lie in {} NVLink domains", scenario.routing.shape.ranks, domains);
  };
  if (kind == nullptr)
    throw InputError(scenario.file,
                     "/schedule/experts/sharing",
                     fmt::format("sliced experts gather rows over NVLink, but {}", apart()));
  if (!kind->takes_network)
    throw InputError(scenario.file,
                     "/kernel/family",
                     fmt::format("{}: expected a family that joins them by a network, one of {}, "
                                 "found \"{}\"",
                                 apart(),
                                 names_where(&FamilyKind::takes_network),
                                 kind->name));
  if (!scenario.topology->has_network())
    throw InputError(
        scenario.file,
        "/topology/preset",
        fmt::format("{} posts to NICs; expected a topology with a network, found \"{}\"",
                    kind->name,
                    scenario.topology_name));
}

void require_network(const Scenario& scenario, const Calibration& calibration) {
  if (!uses_network(scenario) || has_network(calibration.hardware)) return;
  throw InputError(scenario.file,
                   "/calibration",
                   fmt::format("{} posts to NICs; expected a calibration with network constants, "
                               "found {}",
                               scenario.kernel,
                               scenario.calibration));
}

void require_every_access(const Scenario& scenario) {
  if (scenario.fold.planned != 0)
    throw InputError(scenario.file,
                     "/symmetry",
                     "a check follows every rank; leave symmetry out and ask for few hosts");
  if (uses_network(scenario))
    throw InputError(scenario.file,
                     "/kernel/family",
                     fmt::format("{} posts to NICs, whose accesses a check does not follow; ask "
                                 "for ranks of one NVLink domain",
                                 scenario.kernel));
}

}  // namespace epsim
