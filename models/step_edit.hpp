// Step edits: a GpuStep with some of its tasks changed, the order of data kept.
//
// Each wait is for an earlier task and each stream runs its tasks in order, so that a step stays
// free of cycles whatever is edited. What holds data in order is the stream that a task came from:
// an edit that takes a task away or moves it puts waits where the stream's order was.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "models/gpu_step.hpp"
#include "sim/base/units.hpp"

namespace epsim {

// One a task: whether an edit means it.
using TaskChoice = std::vector<bool>;

// What came of a move.
struct MoveCounts {
  std::uint32_t moved = 0;
  std::uint32_t waits_for_producers = 0, waits_of_consumers = 0;
  std::uint32_t without_consumer = 0;  // nothing later on their stream that could be one
};

// Moves the chosen tasks to the stream of that name, which is made where it is not there. Each
// waits for the task before it on its old stream; its consumer, the next of `consumers` on the old
// stream, or without any the next task there, waits for it.
MoveCounts move_to_stream(GpuStep& step,
                          const TaskChoice& chosen,
                          const std::string& stream,
                          const std::optional<TaskChoice>& consumers);

// Takes the chosen tasks out. Who waited for one waits for what it waited for.
void remove_tasks(GpuStep& step, const TaskChoice& chosen);

enum class InsertPlace : std::uint8_t { before, after };

// Puts a task of that name and time, which needs no SM, on the stream of each chosen one. Before:
// it takes over the waits; after: who waited for the chosen task waits for it.
void insert_beside(GpuStep& step,
                   const TaskChoice& chosen,
                   InsertPlace place,
                   const std::string& name,
                   Duration time);

// What a kernel's time does when its number of blocks changes.
enum class CtaLaw : std::uint8_t {
  left,        // nothing
  inverse,     // halves when they double
  saturating,  // as inverse up to a number of blocks, nothing beyond
};

// Gives the chosen kernels `count` blocks. What they wait for peers stays; shares of memory and
// links follow, since the bytes are the same.
void set_cta_count(GpuStep& step,
                   const TaskChoice& chosen,
                   std::uint32_t count,
                   CtaLaw law,
                   std::uint32_t saturates_at);

// Holds for every step: streams exist and waits are for earlier tasks of other streams. A Bug else.
void check_step(const GpuStep& step);

}  // namespace epsim
