#include "calibrate/fence_deltas.hpp"

#include <algorithm>
#include <cmath>
#include <tuple>

#include <fmt/format.h>

#include "calibrate/robust_stats.hpp"
#include "sim/base/check.hpp"

namespace epsim {
namespace {

// All that two twins share: everything but the fence and what was measured.
auto shape_of(const Observation& o) {
  return std::tie(o.kernel,
                  o.system,
                  o.op,
                  o.ranks,
                  o.tokens,
                  o.experts,
                  o.top_k,
                  o.hidden,
                  o.dispatch_format,
                  o.combine_format,
                  o.routing,
                  o.seed,
                  o.part,
                  o.sms,
                  o.exchange.mode,
                  o.exchange.copy,
                  o.exchange.capacity);
}

std::size_t close_count(const std::vector<FenceDelta>& deltas) {
  return static_cast<std::size_t>(std::count_if(
      deltas.begin(), deltas.end(), [](const FenceDelta& delta) { return delta.is_close(); }));
}

// The deltas of one placement: medians, ranges and the worst error.
std::string row_text(const std::string& name, const std::vector<FenceDelta>& deltas) {
  std::vector<double> measured;
  std::vector<double> predicted;
  double worst = 0;
  for (const FenceDelta& delta : deltas) {
    measured.push_back(delta.measured_us);
    predicted.push_back(delta.predicted_us);
    worst = std::max(worst, std::abs(delta.predicted_us - delta.measured_us));
  }
  const auto range = [](const std::vector<double>& values) {
    return fmt::format("{:.2f} ({:.2f} to {:.2f})",
                       quantile(values, 0.5),
                       quantile(values, 0),
                       quantile(values, 1));
  };
  return fmt::format("{:<18} {:>3}  {:>24}  {:>24}  {:>9.2f}  {} of {}\n",
                     name,
                     deltas.size(),
                     range(measured),
                     range(predicted),
                     worst,
                     close_count(deltas),
                     deltas.size());
}

}  // namespace

bool FenceDelta::is_close() const {
  return std::abs(predicted_us - measured_us) <= std::max(1.0, 0.2 * std::abs(measured_us));
}

std::vector<FenceDelta> fence_deltas(const std::vector<Observation>& observations,
                                     const std::vector<ValidationRecord>& records) {
  check(observations.size() == records.size(), "each observation was validated");
  std::vector<FenceDelta> deltas;
  for (std::size_t i = 0; i < observations.size(); ++i) {
    const Observation& fenced = observations[i];
    if (fenced.fence == FencePlacement::P0) continue;
    const auto twin =
        std::find_if(observations.begin(), observations.end(), [&](const Observation& other) {
          return other.fence == FencePlacement::P0 && shape_of(other) == shape_of(fenced);
        });
    if (twin == observations.end()) continue;
    const ValidationRecord& plain = records[static_cast<std::size_t>(twin - observations.begin())];
    deltas.push_back({.id = fenced.id,
                      .fence = fenced.fence,
                      .part = fenced.part,
                      .measured_us = records[i].measured_us - plain.measured_us,
                      .predicted_us = records[i].predicted_us - plain.predicted_us,
                      .held_out = fenced.held_out});
  }
  return deltas;
}

std::string fence_deltas_text(const std::vector<FenceDelta>& deltas) {
  if (deltas.empty()) return {};
  std::string text = fmt::format("\n{:<18} {:>3}  {:>24}  {:>24}  {:>9}  {}\n",
                                 "fence",
                                 "n",
                                 "measured cost, us",
                                 "predicted, us",
                                 "worst, us",
                                 "within max(1 us, 20 %)");
  for (std::size_t part = 0; part < kSplitPartNames.size(); ++part) {
    std::size_t close = 0;
    std::size_t count = 0;
    for (std::size_t f = 0; f < kFencePlacementNames.size(); ++f) {
      std::vector<FenceDelta> row;
      for (const FenceDelta& delta : deltas)
        if (static_cast<std::size_t>(delta.fence) == f &&
            static_cast<std::size_t>(delta.part) == part)
          row.push_back(delta);
      if (row.empty()) continue;
      text += row_text(fmt::format("{} {}", kFencePlacementNames[f], kSplitPartNames[part]), row);
      close += close_count(row);
      count += row.size();
    }
    if (count > 0) text += fmt::format("{}: {} of {} close\n", kSplitPartNames[part], close, count);
  }
  return text;
}

}  // namespace epsim
