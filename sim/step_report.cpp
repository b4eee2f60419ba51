#include "sim/step_report.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "traces/intervals.hpp"

namespace epsim {
namespace {

bool is_counted(StepLane lane, CountedKernels counted) {
  if (lane == StepLane::compute) return false;
  if (counted == CountedKernels::all) return true;
  return (lane == StepLane::exchange) == (counted == CountedKernels::exchanges);
}

IntervalSet stretches_of(const ScheduledStep& scheduled,
                         const StepRun& run,
                         CountedKernels counted) {
  std::vector<Interval> stretches;
  for (std::size_t i = 0; i < scheduled.lanes.size(); ++i)
    if (is_counted(scheduled.lanes[i], counted)) stretches.push_back({run.start[i], run.end[i]});
  return IntervalSet(std::move(stretches));
}

IntervalSet compute_of(const ScheduledStep& scheduled, const StepRun& run) {
  std::vector<Interval> stretches;
  for (std::size_t i = 0; i < scheduled.lanes.size(); ++i)
    if (scheduled.lanes[i] == StepLane::compute) stretches.push_back({run.start[i], run.end[i]});
  return IntervalSet(std::move(stretches));
}

std::vector<StreamUse> stream_uses(const ScheduledStep& scheduled, const StepRun& run) {
  const GpuStep& step = scheduled.step;
  std::vector<StreamUse> uses;
  for (const std::string& name : step.streams) uses.push_back({.name = name});
  for (std::size_t i = 0; i < step.tasks.size(); ++i) {
    StreamUse& use = uses.at(step.tasks[i].stream);
    ++use.tasks;
    (scheduled.lanes[i] == StepLane::compute ? use.compute : use.communication) +=
        run.end[i] - run.start[i];
  }
  return uses;
}

// The collectives among compute's tasks, and which of them takes the most.
void find_holder(StepReport& report) {
  const GpuStep& step = report.scheduled.step;
  std::map<std::string, Duration> by_name;
  for (std::size_t i = 0; i < step.tasks.size(); ++i) {
    if (step.tasks[i].stream != 0 || report.scheduled.lanes[i] != StepLane::collective) continue;
    const Duration time = report.run.end[i] - report.run.start[i];
    by_name[step.tasks[i].name] += time;
    report.held += time;
  }
  Duration most{};
  for (const auto& [name, time] : by_name)
    if (time > most) {
      most = time;
      report.holder = name;
    }
}

}  // namespace

double StepOverlap::percent() const {
  return communication.count() == 0 ? 0 : 100.0 * to_us(overlap) / to_us(communication);
}

StepOverlap overlap_of(const ScheduledStep& scheduled, const StepRun& run, CountedKernels counted) {
  const IntervalSet communication = stretches_of(scheduled, run, counted);
  return {.communication = communication.length(),
          .overlap = communication.intersection(compute_of(scheduled, run)).length()};
}

StepReport report_step(const Scenario& scenario,
                       const Calibration& calibration,
                       const ConstantSet& constants) {
  const ScheduleSpec& schedule = *scenario.schedule;
  const ModelledStep modelled = model_step(scenario, calibration);
  StepReport report;
  report.scheduled = scheduled_step(modelled, schedule);
  report.run = run_step(report.scheduled.step, constants);
  report.all = overlap_of(report.scheduled, report.run, CountedKernels::all);
  report.exchanges = overlap_of(report.scheduled, report.run, CountedKernels::exchanges);
  report.collectives = overlap_of(report.scheduled, report.run, CountedKernels::collectives);
  report.counted = overlap_of(report.scheduled, report.run, schedule.counted);
  report.streams = stream_uses(report.scheduled, report.run);
  find_holder(report);
  ScheduleSpec serial = schedule;
  serial.kind = ScheduleKind::serial;
  report.serial = schedule.kind == ScheduleKind::serial
                      ? report.run.step
                      : run_step(scheduled_step(modelled, serial).step, constants).step;
  return report;
}

void run_variant(const ModelledStep& modelled, const ConstantSet& constants, StepVariant& variant) {
  const ScheduledStep scheduled = scheduled_step(modelled, variant.schedule);
  const StepRun run = run_step(scheduled.step, constants);
  variant.step = run.step;
  variant.counted = overlap_of(scheduled, run, variant.schedule.counted);
}

}  // namespace epsim
