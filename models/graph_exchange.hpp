// Graph exchange: dispatch and combine as operations of a stream, with no CPU in the path, after
// the graph-capturable protocol in kernels/graph. Every (token, choice) is a row of its own. A rank
// plans and packs its rows; meets its peers in stream memory operations; copies their counts;
// places and stores the rows and their labels; and meets the peers again.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "models/constants.hpp"
#include "models/plan.hpp"
#include "models/workload.hpp"

namespace epsim {

// How many rows go where in one leg. What a rank has no room for was dropped by the dispatch.
struct ExchangeRows {
  std::uint32_t ranks;
  std::uint32_t most_sent;          // of one rank, whatever the routing; sizes the local kernels
  std::uint32_t most_a_pair;        // from one rank to another; sizes the byte kernel's grid
  std::vector<std::uint32_t> rows;  // [source][target]

  [[nodiscard]] std::uint32_t between(std::uint32_t source, std::uint32_t target) const {
    return rows[source * ranks + target];
  }
  [[nodiscard]] std::uint32_t sent(std::uint32_t source) const;
  [[nodiscard]] std::uint32_t received(std::uint32_t target) const;
};

// What a rank keeps for the rows of a dispatch, full or not, and what found no room anywhere.
inline constexpr std::int64_t kExchangeLabelBytes = 16;  // token, expert and weight of a row
struct ExchangeBuffer {
  std::uint32_t rows;     // of one rank
  Bytes size;             // of one rank, labels included
  std::uint64_t dropped;  // rows of all ranks
};
[[nodiscard]] ExchangeBuffer exchange_buffer(const Workload& workload);

[[nodiscard]] ExchangeRows exchange_rows(const Workload& workload, MoeOperation leg);

// ceil(rows * factor) of a rank, and never more than can arrive; a factor of 0 is that worst case.
[[nodiscard]] std::uint32_t exchange_capacity(std::uint32_t rows,
                                              std::uint32_t ranks,
                                              double factor);

[[nodiscard]] std::span<const ConstantSpec> graph_exchange_constants();

[[nodiscard]] Plan plan_graph_dispatch(const Workload& workload,
                                       const ConstantSet& hardware,
                                       const ConstantSet& family);
[[nodiscard]] Plan plan_graph_combine(const Workload& workload,
                                      const ConstantSet& hardware,
                                      const ConstantSet& family);

// Kernels of the plan by name: the marker that begins a call, and the rows' all-to-all.
inline constexpr std::string_view kExchangeBegin = "call begin";
inline constexpr std::string_view kExchangeRows = "rows all-to-all";

}  // namespace epsim
