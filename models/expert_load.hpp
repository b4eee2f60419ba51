// ExpertLoad: how a layer's tokens fall on the experts, and on the ranks once the busiest experts
// have copies and all slots are packed (as DeepSeek's EPLB does it).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "traces/routing.hpp"

namespace epsim {

// Shares of all (token, expert) pairs, one an expert; their sum is 1.
using ExpertShares = std::vector<double>;
[[nodiscard]] ExpertShares even_shares(std::int64_t experts);
[[nodiscard]] ExpertShares shares_of(const Routing& routing);

// Slots: experts and copies, as many on each rank. A copy takes an equal part of its expert's load.
struct ExpertPacking {
  std::uint32_t ranks = 0;
  std::vector<std::uint32_t> expert_of_slot;  // slot s is on rank s / slots_per_rank()
  std::vector<double> share_of_slot;          // of all pairs
  [[nodiscard]] std::uint32_t slots_per_rank() const {
    return static_cast<std::uint32_t>(expert_of_slot.size()) / ranks;
  }
  [[nodiscard]] std::vector<double> rank_shares() const;
  [[nodiscard]] std::uint32_t busiest_rank() const;
  // Load of the busiest rank over the mean, 1 or more.
  [[nodiscard]] double imbalance() const;
};

// `redundant` copies go, one after the other, to the expert with the most load a slot; then slots
// go, the heaviest first, to the rank with the least load that has room and no copy of that expert
// (where there is such a rank). shares.size() + redundant must be a multiple of ranks.
[[nodiscard]] ExpertPacking pack_experts(const ExpertShares& shares,
                                         std::uint32_t redundant,
                                         std::uint32_t ranks);
// No copies: rank r hosts the r-th block of experts, whatever their load.
[[nodiscard]] ExpertPacking contiguous_packing(const ExpertShares& shares, std::uint32_t ranks);

// Rows that come to each slot of the busiest rank when all ranks together send so many pairs
// (token, expert). Slots that expect a row or more have about what a draw of independent pairs
// gives them: their sum is the expected one, and they lie around their expected numbers as
// multinomial ones do, at evenly spaced quantiles of the normal distribution, each given to one
// slot and always the same. Equal expected numbers would all stand on one side of a tile's edge.
// Of slots that expect less than one row, the expected number of those with a row have one.
// How much a layer's favourite experts change from batch to batch is not in it.
[[nodiscard]] std::vector<std::int64_t> busiest_rows(const ExpertPacking& packing, double pairs);

}  // namespace epsim
