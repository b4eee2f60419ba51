#include "traces/range_layers.hpp"

#include <algorithm>
#include <numeric>

#include "traces/kernel_name.hpp"
#include "traces/launch_times.hpp"

namespace epsim {
namespace {

constexpr std::int32_t kLargestLayer = 99'999;

struct LayerRange {
  Instant start, end;
  std::int32_t layer;
};

std::vector<LayerRange> layer_ranges(const GpuTrace& trace) {
  std::vector<std::optional<std::int32_t>> by_name;
  for (const std::string& name : trace.names) by_name.push_back(layer_number(name));
  std::vector<LayerRange> ranges;
  for (const TraceRange& range : trace.ranges)
    if (by_name[range.name])
      ranges.push_back({range.start, range.start + range.time, *by_name[range.name]});
  return ranges;
}

}  // namespace

std::optional<std::int32_t> layer_number(std::string_view name) {
  const std::string text = lower_case(name);
  const std::size_t word = text.rfind("layer");
  if (word == std::string::npos) return std::nullopt;
  std::size_t at = word + std::string_view("layer").size();
  if (at < text.size() && text[at] == 's') ++at;
  while (at < text.size() && std::string_view("._ :#[-").find(text[at]) != std::string_view::npos)
    ++at;
  if (at == text.size() || text[at] < '0' || text[at] > '9') return std::nullopt;
  std::int32_t number = 0;
  for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) {
    number = number * 10 + (text[at] - '0');
    if (number > kLargestLayer) return std::nullopt;
  }
  return number;
}

std::vector<std::int32_t> range_layers(const GpuTrace& trace) {
  const std::vector<LayerRange> ranges = layer_ranges(trace);
  if (ranges.empty()) return {};
  const std::vector<LaunchTime> launches = launch_times(trace);
  std::vector<std::size_t> order(launches.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return launches[a].start < launches[b].start;
  });
  std::vector<std::int32_t> layers(launches.size(), -1);
  std::vector<LayerRange> open;  // those begun, innermost last
  std::size_t next = 0;
  for (const std::size_t i : order) {
    if (!launches[i].is_told) continue;
    const Instant when = launches[i].start;
    for (; next < ranges.size() && ranges[next].start <= when; ++next) open.push_back(ranges[next]);
    std::erase_if(open, [&](const LayerRange& range) { return range.end <= when; });
    if (!open.empty()) layers[i] = open.back().layer;
  }
  return layers;
}

}  // namespace epsim
