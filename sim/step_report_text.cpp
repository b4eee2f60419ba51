#include <algorithm>
#include <string>

#include <fmt/format.h>

#include "sim/base/json_writer.hpp"
#include "sim/base/quantity_text.hpp"
#include "sim/step_report.hpp"
#include "sim/timeline_json.hpp"

namespace epsim {
namespace {

std::string ms_text(Duration time) {
  return fmt::format("{:.2f} ms", to_us(time) / 1e3);
}

double percent_of(Duration part, Duration whole) {
  return whole > Duration{} ? 100.0 * to_us(part) / to_us(whole) : 0;
}

std::string_view kind_name(const ScheduleSpec& schedule) {
  return kScheduleKindNames[static_cast<std::size_t>(schedule.kind)];
}

std::string heading(const Scenario& scenario) {
  const ScheduleSpec& schedule = *scenario.schedule;
  return fmt::format("{}\n{} layers, {} micro-batches of {} tokens a rank, {} ranks of {}; {}{}\n",
                     scenario.name,
                     schedule.layers,
                     schedule.micro_batches,
                     *scenario.routing.tokens_per_rank / schedule.micro_batches,
                     scenario.routing.shape.ranks,
                     scenario.topology_name,
                     kind_name(schedule),
                     schedule.kind == ScheduleKind::serial
                         ? ""
                         : fmt::format(", queued {} {}",
                                       schedule.order == QueueOrder::baton ? "by" : "in",
                                       kQueueOrderNames[static_cast<std::size_t>(schedule.order)]));
}

std::string overlap_line(std::string_view name, const StepOverlap& overlap) {
  if (overlap.communication == Duration{}) return {};
  return fmt::format("  {:<22}{:>12}  {:>5.1f} % beside compute, {} exposed\n",
                     name,
                     ms_text(overlap.communication),
                     overlap.percent(),
                     ms_text(overlap.exposed()));
}

std::string streams_text(const StepReport& report) {
  std::string text =
      fmt::format("\n{:<24}{:>12}{:>10}{:>16}\n", "streams", "tasks", "compute", "communication");
  for (const StreamUse& use : report.streams)
    text += fmt::format("  {:<22}{:>12}{:>8.1f} %{:>14.1f} %\n",
                        use.name,
                        use.tasks,
                        percent_of(use.compute, report.run.step),
                        percent_of(use.communication, report.run.step));
  return text;
}

std::string variants_text(const StepReport& report) {
  if (report.variants.empty()) return {};
  std::string text =
      fmt::format("\n{:<38}{:>12}{:>10}   {:>12}{:>10}\n",
                  fmt::format("one switch at a time, {} layers", report.variant_layers),
                  "tbo",
                  "overlap",
                  "tbo+aux",
                  "overlap");
  for (std::size_t i = 0; i + 1 < report.variants.size(); i += 2) {
    const StepVariant& inline_row = report.variants[i];
    const StepVariant& aside = report.variants[i + 1];
    text += fmt::format("  {:<36}{:>12}{:>8.1f} %   {:>12}{:>8.1f} %\n",
                        inline_row.what,
                        ms_text(inline_row.step),
                        inline_row.counted.percent(),
                        ms_text(aside.step),
                        aside.counted.percent());
  }
  return text;
}

std::string mechanisms_text(const ScheduleSpec& schedule, const StepReport& report) {
  std::string text;
  if (report.held > Duration{} && schedule.kind != ScheduleKind::serial)
    text += fmt::format(
        "\ncollectives on the compute stream, above all the {}, hold it for {}, {:.1f} % of the "
        "step\n",
        report.holder,
        ms_text(report.held),
        percent_of(report.held, report.run.step));
  if (report.mechanisms.empty()) return text;
  text += "\nwhat keeps communication from overlapping\n";
  for (const StepMechanism& mechanism : report.mechanisms)
    text += fmt::format("  {}\n    {}: {:.1f} %, step {}\n",
                        mechanism.what,
                        mechanism.change,
                        mechanism.overlap_pct,
                        ms_text(mechanism.step));
  return text;
}

}  // namespace

std::string step_report_text(const Scenario& scenario, const StepReport& report) {
  const ScheduleSpec& schedule = *scenario.schedule;
  std::string text = heading(scenario);
  text += fmt::format("\n{:<24}{:>12}  on one stream {}\n",
                      "step",
                      ms_text(report.run.step),
                      ms_text(report.serial));
  text += fmt::format("{:<24}{:>12}\n", "compute", ms_text(report.run.compute));
  text += "communication\n";
  text += overlap_line("all", report.all);
  text += overlap_line("exchanges", report.exchanges);
  text += overlap_line("collectives", report.collectives);
  text += streams_text(report) + variants_text(report) + mechanisms_text(schedule, report);
  text += fmt::format(
      "\nstep {}  communication {}  overlap {:.1f} %{}  exposed {}\n",
      ms_text(report.run.step),
      ms_text(report.counted.communication),
      report.counted.percent(),
      schedule.counted == CountedKernels::all
          ? ""
          : fmt::format(" of {}", kCountedKernelsNames[static_cast<std::size_t>(schedule.counted)]),
      ms_text(report.counted.exposed()));
  return text;
}

namespace {

void write_overlap(const StepOverlap& overlap, JsonWriter& writer) {
  writer.field("communication_us", to_us(overlap.communication));
  writer.field("overlap_us", to_us(overlap.overlap));
  writer.field("overlap_pct", overlap.percent());
  writer.field("exposed_us", to_us(overlap.exposed()));
}

void write_kind(std::string_view name, const StepOverlap& overlap, JsonWriter& writer) {
  writer.key(name).begin_object();
  write_overlap(overlap, writer);
  writer.end_object();
}

}  // namespace

std::string step_report_json(const Scenario& scenario,
                             const StepReport& report,
                             bool with_timeline) {
  JsonWriter writer(3);
  writer.begin_object().field("schema", "epsim.step/1").key("scenario");
  write_scenario(scenario, writer);
  writer.field("step_us", to_us(report.run.step)).field("serial_us", to_us(report.serial));
  writer.field("compute_us", to_us(report.run.compute));
  write_overlap(report.counted, writer);
  writer.key("by_kind").begin_object();
  write_kind("all", report.all, writer);
  write_kind("exchanges", report.exchanges, writer);
  write_kind("collectives", report.collectives, writer);
  writer.end_object().key("streams").begin_array();
  for (const StreamUse& use : report.streams)
    writer.begin_object()
        .field("name", use.name)
        .field("tasks", use.tasks)
        .field("compute_us", to_us(use.compute))
        .field("communication_us", to_us(use.communication))
        .end_object();
  writer.end_array().field("held_by_collectives_us", to_us(report.held));
  writer.field("variant_layers", report.variant_layers).key("variants").begin_array();
  for (const StepVariant& variant : report.variants) {
    writer.begin_object().field("what", variant.what);
    writer.field("kind", kind_name(variant.schedule)).field("step_us", to_us(variant.step));
    write_overlap(variant.counted, writer);
    writer.end_object();
  }
  writer.end_array().key("mechanisms").begin_array();
  for (const StepMechanism& mechanism : report.mechanisms)
    writer.begin_object()
        .field("what", mechanism.what)
        .field("change", mechanism.change)
        .field("overlap_pct", mechanism.overlap_pct)
        .field("step_us", to_us(mechanism.step))
        .end_object();
  writer.end_array();
  if (with_timeline) write_step_timeline(report.scheduled, report.run, writer);
  writer.end_object();
  return writer.take();
}

}  // namespace epsim
