#include "sim/base/json_writer.hpp"
#include "sim/replay_report.hpp"

namespace epsim {
namespace {

std::string_view class_name(KernelClass kernel_class) {
  return kKernelClassNames[static_cast<std::size_t>(kernel_class)];
}

std::string_view phase_name(CommunicationPhase phase) {
  return kCommunicationPhaseNames[static_cast<std::size_t>(phase)];
}

void write_time(JsonWriter& writer, const TimeUse& time) {
  writer.field("span_us", to_us(time.span.length()))
      .field("communication_us", to_us(time.communication))
      .field("compute_us", to_us(time.compute))
      .field("copy_us", to_us(time.copy))
      .field("overlap_us", to_us(time.overlap))
      .field("overlap_pct", time.overlap_pct())
      .field("exposed_us", to_us(time.exposed()))
      .field("idle_us", to_us(time.idle));
}

void write_gaps(JsonWriter& writer, const LaunchGaps& gaps) {
  writer.key("launch_gaps")
      .begin_object()
      .field("count", gaps.count)
      .field("total_us", to_us(gaps.total))
      .field("launch_bound_count", gaps.launch_bound_count)
      .field("launch_bound_us", to_us(gaps.launch_bound))
      .end_object();
}

// Who a device or stream belongs to.
void write_place(JsonWriter& writer, const RankReplay& rank, const DeviceUse& device) {
  writer.field("file", rank.trace.file);
  if (rank.trace.rank) writer.field("rank", *rank.trace.rank);
  writer.field("device", device.device);
}

void write_streams(JsonWriter& writer, const ReplayReport& report) {
  writer.key("streams").begin_array();
  for (const RankReplay& rank : report.ranks)
    for (const DeviceUse& device : rank.use.devices)
      for (const StreamUse& stream : device.streams) {
        writer.begin_object();
        write_place(writer, rank, device);
        writer.field("stream", stream.stream).field("activities", stream.activities);
        write_time(writer, stream.time);
        write_gaps(writer, stream.gaps);
        writer.end_object();
      }
  writer.end_array();
}

void write_families(JsonWriter& writer, const std::vector<FamilyUse>& families) {
  writer.key("families").begin_array();
  for (const FamilyUse& family : families) {
    writer.begin_object()
        .field("name", family.name)
        .field("class", class_name(family.kernel_class))
        .field("count", family.count)
        .field("total_us", to_us(family.total))
        .field("union_us", to_us(family.time))
        .field("exposed_us", to_us(family.exposed))
        .field("sm_time_us", family.sm_us);
    writer.key("phases").begin_array();
    for (const PhaseUse& phase : family.phases)
      writer.begin_object()
          .field("phase", phase_name(phase.phase))
          .field("count", phase.count)
          .field("total_us", to_us(phase.total))
          .end_object();
    writer.end_array().end_object();
  }
  writer.end_array();
}

void write_path(JsonWriter& writer, const RankReplay& rank, const DevicePath& path) {
  writer.key("critical_path").begin_object();
  writer.field("compute_us", to_us(path.by_class[0]))
      .field("communication_us", to_us(path.by_class[1]))
      .field("copy_us", to_us(path.by_class[2]))
      .field("launch_us", to_us(path.launch))
      .field("gap_us", to_us(path.gap))
      .field("waits", path.has_waits ? "recorded" : "inferred");
  writer.key("families").begin_array();
  for (const PathFamily& family : path_families(path, rank.roles))
    writer.begin_object()
        .field("name", family.name)
        .field("class", class_name(family.kernel_class))
        .field("count", family.count)
        .field("run_us", to_us(family.run))
        .end_object();
  writer.end_array().end_object();
}

void write_device(JsonWriter& writer, const RankReplay& rank, const DeviceUse& device) {
  writer.begin_object();
  write_place(writer, rank, device);
  writer.field("profiler", rank.trace.profiler)
      .field("name", device.name)
      .field("sm_count", device.sm_count)
      .field("activities", device.activities)
      .field("clock_offset_us", to_us(rank.offset));
  write_time(writer, device.time);
  writer.field("possible_overlap_pct", device.time.possible_overlap_pct())
      .field("notify_us", to_us(device.notify))
      .field("compute_sm_time_us", device.sm_us[0])
      .field("communication_sm_time_us", device.sm_us[1]);
  write_gaps(writer, device.gaps);
  write_families(writer, device.families);
  write_path(writer, rank, device.path);
  writer.key("layers").begin_array();
  for (const LayerUse& layer : device.layers) {
    writer.begin_object().field("layer", layer.layer).field("activities", layer.activities);
    write_time(writer, layer.time);
    writer.end_object();
  }
  writer.end_array().end_object();
}

void write_kernels(JsonWriter& writer, const ReplayReport& report) {
  writer.key("kernels").begin_array();
  for (const KernelUse& kernel : report.kernels())
    writer.begin_object()
        .field("name", kernel.name)
        .field("family", kernel.role.family)
        .field("class", class_name(kernel.role.kernel_class))
        .field("phase", phase_name(kernel.role.phase))
        .field("count", kernel.count)
        .field("total_us", to_us(kernel.total))
        .end_object();
  writer.end_array();
}

void write_waits(JsonWriter& writer, const ReplayReport& report) {
  writer.key("collective_waits")
      .begin_object()
      .field("collectives", report.waits.collectives)
      .field("unmatched", report.waits.unmatched)
      .field("clock_refusal", report.clock_refusal);
  writer.key("ranks").begin_array();
  for (std::size_t r = 0; r < report.waits.ranks.size(); ++r) {
    writer.begin_object().field("file", report.ranks[r].trace.file);
    if (report.ranks[r].trace.rank) writer.field("rank", *report.ranks[r].trace.rank);
    writer.field("waiting_us", to_us(report.waits.ranks[r].waiting))
        .field("arrived_last", report.waits.ranks[r].last)
        .end_object();
  }
  writer.end_array().end_object();
}

void write_warnings(JsonWriter& writer, const ReplayReport& report) {
  writer.key("warnings").begin_array();
  for (const RankReplay& rank : report.ranks)
    for (const TraceWarning& warning : rank.trace.warnings)
      writer.begin_object()
          .field("file", rank.trace.file)
          .field("what", warning.what)
          .field("where", warning.where)
          .field("count", warning.count)
          .end_object();
  writer.end_array();
}

void write_prediction(JsonWriter& writer, const ReplayPrediction& predicted) {
  writer.key("predicted")
      .begin_object()
      .field("schedule", predicted.schedule)
      .field("step_us", predicted.step_us)
      .field("communication_us", predicted.communication_us)
      .field("overlap_pct", predicted.overlap_pct)
      .field("exposed_us", predicted.exposed_us)
      .field("recorded_step_us", predicted.recorded_us)
      .field("sm_clock_ratio", predicted.clock);
  if (predicted.free_step_us > 0)
    writer.field("free_step_us", predicted.free_step_us)
        .field("free_overlap_pct", predicted.free_overlap_pct);
  writer.key("interval_us")
      .begin_array()
      .value(predicted.low_us)
      .value(predicted.high_us)
      .end_array();
  writer.key("notes").begin_array();
  for (const std::string& note : predicted.notes) writer.value(note);
  writer.end_array().end_object();
}

}  // namespace

std::string replay_json(const ReplayReport& report) {
  const ReplayTotals totals = report.totals();
  JsonWriter writer(3);
  writer.begin_object()
      .field("schema", "epsim.replay/1")
      .field("file", report.ranks.empty() ? std::string() : report.ranks.front().trace.file)
      .field("steps", report.steps)
      .field("steps_are_told", report.are_steps_told)
      .field("span_us", to_us(totals.span))
      .field("communication_us", to_us(totals.communication))
      .field("compute_us", to_us(totals.compute))
      .field("copy_us", to_us(totals.copy))
      .field("overlap_us", to_us(totals.overlap))
      .field("overlap_pct", totals.overlap_pct)
      .field("possible_overlap_pct", totals.possible_overlap_pct)
      .field("exposed_us", to_us(totals.exposed))
      .field("idle_us", to_us(totals.idle))
      .field("notify_us", to_us(totals.notify));
  write_streams(writer, report);
  write_families(writer, report.families());
  writer.key("devices").begin_array();
  for (const RankReplay& rank : report.ranks)
    for (const DeviceUse& device : rank.use.devices) write_device(writer, rank, device);
  writer.end_array();
  write_kernels(writer, report);
  if (report.ranks.size() > 1) write_waits(writer, report);
  write_warnings(writer, report);
  if (report.predicted) write_prediction(writer, *report.predicted);
  writer.end_object();
  return writer.take();
}

}  // namespace epsim
