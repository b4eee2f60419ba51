#include "models/step_split.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "sim/base/input_error.hpp"
#include "sim/base/quantity_text.hpp"

namespace epsim {
namespace {

constexpr std::string_view kStepAnnotation = "ProfilerStep#";
// Tuners choose another kernel now and then; more than this and it is not the same program.
constexpr double kMostMismatches = 0.02;
// A pause that sets steps apart exceeds the longest between layers by this at least.
constexpr double kClearlyLonger = 1.05;

using Token = std::pair<std::uint32_t, std::uint32_t>;  // stream, name

std::vector<Token> tokens_of(const GpuTrace& trace, const std::vector<QueuedActivity>& order) {
  std::vector<Token> tokens;
  tokens.reserve(order.size());
  for (const QueuedActivity& queued : order) {
    const GpuActivity& activity = trace.activities[queued.activity];
    tokens.emplace_back(activity.stream, activity.name);
  }
  return tokens;
}

// Ranges by the host's annotations of steps: the first range of each name, since a dump may mirror
// it on the GPU's clock.
std::vector<StepRange> annotated_steps(const GpuTrace& trace,
                                       const std::vector<QueuedActivity>& order) {
  std::vector<StepRange> steps;
  std::set<std::uint32_t> seen;
  for (const TraceRange& range : trace.ranges) {
    if (!trace.names[range.name].starts_with(kStepAnnotation)) continue;
    if (!seen.insert(range.name).second) continue;
    const auto place = [&](Instant at) {
      return static_cast<std::size_t>(
          std::lower_bound(order.begin(),
                           order.end(),
                           at,
                           [](const QueuedActivity& a, Instant b) { return a.called < b; }) -
          order.begin());
    };
    const StepRange step{.first = place(range.start), .last = place(range.start + range.time)};
    const bool is_after = steps.empty() || step.first >= steps.back().last;
    if (step.first < step.last && is_after) steps.push_back(step);
  }
  return steps;
}

bool repeats_after(const std::vector<Token>& tokens, std::size_t period) {
  const std::size_t compared = tokens.size() - period;
  const auto allowed = static_cast<std::size_t>(kMostMismatches * static_cast<double>(compared));
  std::size_t mismatches = 0;
  for (std::size_t i = 0; i < compared; ++i)
    if (tokens[i] != tokens[i + period] && ++mismatches > allowed) return false;
  return true;
}

// The least period of the tokens, which is a distance between two of the rarest; their number when
// nothing repeats.
std::size_t period_of(const std::vector<Token>& tokens) {
  std::map<Token, std::vector<std::size_t>> places;
  for (std::size_t i = 0; i < tokens.size(); ++i) places[tokens[i]].push_back(i);
  const std::vector<std::size_t>* rarest = nullptr;
  for (const auto& [token, where] : places)
    if (where.size() > 1 && (rarest == nullptr || where.size() < rarest->size())) rarest = &where;
  if (rarest == nullptr) return tokens.size();
  for (std::size_t i = 1; i < rarest->size(); ++i) {
    const std::size_t period = (*rarest)[i] - rarest->front();
    if (2 * period > tokens.size()) break;
    if (repeats_after(tokens, period)) return period;
  }
  return tokens.size();
}

// Steps of `size` activities each, and what the host does between two neighbours.
class Boundaries {
 public:
  Boundaries(const GpuTrace& trace, const std::vector<QueuedActivity>& order, std::size_t period)
      : order_(order), period_(period), count_(order.size() / period) {
    std::vector<Instant> synchronised;
    for (const HostCall& call : trace.calls)
      if (call.kind == HostCallKind::synchronize) synchronised.push_back(call.start);
    for (std::size_t i = 1; i < count_; ++i) {
      const Instant from = order[i * period - 1].called, to = order[i * period].called;
      const auto next = std::lower_bound(synchronised.begin(), synchronised.end(), from);
      has_sync_.push_back(next != synchronised.end() && *next < to);
      pause_.push_back(pause_before(i * period));
    }
  }

  [[nodiscard]] std::size_t count() const { return count_; }

  // The number of steps that the host's behaviour shows, and how; 0 where it shows none. First come
  // the plain signs; a pause that is long only beside most others is the last.
  [[nodiscard]] std::pair<std::size_t, std::string> step_count() const {
    for (const Sign sign : {Sign::synchronised, Sign::paused, Sign::mostly_paused})
      for (std::size_t steps = 2; steps <= count_; ++steps) {
        if (count_ % steps != 0) continue;
        std::string evidence =
            sign == Sign::synchronised ? synchronised(steps) : paused(steps, sign);
        if (!evidence.empty()) return {steps, std::move(evidence)};
      }
    return {0, ""};
  }

 private:
  enum class Sign : std::uint8_t { synchronised, paused, mostly_paused };

