// SmPool: which CTAs are resident on a rank's SMs. CTAs wait in launch order and take room as
// others leave it: waves of a large kernel, and displacement of one kernel by another, come from
// here. Those of urgent kernels stand in a line of their own, which goes first.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "sim/base/check.hpp"
#include "sim/base/ids.hpp"

namespace epsim {

class SmPool {
 public:
  explicit SmPool(std::uint32_t sm_count) : all_(sm_count * kPartsPerSm), free_(all_) {}

  // `count` CTAs with consecutive numbers join the line as one: all start, or none.
  struct Request {
    std::uint32_t cta;
    std::uint16_t ctas_per_sm = 1;  // of their kind that fill one SM
    std::uint32_t count = 1;
    bool is_urgent = false;
  };
  void enqueue(const Request& request) {
    check(request.ctas_per_sm >= 1 && request.ctas_per_sm <= 32,
          "an SM hosts 1 to 32 CTAs of a kernel");
    const std::uint64_t parts = kPartsPerSm / request.ctas_per_sm * request.count;
    check(parts <= all_, "CTAs that start together fit a GPU together");
    (request.is_urgent ? urgent_ : waiting_).push_back({request.cta, request.count, parts});
  }

  // Calls start(cta) for each CTA that fits now, in order; a large one is not overtaken.
  template <typename Start>
  void place(Start start) {
    for (;;) {
      std::deque<Waiting>& line = urgent_.empty() ? waiting_ : urgent_;
      if (line.empty() || line.front().parts > free_) return;
      const Waiting first = line.front();
      line.pop_front();
      free_ -= first.parts;
      for (std::uint32_t i = 0; i < first.count; ++i) start(first.cta + i);
    }
  }

  void leave(std::uint16_t ctas_per_sm) { free_ += kPartsPerSm / ctas_per_sm; }

  // SMs with a resident CTA, if CTAs lie as close as they can.
  [[nodiscard]] std::uint32_t sms_in_use() const {
    return static_cast<std::uint32_t>((all_ - free_ + kPartsPerSm - 1) / kPartsPerSm);
  }

 private:
  static constexpr std::uint64_t kPartsPerSm = 144'403'552'893'600;  // divisible by 1 to 32
  struct Waiting {
    std::uint32_t cta;
    std::uint32_t count;
    std::uint64_t parts;
  };
  std::uint64_t all_, free_;
  std::deque<Waiting> waiting_, urgent_;
};

}  // namespace epsim
