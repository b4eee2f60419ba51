#include <algorithm>
#include <cmath>
#include <filesystem>

#include <fmt/format.h>

#include "sim/base/quantity_text.hpp"
#include "sim/replay_report.hpp"
#include "sim/stream_strip.hpp"
#include "traces/kernel_name.hpp"

namespace epsim {
namespace {

constexpr std::size_t kScreenWidth = 80;
constexpr std::size_t kMostFamilies = 10;
constexpr std::size_t kMostStreams = 6;
constexpr std::size_t kMostRanks = 16;
constexpr std::size_t kMostExposed = 3;
constexpr std::size_t kMostWarnings = 6;
constexpr double kMuchIdle = 20;  // % of the span

std::string us_text(Duration time) {
  return fmt::format("{:>12.1f}", to_us(time));
}

double percent(Duration part, Duration whole) {
  return whole == Duration{} ? 0 : 100 * to_us(part) / to_us(whole);
}

std::size_t device_count(const ReplayReport& report) {
  std::size_t count = 0;
  for (const RankReplay& rank : report.ranks) count += rank.use.devices.size();
  return count;
}

// Breaks lines at spaces where they are wider than the screen; ASCII alone.
std::string wrapped(std::string text) {
  std::size_t start = 0;
  while (text.size() - start > kScreenWidth) {
    const std::size_t end = text.find('\n', start);
    if (end != std::string::npos && end - start <= kScreenWidth) {
      start = end + 1;
      continue;
    }
    const std::size_t space = text.rfind(' ', start + kScreenWidth);
    if (space == std::string::npos || space <= start + 2) break;
    text.replace(space, 1, "\n  ");
    start = space + 1;
  }
  return text;
}

// What a person came to hear.
std::string answer_text(const ReplayTotals& totals) {
  if (totals.span == Duration{}) return "nothing ran on a GPU\n";
  if (totals.communication == Duration{})
    return fmt::format("no communication in {}: compute {:.0f} %, idle {:.0f} %\n",
                       to_text(totals.span),
                       percent(totals.compute, totals.span),
                       percent(totals.idle, totals.span));
  std::string text =
      fmt::format("{:.1f} % of the communication hides behind compute; {} of {} is exposed\n",
                  totals.overlap_pct,
                  to_text(totals.exposed),
                  to_text(totals.communication));
  if (percent(totals.idle, totals.span) > kMuchIdle)
    text += fmt::format("{:.0f} % of the time nothing runs at all\n",
                        percent(totals.idle, totals.span));
  return text;
}

std::string source_text(const RankReplay& rank) {
  std::string who;
  if (rank.trace.rank) {
    who = fmt::format(", rank {}", *rank.trace.rank);
    if (rank.trace.rank_count) who += fmt::format(" of {}", *rank.trace.rank_count);
  }
  std::string text = fmt::format("{}: {}{}",
                                 std::filesystem::path(rank.trace.file).filename().string(),
                                 rank.trace.profiler,
                                 who);
  for (const DeviceUse& device : rank.use.devices) {
    text += fmt::format("\n  device {}", device.device);
    if (!device.name.empty()) text += " " + device.name;
    if (device.sm_count > 0) text += fmt::format(", {} SMs", device.sm_count);
    text += fmt::format(", {} activities on {} stream{}",
                        device.activities,
                        device.streams.size(),
                        device.streams.size() == 1 ? "" : "s");
  }
  return wrapped(text + "\n");
}

std::string totals_text(const ReplayReport& report, const ReplayTotals& totals) {
  std::string text;
  const auto row = [&](std::string_view what, Duration time, std::string_view note) {
    text += fmt::format(
        "{:<16}{} us {:>5.1f} %   {}", what, us_text(time), percent(time, totals.span), note);
    text.erase(text.find_last_not_of(' ') + 1);
    text += '\n';
  };
  if (device_count(report) > 1) text += fmt::format("mean of {} devices\n", device_count(report));
  row("span",
      totals.span,
      report.are_steps_told || report.steps > 1
          ? fmt::format("{} {}{}",
                        report.steps,
                        report.steps == 1 ? "step" : "steps",
                        report.are_steps_told ? "" : ", told by what repeats")
          : "the dump tells no steps");
  row("compute", totals.compute, "");
  row("communication",
      totals.communication,
      totals.notify == Duration{}
          ? ""
          : fmt::format("{} of it waits for peers", to_text(totals.notify)));
  if (totals.communication > Duration{}) {
    row("  overlapped",
        totals.overlap,
        fmt::format("{:.1f} % of what could overlap", totals.possible_overlap_pct));
    row("  exposed", totals.exposed, "");
  }
  row("copies, fills", totals.copy, "");
  row("idle", totals.idle, "");
  return text;
}

std::string waiting_text(const ReplayReport& report, std::size_t rank) {
  if (rank >= report.waits.ranks.size()) return "-";
  return fmt::format("{:.1f}", to_us(report.waits.ranks[rank].waiting));
}

// One line a device, where there are several.
std::string ranks_text(const ReplayReport& report) {
  std::string text = fmt::format("{:<24} {:>11} {:>9} {:>11} {:>11}",
                                 "",
                                 "span us",
                                 "overlap %",
                                 "exposed us",
                                 "waiting us") +
                     "\n";
  std::size_t shown = 0;
  for (std::size_t r = 0; r < report.ranks.size(); ++r)
    for (const DeviceUse& device : report.ranks[r].use.devices) {
      if (++shown > kMostRanks) continue;
      std::string name = report.ranks[r].name();
      if (report.ranks[r].use.devices.size() > 1) name += fmt::format(" device {}", device.device);
      if (name.size() > 24) name = name.substr(0, 22) + "..";
      text += fmt::format("{:<24} {:>11.1f} {:>9.1f} {:>11.1f} {:>11}\n",
                          name,
                          to_us(device.time.span.length()),
                          device.time.overlap_pct(),
                          to_us(device.time.exposed()),
                          waiting_text(report, r));
    }
  if (shown > kMostRanks) text += fmt::format("and {} more\n", shown - kMostRanks);
  if (!report.clock_refusal.empty())
    text += wrapped(fmt::format("waiting is not known: {}\n", report.clock_refusal));
  else if (report.ranks.size() > 1)
    text += fmt::format("waiting: until the last rank began, of {} collectives{}\n",
                        report.waits.collectives,
                        report.waits.unmatched == 0 ? ""
                                                    : fmt::format("; {} kernels without a partner",
                                                                  report.waits.unmatched));
  return text;
}

std::string strips_text(const ReplayReport& report) {
  const RankReplay& rank = report.ranks.front();
  std::vector<StripRow> rows;
  Interval span;
  for (const DeviceUse& device : rank.use.devices) {
    std::vector<StripRow> of_device =
        strip_rows(rank.trace, rank.roles, device.device, kMostStreams);
    if (rank.use.devices.size() > 1) {
      // One line a device says enough where there are several.
      of_device.resize(1);
      of_device.front().label = fmt::format("device {}", device.device);
    }
    span = rows.empty() ? device.time.span
                        : Interval{std::min(span.start, device.time.span.start),
                                   std::max(span.end, device.time.span.end)};
    for (StripRow& row : of_device) rows.push_back(std::move(row));
  }
  return strip_text(rows, span, kScreenWidth);
}

// SMs times time that all devices had, in SM microseconds; 0 where a dump does not tell its SMs.
double sm_time_us(const ReplayReport& report) {
  double sum = 0;
  for (const RankReplay& rank : report.ranks)
    for (const DeviceUse& device : rank.use.devices) {
      if (device.sm_count == 0) return 0;
      sum += device.sm_count * to_us(device.time.span.length());
    }
  return sum;
}

std::string families_text(const ReplayReport& report) {
  const std::vector<FamilyUse> families = report.families();
  const double sm_us = sm_time_us(report);
  std::string text;
  const auto row = [&](std::string_view name, std::string_view what, auto&&... cells) {
    text += fmt::format("{:<20} {:<13}", name, what);
    ((text += fmt::format(" {:>10}", cells)), ...);
    text.erase(text.find_last_not_of(' ') + 1);
    text += '\n';
  };
  const auto number = [](double value) { return fmt::format("{:.1f}", value); };
  row("family", "class", "count", "total us", "alone us", "SM-time %");
  for (std::size_t f = 0; f < std::min(families.size(), kMostFamilies); ++f) {
    const FamilyUse& family = families[f];
    row(family.name.size() > 20 ? family.name.substr(0, 18) + ".." : family.name,
        kKernelClassNames[static_cast<std::size_t>(family.kernel_class)],
        family.count,
        number(to_us(family.total)),
        number(to_us(family.exposed)),
        sm_us == 0 || family.sm_us == 0 ? "" : number(100 * family.sm_us / sm_us));
    for (const PhaseUse& phase : family.phases)
      row(fmt::format("  {}", kCommunicationPhaseNames[static_cast<std::size_t>(phase.phase)]),
          "",
          phase.count,
          number(to_us(phase.total)));
  }
  if (families.size() > kMostFamilies)
    text += fmt::format("and {} more\n", families.size() - kMostFamilies);
  return text;
}

// The communication kernels of which most is exposed.
std::string exposed_text(const RankReplay& rank, const DeviceUse& device) {
  const IntervalSet exposed(device.exposed);
  std::vector<std::pair<Duration, std::size_t>> parts;
  for (std::size_t i = 0; i < rank.trace.activities.size(); ++i) {
    const GpuActivity& activity = rank.trace.activities[i];
    if (activity.device != device.device ||
        rank.roles[i].kernel_class != KernelClass::communication)
      continue;
    const Duration part = exposed.length_in({activity.start, activity.end()});
    if (part > Duration{}) parts.emplace_back(-part, i);
  }
  if (parts.empty()) return {};
  std::sort(parts.begin(), parts.end());
  std::string text = "most exposed\n";
  for (std::size_t p = 0; p < std::min(parts.size(), kMostExposed); ++p) {
    const GpuActivity& activity = rank.trace.activities[parts[p].second];
    text += fmt::format("  {:>9.1f} us at {:>10.1f} us  {}\n",
                        to_us(-parts[p].first),
                        to_us(activity.start - device.time.span.start),
                        short_kernel_name(rank.trace.names[activity.name], 44));
  }
  return text;
}

std::string path_text(const RankReplay& rank, const DeviceUse& device) {
  const Duration span = device.time.span.length();
  const DevicePath& path = device.path;
  std::string text = fmt::format(
      "critical path ({} waits): compute {:.1f} %, communication "
      "{:.1f} %,\n  copies {:.1f} %, launches {:.1f} %, gaps {:.1f} %\n",
      path.has_waits ? "recorded" : "inferred",
      percent(path.by_class[0], span),
      percent(path.by_class[1], span),
      percent(path.by_class[2], span),
      percent(path.launch, span),
      percent(path.gap, span));
  std::string line = " ";
  for (const PathFamily& family : path_families(path, rank.roles)) {
    const std::string part = fmt::format(" {} {:.1f} %,", family.name, percent(family.run, span));
    if (line.size() + part.size() > kScreenWidth) break;
    line += part;
  }
  line.pop_back();
  text += line + "\n";
  const LaunchGaps& gaps = device.gaps;
  const std::string late = gaps.launch_bound == Duration{} ? "none" : to_text(gaps.launch_bound);
  return text + wrapped(fmt::format(
                    "device idle {} times, {} in all; the host launched too late for {} of it\n",
                    gaps.count,
                    to_text(gaps.total),
                    late));
}

// "tbo pays: 25.5 ms instead of 29.4 ms (-13.1 %), because ..."
std::string verdict_text(const ReplayPrediction& predicted) {
  const double change = 100.0 * (predicted.step_us / predicted.recorded_us - 1.0);
  const bool is_sure = predicted.high_us < predicted.recorded_us;
  // Less than the model itself strays from a step that nothing changed.
  constexpr double kNoDifference = 0.5;  // %
  const char* verdict = std::abs(change) < kNoDifference             ? "makes no difference"
                        : predicted.step_us >= predicted.recorded_us ? "does not pay"
                        : is_sure                                    ? "pays"
                                                                     : "may pay";
  std::string text = fmt::format("{} {}: {:.2f} ms instead of {:.2f} ms ({:+.1f} %)",
                                 predicted.schedule,
                                 verdict,
                                 1e-3 * predicted.step_us,
                                 1e-3 * predicted.recorded_us,
                                 change);
  if (predicted.free_step_us <= 0) return text + "\n";
  const double clock_pct = 100.0 * (1.0 - predicted.clock);
  return text + fmt::format(
                    ", because {:.0f} % of the communication is hidden; hiding for free would give "
                    "{:.2f} ms, "
                    "but kernels that run side by side take SMs{} from each other\n",
                    predicted.overlap_pct,
                    1e-3 * predicted.free_step_us,
                    clock_pct < 0.05
                        ? " and memory"
                        : fmt::format(", memory and, by the power limit, {:.1f} % of the clock",
                                      clock_pct));
}

std::string prediction_text(const ReplayPrediction& predicted) {
  const bool is_other = predicted.schedule != "as recorded";
  std::string text = is_other ? wrapped(verdict_text(predicted)) : "";
  text += wrapped(
      fmt::format("predicted {}: step {:.1f} us [{:.1f}, {:.1f}], overlap {:.1f} %, exposed "
                  "{:.1f} us, communication {:.1f} us\n",
                  predicted.schedule,
                  predicted.step_us,
                  predicted.low_us,
                  predicted.high_us,
                  predicted.overlap_pct,
                  predicted.exposed_us,
                  predicted.communication_us));
  for (const std::string& note : predicted.notes) text += wrapped("  " + note + "\n");
  return text;
}

std::string warnings_text(const ReplayReport& report) {
  std::string text;
  std::size_t count = 0;
  for (const RankReplay& rank : report.ranks)
    for (const TraceWarning& warning : rank.trace.warnings)
      if (++count <= kMostWarnings)
        text += wrapped(fmt::format("warning: {} {}{}{}\n",
                                    warning.count,
                                    warning.what,
                                    warning.where.empty() ? "" : ", first at ",
                                    warning.where));
  if (count > kMostWarnings) text += fmt::format("and {} warnings more\n", count - kMostWarnings);
  return text;
}

}  // namespace

std::string replay_text(const ReplayReport& report) {
  const ReplayTotals totals = report.totals();
  std::string text = answer_text(totals);
  if (report.predicted) text += prediction_text(*report.predicted);
  if (report.ranks.empty() || totals.span == Duration{}) return text + warnings_text(report);
  const RankReplay& first = report.ranks.front();
  const DeviceUse& device = first.use.devices.front();
  text += "\n" + source_text(first);
  if (const std::size_t more = report.ranks.size() - 1; more > 0)
    text += fmt::format("  and {} {} more\n", more, more == 1 ? "rank" : "ranks");
  text += "\n" + totals_text(report, totals);
  if (device_count(report) > 1) text += "\n" + ranks_text(report);
  text += "\n" + strips_text(report);
  text += "\n" + families_text(report);
  text += "\n" + exposed_text(first, device);
  text += path_text(first, device);
  return text + warnings_text(report);
}

}  // namespace epsim
