// SmPool: which CTAs are resident on a rank's SMs. CTAs wait in launch order and take room as
// others leave it: waves of a large kernel, and displacement of one kernel by another, come from
// here.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "sim/base/check.hpp"
#include "sim/base/ids.hpp"

namespace epsim {

class SmPool {
 public:
  explicit SmPool(std::uint32_t sm_count) : free_(sm_count * kPartsPerSm) {}

  // A CTA joins the line. `ctas_per_sm` of its kind fill one SM.
  void enqueue(std::uint32_t cta, std::uint16_t ctas_per_sm) {
    check(ctas_per_sm >= 1 && ctas_per_sm <= 32, "an SM hosts 1 to 32 CTAs of a kernel");
    waiting_.push_back({cta, kPartsPerSm / ctas_per_sm});
  }

  // Calls start(cta) for each CTA that fits now, in order; a large one is not overtaken.
  template <typename Start>
  void place(Start start) {
    while (!waiting_.empty() && waiting_.front().parts <= free_) {
      const Waiting first = waiting_.front();
      waiting_.pop_front();
      free_ -= first.parts;
      start(first.cta);
    }
  }

  void leave(std::uint16_t ctas_per_sm) { free_ += kPartsPerSm / ctas_per_sm; }

 private:
  static constexpr std::uint64_t kPartsPerSm = 144'403'552'893'600;  // divisible by 1 to 32
  struct Waiting {
    std::uint32_t cta;
    std::uint64_t parts;
  };
  std::uint64_t free_;
  std::deque<Waiting> waiting_;
};

}  // namespace epsim
