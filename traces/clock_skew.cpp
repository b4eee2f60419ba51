#include "traces/clock_skew.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <utility>

#include <fmt/format.h>

namespace epsim {
namespace {

constexpr std::size_t kFewest = 3;
constexpr std::size_t kPercentile = 90;

// Ends of the collectives by name, in order of their starts, counted from the trace's epoch.
using Ends = std::map<std::string_view, std::vector<Instant>>;

Ends ends_of(const GpuTrace& trace, const IsCollective& is_collective) {
  std::vector<int> kinds(trace.names.size(), -1);  // -1: not asked yet
  Ends ends;
  for (const GpuActivity& activity : trace.activities) {
    if (activity.kind != ActivityKind::kernel) continue;
    int& kind = kinds[activity.name];
    if (kind < 0) kind = is_collective(trace.names[activity.name]) ? 1 : 0;
    if (kind == 1) ends[trace.names[activity.name]].push_back(activity.end());
  }
  return ends;
}

std::string shortened(std::string_view name) {
  constexpr std::size_t kLongest = 60;
  return name.size() <= kLongest ? std::string(name)
                                 : std::string(name.substr(0, kLongest)) + "...";
}

// Why two ranks' collectives are not the same; empty where they are.
std::string mismatch(const Ends& first, const Ends& other) {
  for (const auto& [name, ends] : first) {
    const auto found = other.find(name);
    const std::size_t count = found == other.end() ? 0 : found->second.size();
    if (count != ends.size())
      return fmt::format(
          "{} of \"{}\" here, {} on the first rank", count, shortened(name), ends.size());
  }
  for (const auto& [name, ends] : other)
    if (!first.contains(name))
      return fmt::format("{} of \"{}\" here, none on the first rank", ends.size(), shortened(name));
  return {};
}

// Element at `percent` of the way through the sorted values; they lose their order.
std::int64_t percentile(std::vector<std::int64_t>& values, std::size_t percent) {
  const auto at = values.begin() + static_cast<std::ptrdiff_t>((values.size() - 1) * percent / 100);
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

std::int64_t median(std::vector<std::int64_t>& values) {
  const std::int64_t low = percentile(values, 50);
  if (values.size() % 2 == 1) return low;
  // nth_element left what is larger behind it.
  const auto above = values.begin() + static_cast<std::ptrdiff_t>((values.size() - 1) / 2 + 1);
  return low + (*std::min_element(above, values.end()) - low) / 2;
}

// How long after one collective the next ends, on average: of those that come in pairs, too.
std::int64_t mean_gap(const Ends& ends) {
  Instant begin = Instant::max(), end = Instant::min();
  std::int64_t count = 0;
  for (const auto& [name, of_name] : ends)
    for (const Instant at : of_name) {
      begin = std::min(begin, at);
      end = std::max(end, at);
      ++count;
    }
  return (end - begin).count() / (count - 1);
}

ClockSkew skew_of(const Ends& first, const Ends& other) {
  ClockSkew skew;
  skew.refusal = mismatch(first, other);
  if (!skew.is_known()) return skew;
  std::vector<std::int64_t> differences;
  for (const auto& [name, ends] : first) {
    const std::vector<Instant>& others = other.at(name);
    for (std::size_t k = 0; k < ends.size(); ++k)
      differences.push_back((ends[k] - others[k]).count());
  }
  skew.collectives = differences.size();
  if (differences.size() < kFewest) {
    skew.refusal =
        fmt::format("{} collectives; at least {} are needed", differences.size(), kFewest);
    return skew;
  }
  const std::int64_t usual = median(differences);
  for (std::int64_t& difference : differences) difference = std::abs(difference - usual);
  const std::int64_t scatter = percentile(differences, kPercentile);
  if (const std::int64_t gap = mean_gap(first); scatter > gap) {
    skew.refusal = fmt::format(
        "ends of the same collective scatter by {} us, and the next follows after {} us: the "
        "traces do not begin at the same one",
        scatter / 1'000'000,
        gap / 1'000'000);
    return skew;
  }
  skew.to_first = Duration{usual};
  skew.uncertainty = Duration{scatter};
  return skew;
}

}  // namespace

std::vector<ClockSkew> clock_skews(std::span<const GpuTrace> ranks,
                                   const IsCollective& is_collective) {
  std::vector<ClockSkew> skews;
  if (ranks.empty()) return skews;
  const Ends first = ends_of(ranks.front(), is_collective);
  std::size_t count = 0;
  for (const auto& [name, ends] : first) count += ends.size();
  skews.push_back({.to_first = {}, .uncertainty = {}, .collectives = count, .refusal = {}});
  for (const GpuTrace& rank : ranks.subspan(1))
    skews.push_back(skew_of(first, ends_of(rank, is_collective)));
  return skews;
}

}  // namespace epsim
