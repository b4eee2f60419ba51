#include "sim/step_run.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

#include <doctest/doctest.h>

#include "sim/base/rng.hpp"
#include "sim/execute.hpp"
#include "tests/support/hand_made_step.hpp"
#include "tests/support/round_step_constants.hpp"
#include "tests/support/seeds.hpp"
#include "topologies/registry.hpp"

using namespace epsim;

namespace {

constexpr StepConditions kNothingBeside{.clock = 1, .runs_beside = false};

StepRun run(HandMadeStep& made, const StepConditions& conditions = kNothingBeside) {
  return run_step(made.step(), round_step_constants(), conditions);
}

double start(const StepRun& run, std::size_t task) {
  return to_us(run.start[task] - Instant{});
}
double end(const StepRun& run, std::size_t task) {
  return to_us(run.end[task] - Instant{});
}

// Bytes are whole and so are picoseconds.
doctest::Approx about(double us) {
  return doctest::Approx(us).epsilon(1e-5);
}

// A word from one GPU to another: 1 us, and the way.
double signal_us() {
  const Topology topology = load_topology("hgx-h200").topology;
  return 1 + to_us(topology.route_latency(GpuId{0}, GpuId{1}));
}

}  // namespace

TEST_CASE("step run: a step without tasks takes no time") {
  HandMadeStep made;
  CHECK(run(made).step == Duration{});
  CHECK(run(made).overlap_pct() == 0);
}

TEST_CASE("step run: tasks of a stream follow each other with their gaps") {
  HandMadeStep made;
  made.copy(0, 10);
  made.elementwise(0, 20).gap = from_us(3);
  made.gemm(0, 40, 16).gap = from_us(1);
  const StepRun result = run(made);
  // 10, then 13 to 33, then 34 to 74.
  CHECK(start(result, 1) == 13);
  CHECK(end(result, 1) == 33);
  CHECK(start(result, 2) == 34);
  CHECK(end(result, 2) == 74);
  CHECK(to_us(result.step) == 74);
  CHECK(to_us(result.compute) == 60);  // a copy is no compute
  CHECK(result.communication == Duration{});
}

TEST_CASE("step run: an event costs its hop, the larger one in front of an exchange") {
  HandMadeStep made(3);
  made.copy(0, 10);
  made.copy(1, 5).after = {0};
  made.exchange(2, 5).after = {0};
  const StepRun result = run(made);
  CHECK(start(result, 1) == 10 + 2);
  CHECK(start(result, 2) == 10 + 5);
}

TEST_CASE("step run: a task behind its stream and an event waits for the later one") {
  for (const double on_stream : {5.0, 50.0}) {
    HandMadeStep made(2);
    made.copy(0, 10);
    made.copy(1, on_stream);
    StepTask& task = made.copy(1, 1);
    task.gap = from_us(4);
    task.after = {0};
    // Own stream: 5 + 4 or 50 + 4; event: 10 + 2.
    CHECK(start(run(made), 2) == (on_stream < 10 ? 12 : 54));
  }
}

TEST_CASE("step run: exchanges of one communicator run in the order in which they were queued") {
  HandMadeStep made(3);
  for (std::uint32_t s = 0; s < 3; ++s) made.exchange(s, 10).communicator = s < 2 ? 7 : 8;
  const StepRun result = run(made);
  CHECK(start(result, 0) == 0);
  CHECK(start(result, 1) == 10);
  CHECK(start(result, 2) == 0);  // another communicator
}

TEST_CASE("step run: streams that share a hardware queue run in the order of the queue") {
  for (const std::uint32_t queues : {0U, 2U}) {
    CAPTURE(queues);
    HandMadeStep made(3);
    for (std::uint32_t s = 0; s < 3; ++s) made.copy(s, 10);
    made.step().hardware_queues = queues;
    const StepRun result = run(made);
    CHECK(start(result, 1) == 0);
    CHECK(start(result, 2) == (queues == 0 ? 0 : 10));  // 2 % 2 is stream 0's
  }
}

