#include "sim/event_queue.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <queue>
#include <tuple>
#include <vector>

#include <doctest/doctest.h>

#include "sim/base/rng.hpp"
#include "sim/base/units.hpp"

using namespace epsim;
using namespace std::chrono_literals;

namespace {

// The queue as one would write it first: a binary heap with a counter that breaks ties.
class ReferenceQueue {
 public:
  [[nodiscard]] Instant now() const { return now_; }
  [[nodiscard]] bool empty() const { return heap_.empty(); }
  void schedule(Instant at, std::uint64_t payload) { heap_.emplace(at, next_order_++, payload); }
  [[nodiscard]] std::uint64_t pop() {
    const auto [at, order, payload] = heap_.top();
    heap_.pop();
    now_ = at;
    return payload;
  }

 private:
  using Entry = std::tuple<Instant, std::uint64_t, std::uint64_t>;
  Instant now_{};
  std::uint64_t next_order_ = 0;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> heap_;
};

// Zero, ties, steps within every level of the queue, and far jumps.
Duration random_step(Rng& rng) {
  constexpr std::int64_t kTies[] = {0, 100, 1'000, 16'000, 350'000};
  switch (rng.below(4)) {
    case 0:
      return Duration{0};
    case 1:
      return Duration{kTies[rng.below(5)]};
    case 2:
      return Duration{static_cast<std::int64_t>(rng.below(2'000'000))};
    default:
      return Duration{static_cast<std::int64_t>(rng.below(std::uint64_t{1} << rng.below(50)))};
  }
}

}  // namespace

TEST_CASE("EventQueue: events leave in time order, whatever order they came in") {
  EventQueue<char> queue;
  queue.schedule(Instant{30ns}, 'c');
  queue.schedule(Instant{10ns}, 'a');
  queue.schedule(Instant{20ns}, 'b');

  CHECK(queue.size() == 3);
  CHECK(queue.pop() == 'a');
  CHECK(queue.pop() == 'b');
  CHECK(queue.pop() == 'c');
  CHECK(queue.now() == Instant{30ns});
  CHECK(queue.empty());
}

TEST_CASE("EventQueue: events at one instant leave in the order they were scheduled") {
  EventQueue<int> queue;
  for (int i = 0; i < 100; ++i) queue.schedule(Instant{5ns}, i);
  for (int i = 0; i < 100; ++i) CHECK(queue.pop() == i);
}

TEST_CASE("EventQueue: a tie keeps its order however far apart its events were scheduled") {
  // 70 000 ps = 0x11170. Seen from 0 it waits on level 2 (byte 0x01), seen from 0x11000 on level 0;
  // between the two, events 1 and 2 are dealt out twice, and event 4 arrives where they then are.
  EventQueue<int> queue;
  const Instant tie{70ns};
  queue.schedule(tie, 1);
  queue.schedule(Instant{Duration{0x11000}}, 0);
  queue.schedule(tie, 2);
  queue.schedule(tie, 3);
  CHECK(queue.pop() == 0);
  queue.schedule(tie, 4);
  CHECK(queue.pop() == 1);
  queue.schedule(tie, 5);  // now is not the past
  for (int i = 2; i <= 5; ++i) CHECK(queue.pop() == i);
  CHECK(queue.now() == tie);
}

TEST_CASE("EventQueue: the whole range of the clock can be scheduled") {
  EventQueue<int> queue;
  queue.schedule(Instant::max(), 2);
  queue.schedule(Instant{}, 0);
  queue.schedule(Instant{Duration{1}}, 1);
  for (int i = 0; i < 3; ++i) CHECK(queue.pop() == i);
  CHECK(queue.now() == Instant::max());
}

TEST_CASE("EventQueue: scheduling in the past is a bug") {
  EventQueue<int> queue;
  queue.schedule(Instant{7ns}, 0);
  (void)queue.pop();
  CHECK_THROWS_AS(queue.schedule(Instant{6ns}, 1), Bug);
  CHECK_NOTHROW(queue.schedule(Instant{7ns}, 1));  // now is not the past
}

TEST_CASE("EventQueue: taking from an empty queue is a bug") {
  EventQueue<int> queue;
  CHECK_THROWS_AS((void)queue.pop(), Bug);
}

TEST_CASE("EventQueue: agrees with a binary heap and a tie counter on random schedules") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    Rng rng(seed);
    EventQueue<std::uint64_t> queue;
    ReferenceQueue reference;
    const std::uint64_t pending_aim = 1 + rng.below(3'000);
    std::uint64_t scheduled = 0;
    std::uint64_t differences = 0;
    while (scheduled < 20'000 || !reference.empty()) {
      // Schedules more often than it takes until the aim is reached, then holds, then drains.
      const bool fill = scheduled < 20'000 && (queue.size() < pending_aim || rng.below(2) == 0);
      if (fill || reference.empty()) {
        const Instant at = queue.now() + random_step(rng);
        queue.schedule(at, scheduled);
        reference.schedule(at, scheduled++);
      } else {
        const std::uint64_t expected = reference.pop();
        if (queue.pop() != expected || queue.now() != reference.now()) ++differences;
      }
    }
    CHECK(differences == 0);
    CHECK(queue.empty());
  }
}
