// exchange_buffers: memory that a rank keeps for its dispatch and combine, by kernel family.
// Counted as the families' own libraries do it; the source of each formula stands with it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "models/workload.hpp"
#include "sim/base/units.hpp"

namespace epsim {

struct ExchangeShape {
  std::uint32_t ranks = 0;
  std::uint32_t ranks_per_host = 0;  // of one NVLink domain
  std::int64_t slots = 0;            // experts and copies on all ranks
  std::int64_t top_k = 0;
  std::int64_t hidden = 0;
  std::int64_t tokens = 0;  // the most that a rank sends in one call
  std::int64_t sms = 0;
  DispatchFormat dispatch_format = DispatchFormat::fp8;
  double capacity = 0;  // of families that keep a capacity factor: 0: all that can arrive
};

struct ExchangeBuffers {
  Bytes size{};     // of one rank, for one micro-batch
  Bytes needed{};   // of them: rows that do arrive when load is even; the rest is over-allocation
  std::string how;  // "low-latency: 2 x (tokens x slots) rows of 7680 B to send and receive"
};

// What becomes of the rows that a dispatch brought while the experts work on them.
struct ReceivedRows {
  bool in_buffer = false;  // they stay there: each micro-batch needs buffers of its own
  bool padded = false;     // laid out for the most that could come, [slot][source rank][token]
};

// Both throw Bug for a family that kernel_families() does not have.
[[nodiscard]] ReceivedRows received_rows(std::string_view family);
[[nodiscard]] ExchangeBuffers exchange_buffers(std::string_view family, const ExchangeShape& shape);

}  // namespace epsim
