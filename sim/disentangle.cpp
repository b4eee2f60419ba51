#include "sim/disentangle.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <utility>
#include <vector>

#include "models/gemm_tiles.hpp"
#include "models/traced_schedule.hpp"
#include "sim/step_run.hpp"

namespace epsim {
namespace {

constexpr int kPasses = 5;

// Part of a unit and index in it: what tasks of different layers and micro-batches share.
using Place = std::pair<std::uint32_t, std::size_t>;

std::map<Place, std::vector<std::uint32_t>> places_of(const StepUnits& units) {
  std::map<Place, std::vector<std::uint32_t>> places;
  for (const StepUnit& unit : units.units) {
    const std::array parts = {
        &unit.attention, &unit.dispatch, &unit.experts, &unit.combine, &unit.shared};
    for (std::uint32_t part = 0; part < parts.size(); ++part)
      for (std::size_t i = 0; i < parts[part]->size(); ++i)
        places[{part, i}].push_back((*parts[part])[i]);
  }
  return places;
}

// Of the tasks at one place.
double typical_us(const GpuStep& step,
                  const std::vector<std::uint32_t>& tasks,
                  const std::vector<double>& us) {
  std::vector<double> times;
  for (const std::uint32_t task : tasks) times.push_back(us[task]);
  std::sort(times.begin(), times.end());
  const bool exchanges = step.tasks[tasks.front()].kernel_class == KernelClass::communication;
  return exchanges ? times.front() : times[times.size() / 2];
}

// Of each task of the recorded step, as the two-batch schedule plays it.
std::vector<double> played_us(const GpuStep& step,
                              const StepUnits& units,
                              const ConstantSet& constants) {
  GpuStep schedule = two_batch_schedule(step, units);
  schedule.rank_count = 1;  // waits for peers are not the tasks' own
  const StepRun run = run_step(schedule, constants);
  std::vector<double> us(step.tasks.size(), 0.0);
  for (std::size_t i = 0; i < schedule.tasks.size(); ++i)
    us[schedule.tasks[i].place] = to_us(run.end[i] - run.start[i]);
  return us;
}

}  // namespace

GpuStep disentangled(const GpuStep& step, const StepUnits& units, const ConstantSet& constants) {
  const auto places = places_of(units);
  std::vector<double> recorded_us;
  for (const StepTask& task : step.tasks) recorded_us.push_back(to_us(task.time));
  GpuStep alone = step;
  std::map<Place, double> guess;
  for (const auto& [place, tasks] : places) guess[place] = typical_us(step, tasks, recorded_us);
  for (int pass = 0; pass <= kPasses; ++pass) {
    for (const auto& [place, tasks] : places)
      for (const std::uint32_t task : tasks) alone.tasks[task].time = from_us(guess[place]);
    for (StepTask& task : alone.tasks) task.tile_count = 0;
    find_tiles(alone);
    if (pass == kPasses) break;
    const std::vector<double> us = played_us(alone, units, constants);
    for (const auto& [place, tasks] : places) {
      const double played = typical_us(step, tasks, us);
      if (played <= 0) continue;
      // No task is quicker beside others, and none has been seen to take thrice its time.
      guess[place] *= std::clamp(typical_us(step, tasks, recorded_us) / played, 1.0 / 3.0, 1.5);
      guess[place] = std::min(guess[place], typical_us(step, tasks, recorded_us));
    }
  }
  return alone;
}

}  // namespace epsim
