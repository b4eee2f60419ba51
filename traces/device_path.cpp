#include "traces/device_path.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <utility>

#include "traces/launch_times.hpp"

namespace epsim {
namespace {

constexpr std::uint32_t kNobody = std::numeric_limits<std::uint32_t>::max();

// A start later than this after all that it follows wants an explanation.
constexpr Duration kHeldUp = std::chrono::microseconds(5);

// An activity that was called for at `launched`.
struct Launched {
  Instant launched;
  std::uint32_t member;
};

// Walks back along a device's activities; a member is an index into `members`.
class PathWalk {
 public:
  PathWalk(const GpuTrace& trace, std::span<const std::uint32_t> members)
      : trace_(trace), members_(members), launches_(launch_times(trace)) {
    before_.resize(members.size(), kNobody);
    awaited_.resize(members.size(), kNobody);
    by_end_.resize(members.size());
    for (std::uint32_t m = 0; m < members.size(); ++m) {
      by_end_[m] = m;
      std::vector<std::uint32_t>& stream = streams_[activity(m).stream];
      if (!stream.empty()) before_[m] = stream.back();
      stream.push_back(m);
    }
    std::stable_sort(by_end_.begin(), by_end_.end(), [&](std::uint32_t a, std::uint32_t b) {
      return activity(a).end() < activity(b).end();
    });
    find_awaited();
  }

  [[nodiscard]] DevicePath path(std::span<const KernelRole> roles) const {
    DevicePath path;
    path.has_waits = has_waits_;
    Instant first = activity(0).start;
    std::uint32_t current = by_end_.back();
    Instant until = activity(current).end();
    while (current != kNobody) {
      const GpuActivity& here = activity(current);
      std::uint32_t next = predecessor(current);
      Instant free = next == kNobody ? first : std::min(activity(next).end(), here.start);
      if (const std::uint32_t holder = held_up_by(current, free); holder != kNobody) {
        next = holder;
        free = here.start;
        ++path.held_up;
      }
      PathLink link;
      link.activity = members_[current];
      link.run = until - here.start;
      link.launch = launch_bound_time(free, here.start, launches_[members_[current]]);
      link.gap = here.start - free - link.launch;
      path.by_class[static_cast<std::size_t>(roles[link.activity].kernel_class)] += link.run;
      path.launch += link.launch;
      path.gap += link.gap;
      path.links.push_back(link);
      until = free;
      current = next;
    }
    std::reverse(path.links.begin(), path.links.end());
    return path;
  }

 private:
  [[nodiscard]] const GpuActivity& activity(std::uint32_t member) const {
    return trace_.activities[members_[member]];
  }

  // What ended last before `member` began, of any stream.
  [[nodiscard]] std::uint32_t last_ended_before(std::uint32_t member) const {
    const Instant start = activity(member).start;
    auto at = std::partition_point(by_end_.begin(), by_end_.end(), [&](std::uint32_t candidate) {
      return activity(candidate).end() <= start;
    });
    // Activities without length at one instant must not follow each other in a circle.
    while (at != by_end_.begin())
      if (*--at < member) return *at;
    return kNobody;
  }

  [[nodiscard]] std::uint32_t predecessor(std::uint32_t member) const {
    const std::uint32_t before = before_[member];
    std::uint32_t other = has_waits_ ? awaited_[member] : last_ended_before(member);
    if (before == kNobody && other == kNobody) other = last_ended_before(member);
    if (before == kNobody || other == kNobody) return before == kNobody ? other : before;
    const Instant start = activity(member).start;
    return std::min(activity(other).end(), start) > std::min(activity(before).end(), start)
               ? other
               : before;
  }

  // Of what ran on other streams when `member` began at last, the first to end.
  [[nodiscard]] std::uint32_t held_up_by(std::uint32_t member, Instant free) const {
    const Instant start = activity(member).start;
    const LaunchTime& launch = launches_[members_[member]];
    const Instant could_start = free + launch_bound_time(free, start, launch);
    if (start - could_start <= kHeldUp) return kNobody;
    std::uint32_t holder = kNobody;
    for (const auto& [stream, queue] : streams_) {
      const auto at = std::lower_bound(queue.begin(), queue.end(), member);
      if (at == queue.begin() || stream == activity(member).stream) continue;
      const std::uint32_t candidate = *std::prev(at);
      if (activity(candidate).end() <= start) continue;
      if (holder == kNobody || activity(candidate).end() < activity(holder).end())
        holder = candidate;
    }
    return holder;
  }

  // Turns each wait into the pair of activities that it orders: the last that was launched to the
  // event's stream before its record, and the first on the waiting stream after the wait.
  void find_awaited() {
    if (trace_.waits.empty()) return;
    std::map<std::uint64_t, Instant> calls;  // by correlation
    for (const HostCall& call : trace_.calls) calls.try_emplace(call.correlation, call.start);
    std::map<std::uint32_t, std::vector<Launched>> streams;
    for (std::uint32_t m = 0; m < members_.size(); ++m)
      if (const LaunchTime& launch = launches_[members_[m]]; launch.is_told)
        streams[activity(m).stream].push_back({launch.start, m});
    const auto launched_after = [&](std::uint32_t stream, Instant when) {
      std::vector<Launched>& queue = streams[stream];
      return std::make_pair(
          &queue, std::partition_point(queue.begin(), queue.end(), [&](const Launched& entry) {
            return entry.launched < when;
          }));
    };
    for (const StreamWait& wait : trace_.waits) {
      if (wait.device != activity(0).device) continue;
      const auto record = calls.find(wait.record_correlation);
      const auto call = calls.find(wait.wait_correlation);
      if (wait.record_correlation == 0 || record == calls.end() || call == calls.end()) continue;
      const auto [queue, producer] = launched_after(wait.record_stream, record->second);
      const auto [waiting, consumer] = launched_after(wait.stream, call->second);
      if (producer == queue->begin() || consumer == waiting->end()) continue;
      has_waits_ = true;
      const std::uint32_t awaited = std::prev(producer)->member;
      std::uint32_t& known = awaited_[consumer->member];
      if (awaited >= consumer->member) continue;
      if (known == kNobody || activity(awaited).end() > activity(known).end()) known = awaited;
    }
  }

  const GpuTrace& trace_;
  std::span<const std::uint32_t> members_;
  std::vector<LaunchTime> launches_;
  std::vector<std::uint32_t> before_;   // on the same stream
  std::vector<std::uint32_t> awaited_;  // by an event
  std::vector<std::uint32_t> by_end_;
  std::map<std::uint32_t, std::vector<std::uint32_t>> streams_;  // members in order
  bool has_waits_ = false;
};

}  // namespace

DevicePath device_path(const GpuTrace& trace,
                       std::span<const KernelRole> roles,
                       std::span<const std::uint32_t> members) {
  if (members.empty()) return {};
  return PathWalk(trace, members).path(roles);
}

std::vector<PathFamily> path_families(const DevicePath& path, std::span<const KernelRole> roles) {
  std::map<std::pair<std::string_view, KernelClass>, PathFamily> found;
  for (const PathLink& link : path.links) {
    const KernelRole& role = roles[link.activity];
    PathFamily& family = found[{role.family, role.kernel_class}];
    family.name = role.family;
    family.kernel_class = role.kernel_class;
    ++family.count;
    family.run += link.run;
  }
  std::vector<PathFamily> families;
  for (const auto& [key, family] : found) families.push_back(family);
  std::stable_sort(
      families.begin(), families.end(), [](const auto& a, const auto& b) { return a.run > b.run; });
  return families;
}

}  // namespace epsim
