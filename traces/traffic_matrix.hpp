// TrafficMatrix: a routing as counts. Who sends how much to whom, before any byte has a size.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "sim/base/ids.hpp"
#include "traces/expert_placement.hpp"
#include "traces/routing.hpp"

namespace epsim {

struct RankPair {
  RankId source;
  RankId target;
};

// How far the busiest of several loads stands above their mean.
struct Imbalance {
  std::size_t busiest = 0;  // the first of the largest loads
  std::uint64_t max = 0;
  double mean = 0.0;
  // 1 when all are equal, and when there is no load at all.
  [[nodiscard]] double ratio() const { return max == 0 ? 1.0 : static_cast<double>(max) / mean; }
};

[[nodiscard]] Imbalance imbalance(std::span<const std::uint64_t> loads);

class TrafficMatrix {
 public:
  TrafficMatrix(const Routing& routing, const ExpertPlacement& placement);

  // Tokens of `source` that chose `expert`.
  [[nodiscard]] std::uint32_t tokens(RankId source, ExpertId expert) const {
    if (source.index() >= row_count_) return 0;
    return tokens_[source.index() * expert_count_ + expert.index()];
  }
  // One for each choice of an expert of `target`: what low-latency kernels send.
  [[nodiscard]] std::uint32_t messages(RankPair pair) const {
    return pair.source.index() < row_count_ ? messages_[index(pair)] : 0;
  }
  // One for each token with any expert on `target`: what normal-mode kernels send.
  [[nodiscard]] std::uint32_t copies(RankPair pair) const {
    return pair.source.index() < row_count_ ? copies_[index(pair)] : 0;
  }

  // Sums, one entry a rank or an expert; the own rank counts as a target too.
  [[nodiscard]] std::vector<std::uint64_t> messages_by_source() const;
  [[nodiscard]] std::vector<std::uint64_t> messages_by_target() const;
  [[nodiscard]] std::vector<std::uint64_t> copies_by_source() const;
  [[nodiscard]] std::vector<std::uint64_t> copies_by_target() const;
  [[nodiscard]] std::vector<std::uint64_t> tokens_by_expert() const;
  // Messages that leave their rank.
  [[nodiscard]] std::uint64_t remote_messages() const;
  [[nodiscard]] std::uint64_t remote_copies() const;

  // Whether every rank sends to the n-th rank after it (around the end) what rank 0 sends to rank
  // n, so that one rank's traffic tells that of all.
  [[nodiscard]] bool is_symmetric() const;

 private:
  [[nodiscard]] std::size_t index(RankPair pair) const {
    return pair.source.index() * rank_count_ + pair.target.index();
  }

  std::size_t rank_count_;
  std::size_t expert_count_;
  std::size_t row_count_;  // ranks up to the last that has tokens: few, where few stand for many
  std::vector<std::uint32_t> tokens_;    // rank x expert
  std::vector<std::uint32_t> messages_;  // rank x rank, as the next
  std::vector<std::uint32_t> copies_;
};

}  // namespace epsim
