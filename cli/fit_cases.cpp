#include "cli/fit_cases.hpp"

#include <algorithm>
#include <filesystem>
#include <limits>

#include <fmt/format.h>

#include "calibrate/fence_deltas.hpp"
#include "cli/observation_workload.hpp"
#include "cli/sized_topologies.hpp"
#include "sim/base/input_error.hpp"

namespace epsim {
namespace {

constexpr std::string_view kFittedRouting = "random";

bool may_fit(const Observation& observation, const FitSelection& selection) {
  if (observation.held_out) return false;
  if (!selection.all_routings && observation.routing != kFittedRouting) return false;
  if (selection.most_tokens > 0 && observation.tokens > selection.most_tokens) return false;
  const std::vector<std::uint32_t>& ranks = selection.ranks;
  return ranks.empty() || std::find(ranks.begin(), ranks.end(), observation.ranks) != ranks.end();
}

[[noreturn]] void fail_empty(const ObservationSet& set, const FitSelection& selection) {
  FitSelection shapes;
  shapes.ranks = selection.ranks;
  shapes.most_tokens = selection.most_tokens;
  throw InputError(set.file,
                   "/records",
                   fmt::format("expected a record of kernel {} on {} with routing {}{}, found none",
                               selection.kernel,
                               selection.system,
                               selection.all_routings ? "of any kind" : kFittedRouting,
                               options_text(shapes)));
}

}  // namespace

std::vector<FitCase> fit_cases(const ObservationSet& set,
                               const FitSelection& selection,
                               const FamilyKind& kind,
                               const std::string& topology) {
  SizedTopologies topologies;
  std::vector<FitCase> cases;
  for (const Observation& observation : set.records)
    if (observation.kernel == selection.kernel && observation.system == selection.system)
      cases.push_back({&observation,
                       workload_of(observation, set, kind, topologies.find(topology, observation)),
                       may_fit(observation, selection)});
  if (std::none_of(cases.begin(), cases.end(), [](const FitCase& c) { return c.fitted; }))
    fail_empty(set, selection);
  if (!selection.fence_deltas) return cases;
  for (FitCase& fenced : cases)
    for (const FitCase& plain : cases)
      if (fenced.fitted && plain.fitted && are_twins(*fenced.observation, *plain.observation))
        fenced.twin = &plain;
  return cases;
}

CalibratedRange fitted_range(const std::vector<FitCase>& cases) {
  constexpr auto kNothing = std::numeric_limits<std::int64_t>::max();
  CalibratedRange range{kNothing, 0, kNothing, 0, kNothing, 0, kNothing, 0, kNothing, 0};
  const auto widen = [](std::int64_t& low, std::int64_t& high, std::int64_t value) {
    low = std::min(low, value);
    high = std::max(high, value);
  };
  for (const FitCase& c : cases) {
    if (!c.fitted) continue;
    widen(range.tokens_min, range.tokens_max, c.observation->tokens);
    widen(range.hidden_min, range.hidden_max, c.observation->hidden);
    widen(range.experts_min, range.experts_max, c.observation->experts);
    widen(range.top_k_min, range.top_k_max, c.observation->top_k);
    widen(range.ranks_min, range.ranks_max, c.observation->ranks);
  }
  return range;
}

Calibration calibration_before(const Readings& readings,
                               const std::string& kernel,
                               const std::string& base,
                               const std::string& out) {
  Calibration calibration{readings.system, readings.topology, readings.hardware, {}};
  if (base.empty() && !std::filesystem::exists(out)) return calibration;
  const std::string& file = base.empty() ? out : base;
  Calibration before = load_calibration(file);
  if (before.system != calibration.system)
    throw InputError(
        file, "/system", fmt::format("expected {}, found {}", calibration.system, before.system));
  calibration.overlap = std::move(before.overlap);
  for (KernelFamily& family : before.families)
    if (family.name != kernel) calibration.families.push_back(std::move(family));
  if (!base.empty())
    for (const Constant& constant : before.hardware.all()) calibration.hardware.put(constant);
  return calibration;
}

std::string options_text(const FitSelection& selection) {
  std::string text;
  if (selection.all_routings) text += " --all-routings";
  if (selection.fence_deltas) text += " --fence-deltas";
  if (!selection.ranks.empty()) text += fmt::format(" --ranks {}", fmt::join(selection.ranks, ","));
  if (selection.most_tokens > 0) text += fmt::format(" --most-tokens {}", selection.most_tokens);
  return text;
}

}  // namespace epsim
