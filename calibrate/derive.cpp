#include "calibrate/derive.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>

#include <fmt/format.h>

#include "calibrate/robust_stats.hpp"
#include "sim/base/check.hpp"
#include "sim/base/input_error.hpp"

namespace epsim {
namespace {

struct Match {
  double at = 0;  // the argument of the line
  Quantiles samples;
};

// Whether `value` is one of the words between the bars of `words`.
bool is_one_of(std::string_view value, std::string_view words) {
  for (;;) {
    const std::size_t end = std::min(words.find('|'), words.size());
    if (words.substr(0, end) == value) return true;
    if (end == words.size()) return false;
    words.remove_prefix(end + 1);
  }
}

// Whether every "name=value" or "name=value|value" of `where` is an argument of the point.
bool matches(const Point& point, std::string_view where) {
  while (!where.empty()) {
    const std::size_t end = std::min(where.find(' '), where.size());
    const std::string_view pair = where.substr(0, end);
    const std::size_t equals = pair.find('=');
    check(equals != std::string_view::npos, "a derivation matches name=value");
    const std::string_view name = pair.substr(0, equals);
    if (!point.has(name) || !is_one_of(point.text(name), pair.substr(equals + 1))) return false;
    where.remove_prefix(std::min(end + 1, where.size()));
  }
  return true;
}

struct Line {
  double intercept = 0;
  double slope = 0;
};

// Least squares.
Line line_through(const std::vector<std::pair<double, double>>& points) {
  double x = 0;
  double y = 0;
  for (const auto& [px, py] : points) {
    x += px / static_cast<double>(points.size());
    y += py / static_cast<double>(points.size());
  }
  double xx = 0;
  double xy = 0;
  for (const auto& [px, py] : points) {
    xx += (px - x) * (px - x);
    xy += (px - x) * (py - y);
  }
  check(xx > 0, "a line runs over different values of its argument");
  return {y - xy / xx * x, xy / xx};
}

double read_line(Reading reading, const Line& line) {
  switch (reading) {
    case Reading::intercept:
      return line.intercept;
    case Reading::slope:
      return line.slope;
    case Reading::rate:
      return 1.0 / line.slope;
    case Reading::median:
      break;
  }
  check(false, "a median is no line");
  return 0;
}

// The reading of the line through one quantile of every point.
double read_quantile(const Derivation& row,
                     const std::vector<Match>& found,
                     double Quantiles::*which) {
  std::vector<std::pair<double, double>> points;
  for (const Match& match : found) points.emplace_back(match.at, match.samples.*which);
  return read_line(row.reading, line_through(points));
}

Quantiles read(const Derivation& row, const std::vector<Match>& found) {
  if (row.reading != Reading::median) {
    const double middle = read_quantile(row, found, &Quantiles::median);
    const auto [low, high] = std::minmax({middle,
                                          read_quantile(row, found, &Quantiles::p10),
                                          read_quantile(row, found, &Quantiles::p90)});
    return {low, middle, high};
  }
  std::vector<double> medians;
  Quantiles all{found.front().samples.p10, 0, found.front().samples.p90};
  for (const Match& match : found) {
    medians.push_back(match.samples.median);
    all.p10 = std::min(all.p10, match.samples.p10);
    all.p90 = std::max(all.p90, match.samples.p90);
  }
  all.median = quantile(medians, 0.5);
  return all;
}

std::string row_text(const Derivation& row) {
  static constexpr std::string_view kWhat[] = {"median of", "intercept of", "slope of", "rate of"};
  std::string text = fmt::format(
      "{} {} {}", kWhat[static_cast<std::size_t>(row.reading)], row.experiment, row.series);
  if (!row.over.empty()) text += fmt::format(" over {}", row.over);
  if (!row.where.empty()) text += fmt::format(" at {}", row.where);
  return text;
}

}  // namespace

Constant derive(const Derivation& row,
                const std::string& unit,
                const std::vector<Measurement>& files) {
  std::vector<Match> found;
  std::string sources;
  std::string all_files;
  for (const Measurement& file : files) {
    const std::size_t before = found.size();
    for (const MeasuredPoint& measured : file.points) {
      if (measured.experiment != row.experiment || !matches(measured.point, row.where)) continue;
      const std::vector<double>* samples = measured.find_samples(row.series);
      if (samples == nullptr) continue;
      const double at =
          row.over.empty() ? 0.0 : static_cast<double>(measured.point.integer(row.over));
      found.push_back({at, quantiles(*samples)});
    }
    if (found.size() > before) sources += (sources.empty() ? "" : ", ") + file.file;
    all_files += (all_files.empty() ? "" : ", ") + file.file;
  }
  const std::size_t needed = row.reading == Reading::median ? 1 : 2;
  if (found.size() < needed)
    throw InputError(all_files,
                     "/points",
                     fmt::format("expected {} for {} {}, found {} points",
                                 row_text(row),
                                 row.group,
                                 row.constant,
                                 found.size()));
  const Quantiles value = read(row, found);
  const double scale = row.reading == Reading::rate ? 1.0 / row.scale : row.scale;
  return {.name = std::string(row.constant),
          .unit = unit,
          .value = value.median * scale,
          .low = value.p10 * scale,
          .high = value.p90 * scale,
          .source = fmt::format("{}: {}, {} point{}",
                                sources,
                                row_text(row),
                                found.size(),
                                found.size() == 1 ? "" : "s")};
}

Derived derive_readings(Readings readings, const std::vector<Measurement>& files) {
  Derived derived;
  const auto replace_all = [&](std::string_view group, ConstantSet& constants) {
    for (const Constant& before : std::vector(constants.all().begin(), constants.all().end())) {
      const auto row = std::find_if(
          derivations().begin(), derivations().end(), [&](const Derivation& candidate) {
            return candidate.group == group && candidate.constant == before.name;
          });
      if (row == derivations().end()) {
        derived.kept.push_back(fmt::format("{} {}", group, before.name));
        continue;
      }
      Constant now = derive(*row, before.unit, files);
      derived.changed.push_back(
          fmt::format("{:<24} {:<30} {:>10.4g} -> {:>10.4g} {} [{:.4g}, {:.4g}]",
                      group,
                      now.name,
                      before.value,
                      now.value,
                      now.unit,
                      now.low,
                      now.high));
      constants.put(std::move(now));
    }
  };
  replace_all("hardware", readings.hardware);
  for (auto& [name, constants] : readings.families) replace_all(name, constants);
  derived.readings = std::move(readings);
  return derived;
}

}  // namespace epsim
