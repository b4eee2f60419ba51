#include "traces/overlap.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "sim/base/check.hpp"
#include "traces/launch_times.hpp"

namespace epsim {
namespace {

std::size_t index_of(KernelClass kernel_class) {
  return static_cast<std::size_t>(kernel_class);
}

double percent(Duration part, Duration whole) {
  if (whole == Duration{}) return 0;
  return 100 * static_cast<double>(part.count()) / static_cast<double>(whole.count());
}

Interval interval_of(const GpuActivity& activity) {
  return {activity.start, activity.end()};
}

// Activities of one device, stream or layer: their times, by class.
struct Gathered {
  std::uint64_t count = 0;
  Interval span;  // with what took no time at all
  std::array<std::vector<Interval>, 3> by_class;

  void add(const GpuActivity& activity, KernelClass kernel_class) {
    const Interval interval = interval_of(activity);
    span = count == 0
               ? interval
               : Interval{std::min(span.start, interval.start), std::max(span.end, interval.end)};
    ++count;
    by_class[index_of(kernel_class)].push_back(interval);
  }
};

struct Unions {
  std::array<IntervalSet, 3> by_class;
  IntervalSet busy;
  Interval span;

  explicit Unions(Gathered gathered) : span(gathered.span) {
    std::vector<Interval> all;
    for (std::size_t c = 0; c < by_class.size(); ++c) {
      by_class[c] = IntervalSet(gathered.by_class[c]);
      all.insert(all.end(), gathered.by_class[c].begin(), gathered.by_class[c].end());
    }
    busy = IntervalSet(std::move(all));
  }
  [[nodiscard]] const IntervalSet& of(KernelClass kernel_class) const {
    return by_class[index_of(kernel_class)];
  }
};

// `hiding` is the compute that may hide communication.
TimeUse time_use(const Unions& unions, const IntervalSet& hiding) {
  TimeUse use;
  use.span = unions.span;
  use.communication = unions.of(KernelClass::communication).length();
  use.compute = unions.of(KernelClass::compute).length();
  use.copy = unions.of(KernelClass::copy).length();
  use.overlap = unions.of(KernelClass::communication).intersection(hiding).length();
  use.idle = use.span.length() - unions.busy.length();
  return use;
}

void add_gap(LaunchGaps& gaps, Instant free, Instant start, const LaunchTime& launch) {
  if (start <= free) return;
  ++gaps.count;
  gaps.total += start - free;
  const Duration bound = launch_bound_time(free, start, launch);
  gaps.launch_bound += bound;
  if (bound > Duration{}) ++gaps.launch_bound_count;
}

// Families of a device as they are gathered.
struct FamilyTimes {
  FamilyUse use;
  std::vector<Interval> stretches;
  std::array<PhaseUse, kCommunicationPhaseNames.size()> phases{};
};

class DeviceSurvey {
 public:
  DeviceSurvey(const GpuTrace& trace,
               std::span<const KernelRole> roles,
               std::span<const std::int32_t> layers,
               std::span<const LaunchTime> launches)
      : trace_(trace), roles_(roles), layers_(layers), launches_(launches) {}

  [[nodiscard]] DeviceUse survey(std::uint32_t device, std::span<const std::uint32_t> members) {
    DeviceUse use;
    use.device = device;
    for (const TraceDevice& told : trace_.devices)
      if (told.device == device)
        std::tie(use.name, use.sm_count) = std::tie(told.name, told.sm_count);
    use.activities = members.size();
    for (const std::uint32_t i : members) add(i, use);
    const Unions unions(std::move(whole_));
    const IntervalSet& compute = unions.of(KernelClass::compute);
    use.time = time_use(unions, compute);
    use.notify = IntervalSet(std::move(notify_)).length();
    use.exposed = unions.of(KernelClass::communication).difference(compute).intervals();
    for (auto& [stream, found] : streams_) {
      found.use.stream = stream;
      found.use.activities = found.gathered.count;
      found.use.time = time_use(Unions(std::move(found.gathered)), compute);
      use.streams.push_back(found.use);
    }
    for (auto& [layer, gathered] : layer_times_) {
      LayerUse& row = use.layers.emplace_back();
      row.layer = layer;
      row.activities = gathered.count;
      row.time = time_use(Unions(std::move(gathered)), compute);
    }
    add_families(unions, use);
    use.path = device_path(trace_, roles_, members);
    return use;
  }

 private:
  struct Stream {
    Gathered gathered;
    StreamUse use;
    Instant free{};
  };

