// LitmusCausality: who comes before whom once it is known who reads from whom and how fences and
// barriers fell: base causality, what of it proxies preserve, and causality.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/litmus/litmus_frame.hpp"

namespace epsim {

struct LitmusEdge {
  std::uint32_t from = 0;
  std::uint32_t to = 0;
};

inline constexpr std::uint32_t kNobody = 0xffff'ffff;

// For each event that reads: the write that it reads from, or kNobody while that is open.
using ReadsFrom = std::vector<std::uint32_t>;

// From the head of a release pattern to the end of an acquire pattern that observed it.
[[nodiscard]] std::vector<LitmusEdge> synchronizing_edges(const LitmusFrame& frame,
                                                          const ReadsFrom& reads_from);

// Paths of program order and `edges`, over nodes.
[[nodiscard]] BitMatrix litmus_paths(const LitmusFrame& frame,
                                     const std::vector<LitmusEdge>& edges);

// Causality between accesses: 7.5 by way of proxies; 6.0 from `edges`, without pure program order.
[[nodiscard]] BitMatrix litmus_causality(const LitmusFrame& frame,
                                         LitmusModel model,
                                         const ReadsFrom& reads_from,
                                         const std::vector<LitmusEdge>& edges,
                                         const BitMatrix& paths);

}  // namespace epsim
