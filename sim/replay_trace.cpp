#include "sim/replay_trace.hpp"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "sim/base/json_writer.hpp"
#include "traces/kernel_name.hpp"

namespace epsim {
namespace {

// Above the streams. Not 0: Perfetto takes that for the idle thread of the machine.
constexpr std::uint32_t kExposedTrack = 1;
constexpr std::uint32_t kFirstStreamTrack = 2;
// Colours that the old trace viewer knows by name; Perfetto goes by category and name.
constexpr std::array<std::string_view, 3> kColours = {"good", "bad", "grey"};

std::size_t index_of(KernelClass kernel_class) {
  return static_cast<std::size_t>(kernel_class);
}

class ReplayTraceWriter {
 public:
  explicit ReplayTraceWriter(const ReplayReport& report) : report_(report) {
    writer_.begin_object().field("displayTimeUnit", "ns").key("traceEvents").begin_array();
    // Times of all ranks count from the first start.
    std::optional<Instant> first;
    for (const RankReplay& rank : report.ranks)
      for (const DeviceUse& device : rank.use.devices) {
        const Instant start = device.time.span.start + rank.offset;
        first = first ? std::min(*first, start) : start;
      }
    if (first) origin_ = *first;
  }

  std::string write() {
    std::uint32_t process = 0;
    for (const RankReplay& rank : report_.ranks)
      for (const DeviceUse& device : rank.use.devices) add_device(++process, rank, device);
    writer_.end_array().end_object();
    return writer_.take();
  }

 private:
  void name(std::uint32_t process,
            std::optional<std::uint32_t> track,
            std::string_view what,
            std::string_view text) {
    writer_.begin_object().field("ph", "M").field("pid", process);
    if (track) writer_.field("tid", *track);
    writer_.field("name", what).key("args").begin_object();
    writer_.field("name", text).end_object().end_object();
  }

  void sort_track(std::uint32_t process, std::uint32_t track) {
    writer_.begin_object().field("ph", "M").field("pid", process).field("tid", track);
    writer_.field("name", "thread_sort_index").key("args").begin_object();
    writer_.field("sort_index", track).end_object().end_object();
  }

  // Microseconds, to the nanosecond.
  [[nodiscard]] static std::string time_text(Duration time) {
    const std::int64_t ns = time.count() / 1000;
    return fmt::format("{}{}.{:03}", ns < 0 ? "-" : "", std::abs(ns) / 1000, std::abs(ns) % 1000);
  }

  void open_slice(std::uint32_t process, std::uint32_t track, Instant start, Duration time) {
    writer_.begin_object().field("ph", "X").field("pid", process).field("tid", track);
    writer_.key("ts").raw(time_text(start - origin_)).key("dur").raw(time_text(time));
  }

  void add_device(std::uint32_t process, const RankReplay& rank, const DeviceUse& device) {
    name(process,
         std::nullopt,
         "process_name",
         fmt::format("{} device {} {}", rank.name(), device.device, device.name));
    name(process, kExposedTrack, "thread_name", "exposed communication");
    sort_track(process, kExposedTrack);
    for (std::size_t s = 0; s < device.streams.size(); ++s) {
      const auto track = static_cast<std::uint32_t>(s) + kFirstStreamTrack;
      name(process, track, "thread_name", fmt::format("stream {}", device.streams[s].stream));
      sort_track(process, track);
    }
    for (const Interval& stretch : device.exposed) {
      open_slice(process, kExposedTrack, stretch.start + rank.offset, stretch.length());
      writer_.field("cat", "exposed").field("name", "exposed").field("cname", "terrible");
      writer_.end_object();
    }
    std::vector<std::string> names;
    for (const std::string& kernel : rank.trace.names)
      names.push_back(function_name(demangled(kernel)));
    for (std::size_t i = 0; i < rank.trace.activities.size(); ++i)
      if (rank.trace.activities[i].device == device.device)
        add_activity(process, rank, device, i, names);
  }

  void add_activity(std::uint32_t process,
                    const RankReplay& rank,
                    const DeviceUse& device,
                    std::size_t i,
                    const std::vector<std::string>& names) {
    const GpuActivity& activity = rank.trace.activities[i];
    const KernelRole& role = rank.roles[i];
    const auto stream = std::partition_point(
        device.streams.begin(), device.streams.end(), [&](const StreamUse& candidate) {
          return candidate.stream < activity.stream;
        });
    const auto track =
        static_cast<std::uint32_t>(stream - device.streams.begin()) + kFirstStreamTrack;
    open_slice(process, track, activity.start + rank.offset, activity.time);
    writer_.field("cat", kKernelClassNames[index_of(role.kernel_class)])
        .field("name", names[activity.name])
        .field("cname", kColours[index_of(role.kernel_class)]);
    writer_.key("args").begin_object().field("family", role.family);
    if (role.phase != CommunicationPhase::none)
      writer_.field("phase", kCommunicationPhaseNames[static_cast<std::size_t>(role.phase)]);
    if (activity.block_count() > 0) writer_.field("blocks", activity.block_count());
    if (activity.bytes > 0) writer_.field("bytes", activity.bytes);
    writer_.field("correlation", activity.correlation).end_object().end_object();
  }

  const ReplayReport& report_;
  Instant origin_{};
  JsonWriter writer_;
};

}  // namespace

std::string replay_trace(const ReplayReport& report) {
  return ReplayTraceWriter(report).write();
}

}  // namespace epsim
