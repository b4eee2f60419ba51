#include "calibrate/experiments/two_batch_schedule.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "sim/base/check.hpp"

using namespace epsim;

namespace {

// "a0": attention of micro-batch 0; d dispatch, e experts, c combine, r collective.
std::string name_of(const StepOp& op) {
  const std::string letters = "adecr";
  return letters[static_cast<std::size_t>(op.kind)] + std::to_string(op.micro_batch);
}

std::string order_in(const std::vector<StepOp>& ops, Lane lane) {
  std::string names;
  for (const StepOp& op : ops)
    if (op.lane == lane) names += (names.empty() ? "" : " ") + name_of(op);
  return names;
}

// What the first operation of that name and layer waits for, by events.
std::string awaited_by(const std::vector<StepOp>& ops, std::string_view name, int layer) {
  for (const StepOp& op : ops) {
    if (op.layer != layer || name_of(op) != name) continue;
    std::string names;
    for (const std::size_t i : op.after) names += (names.empty() ? "" : " ") + name_of(ops[i]);
    return names;
  }
  return "no such operation";
}

}  // namespace

TEST_CASE("Two-batch schedule: serial runs one micro-batch after the other on one stream") {
  const auto ops = two_batch_step("serial", 1);
  CHECK(order_in(ops, Lane::compute) == "a0 d0 e0 c0 a1 d1 e1 c1");
  CHECK(order_in(two_batch_step("serial_inline", 1), Lane::compute) ==
        "a0 r0 d0 e0 c0 a1 r1 d1 e1 c1");
  for (const StepOp& op : ops) CHECK(op.after.empty());
}

TEST_CASE("Two-batch schedule: in ping-pong each exchange runs beside the other micro-batch") {
  const auto ops = two_batch_step("tbo", 2);
  CHECK(order_in(ops, Lane::compute) == "a0 a1 e0 e1 a0 a1 e0 e1");
  CHECK(order_in(ops, Lane::communication) == "d0 d1 c0 c1 d0 d1 c0 c1");
  CHECK(awaited_by(ops, "a0", 0).empty());
  CHECK(awaited_by(ops, "d1", 0) == "a1");
  CHECK(awaited_by(ops, "e0", 0) == "d0");
  CHECK(awaited_by(ops, "c0", 0) == "e0");
  CHECK(awaited_by(ops, "a0", 1) == "c0");
}

TEST_CASE("Two-batch schedule: a collective of another communicator waits only for its lane") {
  const auto ops = two_batch_step("tbo_inline", 2);
  CHECK(order_in(ops, Lane::compute) == "a0 r0 a1 r1 e0 e1 a0 r0 a1 r1 e0 e1");
  CHECK(awaited_by(ops, "r1", 0).empty());
  CHECK(awaited_by(ops, "d0", 0) == "r0");
}

TEST_CASE("Two-batch schedule: one communicator puts all communication into the queued order") {
  const auto ops = two_batch_step("tbo_same_communicator", 2);
  // Queued: r0 d0 r1 d1 c0 c1 | r0 ...; an edge where neighbours are on different lanes.
  CHECK(awaited_by(ops, "d0", 0) == "r0");
  CHECK(awaited_by(ops, "r1", 0) == "d0");
  CHECK(awaited_by(ops, "d1", 0) == "r1");
  CHECK(awaited_by(ops, "c0", 0) == "e0");
  CHECK(awaited_by(ops, "r0", 1) == "c1");
}

TEST_CASE("Two-batch schedule: an operation waits only for ones queued before it") {
  for (const std::string_view schedule : two_batch_schedules()) {
    const auto ops = two_batch_step(schedule, 3);
    for (std::size_t i = 0; i < ops.size(); ++i)
      for (const std::size_t earlier : ops[i].after) CHECK(earlier < i);
  }
  CHECK_THROWS_AS((void)two_batch_step("quadruple", 1), Bug);
}

TEST_CASE("Step times: two ranks, one layer, by hand") {
  // One micro-batch of two ranks: a, d, e, c.
  auto ops = two_batch_step("tbo", 1);
  std::erase_if(ops, [](const StepOp& op) { return op.micro_batch == 1; });
  REQUIRE(ops.size() == 4);
  // Rank 0: a 0-10, d 10-30, e 25-45, c 45-65. Rank 1: 4 ns later, but d ends at 32.
  const std::vector<std::vector<Interval>> by_rank = {{{0, 10}, {10, 30}, {25, 45}, {45, 65}},
                                                      {{4, 14}, {14, 32}, {29, 49}, {49, 69}}};
  const StepTimes times = step_times(ops, by_rank);
  CHECK(times.step_ns == doctest::Approx(69 - 4));  // last first start 4, last end 69
  // Communication: rank 0 20 + 20, rank 1 18 + 20; compute 10 + 20 on both.
  CHECK(times.communication_ns == doctest::Approx((40 + 38) / 2.0));
  CHECK(times.compute_ns == doctest::Approx(30));
  // d and e share 25-30 on rank 0 (5 of 40) and 29-32 on rank 1 (3 of 38).
  CHECK(times.overlap_percent == doctest::Approx((100 * 5 / 40.0 + 100 * 3 / 38.0) / 2));
  CHECK(times.exchange_overlap_percent == doctest::Approx(times.overlap_percent));
  CHECK(times.dispatch.own_ns == doctest::Approx(19));      // median of 20 and 18
  CHECK(times.dispatch.aligned_ns == doctest::Approx(18));  // 14 to 32
  CHECK(times.collective.own_ns == 0);
}
