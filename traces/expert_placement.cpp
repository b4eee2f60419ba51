#include "traces/expert_placement.hpp"

#include <fmt/format.h>

#include "sim/base/check.hpp"

namespace epsim {

namespace {

void check_shape(const PlacementShape& shape) {
  check(shape.ranks > 0 && shape.experts > 0, "a placement has a rank and an expert");
  check(shape.experts % shape.ranks == 0, "every rank hosts as many experts as another");
}

}  // namespace

ExpertPlacement ExpertPlacement::contiguous(const PlacementShape& shape) {
  check_shape(shape);
  std::vector<RankId> ranks;
  for (std::uint32_t expert = 0; expert < shape.experts; ++expert)
    ranks.push_back(RankId{expert / (shape.experts / shape.ranks)});
  return ExpertPlacement(shape.ranks, ranks);
}

ExpertPlacement ExpertPlacement::round_robin(const PlacementShape& shape) {
  check_shape(shape);
  std::vector<RankId> ranks;
  for (std::uint32_t expert = 0; expert < shape.experts; ++expert)
    ranks.push_back(RankId{expert % shape.ranks});
  return ExpertPlacement(shape.ranks, ranks);
}

ExpertPlacement::ExpertPlacement(std::uint32_t rank_count, std::span<const RankId> rank_of_expert)
    : rank_count_(rank_count), rank_of_expert_(rank_of_expert.begin(), rank_of_expert.end()) {
  check_shape({.ranks = rank_count, .experts = expert_count()});
  experts_by_rank_.resize(rank_of_expert_.size());
  std::vector<std::uint32_t> hosted(rank_count_, 0);
  for (std::uint32_t expert = 0; expert < expert_count(); ++expert) {
    const RankId rank = rank_of_expert_[expert];
    check(rank.value < rank_count_, "an expert lives on one of the ranks");
    check(hosted[rank.index()] < experts_per_rank(), "no rank hosts more experts than another");
    local_index_.push_back(hosted[rank.index()]++);
    experts_by_rank_[rank.index() * experts_per_rank() + local_index_.back()] = ExpertId{expert};
  }
}

ExpertPlacement read_expert_placement(const JsonValue& value, const PlacementShape& shape) {
  if (!value.is_array())
    return value.one_of({"contiguous", "round-robin"}) == 0 ? ExpertPlacement::contiguous(shape)
                                                            : ExpertPlacement::round_robin(shape);
  check_shape(shape);
  std::vector<std::int32_t> numbers;
  value.append_integers(0, std::int64_t{shape.ranks} - 1, numbers);
  if (numbers.size() != shape.experts)
    value.fail_expected(fmt::format("the rank of each of the {} experts", shape.experts));

  std::vector<RankId> ranks;
  std::vector<std::uint32_t> hosted(shape.ranks, 0);
  for (const std::int32_t number : numbers) {
    ranks.push_back(RankId{static_cast<std::uint32_t>(number)});
    ++hosted[ranks.back().index()];
  }
  for (std::uint32_t rank = 0; rank < shape.ranks; ++rank)
    if (hosted[rank] != shape.experts / shape.ranks)
      value.fail(fmt::format("rank {} hosts {} experts; expected {} on every rank",
                             rank,
                             hosted[rank],
                             shape.experts / shape.ranks));
  return ExpertPlacement(shape.ranks, ranks);
}

}  // namespace epsim