  [[nodiscard]] bool is_step(std::size_t boundary, std::size_t steps) const {
    return (boundary + 1) % (count_ / steps) == 0;
  }

  [[nodiscard]] Duration pause_before(std::size_t place) const {
    if (order_[place].call == kNoCall || order_[place].call == order_[place - 1].call) return {};
    return order_[place].called - order_[place - 1].queued;
  }

  [[nodiscard]] std::string synchronised(std::size_t steps) const {
    for (std::size_t i = 0; i < has_sync_.size(); ++i)
      if (has_sync_[i] != is_step(i, steps)) return "";
    return fmt::format("the host synchronises between {} steps", steps);
  }

  [[nodiscard]] std::string paused(std::size_t steps, Sign sign) const {
    Duration shortest = Duration::max();
    std::vector<Duration> others;
    for (std::size_t i = 0; i < pause_.size(); ++i)
      if (is_step(i, steps))
        shortest = std::min(shortest, pause_[i]);
      else
        others.push_back(pause_[i]);
    if (steps == count_ && sign == Sign::paused) others = pauses_inside();
    if (others.empty() || shortest <= Duration{0}) return "";
    std::sort(others.begin(), others.end());
    const bool is_weak = sign == Sign::mostly_paused;
    const Duration other = is_weak ? others[others.size() / 2] : others.back();
    if (static_cast<double>(shortest.count()) <=
        kClearlyLonger * static_cast<double>(other.count()))
      return "";
    return fmt::format("the host pauses {} or more between {} steps, {} {} {}{}",
                       to_text(shortest),
                       steps,
                       to_text(other),
                       is_weak ? "in the median" : "at most",
                       steps == count_ ? "within them" : "between their layers",
                       is_weak ? ": a weak sign" : "");
  }

  // The pauses inside a repeat, each the median over the repeats.
  [[nodiscard]] std::vector<Duration> pauses_inside() const {
    std::vector<Duration> medians, same_place(count_);
    for (std::size_t place = 1; place < period_; ++place) {
      for (std::size_t i = 0; i < count_; ++i) same_place[i] = pause_before(i * period_ + place);
      const auto middle = same_place.begin() + static_cast<std::ptrdiff_t>(count_ / 2);
      std::nth_element(same_place.begin(), middle, same_place.end());
      medians.push_back(*middle);
    }
    return medians;
  }

  const std::vector<QueuedActivity>& order_;
  std::size_t period_, count_;
  std::vector<bool> has_sync_;   // one a boundary between repeats
  std::vector<Duration> pause_;  // of the host there
};

bool are_equal(const std::vector<Token>& tokens, const std::vector<StepRange>& steps) {
  for (const StepRange& step : steps) {
    if (step.last - step.first != steps[0].last - steps[0].first) return false;
    for (std::size_t i = step.first; i < step.last; ++i)
      if (tokens[i] != tokens[i - step.first + steps[0].first]) return false;
  }
  return steps.size() > 1;
}

StepSplit equal_steps(const std::vector<Token>& tokens,
                      std::size_t steps,
                      std::size_t size,
                      std::string evidence) {
  StepSplit split;
  split.evidence = std::move(evidence);
  for (std::size_t i = 0; i < steps; ++i)
    split.steps.push_back({.first = i * size, .last = (i + 1) * size});
  split.is_repeating = are_equal(tokens, split.steps);
  return split;
}

}  // namespace

StepSplit split_steps(const GpuTrace& trace,
                      const std::vector<QueuedActivity>& order,
                      std::uint32_t step_count) {
  if (order.empty()) return {};
  const std::vector<Token> tokens = tokens_of(trace, order);
  if (step_count == 0) {
    StepSplit split;
    split.steps = annotated_steps(trace, order);
    if (!split.steps.empty()) {
      split.evidence = fmt::format("annotated as {}n", kStepAnnotation);
      split.is_repeating = are_equal(tokens, split.steps);
      return split;
    }
  }
  const std::size_t period = period_of(tokens);
  const std::size_t repeats = order.size() / period;
  if (step_count > 0) {
    if (repeats % step_count != 0)
      throw InputError(
          trace.file,
          "",
          fmt::format("expected {} equal steps, found {} activities that repeat {} times",
                      step_count,
                      order.size(),
                      repeats));
    return equal_steps(
        tokens, step_count, repeats / step_count * period, "the number of steps was given");
  }
  if (repeats > 1) {
    const Boundaries boundaries(trace, order, period);
    const auto [steps, evidence] = boundaries.step_count();
    if (steps > 0) return equal_steps(tokens, steps, repeats / steps * period, evidence);
  }
  return equal_steps(tokens, 1, order.size(), "nothing sets steps apart: all is taken for one");
}

}  // namespace epsim
