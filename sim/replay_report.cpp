#include "sim/replay_report.hpp"

#include <algorithm>
#include <filesystem>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "sim/base/input_error.hpp"
#include "traces/clock_skew.hpp"
#include "traces/kernel_name.hpp"
#include "traces/range_layers.hpp"
#include "traces/trace_step.hpp"

namespace epsim {
namespace {

double percent(Duration part, Duration whole) {
  return whole == Duration{}
             ? 0
             : 100 * static_cast<double>(part.count()) / static_cast<double>(whole.count());
}

void add_phase(FamilyUse& family, const PhaseUse& phase) {
  for (PhaseUse& known : family.phases)
    if (known.phase == phase.phase) {
      known.count += phase.count;
      known.total += phase.total;
      return;
    }
  family.phases.push_back(phase);
}

// Where clocks cannot be compared, the dumps' own times have to do for a picture.
std::vector<Duration> clock_offsets(const std::vector<GpuTrace>& traces,
                                    const KernelClassTable& table,
                                    std::string& refusal) {
  std::vector<Duration> offsets(traces.size());
  if (traces.size() < 2) return offsets;
  const std::vector<ClockSkew> skews = clock_skews(traces, [&](std::string_view name) {
    const KernelRole role = table.role_of(name);
    return role.kernel_class == KernelClass::communication &&
           role.phase != CommunicationPhase::layout;
  });
  for (const ClockSkew& skew : skews)
    if (!skew.is_known() && refusal.empty()) refusal = skew.refusal;
  for (std::size_t r = 0; r < traces.size(); ++r)
    offsets[r] = refusal.empty()
                     ? skews[r].to_first
                     : std::chrono::nanoseconds(traces[r].epoch_ns - traces.front().epoch_ns);
  return offsets;
}

}  // namespace

std::string RankReplay::name() const {
  if (trace.rank) return fmt::format("rank {}", *trace.rank);
  return std::filesystem::path(trace.file).filename().string();
}

ReplayTotals ReplayReport::totals() const {
  ReplayTotals totals;
  Duration possible{};
  std::int64_t count = 0;
  for (const RankReplay& rank : ranks)
    for (const DeviceUse& device : rank.use.devices) {
      ++count;
      totals.span += device.time.span.length();
      totals.communication += device.time.communication;
      totals.compute += device.time.compute;
      totals.copy += device.time.copy;
      totals.overlap += device.time.overlap;
      totals.idle += device.time.idle;
      totals.notify += device.notify;
      possible += std::min(device.time.communication, device.time.compute);
    }
  totals.overlap_pct = percent(totals.overlap, totals.communication);
  totals.possible_overlap_pct = percent(totals.overlap, possible);
  if (count == 0) return totals;
  for (Duration* time : {&totals.span,
                         &totals.communication,
                         &totals.compute,
                         &totals.copy,
                         &totals.overlap,
                         &totals.idle,
                         &totals.notify})
    *time /= count;
  totals.exposed = totals.communication - totals.overlap;
  return totals;
}

std::vector<FamilyUse> ReplayReport::families() const {
  std::map<std::pair<std::string, KernelClass>, FamilyUse> merged;
  for (const RankReplay& rank : ranks)
    for (const DeviceUse& device : rank.use.devices)
      for (const FamilyUse& family : device.families) {
        FamilyUse& sum = merged[{family.name, family.kernel_class}];
        sum.name = family.name;
        sum.kernel_class = family.kernel_class;
        sum.count += family.count;
        sum.total += family.total;
        sum.time += family.time;
        sum.exposed += family.exposed;
        sum.sm_us += family.sm_us;
        for (const PhaseUse& phase : family.phases) add_phase(sum, phase);
      }
  std::vector<FamilyUse> families;
  for (auto& [key, family] : merged) families.push_back(std::move(family));
  std::stable_sort(families.begin(), families.end(), [](const auto& a, const auto& b) {
    return a.total > b.total;
  });
  return families;
}

std::vector<KernelUse> ReplayReport::kernels() const {
  std::map<std::pair<std::string, std::string_view>, KernelUse> merged;
  for (const RankReplay& rank : ranks) {
    std::vector<std::string> functions;
    for (const std::string& name : rank.trace.names)
      functions.push_back(function_name(demangled(name)));
    for (std::size_t i = 0; i < rank.trace.activities.size(); ++i) {
      const GpuActivity& activity = rank.trace.activities[i];
      KernelUse& use = merged[{functions[activity.name], rank.roles[i].family}];
      if (use.count == 0) use.name = functions[activity.name];
      use.role = rank.roles[i];
      ++use.count;
      use.total += activity.time;
    }
  }
  std::vector<KernelUse> kernels;
  for (auto& [key, use] : merged) kernels.push_back(std::move(use));
  std::stable_sort(kernels.begin(), kernels.end(), [](const auto& a, const auto& b) {
    return a.total > b.total;
  });
  return kernels;
}

ReplayReport replay_report(std::vector<GpuTrace> traces,
                           const KernelClassTable& table,
                           std::uint64_t steps) {
  for (const GpuTrace& trace : traces)
    if (trace.activities.empty())
      throw InputError(trace.file, "", "expected kernels that ran on a GPU, found none");
  ReplayReport report;
  report.table = table;
  const std::vector<Duration> offsets = clock_offsets(traces, table, report.clock_refusal);
  for (std::size_t r = 0; r < traces.size(); ++r) {
    RankReplay& rank = report.ranks.emplace_back();
    rank.trace = std::move(traces[r]);
    rank.roles = activity_roles(rank.trace, report.table);
    rank.use = trace_use(rank.trace, rank.roles, range_layers(rank.trace));
    rank.offset = offsets[r];
  }
  const std::size_t told =
      report.ranks.empty() ? 0 : profiler_steps(report.ranks.front().trace).size();
  report.are_steps_told = steps > 0 || told > 0;
  report.steps = steps > 0 ? steps : std::max<std::uint64_t>(told, 1);
  std::vector<AlignedTrace> aligned;
  if (report.clock_refusal.empty())
    for (const RankReplay& rank : report.ranks)
      aligned.push_back({&rank.trace, rank.roles, rank.offset});
  report.waits = collective_waits(aligned);
  return report;
}

}  // namespace epsim
