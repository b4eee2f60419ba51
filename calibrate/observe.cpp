#include "calibrate/observe.hpp"

#include <algorithm>
#include <optional>
#include <string>

#include <fmt/format.h>

#include "calibrate/robust_stats.hpp"
#include "sim/base/check.hpp"
#include "sim/base/input_error.hpp"

namespace epsim {
namespace {

constexpr std::string_view kFamily = "epsim-ll";
constexpr std::string_view kGraphFamily = "epsim-graph";
constexpr std::uint32_t kGraphExpertsPerRank = 32;  // of experiment M19, which spares the argument
constexpr double kNsPerUs = 1000;

template <std::size_t N>
std::size_t index_of(const std::array<std::string_view, N>& names, std::string_view name) {
  const auto found = std::find(names.begin(), names.end(), name);
  check(found != names.end(), "an experiment uses the names that observations use");
  return static_cast<std::size_t>(found - names.begin());
}

bool is_observed(const MeasuredPoint& point) {
  return point.experiment == "M18" && point.point.text("op") != "both" &&
         point.point.text("pitch") == "packed";
}

bool is_held_out(const Observation& record) {
  return record.tokens == 256 || record.tokens == 512 || record.top_k == 4 || record.ranks == 2;
}

void read_latency(const MeasuredPoint& measured,
                  Observation& record,
                  std::string_view series = "latency_ns") {
  const std::vector<double>* samples = measured.find_samples(series);
  check(samples != nullptr, "a point of dispatch or combine has a latency");
  const Quantiles latency = quantiles(*samples);
  record.latency_us = latency.median / kNsPerUs;
  record.p10_us = latency.p10 / kNsPerUs;
  record.p90_us = latency.p90 / kNsPerUs;
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
  if (point.text("launch") == "split") {
    // Of a split launch the receive half: what it takes is free of what the links did before.
    record.id += "-receive";
    record.part = SplitPart::receive;
    read_latency(measured, record, "receive_ns");
  } else {
    read_latency(measured, record);
  }
  record.held_out = is_held_out(record);
  return record;
}

bool is_graph_held_out(const Observation& record) {
  return record.tokens == 256 || record.tokens == 512 || record.top_k != 1 || record.ranks == 2;
}

Observation graph_observation_of(const MeasuredPoint& measured, std::string_view system) {
  const Point& point = measured.point;
  const auto number = [&](std::string_view name) {
    return static_cast<std::uint32_t>(point.integer(name));
  };
  const std::string& capacity = point.text("capacity");
  Observation record;
  record.kernel = kGraphFamily;
  record.system = system;
  record.op = static_cast<MoeOperation>(index_of(kMoeOperationNames, point.text("op")));
  record.ranks = number("ranks");
  record.tokens = number("tokens");
  record.experts = record.ranks * kGraphExpertsPerRank;
  record.top_k = number("top_k");
  record.hidden = point.integer("hidden");
  record.dispatch_format = DispatchFormat::bf16;
  record.routing = "random";
  record.seed = static_cast<std::uint64_t>(point.integer("seed"));
  record.sms = point.integer("ctas");
  record.exchange = {
      .mode = static_cast<ExchangeMode>(index_of(kExchangeModeNames, point.text("mode"))),
      .copy = static_cast<ExchangeCopy>(index_of(kExchangeCopyNames, point.text("copy"))),
      .capacity = capacity == "worst" ? 0 : std::stod(capacity)};
  record.id = fmt::format("{}-{}-{}-{}-{}-{}-{}-{}-{}-{}",
                          kGraphFamily,
                          point.text("op"),
                          point.text("mode"),
                          point.text("copy"),
                          record.ranks,
                          record.tokens,
                          record.hidden,
                          record.top_k,
                          record.sms,
                          capacity);
  read_latency(measured, record);
  record.held_out = is_graph_held_out(record);
  return record;
}

std::optional<Observation> observed(const MeasuredPoint& point, std::string_view system) {
  if (point.experiment == "M19") return graph_observation_of(point, system);
  if (is_observed(point)) return observation_of(point, system);
  return std::nullopt;
}

}  // namespace

ObservationSet observe_kernels(const std::vector<Measurement>& files, std::string_view system) {
  ObservationSet set;
  for (const Measurement& file : files) {
    const std::size_t before = set.records.size();
    for (const MeasuredPoint& point : file.points) {
      std::optional<Observation> record = observed(point, system);
      if (!record) continue;
      const bool is_new =
          std::none_of(set.records.begin(), set.records.end(), [&](const Observation& other) {
            return other.id == record->id;
          });
      if (is_new) set.records.push_back(std::move(*record));
    }
    if (set.records.size() == before)
      throw InputError(file.file, "/points", "expected points of M18 or M19, found none new");
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
