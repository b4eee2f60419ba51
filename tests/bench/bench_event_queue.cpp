// EventQueue against a binary heap with a tie counter, in the "hold" pattern: take the earliest
// event, schedule it again a while later, with a constant number of events pending.
//
// Delays are those of a simulation of kernels: 1 in 8 is zero, 5 in 16 are one of six constants (so
// that instants tie), the rest is uniform from 100 ps to 2 us. They are drawn before timing starts.
// items_per_second counts one pop and one schedule as one item. Compare within one run.
#include <cstdint>
#include <functional>
#include <queue>
#include <tuple>
#include <vector>

#include <benchmark/benchmark.h>

#include "sim/base/check.hpp"
#include "sim/base/rng.hpp"
#include "sim/event_queue.hpp"

using namespace epsim;

namespace {

class BinaryHeap {
 public:
  [[nodiscard]] Instant now() const { return now_; }
  void schedule(Instant at, std::uint64_t payload) { heap_.push({at, next_order_++, payload}); }
  [[nodiscard]] std::uint64_t pop() {
    const Entry first = heap_.top();
    heap_.pop();
    now_ = first.at;
    return first.payload;
  }

 private:
  struct Entry {
    Instant at;
    std::uint64_t order;
    std::uint64_t payload;
    friend bool operator>(const Entry& a, const Entry& b) {
      return a.at != b.at ? a.at > b.at : a.order > b.order;
    }
  };
  Instant now_{};
  std::uint64_t next_order_ = 0;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> heap_;
};

constexpr std::size_t kDelayCount = 65'536;

std::vector<Duration> draw_delays() {
  constexpr std::int64_t kConstants[] = {100, 500, 1'000, 16'000, 350'000, 1'300'000};
  Rng rng(1);
  std::vector<Duration> delays;
  for (std::size_t i = 0; i < kDelayCount; ++i) {
    const std::uint64_t kind = rng.below(16);
    if (kind < 2)
      delays.push_back(Duration{0});
    else if (kind < 7)
      delays.push_back(Duration{kConstants[rng.below(6)]});
    else
      delays.push_back(Duration{static_cast<std::int64_t>(100 + rng.below(1'999'900))});
  }
  return delays;
}

template <typename Queue>
class Hold {
 public:
  explicit Hold(std::size_t pending) {
    for (std::size_t i = 0; i < pending; ++i) queue_.schedule(queue_.now() + next_delay(), i);
    for (std::size_t i = 0; i < pending; ++i) (void)step();
  }
  [[nodiscard]] std::uint64_t step() {
    const std::uint64_t payload = queue_.pop();
    queue_.schedule(queue_.now() + next_delay(), payload);
    return payload;
  }

 private:
  [[nodiscard]] Duration next_delay() { return delays_[next_++ % kDelayCount]; }

  std::vector<Duration> delays_ = draw_delays();
  std::size_t next_ = 0;
  Queue queue_;
};

template <typename Queue>
void hold(benchmark::State& state) {
  const auto pending = static_cast<std::size_t>(state.range(0));
  {
    Hold<Queue> tested(pending);
    Hold<BinaryHeap> reference(pending);
    for (std::size_t i = 0; i < 2 * pending; ++i)
      check(tested.step() == reference.step(), "both queues give the same order");
  }
  Hold<Queue> hold(pending);
  for (auto _ : state) benchmark::DoNotOptimize(hold.step());
  state.SetItemsProcessed(state.iterations());
}

}  // namespace

BENCHMARK(hold<BinaryHeap>)->Arg(1'000)->Arg(32'768)->Arg(1'048'576);
BENCHMARK(hold<EventQueue<std::uint64_t>>)->Arg(1'000)->Arg(32'768)->Arg(1'048'576);
BENCHMARK_MAIN();
