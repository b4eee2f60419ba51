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

bool are_twins(const Observation& fenced, const Observation& plain) {
  return fenced.fence != FencePlacement::P0 && plain.fence == FencePlacement::P0 &&
         shape_of(fenced) == shape_of(plain);
}

std::vector<FenceDelta> fence_deltas(const std::vector<Observation>& observations,
                                     const std::vector<ValidationRecord>& records) {
  check(observations.size() == records.size(), "each observation was validated");
  std::vector<FenceDelta> deltas;
  for (std::size_t i = 0; i < observations.size(); ++i) {
    const Observation& fenced = observations[i];
    const auto twin =
        std::find_if(observations.begin(), observations.end(), [&](const Observation& other) {
          return are_twins(fenced, other);
        });
    if (twin == observations.end()) continue;
    const ValidationRecord& plain = records[static_cast<std::size_t>(twin - observations.begin())];
    deltas.push_back({.id = fenced.id,
                      .fence = fenced.fence,
                      .part = fenced.part,
                      .measured_us = records[i].measured_us - plain.measured_us,
                      .predicted_us = records[i].predicted_us - plain.predicted_us,
                      .plain = plain,
                      .fitted = records[i].fitted || plain.fitted,
                      .held_out = fenced.held_out});
  }
  return deltas;
}

std::string fence_table_text(const std::vector<FenceDelta>& deltas) {
  std::string text =
      fmt::format("{:<86} {:>27}  {:>26}\n{:<86} {:>9} {:>9} {:>7}  {:>8} {:>9} {:>7}\n",
                  "",
                  "without fences, us",
                  "the fences add, us",
                  "record",
                  "measured",
                  "predicted",
                  "error",
                  "measured",
                  "predicted",
                  "error");
  for (const FenceDelta& delta : deltas)
    text += fmt::format("{:<86} {:>9.1f} {:>9.1f} {:>+6.1f}%  {:>8.1f} {:>9.1f} {:>+7.1f}{}\n",
                        delta.id,
                        delta.plain.measured_us,
                        delta.plain.predicted_us,
                        delta.plain.error_pct(),
                        delta.measured_us,
                        delta.predicted_us,
                        delta.predicted_us - delta.measured_us,
                        delta.fitted     ? "  fitted"
                        : delta.held_out ? "  held out"
                                         : "");
  return text;
}

void write_fence_table(const std::vector<FenceDelta>& deltas, JsonWriter& writer) {
  writer.begin_object().field("schema", "epsim.fence_validation/1").key("pairs").begin_array();
  for (const FenceDelta& delta : deltas)
    writer.begin_object()
        .field("id", delta.id)
        .field("fence", kFencePlacementNames[static_cast<std::size_t>(delta.fence)])
        .field("without_measured_us", delta.plain.measured_us)
        .field("without_predicted_us", delta.plain.predicted_us)
        .field("without_error_pct", delta.plain.error_pct())
        .field("delta_measured_us", delta.measured_us)
        .field("delta_predicted_us", delta.predicted_us)
        .field("delta_error_us", delta.predicted_us - delta.measured_us)
        .field("fitted", delta.fitted)
        .field("held_out", delta.held_out)
        .end_object();
  writer.end_array().end_object();
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
