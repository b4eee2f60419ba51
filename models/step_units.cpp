#include "models/step_units.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

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

class UnitFinder {
 public:
  UnitFinder(const GpuStep& step, const std::string& file)
      : step_(step), file_(file), found_(stretches_of(step)) {
    if (found_.exchanges.empty() || found_.exchanges.size() % 2 != 0)
      fail(fmt::format(
          "expected dispatches and combines in turns, to tell layers by them; found {} exchanges",
          found_.exchanges.size()));
    units_.resize(found_.exchanges.size() / 2);
    units_.front().attention = found_.between.front();
  }

  // Attention, attention, experts, experts: what two micro-batches in turns begin with. Of a layer
  // of its own, experts follow attention, with other kernels.
  [[nodiscard]] bool takes_turns() const {
    if (found_.exchanges.size() % 4 != 0 || !is_alike(found_.between[0], found_.between[1]))
      return false;
    const std::vector<std::uint32_t> one = compute_of(step_, found_.between[0]);
    const std::vector<std::uint32_t> other = compute_of(step_, found_.between[1]);
    std::size_t same = 0;
    for (std::size_t i = 0; i < one.size(); ++i)
      if (step_.tasks[one[i]].name == step_.tasks[other[i]].name &&
          step_.tasks[one[i]].cta_count == step_.tasks[other[i]].cta_count)
        ++same;
    return 4 * same >= 3 * one.size();
  }

  std::vector<StepUnit> one_by_one() {
    for (std::size_t u = 0; u < units_.size(); ++u) {
      set_exchanges(units_[u], 2 * u, 2 * u + 1);
      units_[u].experts = found_.between[2 * u + 1];
      const auto [shared, next] = split(2 * u + 2, u + 1 == units_.size());
      units_[u].shared = shared;
      if (u + 1 < units_.size()) units_[u + 1].attention = next;
    }
    return std::move(units_);
  }

  std::vector<StepUnit> in_turns() {
    for (std::size_t u = 0; u < units_.size(); u += 2) {
      const std::size_t first = 2 * u;  // exchange of the layer
      StepUnit &one = units_[u], &other = units_[u + 1];
      set_exchanges(one, first, first + 2);
      set_exchanges(other, first + 1, first + 3);
      other.attention = found_.between[first + 1];
      one.experts = found_.between[first + 2];
      other.experts = found_.between[first + 3];
      const auto [shared, next] = split(first + 4, u + 2 == units_.size());
      const auto middle = shared.begin() + std::ssize(shared) / 2;
      one.shared.assign(shared.begin(), middle);
      other.shared.assign(middle, shared.end());
      if (!compute_of(step_, shared).empty() && !is_alike(one.shared, other.shared))
        fail(
            fmt::format("expected both micro-batches to end a layer alike; behind exchange {} they "
                        "do not",
                        first + 4));
      if (u + 2 < units_.size()) units_[u + 2].attention = next;
    }
    return std::move(units_);
  }

 private:
  [[noreturn]] void fail(const std::string& what) const { throw InputError(file_, "", what); }

  [[nodiscard]] bool is_alike(const std::vector<std::uint32_t>& a,
                              const std::vector<std::uint32_t>& b) const {
    const std::vector<std::uint32_t> left = compute_of(step_, a), right = compute_of(step_, b);
    return !left.empty() && std::equal(left.begin(),
                                       left.end(),
                                       right.begin(),
                                       right.end(),
                                       [&](std::uint32_t x, std::uint32_t y) {
                                         return step_.tasks[x].family == step_.tasks[y].family;
                                       });
  }

  void set_exchanges(StepUnit& unit, std::size_t dispatch, std::size_t combine) const {
    unit.dispatch = found_.exchanges[dispatch];
    unit.combine = found_.exchanges[combine];
    if (phase_of(step_, unit.dispatch) == CommunicationPhase::combine ||
        phase_of(step_, unit.combine) == CommunicationPhase::dispatch)
      fail(fmt::format("expected a dispatch, then a combine; exchanges {} and {} take no such turn",
                       dispatch + 1,
                       combine + 1));
  }

  // What lies behind exchange `e`: the end of a layer, and the attention of the next one.
  [[nodiscard]] std::pair<std::vector<std::uint32_t>, std::vector<std::uint32_t>> split(
      std::size_t e, bool is_last) const {
    const std::vector<std::uint32_t>& behind = found_.between[e];
    if (is_last) return {behind, {}};
    const std::size_t at = attention_start(step_, found_.between.front(), behind);
    if (at == behind.size())
      fail(fmt::format(
          "expected every layer to begin as the first does; behind exchange {} none does", e));
    const auto middle = behind.begin() + static_cast<std::ptrdiff_t>(at);
    return {{behind.begin(), middle}, {middle, behind.end()}};
  }

  const GpuStep& step_;
  const std::string& file_;
  Stretches found_;
  std::vector<StepUnit> units_;
};

std::string evidence_of(const StepUnits& found, std::uint32_t asked) {
  const std::string layers =
      fmt::format("{} layer{}", found.layers(), found.layers() == 1 ? "" : "s");
  const std::string exchanges =
      fmt::format("{} dispatches and combines in turns: ", found.units.size());
  if (found.takes_turns)
    return exchanges + layers + ", two micro-batches that take turns within each";
  if (asked == 0 && found.micro_batches == 1) return exchanges + layers + ", not split";
  return exchanges + fmt::format("{} of {} micro-batch{}{}",
                                 layers,
                                 found.micro_batches,
                                 found.micro_batches == 1 ? "" : "es",
                                 asked > 0 ? "" : " (taken from their even number)");
}

}  // namespace

StepUnits find_units(const GpuStep& step, std::uint32_t micro_batches, const std::string& file) {
  UnitFinder finder(step, file);
  StepUnits result{.units = {}, .takes_turns = finder.takes_turns(), .evidence = {}};
  result.units = result.takes_turns ? finder.in_turns() : finder.one_by_one();
  const bool is_even = result.units.size() % 2 == 0;
  if (micro_batches == 2 && !is_even)
    throw InputError(file,
                     "",
                     fmt::format("expected an even number of units for 2 micro-batches, found {}",
                                 result.units.size()));
  if (micro_batches == 1 && result.takes_turns)
    throw InputError(file, "", "expected one micro-batch, found two that take turns");
  result.micro_batches = micro_batches > 0 ? micro_batches : (is_even ? 2 : 1);
  result.evidence = evidence_of(result, micro_batches);
  return result;
}

}  // namespace epsim
