#include "models/step_units.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "sim/base/input_error.hpp"

namespace epsim {
namespace {

bool is_exchange(const StepTask& task) {
  if (task.kernel_class != KernelClass::communication) return false;
  switch (task.phase) {
    case CommunicationPhase::dispatch:
    case CommunicationPhase::combine:
    case CommunicationPhase::exchange:
    case CommunicationPhase::notify:
      return true;
    default:
      return false;  // other collectives stay where they are
  }
}

// Stretches of the step: exchanges, and what lies before, between and behind them.
struct Stretches {
  std::vector<std::vector<std::uint32_t>> exchanges;  // each one or more kernels
  std::vector<std::vector<std::uint32_t>> between;    // one more than exchanges
};

// Kernels of one exchange (a notify kernel, then the exchange) follow each other without compute;
// copies among them are its own.
Stretches stretches_of(const GpuStep& step) {
  Stretches found{.exchanges = {}, .between = {{}}};
  bool is_open = false;
  for (std::uint32_t i = 0; i < step.tasks.size(); ++i) {
    const StepTask& task = step.tasks[i];
    if (!is_exchange(task)) {
      is_open = is_open && task.kernel_class == KernelClass::copy;
      found.between.back().push_back(i);
      continue;
    }
    if (is_open) {
      std::vector<std::uint32_t>& copies = found.between.back();
      found.exchanges.back().insert(found.exchanges.back().end(), copies.begin(), copies.end());
      copies.clear();
    } else {
      found.exchanges.emplace_back();
      found.between.emplace_back();
    }
    found.exchanges.back().push_back(i);
    is_open = true;
  }
  return found;
}

// Phase that the kernels of an exchange tell, if they do.
CommunicationPhase phase_of(const GpuStep& step, const std::vector<std::uint32_t>& exchange) {
  for (const std::uint32_t i : exchange)
    if (step.tasks[i].phase == CommunicationPhase::dispatch ||
        step.tasks[i].phase == CommunicationPhase::combine)
      return step.tasks[i].phase;
  return CommunicationPhase::exchange;
}

std::vector<std::uint32_t> compute_of(const GpuStep& step,
                                      const std::vector<std::uint32_t>& stretch) {
  std::vector<std::uint32_t> found;
  for (const std::uint32_t i : stretch)
    if (step.tasks[i].kernel_class == KernelClass::compute) found.push_back(i);
  return found;
}

// Where in `stretch` the attention of the next unit begins: the kernels of the step's own first
// stretch, which is attention alone, end it.
std::size_t attention_start(const GpuStep& step,
                            const std::vector<std::uint32_t>& attention,
                            const std::vector<std::uint32_t>& stretch) {
  const std::vector<std::uint32_t> model = compute_of(step, attention);
  const std::vector<std::uint32_t> kernels = compute_of(step, stretch);
  if (model.size() > kernels.size()) return stretch.size();
  const std::size_t offset = kernels.size() - model.size();
  // Libraries may choose another tile for the same GEMM, so most of the names decide.
  std::size_t alike = 0;
  for (std::size_t k = 0; k < model.size(); ++k)
    if (step.tasks[model[k]].family == step.tasks[kernels[offset + k]].family) ++alike;
  if (alike < model.size()) return stretch.size();
  const auto first = std::find(stretch.begin(), stretch.end(), kernels[offset]);
  std::size_t at = static_cast<std::size_t>(first - stretch.begin());
  // Copies and fills directly in front of a kernel are its own.
  while (at > 0 && step.tasks[stretch[at - 1]].kernel_class == KernelClass::copy) --at;
  return at;
}

}  // namespace

StepUnits find_units(const GpuStep& step, std::uint32_t micro_batches, const std::string& file) {
  const Stretches found = stretches_of(step);
  const auto fail = [&](const std::string& what) { throw InputError(file, "", what); };
  if (found.exchanges.empty() || found.exchanges.size() % 2 != 0)
    fail(fmt::format(
        "expected dispatches and combines in turns, to tell layers by them; found {} exchanges",
        found.exchanges.size()));
  StepUnits result{.units = std::vector<StepUnit>(found.exchanges.size() / 2), .evidence = {}};
  result.units.front().attention = found.between.front();
  for (std::size_t u = 0; u < result.units.size(); ++u) {
    StepUnit& unit = result.units[u];
    unit.dispatch = found.exchanges[2 * u];
    unit.experts = found.between[2 * u + 1];
    unit.combine = found.exchanges[2 * u + 1];
    if (phase_of(step, unit.dispatch) == CommunicationPhase::combine ||
        phase_of(step, unit.combine) == CommunicationPhase::dispatch)
      fail(fmt::format("expected a dispatch, then a combine; exchanges {} and {} take no such turn",
                       2 * u + 1,
                       2 * u + 2));
    const std::vector<std::uint32_t>& behind = found.between[2 * u + 2];
    if (u + 1 == result.units.size()) {
      unit.shared = behind;
      continue;
    }
    const std::size_t split = attention_start(step, found.between.front(), behind);
    if (split == behind.size())
      fail(fmt::format(
          "expected every layer to begin as the first does; behind exchange {} none does",
          2 * u + 2));
    const auto middle = behind.begin() + static_cast<std::ptrdiff_t>(split);
    unit.shared.assign(behind.begin(), middle);
    result.units[u + 1].attention.assign(middle, behind.end());
  }
  const bool is_even = result.units.size() % 2 == 0;
  if (micro_batches == 2 && !is_even)
    fail(fmt::format("expected an even number of units for 2 micro-batches, found {}",
                     result.units.size()));
  result.micro_batches = micro_batches > 0 ? micro_batches : (is_even ? 2 : 1);
  result.evidence =
      fmt::format("{} dispatches and combines in turns: {} layer{} of {} micro-batch{}{}",
                  result.units.size(),
                  result.layers(),
                  result.layers() == 1 ? "" : "s",
                  result.micro_batches,
                  result.micro_batches == 1 ? "" : "es",
                  micro_batches > 0 ? "" : " (taken from their even number)");
  if (micro_batches == 0 && !is_even)
    result.evidence = fmt::format("{} dispatches and combines in turns: {} layers, not split",
                                  result.units.size(),
                                  result.layers());
  return result;
}

}  // namespace epsim
