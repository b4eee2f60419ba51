#include "models/traced_step.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "models/cta_residency.hpp"
#include "models/launch_order.hpp"
#include "models/step_split.hpp"
#include "models/stream_edges.hpp"
#include "sim/base/input_error.hpp"

namespace epsim {
namespace {

constexpr std::uint32_t kLargestGrid = std::numeric_limits<std::uint32_t>::max();

class StepBuilder {
 public:
  StepBuilder(const GpuTrace& trace,
              const KernelClassTable& classes,
              std::uint32_t device,
              std::uint32_t step_count)
      : trace_(trace),
        classes_(classes),
        order_(launch_order(trace, device)),
        split_(split_steps(trace, order_, step_count)),
        edges_(stream_edges(trace, device, order_, split_)) {
    if (order_.empty())
      throw InputError(
          trace.file,
          "",
          fmt::format("expected kernels, copies or fills of device {}, found none", device));
    for (const TraceDevice& entry : trace.devices)
      if (entry.device == device) sm_count_ = entry.sm_count;
  }

  TracedSteps build() {
    TracedSteps steps{.steps = {},
                      .evidence = split_.evidence,
                      .left_out = static_cast<std::uint32_t>(order_.size())};
    for (const StepRange& range : split_.steps) {
      const Instant* before = steps.steps.empty() ? nullptr : &last_end_;
      steps.steps.push_back(step_of(range, before));
      steps.left_out -= static_cast<std::uint32_t>(range.last - range.first);
    }
    return steps;
  }

 private:
  [[nodiscard]] const GpuActivity& activity(std::size_t place) const {
    return trace_.activities[order_[place].activity];
  }

  TracedStep step_of(const StepRange& range, const Instant* before) {
    TracedStep traced;
    Instant first = Instant::max(), last = Instant::min();
    std::set<std::uint32_t> streams;
    for (std::size_t place = range.first; place < range.last; ++place) {
      first = std::min(first, activity(place).start);
      last = std::max(last, activity(place).end());
      streams.insert(activity(place).stream);
      traced.activities.push_back(order_[place].activity);
    }
    const auto [least, greatest] =
        std::minmax_element(traced.activities.begin(), traced.activities.end());
    traced.first_activity = *least;
    traced.last_activity = *greatest;
    traced.origin = before == nullptr ? first : std::min(*before, first);
    traced.span = last - first;
    traced.time = before == nullptr ? traced.span : last - *before;
    last_end_ = last;

    GpuStep& step = traced.step;
    step.sm_count = sm_count_;
    step.as_recorded = true;
    for (const std::uint32_t stream : streams)
      step.streams.push_back(fmt::format("stream {}", stream));
    for (std::size_t place = range.first; place < range.last; ++place) {
      step.tasks.push_back(task_of(place));
      step.tasks.back().stream = static_cast<std::uint32_t>(
          std::distance(streams.begin(), streams.find(activity(place).stream)));
    }
    add_edges(range, traced);
    add_times(range, traced);
    return traced;
  }

  StepTask task_of(std::size_t place) {
    const GpuActivity& recorded = activity(place);
    StepTask task;
    task.name = trace_.names[recorded.name];
    if (recorded.kind != ActivityKind::kernel) {
      task.kernel_class = KernelClass::copy;
      task.family = kActivityKindNames[static_cast<std::size_t>(recorded.kind)];
      return task;
    }
    const KernelRole role = role_of(recorded.name);
    task.kernel_class = role.kernel_class;
    task.phase = role.phase;
    task.family = role.family;
    const std::uint64_t blocks = recorded.block_count();
    // A grid that is not told is taken to fill the GPU.
    task.cta_count =
        blocks == 0 ? std::max(1U, sm_count_)
                    : static_cast<std::uint32_t>(std::min<std::uint64_t>(blocks, kLargestGrid));
    task.ctas_per_sm = ctas_per_sm(recorded);
    task.is_persistent = task.cta_count <= std::uint64_t{sm_count_} * task.ctas_per_sm;
    task.cluster_size = cluster_size(task.name, task.cta_count);
    task.starts_whole = starts_whole(task.name);
    return task;
  }

  KernelRole role_of(std::uint32_t name) {
    const auto [row, is_new] = roles_.try_emplace(name);
    if (is_new) row->second = classes_.role_of(trace_.names[name]);
    return row->second;
  }

  void add_edges(const StepRange& range, TracedStep& traced) {
    const auto is_inside = [&](std::uint32_t place) {
      return place >= range.first && place < range.last;
    };
    for (const StreamEdge& edge : edges_.edges) {
      // What an earlier step did is done when this one starts, but for a tail that overlaps.
      if (!is_inside(edge.consumer) || !is_inside(edge.producer)) continue;
      traced.step.tasks[edge.consumer - range.first].after.push_back(
          static_cast<std::uint32_t>(edge.producer - range.first));
      ++(edge.is_told ? traced.edges.told : traced.edges.inferred);
    }
    traced.edges.unknown = static_cast<std::uint32_t>(
        std::count_if(edges_.unknown.begin(), edges_.unknown.end(), is_inside));
    traced.edges.contradicted = static_cast<std::uint32_t>(
        std::count_if(edges_.contradicted.begin(), edges_.contradicted.end(), is_inside));
  }

  // Launches, gaps and times such that playing the step gives the recorded starts and ends.
  void add_times(const StepRange& range, TracedStep& traced) const {
    std::vector<Instant> end(traced.step.tasks.size()), stream_end(traced.step.streams.size());
    for (Instant& free : stream_end) free = traced.origin;
    for (std::size_t i = 0; i < traced.step.tasks.size(); ++i) {
      StepTask& task = traced.step.tasks[i];
      const GpuActivity& recorded = activity(range.first + i);
      // A kernel may start before its launch has returned.
      const Instant queued = std::min(order_[range.first + i].queued, recorded.start);
      task.launch = std::max(queued - traced.origin, Duration{0});
      Instant ready = std::max(traced.origin + task.launch, stream_end[task.stream]);
      if (stream_end[task.stream] > recorded.start) ++traced.shortened;
      for (const std::uint32_t producer : task.after) ready = std::max(ready, end[producer]);
      const Instant start = std::max(ready, recorded.start);
      end[i] = std::max(start, recorded.end());
      task.gap = start - ready;
      task.time = end[i] - start;
      stream_end[task.stream] = end[i];
    }
  }

  const GpuTrace& trace_;
  const KernelClassTable& classes_;
  std::vector<QueuedActivity> order_;
  StepSplit split_;
  StreamEdges edges_;
  std::uint32_t sm_count_ = 0;
  std::map<std::uint32_t, KernelRole> roles_;  // by name
  Instant last_end_;                           // of the step before
};

}  // namespace

Duration TracedSteps::measured() const {
  if (steps.empty()) return {};
  std::vector<Duration> times;
  for (const TracedStep& step : steps) times.push_back(step.time);
  if (times.size() > 1) times.erase(times.begin());
  const auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
  std::nth_element(times.begin(), middle, times.end());
  return *middle;
}

TracedSteps traced_steps(const GpuTrace& trace,
                         const KernelClassTable& classes,
                         std::uint32_t device,
                         std::uint32_t step_count) {
  return StepBuilder(trace, classes, device, step_count).build();
}

std::vector<TracedStep> steps_of(const GpuTrace& trace,
                                 const KernelClassTable& classes,
                                 std::uint32_t device) {
  return traced_steps(trace, classes, device).steps;
}

}  // namespace epsim
