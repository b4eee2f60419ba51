#include "sim/perfetto_trace.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "sim/base/json_writer.hpp"
#include "sim/critical_path.hpp"
#include "sim/link_load.hpp"
#include "sim/trace_lanes.hpp"

namespace epsim {
namespace {

// Process ids: the critical path, then what belongs to no GPU, then the ranks.
constexpr std::uint32_t kPathProcess = 1;
constexpr std::uint32_t kFabricProcess = 2;
constexpr std::uint32_t kFirstRankProcess = 3;
constexpr std::uint32_t kKernelTrack = 1;
constexpr std::uint32_t kTracksPerRole = 100;
constexpr Duration kGap = std::chrono::microseconds(5);  // between two predictions
constexpr Duration kGrain = std::chrono::microseconds(1);

struct Track {
  std::uint32_t process;
  std::uint32_t thread;
  auto operator<=>(const Track&) const = default;
};

// Operations of one agent and phase, one after the other.
struct Slice {
  std::string_view name;
  Instant start;
  Instant end;
  std::string args = {};  // a JSON object
};

class TraceWriter {
 public:
  explicit TraceWriter(const Topology& topology) : topology_(topology) {
    writer_.begin_object().field("displayTimeUnit", "ns").key("traceEvents").begin_array();
    name_process(kPathProcess, "critical path");
    processes_of_gpus_.resize(topology.nodes().size(), kFabricProcess);
  }

  void add(const Prediction& prediction) {
    prediction_ = &prediction;
    const std::string_view operation =
        kMoeOperationNames[static_cast<std::size_t>(prediction.operation)];
    for (std::uint32_t r = 0; r < prediction.plan.rank_count; ++r) name_rank(RankId{r});
    add_critical_path(operation);
    add_kernels();
    for (const TraceRole& role : trace_lanes(prediction.plan, prediction.timeline, kTraceLanes))
      add_role(role);
    add_links();
    const auto end = std::max_element(prediction.timeline.kernel_end.begin(),
                                      prediction.timeline.kernel_end.end());
    if (end == prediction.timeline.kernel_end.end()) return;
    offset_ += ((*end - Instant{}) / kGrain + 1) * kGrain + kGap;
  }

  std::string take() {
    for (const auto& [track, name] : names_) {
      metadata("thread_name", track).field("name", name).end_object().end_object();
      metadata("thread_sort_index", track)
          .field("sort_index", track.thread)
          .end_object()
          .end_object();
    }
    writer_.end_array().end_object();
    return writer_.take();
  }

 private:
  // An event of metadata with its arguments open.
  JsonWriter& metadata(std::string_view name, const Track& track) {
    writer_.begin_object().field("ph", "M").field("pid", track.process);
    if (track.thread > 0) writer_.field("tid", track.thread);
    return writer_.field("name", name).key("args").begin_object();
  }

  void name_process(std::uint32_t process, std::string_view name) {
    metadata("process_name", {process, 0}).field("name", name).end_object().end_object();
    metadata("process_sort_index", {process, 0})
        .field("sort_index", process)
        .end_object()
        .end_object();
  }

  void name_rank(RankId rank) {
    const NodeId node = topology_.gpu(GpuId{rank.value});
    std::uint32_t& process = processes_of_gpus_[node.index()];
    if (process != kFabricProcess) return;
    process = kFirstRankProcess + rank.value;
    name_process(process, fmt::format("rank {} ({})", rank.value, topology_.node(node).name));
  }

  [[nodiscard]] std::int64_t nanoseconds(Instant at) const {
    return (at - Instant{} + offset_).count() / 1000;
  }
  // Microseconds, to the nanosecond.
  [[nodiscard]] static std::string time_text(std::int64_t ns) {
    return fmt::format("{}.{:03}", ns / 1000, ns % 1000);
  }

  void add_slice(const Track& track, const Slice& slice) {
    const std::int64_t start = nanoseconds(slice.start);
    const std::int64_t end = nanoseconds(slice.end);
    if (end <= start) return;
    writer_.begin_object().field("ph", "X").field("pid", track.process).field("tid", track.thread);
    writer_.key("ts").raw(time_text(start)).key("dur").raw(time_text(end - start));
    writer_.field("name", slice.name);
    if (!slice.args.empty()) writer_.key("args").raw(slice.args);
    writer_.end_object();
  }

  void add_critical_path(std::string_view operation) {
    const CriticalPath path = critical_path(prediction_->plan, prediction_->timeline, topology_);
    const Track whole{kPathProcess, 1};
    const Track steps{kPathProcess, 2};
    names_[whole] = "operation";
    names_[steps] = "phase";
    if (path.steps.empty()) return;
    add_slice(whole, {operation, path.steps.front().start, path.steps.back().end});
    for (const PathStep& step : path.steps)
      add_slice(steps,
                {kPhaseNames[static_cast<std::size_t>(step.phase)],
                 step.start,
                 step.end,
                 fmt::format("{{\"rank\": {}}}", step.rank.value)});
  }

