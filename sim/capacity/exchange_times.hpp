// ExchangeTimes: dispatch and combine of deployments, predicted once for each that differs.
//
// Where one host may stand for all, every number of tokens is simulated. Elsewhere an exchange of
// many messages is simulated for two smaller numbers of tokens, and the straight line through them
// is followed: beyond some hundred tokens a rank it is links and NICs that decide, and their time
// grows with the bytes.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <tuple>
#include <vector>

#include "models/moe_step.hpp"
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

// One operation. A fused kernel holds its SMs for the whole time; of a split launch, sending and
// receiving hold them, and what is in flight between holds none.
struct ExchangePart {
  StepExchange whole;
  Duration send{}, receive{};  // of a split launch; 0: it cannot be split
};

struct ExchangeTime {
  ExchangePart dispatch, combine;
  double sigma = 0;                       // of the logarithm of a latency
  std::vector<std::string> beyond_range;  // "ranks 144, calibrated for 16"
};

class ExchangeTimes {
 public:
  ExchangeTimes(const ServingSystem& system, std::uint64_t seed);

  // Throws InputError where the kernel cannot do it. Threads may ask at once; each question is
  // answered once, the same whoever asks first.
  [[nodiscard]] const ExchangeTime& find(const ExchangeQuestion& question);

  // A time that no simulation can beat: the bytes that leave a rank, by its slowest way out.
  [[nodiscard]] Duration bound(const ExchangeQuestion& question, MoeOperation operation) const;

  // With every message, however many there are.
  [[nodiscard]] ExchangeTime simulate(const ExchangeQuestion& question) const;

 private:
  [[nodiscard]] ExchangeTime predict_time(const ExchangeQuestion& question);

  struct Entry {
    std::once_flag once;
    ExchangeTime time;
  };
  const ServingSystem& system_;
  std::uint64_t seed_;
  std::mutex mutex_;
  std::map<ExchangeQuestion, std::unique_ptr<Entry>> entries_;
};

}  // namespace epsim
