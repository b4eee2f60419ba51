#include "calibrate/observe.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "calibrate/robust_stats.hpp"
#include "sim/base/check.hpp"
#include "sim/base/input_error.hpp"

namespace epsim {
namespace {

constexpr std::string_view kFamily = "epsim-ll";
constexpr double kNsPerUs = 1000;

template <std::size_t N>
std::size_t index_of(const std::array<std::string_view, N>& names, std::string_view name) {
  const auto found = std::find(names.begin(), names.end(), name);
  check(found != names.end(), "an experiment uses the names that observations use");
  return static_cast<std::size_t>(found - names.begin());
}

bool is_observed(const MeasuredPoint& point) {
  return point.experiment == "M18" && point.point.text("op") != "both" &&
         point.point.text("pitch") == "packed" && point.point.text("launch") == "fused";
}

bool is_held_out(const Observation& record) {
  return record.tokens == 256 || record.tokens == 512 || record.top_k == 4 || record.ranks == 2;
}

Observation observation_of(const MeasuredPoint& measured, std::string_view system) {
  const Point& point = measured.point;
  const auto number = [&](std::string_view name) {
    return static_cast<std::uint32_t>(point.integer(name));
  };
  Observation record;
  record.kernel = kFamily;
  record.system = system;
  record.op = static_cast<MoeOperation>(index_of(kMoeOperationNames, point.text("op")));
  record.ranks = number("ranks");
  record.tokens = number("tokens");
  record.experts = number("experts");
  record.top_k = number("top_k");
  record.hidden = point.integer("hidden");
  record.dispatch_format =
      static_cast<DispatchFormat>(index_of(kDispatchFormatNames, point.text("format")));
  record.routing = point.text("routing");
  record.seed = static_cast<std::uint64_t>(point.integer("seed"));
  record.fence = static_cast<FencePlacement>(index_of(kFencePlacementNames, point.text("fence")));
  record.id = fmt::format("{}-{}-{}-{}-{}-{}-{}-{}-{}-{}-{}",
                          kFamily,
                          point.text("op"),
                          record.ranks,
                          record.tokens,
                          record.hidden,
                          record.experts,
                          record.top_k,
                          point.text("format"),
                          record.routing,
                          record.seed,
                          point.text("fence"));
  const std::vector<double>* samples = measured.find_samples("latency_ns");
  check(samples != nullptr, "a low-latency point has a latency");
  const Quantiles latency = quantiles(*samples);
  record.latency_us = latency.median / kNsPerUs;
  record.p10_us = latency.p10 / kNsPerUs;
  record.p90_us = latency.p90 / kNsPerUs;
  record.held_out = is_held_out(record);
  return record;
}

}  // namespace

ObservationSet observe_low_latency(const std::vector<Measurement>& files, std::string_view system) {
  ObservationSet set;
  for (const Measurement& file : files) {
    const std::size_t before = set.records.size();
    for (const MeasuredPoint& point : file.points) {
      if (!is_observed(point)) continue;
      Observation record = observation_of(point, system);
      const bool is_new =
          std::none_of(set.records.begin(), set.records.end(), [&](const Observation& other) {
            return other.id == record.id;
          });
      if (is_new) set.records.push_back(std::move(record));
    }
    if (set.records.size() == before)
      throw InputError(file.file, "/points", "expected low-latency points (M18), found none new");
    set.source += fmt::format("{}{} ({} x {}, CUDA {}, driver {}, commit {:.12})",
                              set.source.empty() ? "" : "; ",
                              file.file,
                              file.provenance.gpus.size(),
                              file.provenance.gpus.front().name,
                              file.provenance.cuda,
                              file.provenance.driver,
                              file.provenance.commit);
  }
  return set;
}

}  // namespace epsim