TEST_CASE("step run: an elementwise kernel has the SMs that an exchange leaves it") {
  HandMadeStep made(2);
  made.exchange(1, 100);
  made.elementwise(0, 40);
  const StepRun result = run(made);
  // 8 CTAs on 6 SMs: 40 us, and the last two 40 more.
  CHECK(end(result, 0) == 100);
  CHECK(end(result, 1) == 80);
  CHECK(to_us(result.overlap) == 80);
  CHECK(result.overlap_pct() == 80);
  CHECK(to_us(result.exposed()) == 20);
}

TEST_CASE("step run: an exchange behind a kernel of many waves takes room as the first one ends") {
  HandMadeStep made(2);
  made.elementwise(0, 80).cta_count = 16;  // two waves of 40 us
  made.exchange(1, 30);
  const StepRun result = run(made);
  CHECK(start(result, 1) == 40);
  CHECK(end(result, 1) == 70);
  // Six CTAs of the second wave at 40, the last two at 70.
  CHECK(end(result, 0) == 110);
}

TEST_CASE("step run: an exchange behind a persistent kernel waits for its end") {
  HandMadeStep made(2);
  made.gemm(0, 80, 32);
  made.exchange(1, 30);
  const StepRun result = run(made);
  CHECK(end(result, 0) == 80);
  CHECK(start(result, 1) == 80);
}

TEST_CASE("step run: memory shares above 1 slow down who takes most") {
  HandMadeStep made(2);
  made.exchange(1, 400).memory_share = 0.4;  // 4 groups of warps, 0.1 each
  made.elementwise(0, 80, 1.0);              // 8 CTAs, 0.125 each
  const StepRun result = run(made);
  // Six CTAs and four groups want 0.75 + 0.4: 0.1 for everybody. 80 us become 80 * 0.125 / 0.1 =
  // 100, and the last two take 80 more. The exchange has what it wants.
  CHECK(end(result, 1) == about(180));
  CHECK(end(result, 0) == about(400));
}

TEST_CASE("step run: an exchange beside compute pays for it, a combine more") {
  // 100 us: 150 beside, 200 a combine, 100 where events leave nothing beside it, or it moves
  // nothing.
  const auto exchange_us = [](CommunicationPhase phase, double memory_share, bool runs_beside) {
    HandMadeStep made(2);
    made.exchange(1, 100, 2, phase).memory_share = memory_share;
    made.copy(0, 1);
    made.elementwise(0, 1);
    return end(run(made, {.clock = 1, .runs_beside = runs_beside}), 0);
  };
  CHECK(exchange_us(CommunicationPhase::dispatch, 0.1, true) == about(150));
  CHECK(exchange_us(CommunicationPhase::combine, 0.1, true) == about(200));
  CHECK(exchange_us(CommunicationPhase::combine, 0.1, false) == about(100));
  CHECK(exchange_us(CommunicationPhase::notify, 0, true) == about(100));
}

TEST_CASE("step run: an exchange on the stream of all compute pays nothing") {
  HandMadeStep made;
  made.elementwise(0, 10);
  made.exchange(0, 100).memory_share = 0.1;
  CHECK(to_us(run(made, {}).step) == about(110));
}

TEST_CASE("step run: a GEMM beside an exchange works in more rounds") {
  HandMadeStep made(2);
  made.exchange(1, 200).memory_share = 0.1;
  made.gemm(0, 40, 32);  // 4 rounds of 10 us
  // 1 + (32 - 8) / 6 + 1 rounds.
  CHECK(end(run(made), 1) == about(60));
  // Clusters find room on half of the six SMs, of which whole pairs are 2: 4 rounds for the own
  // tiles, 12 for the others.
  const StepRun crowded = run_step(
      made.step(), round_step_constants().with("cluster_room", 0.5), {.runs_beside = false});
  CHECK(end(crowded, 1) == about(160));
  // Clusters leave clusters room.
  made.step().tasks[0].cluster_size = 2;
  const StepRun paired = run_step(
      made.step(), round_step_constants().with("cluster_room", 0.5), {.runs_beside = false});
  CHECK(end(paired, 1) == about(60));
}