  void add(std::uint32_t i, DeviceUse& use) {
    const GpuActivity& activity = trace_.activities[i];
    const KernelRole& role = roles_[i];
    const auto [at, is_first] = streams_.try_emplace(activity.stream);
    Stream& stream = at->second;
    if (!is_first) add_gap(stream.use.gaps, stream.free, activity.start, launches_[i]);
    if (whole_.count > 0) add_gap(use.gaps, free_, activity.start, launches_[i]);
    stream.free = std::max(stream.free, activity.end());
    free_ = std::max(free_, activity.end());
    whole_.add(activity, role.kernel_class);
    stream.gathered.add(activity, role.kernel_class);
    if (role.phase == CommunicationPhase::notify) notify_.push_back(interval_of(activity));
    if (!layers_.empty() && layers_[i] >= 0)
      layer_times_[layers_[i]].add(activity, role.kernel_class);

    FamilyTimes& family = families_[{role.family, role.kernel_class}];
    ++family.use.count;
    family.use.total += activity.time;
    family.stretches.push_back(interval_of(activity));
    PhaseUse& phase = family.phases[static_cast<std::size_t>(role.phase)];
    ++phase.count;
    phase.total += activity.time;
    if (activity.kind != ActivityKind::kernel || use.sm_count == 0) return;
    const std::uint64_t sms = std::min<std::uint64_t>(activity.block_count(), use.sm_count);
    const double sm_us = static_cast<double>(sms) * to_us(activity.time);
    family.use.sm_us += sm_us;
    use.sm_us[index_of(role.kernel_class)] += sm_us;
  }

  void add_families(const Unions& unions, DeviceUse& use) {
    const IntervalSet kernels =
        unions.of(KernelClass::compute).united_with(unions.of(KernelClass::communication));
    for (auto& [key, family] : families_) {
      const IntervalSet time(std::move(family.stretches));
      const IntervalSet& hiding =
          key.second == KernelClass::communication ? unions.of(KernelClass::compute)
          : key.second == KernelClass::compute     ? unions.of(KernelClass::communication)
                                                   : kernels;
      family.use.name = key.first;
      family.use.kernel_class = key.second;
      family.use.time = time.length();
      family.use.exposed = time.difference(hiding).length();
      for (std::size_t p = 1; p < family.phases.size(); ++p) {
        if (family.phases[p].count == 0) continue;
        family.phases[p].phase = static_cast<CommunicationPhase>(p);
        family.use.phases.push_back(family.phases[p]);
      }
      use.families.push_back(std::move(family.use));
    }
    std::stable_sort(use.families.begin(), use.families.end(), [](const auto& a, const auto& b) {
      return a.total > b.total;
    });
  }

  const GpuTrace& trace_;
  std::span<const KernelRole> roles_;
  std::span<const std::int32_t> layers_;
  std::span<const LaunchTime> launches_;
  Gathered whole_;
  std::vector<Interval> notify_;
  std::map<std::uint32_t, Stream> streams_;
  std::map<std::int32_t, Gathered> layer_times_;
  std::map<std::pair<std::string_view, KernelClass>, FamilyTimes> families_;
  Instant free_{};
};

}  // namespace

double TimeUse::overlap_pct() const {
  return percent(overlap, communication);
}

double TimeUse::possible_overlap_pct() const {
  return percent(overlap, std::min(communication, compute));
}

std::vector<KernelRole> activity_roles(const GpuTrace& trace, const KernelClassTable& table) {
  std::vector<std::optional<KernelRole>> by_name(trace.names.size());
  std::vector<KernelRole> roles;
  roles.reserve(trace.activities.size());
  for (const GpuActivity& activity : trace.activities) {
    if (activity.kind != ActivityKind::kernel) {
      const bool is_copy = activity.kind == ActivityKind::copy;
      roles.push_back({KernelClass::copy, CommunicationPhase::none, is_copy ? "copy" : "fill"});
      continue;
    }
    check(activity.name < trace.names.size(), "an activity has a name of its trace");
    std::optional<KernelRole>& role = by_name[activity.name];
    if (!role) role = table.role_of(trace.names[activity.name]);
    roles.push_back(*role);
  }
  return roles;
}

TraceUse trace_use(const GpuTrace& trace,
                   std::span<const KernelRole> roles,
                   std::span<const std::int32_t> layers) {
  check(roles.size() == trace.activities.size(), "every activity has a role");
  check(layers.empty() || layers.size() == roles.size(), "every activity has a layer, or none has");
  std::map<std::uint32_t, std::vector<std::uint32_t>> devices;
  for (std::uint32_t i = 0; i < trace.activities.size(); ++i)
    devices[trace.activities[i].device].push_back(i);
  const std::vector<LaunchTime> launches = launch_times(trace);
  TraceUse use;
  for (const auto& [device, members] : devices)
    use.devices.push_back(DeviceSurvey(trace, roles, layers, launches).survey(device, members));
  return use;
}

}  // namespace epsim
