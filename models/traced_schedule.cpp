#include "models/traced_schedule.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <utility>

#include "models/clock_law.hpp"
#include "models/gemm_tiles.hpp"
#include "sim/base/check.hpp"

namespace epsim {
namespace {

constexpr std::uint32_t kCompute = 0, kExchange = 1;

Duration quantile(std::vector<Duration> times, double share) {
  std::sort(times.begin(), times.end());
  const auto last = static_cast<double>(times.size() - 1);
  return times[static_cast<std::size_t>(share * last + 0.5)];
}

// What a kernel's name alone does not say, by what it is for.
void add_needs(StepTask& task, const ConstantSet& constants) {
  if (task.kernel_class == KernelClass::copy) return;
  if (task.kernel_class == KernelClass::communication) {
    // A notify kernel moves counts: its few CTAs leave the memory alone.
    const bool moves =
        task.phase != CommunicationPhase::notify && task.phase != CommunicationPhase::layout;
    task.memory_share = moves ? task.cta_count * constants.ratio("exchange_memory") : 0.0;
    task.clock_share = constants.ratio("exchange_clock");
    return;
  }
  const bool is_bound_by_memory = elementwise_elements(task.name, task.cta_count).has_value() ||
                                  task.family == "data movement" || task.family == "elementwise" ||
                                  task.family == "normalisation";
  // What a GEMM takes of the memory's rate leaves room for an exchange (M17: 5 % beside one).
  task.memory_share = is_bound_by_memory ? constants.ratio("elementwise_memory") : 0.0;
  task.clock_share = is_bound_by_memory ? 0.0 : 1.0;
}

// Kernels that are alike: same name, same launch.
using Kind = std::pair<std::string, std::uint32_t>;
Kind kind_of(const StepTask& task) {
  return {task.name, task.cta_count};
}

class TwoBatch {
 public:
  TwoBatch(const GpuStep& step, const StepUnits& units) : step_(step) {
    result_ = step;
    result_.tasks.clear();
    result_.streams = {"compute", "communication"};
    result_.as_recorded = false;
    half_ = units.micro_batches == 1 ? 0.5 : 1.0;
    const std::size_t layers = units.layers();
    for (std::size_t layer = 0; layer < layers; ++layer)
      for (std::uint32_t b = 0; b < 2; ++b) {
        const std::size_t unit = units.micro_batches == 1 ? layer : 2 * layer + b;
        lanes_.at(b).push_back(&units.units[unit]);
      }
  }

  GpuStep take() {
    for (layer_ = 0; layer_ < lanes_[0].size(); ++layer_) {
      for (batch_ = 0; batch_ < 2; ++batch_) {
        append(unit().attention, kCompute);
        dispatched_.at(batch_) = append(unit().dispatch, kExchange, CommunicationPhase::dispatch);
      }
      for (batch_ = 0; batch_ < 2; ++batch_) {
        wait_for(kCompute, dispatched_.at(batch_));
        append(unit().experts, kCompute);
        combined_.at(batch_) = append(unit().combine, kExchange, CommunicationPhase::combine);
      }
      for (batch_ = 0; batch_ < 2; ++batch_) {
        append(unit().shared, kCompute);
        wait_for(kCompute, combined_.at(batch_));
      }
    }
    return std::move(result_);
  }

 private:
  [[nodiscard]] const StepUnit& unit() const { return *lanes_.at(batch_).at(layer_); }

  // What is queued next on `stream` waits for `task`.
  void wait_for(std::uint32_t stream, std::optional<std::uint32_t> task) {
    if (task) pending_.at(stream).push_back(*task);
  }

  // Returns the last one. The first on the exchange stream waits for compute queued so far.
  std::optional<std::uint32_t> append(const std::vector<std::uint32_t>& tasks,
                                      std::uint32_t stream,
                                      CommunicationPhase phase = CommunicationPhase::none) {
    if (tasks.empty()) return std::nullopt;
    if (stream == kExchange) wait_for(kExchange, last_compute_);
    for (const std::uint32_t i : tasks) {
      StepTask task = step_.tasks[i];
      task.stream = stream;
      task.after = std::exchange(pending_.at(stream), {});
      task.layer = static_cast<std::int32_t>(layer_);
      task.micro_batch = static_cast<std::int32_t>(batch_);
      // Some libraries' kernels do not say which of the two they are; their place does.
      if (task.phase == CommunicationPhase::exchange) task.phase = phase;
      if (half_ < 1.0) halve(task);
      result_.tasks.push_back(std::move(task));
    }
    const auto last = static_cast<std::uint32_t>(result_.tasks.size() - 1);
    if (stream == kCompute) last_compute_ = last;
    return last;
  }

  void halve(StepTask& task) const {
    task.time = from_us(half_ * to_us(task.time));
    task.tile_count = (task.tile_count + 1) / 2;
    // CTAs of an exchange and of a persistent kernel are the library's choice.
    if (!task.is_persistent && task.kernel_class == KernelClass::compute)
      task.cta_count = (task.cta_count + 1) / 2;
  }

  const GpuStep& step_;
  GpuStep result_;
  double half_ = 1.0;
  std::array<std::vector<const StepUnit*>, 2> lanes_;
  std::size_t layer_ = 0;
  std::uint32_t batch_ = 0;
  std::array<std::optional<std::uint32_t>, 2> dispatched_, combined_;
  std::array<std::vector<std::uint32_t>, 2> pending_;
  std::optional<std::uint32_t> last_compute_;
};

}  // namespace

GpuStep step_alone(const std::vector<GpuStep>& steps, const ConstantSet& constants) {
  check(!steps.empty(), "there is a step");
  GpuStep alone = steps.back();
  alone.as_recorded = false;
  std::map<Kind, std::vector<Duration>> gaps, exchanges;
  for (const GpuStep& step : steps)
    for (const StepTask& task : step.tasks) {
      gaps[kind_of(task)].push_back(task.gap);
      if (task.kernel_class == KernelClass::communication)
        exchanges[kind_of(task)].push_back(task.time);
    }
  constexpr double kQuick = 0.25;
  for (std::size_t i = 0; i < alone.tasks.size(); ++i) {
    StepTask& task = alone.tasks[i];
    std::vector<Duration> times;
    for (const GpuStep& step : steps)
      if (step.tasks.size() == alone.tasks.size() && step.tasks[i].name == task.name)
        times.push_back(step.tasks[i].time);
    task.time = task.kernel_class == KernelClass::communication
                    ? quantile(exchanges.at(kind_of(task)), kQuick)
                    : quantile(times, 0.5);
    task.gap = quantile(gaps.at(kind_of(task)), kQuick);
    task.launch = {};
    task.place = static_cast<std::uint32_t>(i);
    add_needs(task, constants);
  }
  find_tiles(alone);
  return alone;
}

GpuStep two_batch_schedule(const GpuStep& step, const StepUnits& units) {
  return TwoBatch(step, units).take();
}

GpuStep serial_schedule(const GpuStep& step, const StepUnits& units) {
  GpuStep result = step;
  result.tasks.clear();
  result.streams = {"compute"};
  result.as_recorded = false;
  for (const StepUnit& unit : units.units)
    for (const std::vector<std::uint32_t>* part :
         {&unit.attention, &unit.dispatch, &unit.experts, &unit.combine, &unit.shared})
      for (const std::uint32_t i : *part) {
        result.tasks.push_back(step.tasks[i]);
        result.tasks.back().stream = 0;
        result.tasks.back().after.clear();
      }
  return result;
}

}  // namespace epsim
