#include <array>

#include "sim/base/check.hpp"
#include "sim/report.hpp"
#include "sim/timeline_json.hpp"

namespace epsim {
namespace {

// Divided, not multiplied by 1e-6: the double nearest to the picoseconds prints short.
double us_of(Duration length) {
  return static_cast<double>(length.count()) / 1e6;
}

void write_phases(const Report& report, JsonWriter& writer) {
  writer.key("phases").begin_array();
  for (std::size_t p = 0; p < kPhaseNames.size(); ++p) {
    const Duration time = report.path.by_phase[p];
    if (time == Duration{}) continue;
    writer.begin_object().field("phase", kPhaseNames[p]).field("time_us", us_of(time));
    writer.field("share_pct", 100.0 * us_of(time) / us_of(report.latency)).end_object();
  }
  writer.end_array();
}

void write_bounds(const Report& report, JsonWriter& writer) {
  constexpr std::array<const char*, 4> kKeys = {"agent_us", "sm_us", "memory_us", "link_us"};
  writer.field("bound_us", us_of(report.bounds.tightest().latency));
  writer.field("bound_by", report.bound_name).key("bounds").begin_object();
  for (const Bound& bound : report.bounds.of_kind)
    writer.field(kKeys[static_cast<std::size_t>(bound.kind)], us_of(bound.latency));
  writer.end_object();
}

void write_resources(const Report& report, JsonWriter& writer) {
  writer.key("busiest").begin_array();
  for (const ResourceUse& use : report.busiest) {
    writer.begin_object().field("kind", kBoundKindNames[static_cast<std::size_t>(use.kind)]);
    writer.field("place", use.place).field("busy_pct", 100.0 * use.busy);
    writer.field("size_bytes", use.bytes.count).end_object();
  }
  writer.end_array().key("bottleneck");
  if (const ResourceUse* use = report.bottleneck())
    writer.value(use->name());
  else
    writer.null();
}

void write_imbalance(const Imbalance& load, const char* busiest, JsonWriter& writer) {
  writer.begin_object().field(busiest, load.busiest).field("max_count", load.max);
  writer.field("mean_count", load.mean).field("max_over_mean", load.ratio()).end_object();
}

void write_traffic(const TrafficFacts& traffic, JsonWriter& writer) {
  writer.key("traffic").begin_object().field("message_count", traffic.messages);
  writer.field("remote_message_count", traffic.remote_messages);
  writer.field("size_bytes", traffic.bytes.count);
  writer.field("remote_size_bytes", traffic.remote_bytes.count).key("target_ranks");
  write_imbalance(traffic.ranks, "busiest_rank", writer);
  writer.key("experts");
  write_imbalance(traffic.experts, "busiest_expert", writer);
  writer.end_object();
}

// Leaves the object open.
void write_report(const Report& report, JsonWriter& writer) {
  writer.begin_object();
  writer.field("operation", kMoeOperationNames[static_cast<std::size_t>(report.operation)]);
  writer.field("latency_us", us_of(report.latency)).key("interval_us").begin_array();
  writer.value(report.interval.low_us).value(report.interval.high_us).end_array();
  writer.field("in_range", report.beyond_range.empty()).key("beyond_range").begin_array();
  for (const std::string& what : report.beyond_range) writer.value(what);
  writer.end_array();
  write_bounds(report, writer);
  write_phases(report, writer);
  writer.key("kernels").begin_array();
  for (const KernelLatency& kernel : report.kernels)
    writer.begin_object()
        .field("name", kernel.name)
        .field("latency_us", us_of(kernel.latency))
        .end_object();
  writer.end_array();
  write_resources(report, writer);
  write_traffic(report.traffic, writer);
  if (report.buffer)
    writer.key("receive_buffer")
        .begin_object()
        .field("row_count", report.buffer->rows)
        .field("size_bytes", report.buffer->size.count)
        .field("dropped_row_count", report.buffer->dropped)
        .end_object();
  writer.key("plan").begin_object().field("kernel_count", report.plan.kernels);
  writer.field("cta_count", report.plan.ctas).field("agent_count", report.plan.agents);
  writer.field("operation_count", report.plan.operations).end_object();
  writer.field("event_count", report.events);
}

}  // namespace

std::string report_json(const Scenario& scenario,
                        std::span<const Report> reports,
                        std::span<const Prediction> timelines) {
  check(timelines.empty() || timelines.size() == reports.size(), "each report has its timeline");
  JsonWriter writer(4);
  writer.begin_object().field("schema", "epsim.report/1").key("scenario");
  write_scenario(scenario, writer);
  writer.key("overrides").begin_array();
  for (const std::string& change : scenario.overridden) writer.value(change);
  writer.end_array().key("operations").begin_array();
  for (std::size_t i = 0; i < reports.size(); ++i) {
    write_report(reports[i], writer);
    if (!timelines.empty()) write_timeline(timelines[i], *scenario.topology, writer);
    writer.end_object();
  }
  writer.end_array().end_object();
  return writer.take();
}

}  // namespace epsim
