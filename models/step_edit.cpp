#include "models/step_edit.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "sim/base/check.hpp"

namespace epsim {
namespace {

constexpr std::uint32_t kNone = 0xffff'ffff;

// Keeps of each stream the last task alone: its stream's order implies the others.
void add_wait(GpuStep& step, std::uint32_t consumer, std::uint32_t producer) {
  check(producer < consumer, "a task waits for an earlier one");
  const std::uint32_t stream = step.tasks[producer].stream;
  if (stream == step.tasks[consumer].stream) return;
  for (std::uint32_t& known : step.tasks[consumer].after)
    if (step.tasks[known].stream == stream) {
      known = std::max(known, producer);
      return;
    }
  step.tasks[consumer].after.push_back(producer);
}

// The task before each on its stream; kNone for the first.
std::vector<std::uint32_t> stream_predecessors(const GpuStep& step) {
  std::vector<std::uint32_t> before(step.tasks.size()), last(step.streams.size(), kNone);
  for (std::uint32_t i = 0; i < step.tasks.size(); ++i)
    before[i] = std::exchange(last[step.tasks[i].stream], i);
  return before;
}

// Of each task the next on its stream that `is_wanted`; kNone where there is none.
std::vector<std::uint32_t> stream_successors(const GpuStep& step, const TaskChoice* is_wanted) {
  std::vector<std::uint32_t> next(step.tasks.size()), first(step.streams.size(), kNone);
  for (auto i = static_cast<std::uint32_t>(step.tasks.size()); i-- > 0;) {
    std::uint32_t& known = first[step.tasks[i].stream];
    next[i] = known;
    if (is_wanted == nullptr || (*is_wanted)[i]) known = i;
  }
  return next;
}

std::uint32_t stream_of_name(GpuStep& step, const std::string& name) {
  const auto found = std::find(step.streams.begin(), step.streams.end(), name);
  if (found == step.streams.end()) {
    step.streams.push_back(name);
    return static_cast<std::uint32_t>(step.streams.size() - 1);
  }
  return static_cast<std::uint32_t>(found - step.streams.begin());
}

// Waits again, now that streams have changed: none within a stream, one a stream.
void tidy_waits(GpuStep& step) {
  for (std::uint32_t i = 0; i < step.tasks.size(); ++i)
    for (const std::uint32_t producer : std::exchange(step.tasks[i].after, {}))
      add_wait(step, i, producer);
}

}  // namespace

MoveCounts move_to_stream(GpuStep& step,
                          const TaskChoice& chosen,
                          const std::string& stream,
                          const std::optional<TaskChoice>& consumers) {
  const std::vector<std::uint32_t> before = stream_predecessors(step);
  const std::vector<std::uint32_t> next =
      stream_successors(step, consumers ? &*consumers : nullptr);
  const std::uint32_t target = stream_of_name(step, stream);
  MoveCounts counts;
  std::vector<std::uint32_t> moved;
  for (std::uint32_t i = 0; i < step.tasks.size(); ++i)
    if (chosen[i] && step.tasks[i].stream != target) moved.push_back(i);
  for (const std::uint32_t i : moved) step.tasks[i].stream = target;
  tidy_waits(step);
  for (const std::uint32_t i : moved) {
    ++counts.moved;
    if (before[i] != kNone && step.tasks[before[i]].stream != target) {
      add_wait(step, i, before[i]);
      ++counts.waits_for_producers;
    }
    if (next[i] == kNone) {
      ++counts.without_consumer;
    } else if (step.tasks[next[i]].stream != target) {
      add_wait(step, next[i], i);
      ++counts.waits_of_consumers;
    }
  }
  return counts;
}

void remove_tasks(GpuStep& step, const TaskChoice& chosen) {
  // What whoever waits for a task really waits for: the task itself, or if it goes, what it waited
  // for, in the numbers of the tasks that stay.
  std::vector<std::vector<std::uint32_t>> stands_for(step.tasks.size());
  const std::vector<std::uint32_t> before = stream_predecessors(step);
  std::vector<StepTask> old_tasks = std::exchange(step.tasks, {});
  // Waits of removed tasks pass to the next that stays on their stream.
  std::vector<std::vector<std::uint32_t>> passed_on(step.streams.size());
  for (std::uint32_t i = 0; i < old_tasks.size(); ++i) {
    StepTask& task = old_tasks[i];
    std::vector<std::uint32_t> waits = std::exchange(passed_on[task.stream], {});
    for (const std::uint32_t producer : task.after)
      waits.insert(waits.end(), stands_for[producer].begin(), stands_for[producer].end());
    if (chosen[i]) {
      passed_on[task.stream] = waits;
      if (before[i] != kNone)
        waits.insert(waits.end(), stands_for[before[i]].begin(), stands_for[before[i]].end());
      std::sort(waits.begin(), waits.end());
      waits.erase(std::unique(waits.begin(), waits.end()), waits.end());
      stands_for[i] = std::move(waits);
      continue;
    }
    const auto number = static_cast<std::uint32_t>(step.tasks.size());
    stands_for[i] = {number};
    task.after.clear();
    step.tasks.push_back(std::move(task));
    for (const std::uint32_t producer : waits) add_wait(step, number, producer);
  }
}

void insert_beside(GpuStep& step,
                   const TaskChoice& chosen,
                   InsertPlace place,
                   const std::string& name,
                   Duration time) {
  std::vector<std::uint32_t> end_of(step.tasks.size());  // who stands for a task's end now
  std::vector<StepTask> old_tasks = std::exchange(step.tasks, {});
  const auto insert = [&](const StepTask& beside) {
    StepTask task;
    task.name = name;
    task.kernel_class = KernelClass::copy;  // neither compute nor communication
    task.family = "inserted";
    task.stream = beside.stream;
    task.time = time;
    task.launch = beside.launch;
    task.layer = beside.layer;
    task.micro_batch = beside.micro_batch;
    step.tasks.push_back(std::move(task));
  };
  for (std::size_t i = 0; i < old_tasks.size(); ++i) {
    StepTask& task = old_tasks[i];
    for (std::uint32_t& producer : task.after) producer = end_of[producer];
    if (chosen[i] && place == InsertPlace::before) {
      insert(task);
      step.tasks.back().after = std::exchange(task.after, {});
    }
    step.tasks.push_back(std::move(task));
    if (chosen[i] && place == InsertPlace::after) {
      const StepTask beside = step.tasks.back();  // a copy: the vector may move
      insert(beside);
    }
    end_of[i] = static_cast<std::uint32_t>(step.tasks.size() - 1);
  }
}

void set_cta_count(GpuStep& step,
                   const TaskChoice& chosen,
                   std::uint32_t count,
                   CtaLaw law,
                   std::uint32_t saturates_at) {
  check(count > 0, "a kernel has blocks");
  check(law != CtaLaw::saturating || saturates_at > 0, "a rate saturates from one block on");
  const auto useful = [&](std::uint32_t ctas) {
    return law == CtaLaw::saturating ? std::min(ctas, saturates_at) : ctas;
  };
  for (std::size_t i = 0; i < step.tasks.size(); ++i) {
    StepTask& task = step.tasks[i];
    if (!chosen[i] || task.cta_count == 0) continue;
    const std::uint32_t old_count = std::exchange(task.cta_count, count);
    if (law == CtaLaw::left) continue;
    const double factor = static_cast<double>(useful(old_count)) / useful(count);
    const Duration work = task.time - task.skew;
    task.time = task.skew + Duration{std::llround(static_cast<double>(work.count()) * factor)};
    task.memory_share = std::min(1.0, task.memory_share / factor);
    task.link_share = std::min(1.0, task.link_share / factor);
  }
}

void check_step(const GpuStep& step) {
  for (std::size_t i = 0; i < step.tasks.size(); ++i) {
    check(step.tasks[i].stream < step.streams.size(), "a task's stream exists");
    for (const std::uint32_t producer : step.tasks[i].after) {
      check(producer < i, "a task waits for earlier ones");
      check(step.tasks[producer].stream != step.tasks[i].stream, "a wait is between streams");
    }
  }
}

}  // namespace epsim
