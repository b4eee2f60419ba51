// ExchangeTimes: dispatch and combine of deployments, predicted once for each that differs.
//
// Some numbers of tokens are simulated, and times between them and beyond follow straight lines: a
// pipeline that is full takes time in proportion to the bytes, and the search asks for many.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <tuple>
#include <vector>

#include "models/moe_step.hpp"
#include "models/split_exchange.hpp"
#include "models/workload.hpp"
#include "sim/capacity/serving_system.hpp"

namespace epsim {

struct ExchangeQuestion {
  std::string kernel;
  std::uint32_t ranks = 0;
  std::int64_t slots = 0, top_k = 0, hidden = 0;
  std::int64_t tokens = 0;  // of a rank
  std::int64_t sms = 0;
  bool is_fp8 = false;  // rows of the dispatch
  std::string routing;  // a generator's name
  auto operator<=>(const ExchangeQuestion&) const = default;
};

struct ExchangeTime {
  StepExchange dispatch, combine;         // in one launch each
  double sigma = 0;                       // of the logarithm of a latency
  std::vector<std::string> beyond_range;  // "ranks 144, calibrated for 16"
};

// What sending takes, and what receiving takes once all is there, of launches in two halves.
struct SplitExchange {
  SplitTimes dispatch, combine;
};

class ExchangeTimes {
 public:
  ExchangeTimes(const ServingSystem& system, std::uint64_t seed);

  // Throws InputError where the kernel cannot do it. Threads may ask at once; each question is
  // answered once, the same whoever asks first.
  [[nodiscard]] const ExchangeTime& find(const ExchangeQuestion& question);

  // A time that no simulation can beat: the bytes that leave a rank, by its slowest way out.
  [[nodiscard]] Duration bound(const ExchangeQuestion& question, MoeOperation operation) const;

  // Of a kernel with FamilyKind::takes_split.
  [[nodiscard]] const SplitExchange& find_split(const ExchangeQuestion& question);

  // Simulates what the answers to these questions need, all at once on as many threads as there may
  // be; else threads that ask for the same exchange wait for each other. `halves`: of launches in
  // two halves as well.
  void prepare(const std::vector<ExchangeQuestion>& questions, bool halves);

  // With every message, however many there are.
  [[nodiscard]] ExchangeTime simulate(const ExchangeQuestion& question) const;

 private:
  [[nodiscard]] ExchangeTime predict_time(const ExchangeQuestion& question);

  [[nodiscard]] SplitExchange predict_split(const ExchangeQuestion& question);
  [[nodiscard]] SplitExchange simulate_split(const ExchangeQuestion& question);
  [[nodiscard]] bool is_simulated(const ExchangeQuestion& question) const;

  template <typename Time>
  struct Entry {
    std::once_flag once;
    Time time;
  };
  template <typename Time>
  using Entries = std::map<ExchangeQuestion, std::unique_ptr<Entry<Time>>>;
  template <typename Time>
  Entry<Time>& entry_of(Entries<Time>& entries, const ExchangeQuestion& question);

  const ServingSystem& system_;
  std::uint64_t seed_;
  std::mutex mutex_;
  Entries<ExchangeTime> whole_;
  Entries<SplitExchange> split_;
};

}  // namespace epsim
