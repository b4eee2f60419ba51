#include "models/traced_schedule.hpp"

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/support/hand_made_units.hpp"
#include "tests/support/round_step_constants.hpp"

using namespace epsim;

namespace {

// One line a task: "stream name <- what it waits for".
std::string lines_of(const GpuStep& step) {
  std::string text;
  for (const StepTask& task : step.tasks) {
    text += std::to_string(task.stream) + " " + task.name;
    for (const std::uint32_t earlier : task.after) text += " <" + std::to_string(earlier);
    text += "\n";
  }
  return text;
}

// Of the tasks in their order: which of `numbered` each is.
void number_names(GpuStep& step) {
  for (std::size_t i = 0; i < step.tasks.size(); ++i) step.tasks[i].name = std::to_string(i);
}

}  // namespace

TEST_CASE("two-batch schedule: one layer of two micro-batches, written out") {
  HandMadeStep made(2);
  for (int u = 0; u < 2; ++u) collective_unit(made);
  const StepUnits units = find_units(made.step(), 2, "dump.json");
  number_names(made.step());
  const GpuStep step = two_batch_schedule(made.step(), units);
  // Unit A is tasks 0 to 8, unit B 9 to 17; numbers behind "<" are places in the new order.
  CHECK(lines_of(step) ==
        "0 0\n0 1\n0 2\n"        // 0-2: attention A
        "1 3 <2\n"               // 3: dispatch A behind what it sends
        "0 9\n0 10\n0 11\n"      // 4-6: attention B
        "1 12 <6\n"              // 7: dispatch B
        "0 4 <3\n0 5\n0 6\n"     // 8-10: experts A need dispatch A
        "1 7 <10\n"              // 11: combine A
        "0 13 <7\n0 14\n0 15\n"  // 12-14: experts B
        "1 16 <14\n"             // 15: combine B
        "0 8\n"                  // 16: shared A beside combine B
        "0 17 <11\n");           // 17: shared B behind the end of unit A
  CHECK(step.streams == std::vector<std::string>{"compute", "communication"});
  CHECK_FALSE(step.as_recorded);
  for (std::size_t i = 0; i < step.tasks.size(); ++i) {
    CHECK(step.tasks[i].layer == 0);
    CHECK(step.tasks[i].micro_batch == (std::stoul(step.tasks[i].name) < 9 ? 0 : 1));
  }
  CHECK(step.tasks[3].phase == CommunicationPhase::dispatch);
  CHECK(step.tasks[11].phase == CommunicationPhase::combine);
  CHECK(step.tasks[8].time == from_us(60));
  CHECK(step.tasks[8].tile_count == 48);
}

TEST_CASE("two-batch schedule: a layer begins when the last combine of the one before has ended") {
  HandMadeStep made(2);
  for (int u = 0; u < 4; ++u) collective_unit(made);
  const GpuStep step = two_batch_schedule(made.step(), find_units(made.step(), 2, "dump.json"));
  REQUIRE(step.tasks.size() == 36);
  CHECK(step.tasks[18].after == TaskList{15});
  CHECK(step.tasks[18].layer == 1);
  CHECK(step.tasks[18].micro_batch == 0);
  for (std::size_t i = 19; i < 36; ++i) {
    TaskList moved = step.tasks[i - 18].after;
    for (std::uint32_t& earlier : moved) earlier += 18;
    CHECK(step.tasks[i].after == moved);
  }
}

TEST_CASE("two-batch schedule: a step of one micro-batch is split, each kernel twice at half") {
  HandMadeStep made(2);
  collective_unit(made);
  made.step().tasks[1].cta_count = 5;
  const GpuStep step = two_batch_schedule(made.step(), find_units(made.step(), 1, "dump.json"));
  REQUIRE(step.tasks.size() == 18);
  // GEMM of 32 tiles and 40 us: 16 and 20, its CTAs as they are.
  for (const std::size_t i : {0U, 4U}) {
    CHECK(step.tasks[i].time == from_us(20));
    CHECK(step.tasks[i].tile_count == 16);
    CHECK(step.tasks[i].cta_count == 8);
  }
  CHECK(step.tasks[1].cta_count == 3);  // of 5
  CHECK(step.tasks[3].time == from_us(25));
  CHECK(step.tasks[3].cta_count == 2);    // an exchange's CTAs are the library's choice
  CHECK(step.tasks[16].tile_count == 8);  // of 15
  CHECK(step.tasks[4].micro_batch == 1);
  Duration all{}, recorded{};
  for (const StepTask& task : step.tasks) all += task.time;
  for (const StepTask& task : made.step().tasks) recorded += task.time;
  CHECK(all == recorded);
}

