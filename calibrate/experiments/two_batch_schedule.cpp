#include "calibrate/experiments/two_batch_schedule.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>

#include "calibrate/robust_stats.hpp"
#include "sim/base/check.hpp"

namespace epsim {
namespace {

constexpr int kMicroBatches = 2;

class StepBuilder {
 public:
  StepBuilder(bool two_lanes, bool collective, bool one_communicator)
      : two_lanes_(two_lanes), collective_(collective), one_communicator_(one_communicator) {}

  // Up to the dispatch, and from the experts on.
  void first_half(int layer, int micro_batch) {
    add(StepOpKind::attention, layer, micro_batch, Lane::compute);
    if (collective_) add(StepOpKind::collective, layer, micro_batch, Lane::compute);
    add(StepOpKind::dispatch, layer, micro_batch, exchange_lane());
  }
  void second_half(int layer, int micro_batch) {
    add(StepOpKind::experts, layer, micro_batch, Lane::compute);
    add(StepOpKind::combine, layer, micro_batch, exchange_lane());
  }
  std::vector<StepOp> take() { return std::move(ops_); }

 private:
  [[nodiscard]] Lane exchange_lane() const {
    return two_lanes_ ? Lane::communication : Lane::compute;
  }
  void add(StepOpKind kind, int layer, int micro_batch, Lane lane) {
    StepOp op{kind, layer, micro_batch, lane, {}};
    std::optional<std::size_t>& previous = last_of_micro_batch_.at(std::size_t(micro_batch));
    wait_for(op, previous);
    if (is_communication(kind)) {
      if (one_communicator_) wait_for(op, last_communication_);
      last_communication_ = ops_.size();
    }
    previous = ops_.size();
    ops_.push_back(std::move(op));
  }
  // Within a lane the stream's order does it.
  void wait_for(StepOp& op, const std::optional<std::size_t>& earlier) const {
    if (!earlier || ops_[*earlier].lane == op.lane) return;
    if (std::find(op.after.begin(), op.after.end(), *earlier) == op.after.end())
      op.after.push_back(*earlier);
  }

  bool two_lanes_, collective_, one_communicator_;
  std::vector<StepOp> ops_;
  std::array<std::optional<std::size_t>, kMicroBatches> last_of_micro_batch_;
  std::optional<std::size_t> last_communication_;
};

using ByRank = std::vector<std::vector<Interval>>;

// Of the operations in ops[] for which `wanted` holds.
std::vector<Interval> chosen(const std::vector<StepOp>& ops,
                             const std::vector<Interval>& times,
                             const std::function<bool(StepOpKind)>& wanted) {
  std::vector<Interval> found;
  for (std::size_t i = 0; i < ops.size(); ++i)
    if (wanted(ops[i].kind)) found.push_back(times[i]);
  return found;
}

OpTimes op_times(const std::vector<StepOp>& ops, const ByRank& by_rank, StepOpKind kind) {
  std::vector<double> own;
  std::vector<double> aligned;
  for (std::size_t i = 0; i < ops.size(); ++i) {
    if (ops[i].kind != kind) continue;
    std::int64_t last_start = std::numeric_limits<std::int64_t>::min();
    std::int64_t last_end = last_start;
    for (const std::vector<Interval>& times : by_rank) {
      own.push_back(static_cast<double>(times[i].end_ns - times[i].start_ns));
      last_start = std::max(last_start, times[i].start_ns);
      last_end = std::max(last_end, times[i].end_ns);
    }
    aligned.push_back(static_cast<double>(last_end - last_start));
  }
  if (own.empty()) return {};
  return {quantile(own, 0.5), quantile(aligned, 0.5)};
}

double step_length(const ByRank& by_rank) {
  std::int64_t last_start = std::numeric_limits<std::int64_t>::min();
  std::int64_t last_end = last_start;
  for (const std::vector<Interval>& times : by_rank) {
    std::int64_t first = std::numeric_limits<std::int64_t>::max();
    for (const Interval& time : times) {
      first = std::min(first, time.start_ns);
      last_end = std::max(last_end, time.end_ns);
    }
    last_start = std::max(last_start, first);
  }
  return static_cast<double>(last_end - last_start);
}

}  // namespace

const std::vector<std::string_view>& two_batch_schedules() {
  static const std::vector<std::string_view> names = {
      "serial", "serial_inline", "tbo", "tbo_inline", "tbo_same_communicator"};
  return names;
}

std::vector<StepOp> two_batch_step(std::string_view schedule, int layer_count) {
  const std::vector<std::string_view>& names = two_batch_schedules();
  check(std::find(names.begin(), names.end(), schedule) != names.end(),
        "a two-batch schedule has one of the known names");
  const bool two_lanes = schedule.starts_with("tbo");
  const bool same_communicator = schedule == "tbo_same_communicator";
  StepBuilder builder(
      two_lanes, same_communicator || schedule.ends_with("inline"), same_communicator);
  for (int layer = 0; layer < layer_count; ++layer) {
    if (two_lanes) {
      for (int b = 0; b < kMicroBatches; ++b) builder.first_half(layer, b);
      for (int b = 0; b < kMicroBatches; ++b) builder.second_half(layer, b);
    } else {
      for (int b = 0; b < kMicroBatches; ++b) {
        builder.first_half(layer, b);
        builder.second_half(layer, b);
      }
    }
  }
  return builder.take();
}

StepTimes step_times(const std::vector<StepOp>& ops, const ByRank& by_rank) {
  check(!by_rank.empty() && !ops.empty(), "a step has ranks and operations");
  StepTimes result;
  result.step_ns = step_length(by_rank);
  const double share = 1.0 / static_cast<double>(by_rank.size());
  for (const std::vector<Interval>& times : by_rank) {
    check(times.size() == ops.size(), "each rank runs each operation once");
    const auto communication = chosen(ops, times, is_communication);
    const auto compute = chosen(ops, times, [](StepOpKind k) { return !is_communication(k); });
    const auto exchanges = chosen(ops, times, [](StepOpKind kind) {
      return kind == StepOpKind::dispatch || kind == StepOpKind::combine;
    });
    result.communication_ns += share * static_cast<double>(united_length(communication));
    result.compute_ns += share * static_cast<double>(united_length(compute));
    result.overlap_percent += share * overlap_percent(communication, compute);
    result.exchange_overlap_percent += share * overlap_percent(exchanges, compute);
  }
  result.attention = op_times(ops, by_rank, StepOpKind::attention);
  result.dispatch = op_times(ops, by_rank, StepOpKind::dispatch);
  result.experts = op_times(ops, by_rank, StepOpKind::experts);
  result.combine = op_times(ops, by_rank, StepOpKind::combine);
  result.collective = op_times(ops, by_rank, StepOpKind::collective);
  return result;
}

}  // namespace epsim