TEST_CASE("step run: a cooperative exchange begins when all its CTAs find room") {
  for (const bool whole : {false, true}) {
    HandMadeStep made(3);
    made.elementwise(0, 10).cta_count = 6;
    made.elementwise(2, 20).cta_count = 1;
    made.exchange(1, 30, 4).starts_whole = whole;
    CHECK(start(run(made), 2) == (whole ? 10 : 0));
  }
}

TEST_CASE("step run: a slower clock stretches the part of a task that it sets") {
  HandMadeStep made;
  made.gemm(0, 40, 8);                     // all of it
  made.elementwise(0, 40);                 // nothing
  made.exchange(0, 40).clock_share = 0.5;  // half
  // 80 + 40 + 60.
  CHECK(to_us(run(made, {.clock = 0.5, .runs_beside = false}).step) == about(180));
}

TEST_CASE("step run: as recorded, tasks start when the host queued them and share nothing") {
  HandMadeStep made(3);
  made.elementwise(0, 40, 1).launch = from_us(5);
  made.exchange(1, 40, 8).memory_share = 1;
  StepTask& waits = made.copy(2, 1);
  waits.after = {0};
  waits.gap = from_us(3);
  StepTask& late = made.copy(0, 1);
  late.launch = from_us(60);
  late.gap = from_us(2);
  made.step().as_recorded = true;
  made.step().rank_count = 4;
  const StepRun result = run(made, {.clock = 0.5});
  CHECK(start(result, 0) == 5);
  CHECK(end(result, 0) == 45);
  CHECK(start(result, 1) == 0);
  CHECK(end(result, 1) == 40);
  CHECK(start(result, 2) == 48);  // the gap is all that a recorded task waits behind an event
  CHECK(start(result, 3) == 62);  // the host was late: 60 and its gap
  CHECK(to_us(result.overlap) == 35);
  CHECK(result.overlap_pct() == doctest::Approx(87.5));
}

TEST_CASE("step run: two ranks meet before an exchange and behind it") {
  HandMadeStep made;
  made.elementwise(0, 10);
  made.exchange(0, 40);
  made.step().rank_count = 2;
  // Both come at 10: a word there, 40 us, a word back.
  CHECK(to_us(run(made).step) == about(10 + signal_us() + 40 + signal_us()));
}

TEST_CASE("step run: what a rank waits for is its slower peer, for any seed") {
  const ConstantSet constants = round_step_constants().with("rank_spread", 0.2);
  const Topology topology = load_topology("hgx-h200").topology;
  for (const std::uint64_t seed : property_seeds(20)) {
    CAPTURE(seed);
    HandMadeStep made;
    made.elementwise(0, 100);
    made.exchange(0, 40);
    made.step().rank_count = 2;
    const Timeline timeline =
        execute(plan_step(made.step(), constants, {.seed = seed, .runs_beside = false}), topology);
    // Task i on rank r is kernel 2 i + r. Rank 0's own pace is the recorded one.
    const double mine = to_us(timeline.kernel_start[2] - Instant{});
    const double theirs = to_us(timeline.kernel_start[3] - Instant{});
    CHECK(mine == about(100));
    CHECK(theirs >= 79.9);
    CHECK(theirs <= 120.1);
    // My word is with me at once, theirs a signal later; then 40 us; then the same again.
    const double word = signal_us();
    const double my_done = std::max(mine, theirs + word) + 40;
    const double their_done = std::max(theirs, mine + word) + 40;
    CHECK(to_us(timeline.kernel_end[2] - Instant{}) == about(std::max(my_done, their_done + word)));
    CHECK(to_us(timeline.kernel_end[3] - Instant{}) == about(std::max(their_done, my_done + word)));
    // What rank 0 sees is rank 0.
    const StepRun result = run_step(made.step(), constants, {.seed = seed, .runs_beside = false});
    CHECK(result.end[1] == timeline.kernel_end[2]);
  }
}

