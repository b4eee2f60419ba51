// Timeline: when each operation of a plan started and ended, and how busy each resource was.
#pragma once

#include <cstdint>
#include <vector>

#include "models/plan.hpp"
#include "sim/base/units.hpp"

namespace epsim {

// A stretch of time in which a link carried one message.
struct LinkUse {
  LinkId link;
  Instant start;
  Instant end;
};

struct Timeline {
  // One entry an operation of the plan. A load ends when its row has landed; a put when its last
  // byte has left; what is posted to a NIC when it is visible at its target. An operation that
  // never ran keeps kNever in both.
  static constexpr Instant kNever{Duration{-1}};
  std::vector<Instant> start;
  std::vector<Instant> end;

  std::vector<Instant> agent_start;   // first instruction
  std::vector<Instant> kernel_start;  // as a profiler records it
  std::vector<Instant> kernel_end;
  std::vector<Duration> link_busy;    // one a link of the topology
  std::vector<Duration> memory_busy;  // one a rank: its memory at full rate
  std::vector<Bytes> link_bytes;
  std::vector<Bytes> memory_bytes;
  std::vector<LinkUse> link_uses;  // only when asked for

  std::uint64_t event_count = 0;

  // Last rank's kernel start to last rank's kernel end, over all kernels.
  [[nodiscard]] Duration aligned_latency(const Plan& plan) const;
  // Each rank's own start to its own end, all kernels between; the mean over ranks.
  [[nodiscard]] Duration mean_latency(const Plan& plan) const;
  // Aligned, over the kernels of one name: the send or the receive half of a split.
  [[nodiscard]] Duration aligned_latency(const Plan& plan, std::string_view kernel_name) const;
};

}  // namespace epsim
