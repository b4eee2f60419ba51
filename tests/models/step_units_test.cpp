#include "models/step_units.hpp"

#include <string>

#include <doctest/doctest.h>

#include "models/traced_schedule.hpp"
#include "sim/base/input_error.hpp"
#include "sim/base/rng.hpp"
#include "tests/support/hand_made_units.hpp"
#include "tests/support/seeds.hpp"

using namespace epsim;

namespace {

void check_unit(const StepUnit& found, const StepUnit& expected) {
  CHECK(found.attention == expected.attention);
  CHECK(found.dispatch == expected.dispatch);
  CHECK(found.experts == expected.experts);
  CHECK(found.combine == expected.combine);
  CHECK(found.shared == expected.shared);
}

std::string complaint(HandMadeStep& made, std::uint32_t micro_batches = 0) {
  try {
    (void)find_units(made.step(), micro_batches, "dump.json");
  } catch (const InputError& error) {
    return error.what();
  }
  return "none";
}

bool tells(const std::string& text, const std::string& what) {
  return text.starts_with("dump.json") && text.find(what) != std::string::npos;
}

}  // namespace

TEST_CASE("step units: exchanges of one name take turns as dispatch and combine") {
  HandMadeStep made(2);
  for (int u = 0; u < 4; ++u) collective_unit(made);
  const StepUnits found = find_units(made.step(), 0, "dump.json");
  REQUIRE(found.units.size() == 4);
  for (std::uint32_t u = 0; u < 4; ++u)
    check_unit(found.units[u], shifted({{0, 1, 2}, {3}, {4, 5, 6}, {7}, {8}}, 9 * u));
  CHECK(found.micro_batches == 2);
  CHECK(found.layers() == 2);
  CHECK(found.evidence ==
        "4 dispatches and combines in turns: 2 layers of 2 micro-batches (taken from their even "
        "number)");
}

TEST_CASE("step units: a notify kernel and copies behind it belong to their exchange") {
  HandMadeStep made(2);
  for (int u = 0; u < 2; ++u) notified_unit(made);
  const StepUnits found = find_units(made.step(), 2, "dump.json");
  REQUIRE(found.units.size() == 2);
  // The copy behind the combine is its own; the one in front of the sum is taken with the sum.
  for (std::uint32_t u = 0; u < 2; ++u)
    check_unit(found.units[u], shifted({{0, 1}, {2, 3, 4}, {5}, {6, 7}, {8, 9}}, 10 * u));
  CHECK(found.layers() == 1);
  CHECK(found.evidence == "2 dispatches and combines in turns: 1 layer of 2 micro-batches");
}

TEST_CASE("step units: copies directly in front of a unit's first kernel are its own") {
  HandMadeStep made(2);
  collective_unit(made);
  made.copy(0, 1);  // task 9
  collective_unit(made);
  const StepUnits found = find_units(made.step(), 0, "dump.json");
  check_unit(found.units[0], {{0, 1, 2}, {3}, {4, 5, 6}, {7}, {8}});
  check_unit(found.units[1], {{9, 10, 11, 12}, {13}, {14, 15, 16}, {17}, {18}});
}

TEST_CASE("step units: an odd number of units is layers that are not split") {
  HandMadeStep made(2);
  for (int u = 0; u < 3; ++u) collective_unit(made);
  const StepUnits found = find_units(made.step(), 0, "dump.json");
  CHECK(found.micro_batches == 1);
  CHECK(found.layers() == 3);
  CHECK(found.evidence == "3 dispatches and combines in turns: 3 layers, not split");
  CHECK(tells(complaint(made, 2), "expected an even number of units for 2 micro-batches, found 3"));
}

TEST_CASE("step units: an even number of units can be told to be one micro-batch") {
  HandMadeStep made(2);
  for (int u = 0; u < 2; ++u) collective_unit(made);
  const StepUnits found = find_units(made.step(), 1, "dump.json");
  CHECK(found.layers() == 2);
  CHECK(found.evidence == "2 dispatches and combines in turns: 2 layers of 1 micro-batch");
}

TEST_CASE("step units: other collectives stay where they are") {
  HandMadeStep made(2);
  collective_unit(made);
  made.exchange(1, 10, 2, CommunicationPhase::reduce);  // task 9
  const StepUnits found = find_units(made.step(), 0, "dump.json");
  REQUIRE(found.units.size() == 1);
  check_unit(found.units[0], {{0, 1, 2}, {3}, {4, 5, 6}, {7}, {8, 9}});
}