  void add_kernels() {
    const Plan& plan = prediction_->plan;
    for (std::size_t k = 0; k < plan.kernels.size(); ++k) {
      const Track track{kFirstRankProcess + plan.kernels[k].rank.value, kKernelTrack};
      names_[track] = "kernels";
      add_slice(track,
                {plan.kernels[k].name,
                 prediction_->timeline.kernel_start[k],
                 prediction_->timeline.kernel_end[k],
                 fmt::format("{{\"CTAs\": {}}}", plan.kernels[k].cta_count)});
    }
  }

  void add_role(const TraceRole& role) {
    const auto index = static_cast<std::uint32_t>(role.role);
    const std::string_view name = kRoleNames[index];
    const auto track = [&](std::uint32_t lane) {
      return Track{kFirstRankProcess + role.rank.value, kTracksPerRole * (index + 1) + lane};
    };
    for (std::uint32_t lane = 0; lane < role.lane_count; ++lane)
      names_[track(lane)] = fmt::format("{} {}", name, lane + 1);
    if (role.shown.size() < role.agent_count)
      names_[track(0)] =
          fmt::format("{} 1 ({} of {} shown)", name, role.shown.size(), role.agent_count);
    for (const TraceLane& lane : role.shown) add_agent(track(lane.lane), lane.agent);
  }

  void add_agent(const Track& track, std::uint32_t a) {
    const Plan& plan = prediction_->plan;
    for (const PhaseStretch& stretch : phase_stretches(plan, prediction_->timeline, plan.agents[a]))
      add_slice(track,
                {kPhaseNames[static_cast<std::size_t>(stretch.phase)],
                 stretch.start,
                 stretch.finish,
                 args_of(stretch.first, stretch.end)});
  }

  // Where an operation sends something, or -1.
  [[nodiscard]] std::int64_t target_rank(const Operation& operation) const {
    const Plan& plan = prediction_->plan;
    switch (operation.kind) {
      case OpKind::put:
        return operation.target;
      case OpKind::post:
        return plan.queue_pairs[operation.target].target.value;
      case OpKind::signal:
      case OpKind::post_signal:
        return plan.flags[operation.target].home.value;
      default:
        return -1;
    }
  }

  // What the operations moved, and where to if that is one place.
  [[nodiscard]] std::string args_of(std::uint32_t begin, std::uint32_t end) const {
    const Plan& plan = prediction_->plan;
    std::int64_t bytes = 0;
    std::int64_t target = -1;
    bool is_one = true;
    for (std::uint32_t i = begin; i < end; ++i) {
      const Operation& operation = plan.operations[i];
      const bool moves = operation.kind == OpKind::put || operation.kind == OpKind::post ||
                         operation.kind == OpKind::serve || operation.kind == OpKind::load;
      if (moves) bytes += operation.count;
      const std::int64_t rank = target_rank(operation);
      if (rank < 0) continue;
      is_one = is_one && (target < 0 || target == rank);
      target = rank;
    }
    std::string text = fmt::format("{{\"operations\": {}", end - begin);
    if (bytes > 0) text += fmt::format(", \"bytes\": {}", bytes);
    if (target >= 0 && is_one) text += fmt::format(", \"target rank\": {}", target);
    return text + "}";
  }

  void add_links() {
    for (const LinkLoad& load : link_loads(prediction_->timeline, kGrain)) {
      const Link& link = topology_.link(load.link);
      const std::uint32_t process = std::max(processes_of_gpus_[link.source.index()],
                                             processes_of_gpus_[link.target.index()]);
      if (process == kFabricProcess && !fabric_is_named_) {
        name_process(kFabricProcess, "fabric");
        fabric_is_named_ = true;
      }
      for (const LinkLoad::Sample& sample : load.samples) {
        writer_.begin_object().field("ph", "C").field("pid", process);
        writer_.key("ts").raw(time_text(nanoseconds(sample.at)));
        writer_.field("name", topology_.link_name(load.link)).key("args").begin_object();
        writer_.field("busy %", sample.busy_pct).end_object().end_object();
      }
    }
  }

  const Topology& topology_;
  const Prediction* prediction_ = nullptr;
  Duration offset_{};                             // of the current prediction
  std::vector<std::uint32_t> processes_of_gpus_;  // one a node
  std::map<Track, std::string> names_;
  JsonWriter writer_;
  bool fabric_is_named_ = false;
};

}  // namespace

std::string perfetto_trace(std::span<const Prediction> predictions, const Topology& topology) {
  TraceWriter writer(topology);
  for (const Prediction& prediction : predictions) writer.add(prediction);
  return writer.take();
}

}  // namespace epsim