TEST_CASE("step run: ranks differ more where a power limit holds the clock down") {
  const ConstantSet constants = round_step_constants().with("clock_spread", 1.0);
  const auto step_us = [&](double top_clock, std::uint64_t seed) {
    HandMadeStep made;
    made.elementwise(0, 100);
    made.exchange(0, 40);
    made.step().rank_count = 2;
    return to_us(run_step(made.step(), constants, {.top_clock = top_clock, .seed = seed}).step);
  };
  double longest = 0;
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    CHECK(step_us(1.0, seed) == about(140 + 2 * signal_us()));
    longest = std::max(longest, step_us(0.8, seed));
  }
  CHECK(longest > 141 + 2 * signal_us());
  CHECK(longest <= 160.1 + 2 * signal_us());  // 20 % of 100 us
}

TEST_CASE("step run: on one stream a step is the sum of its gaps and times, for any seed") {
  for (const std::uint64_t seed : property_seeds(30)) {
    CAPTURE(seed);
    Rng rng = Rng(seed).stream("one stream");
    HandMadeStep made;
    double expected = 0;
    const std::uint64_t count = 3 + rng.below(20);
    for (std::uint64_t i = 0; i < count; ++i) {
      const double us = 1 + static_cast<double>(rng.below(500));
      const std::uint64_t kind = rng.below(4);
      StepTask& task = kind == 0   ? made.copy(0, us)
                       : kind == 1 ? made.elementwise(0, us, 0.5 * rng.uniform())
                       : kind == 2
                           ? made.gemm(0, us, 1 + static_cast<std::uint32_t>(rng.below(600)))
                           : made.exchange(0, us, 1 + static_cast<std::uint32_t>(rng.below(8)));
      if (kind == 1) task.cta_count = 1 + static_cast<std::uint32_t>(rng.below(300));
      const double gap = i == 0 ? 0 : static_cast<double>(rng.below(10));
      task.gap = from_us(gap);
      expected += us + gap;
    }
    // Bytes of a small share of the memory are few, and whole.
    CHECK(to_us(run(made).step) == doctest::Approx(expected).epsilon(1e-4));
  }
}

TEST_CASE("step run: equal steps give equal times, and tasks keep their order, for any seed") {
  const ConstantSet constants = round_step_constants()
                                    .with("launch_jitter", 2)
                                    .with("exchange_jitter", 5)
                                    .with("rank_spread", 0.02);
  for (const std::uint64_t seed : property_seeds(20)) {
    CAPTURE(seed);
    Rng rng = Rng(seed).stream("streams");
    HandMadeStep made(3);
    made.step().rank_count = 1 + static_cast<std::uint32_t>(rng.below(3));
    for (std::uint32_t i = 0; i < 20; ++i) {
      const auto stream = static_cast<std::uint32_t>(rng.below(2));
      const double us = 5 + static_cast<double>(rng.below(100));
      StepTask& task = rng.below(3) == 0 ? made.exchange(2, us)
                       : rng.below(2) == 0
                           ? made.elementwise(stream, us, rng.uniform())
                           : made.gemm(stream, us, 1 + static_cast<std::uint32_t>(rng.below(40)));
      if (i > 0 && rng.below(2) == 0) task.after = {static_cast<std::uint32_t>(rng.below(i))};
    }
    const StepConditions conditions{.seed = seed};
    const StepRun one = run_step(made.step(), constants, conditions);
    const StepRun other = run_step(made.step(), constants, conditions);
    CHECK(one.start == other.start);
    CHECK(one.end == other.end);
    std::vector<Instant> ended(3);
    for (std::size_t i = 0; i < 20; ++i) {
      const StepTask& task = made.step().tasks[i];
      CHECK(one.start[i] >= ended[task.stream]);
      ended[task.stream] = one.end[i];
      for (const std::uint32_t before : task.after) CHECK(one.start[i] >= one.end[before]);
    }
    CHECK(one.overlap <= std::min(one.compute, one.communication));
    CHECK(one.compute + one.exposed() <= one.step);
  }
}