TEST_CASE("step units: a step without exchanges, or with one too many, is told by its file") {
  HandMadeStep without;
  CHECK(tells(complaint(without), "found 0 exchanges"));
  without.gemm(0, 10, 8);
  CHECK(tells(complaint(without), "found 0 exchanges"));
  HandMadeStep odd(2);
  collective_unit(odd);
  odd.exchange(1, 10);
  CHECK(tells(complaint(odd), "found 3 exchanges"));
}

TEST_CASE("step units: a combine in front of its dispatch is told") {
  HandMadeStep made(2);
  made.gemm(0, 10, 8);
  made.exchange(1, 10, 2, CommunicationPhase::combine);
  made.gemm(0, 10, 8);
  made.exchange(1, 10, 2, CommunicationPhase::dispatch);
  CHECK(tells(complaint(made), "exchanges 1 and 2 take no such turn"));
}

TEST_CASE("step units: a layer that begins otherwise than the first is told") {
  HandMadeStep made(2);
  collective_unit(made);
  made.elementwise(0, 10);  // no attention, no GEMM in front
  made.exchange(1, 50);
  made.gemm(0, 60, 48);
  made.exchange(1, 70);
  CHECK(tells(complaint(made), "behind exchange 2 none does"));
}

TEST_CASE("step units: micro-batches in turns are found again where they were put") {
  for (const bool notified : {false, true}) {
    CAPTURE(notified);
    HandMadeStep made(2);
    for (int u = 0; u < 4; ++u) notified ? notified_unit(made) : collective_unit(made);
    for (std::uint32_t i = 0; i < made.step().tasks.size(); ++i)
      made.step().tasks[i].launch = from_us(i);  // a mark to know it by
    const StepUnits queued = find_units(made.step(), 2, "dump.json");
    CHECK_FALSE(queued.takes_turns);
    const GpuStep turns = two_batch_schedule(made.step(), queued);
    const StepUnits found = find_units(turns, 0, "dump.json");
    CHECK(found.takes_turns);
    CHECK(found.micro_batches == 2);
    REQUIRE(found.units.size() == 4);
    const auto marks = [](const GpuStep& step, const TaskList& tasks) {
      TaskList all;
      for (const std::uint32_t i : tasks)
        all.push_back(static_cast<std::uint32_t>(to_us(step.tasks[i].launch) + 0.5));
      return all;
    };
    for (std::size_t u = 0; u < 4; ++u) {
      CAPTURE(u);
      const StepUnit &before = queued.units[u], &after = found.units[u];
      CHECK(marks(turns, after.attention) == marks(made.step(), before.attention));
      CHECK(marks(turns, after.dispatch) == marks(made.step(), before.dispatch));
      CHECK(marks(turns, after.experts) == marks(made.step(), before.experts));
      CHECK(marks(turns, after.combine) == marks(made.step(), before.combine));
      CHECK(marks(turns, after.shared) == marks(made.step(), before.shared));
    }
  }
}

TEST_CASE("step units: every task belongs to one unit, in order, for any seed") {
  for (const std::uint64_t seed : property_seeds(40)) {
    CAPTURE(seed);
    Rng rng = Rng(seed).stream("units");
    HandMadeStep made(2);
    const std::uint64_t units = 1 + rng.below(6);
    const bool notified = rng.below(2) == 0;
    for (std::uint64_t u = 0; u < units; ++u) {
      for (std::uint64_t copies = rng.below(3); copies > 0; --copies) made.copy(0, 1);
      if (notified)
        notified_unit(made);
      else
        collective_unit(made);
    }
    const StepUnits found = find_units(made.step(), 0, "dump.json");
    REQUIRE(found.units.size() == units);
    TaskList all;
    for (const StepUnit& unit : found.units)
      for (const TaskList* part :
           {&unit.attention, &unit.dispatch, &unit.experts, &unit.combine, &unit.shared})
        all.insert(all.end(), part->begin(), part->end());
    REQUIRE(all.size() == made.step().tasks.size());
    for (std::uint32_t i = 0; i < all.size(); ++i) CHECK(all[i] == i);
  }
}