TEST_CASE("two-batch schedule: kernels of one exchange keep together on its stream") {
  HandMadeStep made(2);
  for (int u = 0; u < 2; ++u) notified_unit(made);
  const GpuStep step = two_batch_schedule(made.step(), find_units(made.step(), 2, "dump.json"));
  // Attention A 0-1, then notify, copy and dispatch of A.
  for (const std::size_t i : {2U, 3U, 4U}) CHECK(step.tasks[i].stream == 1);
  CHECK(step.tasks[2].after == TaskList{1});
  CHECK(step.tasks[3].after.empty());
  CHECK(step.tasks[4].after.empty());
  CHECK(step.tasks[2].phase == CommunicationPhase::notify);
  // Attention B 5-6, its dispatch 7-9; experts A wait for the dispatch, not for the notify kernel.
  CHECK(step.tasks[10].after == TaskList{4});
}

TEST_CASE("serial schedule: one unit after the other on one stream, without events") {
  HandMadeStep made(2);
  for (int u = 0; u < 2; ++u) collective_unit(made);
  made.step().tasks[4].after = {3};
  const StepUnits units = find_units(made.step(), 2, "dump.json");
  number_names(made.step());
  const GpuStep step = serial_schedule(made.step(), units);
  std::string expected;
  for (int i = 0; i < 18; ++i) expected += "0 " + std::to_string(i) + "\n";
  CHECK(lines_of(step) == expected);
  CHECK(step.streams == std::vector<std::string>{"compute"});
  CHECK_FALSE(step.as_recorded);
}

TEST_CASE(
    "step alone: compute takes the median of its place, exchanges the quicker of their kind") {
  // Three steps: one GEMM of 10, 30 and 20 us, and two exchanges a step.
  std::vector<GpuStep> steps;
  const double gemm_us[] = {10, 30, 20};
  const double exchange_us[][2] = {{50, 40}, {60, 45}, {70, 55}};
  for (int s = 0; s < 3; ++s) {
    HandMadeStep made(2);
    made.gemm(0, gemm_us[s], 8).gap = from_us(1 + s);
    for (const double us : exchange_us[s]) made.exchange(1, us).launch = from_us(9);
    made.step().as_recorded = true;
    steps.push_back(made.step());
  }
  const GpuStep alone = step_alone(steps, round_step_constants());
  CHECK_FALSE(alone.as_recorded);
  CHECK(alone.tasks[0].time == from_us(20));
  // 40, 45, 50, 55, 60, 70: a quarter of the way from first to last, 1.25, is 45.
  CHECK(alone.tasks[1].time == from_us(45));
  CHECK(alone.tasks[2].time == from_us(45));
  // Gaps 1, 2, 3: 0.5 of the way, rounded up: 2.
  CHECK(alone.tasks[0].gap == from_us(2));
  CHECK(alone.tasks[1].launch == Duration{});
}

TEST_CASE("step alone: kernels get the needs of what they are for") {
  HandMadeStep made(2);
  made.gemm(0, 10, 8);
  made.elementwise(0, 10);
  made.exchange(1, 10, 2, CommunicationPhase::dispatch).starts_whole = true;
  made.exchange(1, 10, 2, CommunicationPhase::notify);
  made.exchange(1, 10, 3);
  made.copy(0, 1);
  const std::vector<StepTask> tasks = step_alone({made.step()}, round_step_constants()).tasks;
  CHECK(tasks[0].memory_share == 0);
  CHECK(tasks[0].clock_share == 1);
  CHECK(tasks[1].memory_share == 1);
  CHECK(tasks[1].clock_share == 0);
  CHECK(tasks[2].memory_share == doctest::Approx(0.2));  // 0.1 a CTA
  CHECK(tasks[2].clock_share == 0.5);
  CHECK(tasks[2].starts_whole);  // as recorded
  CHECK(tasks[3].memory_share == 0);
  CHECK_FALSE(tasks[3].starts_whole);
  CHECK(tasks[4].memory_share == doctest::Approx(0.3));
  CHECK(tasks[5].memory_share == 0);
}
