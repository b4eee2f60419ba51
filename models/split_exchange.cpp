#include "models/split_exchange.hpp"

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

namespace epsim {
namespace {

class Splitter {
 public:
  explicit Splitter(const MoeStep& step) : place_(step.tasks.size()) {
    result_.sm_count = step.sm_count;
    result_.rank_count = step.rank_count;
  }

  void keep(std::uint32_t index, const MoeTask& task) {
    MoeTask copy = task;
    copy.needs = places(task.needs);
    place_[index] = add(std::move(copy));
  }

  void split(std::uint32_t index, const MoeTask& task, const SplitTimes& times) {
    const Duration flight = std::max(Duration{}, task.task.time - times.send - times.receive);
    const bool is_dispatch = task.stage == StepStage::dispatch;
    // The host queues the send with what comes before it, and turns to the other micro-batch while
    // rows are in flight.
    MoeTask send = half(task, "send", times.send);
    send.stage = is_dispatch ? StepStage::gate : StepStage::experts;
    send.needs = places(task.needs);
    const std::uint32_t sent = add(std::move(send));
    MoeTask rows = half(task, "in flight", flight);
    rows.lane = StepLane::exchange;
    rows.task.cta_count = 0;
    rows.needs = {sent};
    const std::uint32_t there = add(std::move(rows));
    MoeTask receive = half(task, "receive", times.receive);
    receive.needs = {there};
    place_[index] = add(std::move(receive));
  }

  MoeStep take() { return std::move(result_); }

 private:
  static MoeTask half(const MoeTask& whole, std::string_view part, Duration time) {
    MoeTask task = whole;
    task.lane = StepLane::compute;
    task.task.name += " ";
    task.task.name += part;
    task.task.time = time;
    task.needs.clear();
    return task;
  }

  [[nodiscard]] std::vector<std::uint32_t> places(const std::vector<std::uint32_t>& of) const {
    std::vector<std::uint32_t> result;
    for (const std::uint32_t index : of) result.push_back(place_[index]);
    return result;
  }

  std::uint32_t add(MoeTask task) {
    result_.tasks.push_back(std::move(task));
    return static_cast<std::uint32_t>(result_.tasks.size()) - 1;
  }

  MoeStep result_;
  std::vector<std::uint32_t> place_;  // of a task, or of its receive half, in the result
};

}  // namespace

MoeStep split_exchanges(const MoeStep& step,
                        const SplitTimes& dispatch,
                        const SplitTimes& combine) {
  Splitter splitter(step);
  for (std::uint32_t i = 0; i < step.tasks.size(); ++i) {
    const MoeTask& task = step.tasks[i];
    if (task.lane == StepLane::exchange)
      splitter.split(i, task, task.stage == StepStage::dispatch ? dispatch : combine);
    else
      splitter.keep(i, task);
  }
  return splitter.take();
}

}  // namespace epsim
