// ExpertPlacement: which rank hosts each expert, and as which of its own.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "sim/base/ids.hpp"
#include "sim/base/json.hpp"

namespace epsim {

struct PlacementShape {
  std::uint32_t ranks = 0;
  std::uint32_t experts = 0;  // a multiple of `ranks`
};

class ExpertPlacement {
 public:
  // Rank r hosts the r-th block of experts/ranks: what the kernels and `local-*` routings mean.
  [[nodiscard]] static ExpertPlacement contiguous(const PlacementShape& shape);
  // Expert e lives on rank e mod ranks.
  [[nodiscard]] static ExpertPlacement round_robin(const PlacementShape& shape);
  // Throws Bug unless every rank hosts the same number of experts, one or more.
  ExpertPlacement(std::uint32_t rank_count, std::span<const RankId> rank_of_expert);

  [[nodiscard]] std::uint32_t rank_count() const { return rank_count_; }
  [[nodiscard]] std::uint32_t expert_count() const {
    return static_cast<std::uint32_t>(rank_of_expert_.size());
  }
  [[nodiscard]] std::uint32_t experts_per_rank() const { return expert_count() / rank_count_; }

  [[nodiscard]] RankId rank_of(ExpertId expert) const { return rank_of_expert_[expert.index()]; }
  // Position of the expert among those of its rank, which stand in order of their ids.
  [[nodiscard]] std::uint32_t local_index(ExpertId expert) const {
    return local_index_[expert.index()];
  }
  [[nodiscard]] std::span<const ExpertId> experts_of(RankId rank) const {
    return std::span(experts_by_rank_)
        .subspan(rank.index() * experts_per_rank(), experts_per_rank());
  }

 private:
  std::uint32_t rank_count_;
  std::vector<RankId> rank_of_expert_;
  std::vector<std::uint32_t> local_index_;
  std::vector<ExpertId> experts_by_rank_;
};

// Reads "contiguous", "round-robin", or an array with the rank of each expert. Throws InputError.
[[nodiscard]] ExpertPlacement read_expert_placement(const JsonValue& value,
                                                    const PlacementShape& shape);

}  // namespace epsim
