#include "models/step_schedule.hpp"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "sim/base/check.hpp"

namespace epsim {
namespace {

using Segment = std::vector<std::uint32_t>;  // tasks that a host queues without turning away

class StepScheduler {
 public:
  StepScheduler(const MoeStep& step, const ScheduleOptions& options)
      : step_(step),
        options_(options),
        place_(step.tasks.size()),
        one_communicator_(options.one_communicator || !meetings_fit()) {}

  ScheduledStep take() {
    result_.sm_count = step_.sm_count;
    result_.rank_count = step_.rank_count;
    result_.hardware_queues = options_.hardware_queues;
    add_streams();
    for (const std::uint32_t index : queue_order()) queue(index);
    return std::move(scheduled_);
  }

 private:
  void add_streams() {
    result_.streams = {"compute"};
    if (options_.kind == ScheduleKind::serial) return;
    for (std::uint32_t i = 0; i < options_.other_streams; ++i)
      result_.streams.push_back(fmt::format("other {}", i));
    result_.streams.emplace_back("communication");
    if (options_.kind == ScheduleKind::tbo_aux) result_.streams.emplace_back("auxiliary");
  }

  [[nodiscard]] std::uint32_t stream_of(const MoeTask& task) const {
    const std::uint32_t communication = options_.other_streams + 1;
    if (options_.kind == ScheduleKind::serial || task.lane == StepLane::compute) return 0;
    if (task.lane == StepLane::exchange) return communication;
    return options_.kind == ScheduleKind::tbo_aux ? communication + 1 : 0;
  }

  // Whether what meets other ranks finds room on the SMs with what meets them on other streams.
  // Otherwise one rank's kernel holds the SMs that another's waits for, each until its peers come;
  // servers keep such kernels in one order.
  [[nodiscard]] bool meetings_fit() const {
    if (step_.rank_count < 2) return true;
    std::map<std::uint32_t, std::uint32_t> most_of_stream;  // CTAs
    for (const MoeTask& task : step_.tasks)
      if (task.task.kernel_class == KernelClass::communication) {
        std::uint32_t& most = most_of_stream[stream_of(task)];
        most = std::max(most, std::min(task.task.cta_count, step_.sm_count));
      }
    std::uint32_t all = 0;
    for (const auto& [stream, most] : most_of_stream) all += most;
    return all <= step_.sm_count;
  }

  // Whether the host turns to the other micro-batch in front of this task.
  [[nodiscard]] bool begins_segment(std::uint32_t index, std::uint32_t previous) const {
    const MoeTask& task = step_.tasks[index];
    const MoeTask& before = step_.tasks[previous];
    if (options_.order == QueueOrder::baton) return stream_of(task) != 0 && !task.needs.empty();
    const auto part_of = [](StepStage stage) {
      if (stage == StepStage::attention || stage == StepStage::gate) return 0;
      return stage == StepStage::dispatch || stage == StepStage::experts ? 1 : 2;
    };
    // The wait for a collective on the auxiliary stream comes with the next turn.
    const bool waits_for_auxiliary =
        before.lane == StepLane::collective && stream_of(before) != 0 && !before.needs.empty();
    return part_of(task.stage) > part_of(before.stage) || waits_for_auxiliary;
  }

  [[nodiscard]] std::vector<Segment> segments_of(std::int32_t micro_batch) const {
    std::vector<Segment> segments(1);
    for (std::uint32_t i = 0; i < step_.tasks.size(); ++i) {
      if (step_.tasks[i].task.micro_batch != micro_batch) continue;
      if (!segments.back().empty() && begins_segment(i, segments.back().back()))
        segments.emplace_back();
      segments.back().push_back(i);
    }
    return segments;
  }

  [[nodiscard]] std::vector<std::uint32_t> queue_order() const {
    std::vector<std::uint32_t> order;
    if (options_.kind == ScheduleKind::serial) {
      for (std::uint32_t i = 0; i < step_.tasks.size(); ++i) order.push_back(i);
      return order;
    }
    const std::vector<Segment> first = segments_of(0);
    const std::vector<Segment> second = segments_of(1);
    check(first.size() == second.size(), "both micro-batches have the same turns");
    for (std::size_t turn = 0; turn < first.size(); ++turn)
      for (const Segment* segment : {&first[turn], &second[turn]})
        order.insert(order.end(), segment->begin(), segment->end());
    check(order.size() == step_.tasks.size(), "a two-batch schedule has two micro-batches");
    return order;
  }

  void queue(std::uint32_t index) {
    const MoeTask& source = step_.tasks[index];
    StepTask task = source.task;
    task.stream = stream_of(source);
    for (const std::uint32_t needed : source.needs) wait_for(task, place_.at(needed));
    const auto here = static_cast<std::uint32_t>(result_.tasks.size());
    if (here > 0) task.gap = task.after.empty() ? options_.stream_gap : options_.event_hop;
    task.launch = here * options_.launch_call;
    if (source.lane == StepLane::collective) {
      task.time += options_.skew;
      task.skew = options_.skew;
    }
    if (one_communicator_ && task.kernel_class == KernelClass::communication) task.communicator = 0;
    place_[index] = here;
    result_.tasks.push_back(std::move(task));
    scheduled_.lanes.push_back(source.lane);
    scheduled_.stages.push_back(source.stage);
  }

  // Within a stream its order does it; of another stream the last one stands for those before it.
  void wait_for(StepTask& task, std::uint32_t needed) const {
    const std::uint32_t stream = result_.tasks[needed].stream;
    if (stream == task.stream) return;
    for (std::uint32_t& event : task.after)
      if (result_.tasks[event].stream == stream) {
        event = std::max(event, needed);
        return;
      }
    task.after.push_back(needed);
  }

  const MoeStep& step_;
  const ScheduleOptions& options_;
  ScheduledStep scheduled_;
  GpuStep& result_ = scheduled_.step;
  std::vector<std::uint32_t> place_;  // of a task of the step in the result
  bool one_communicator_;
};

}  // namespace

ScheduledStep schedule_step(const MoeStep& step, const ScheduleOptions& options) {
  return StepScheduler(step, options).take();
}

}  // namespace epsim
