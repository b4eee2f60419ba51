#include "traces/token_fanout.hpp"

#include <algorithm>

#include "sim/base/check.hpp"

namespace epsim {

TokenRange channel_range(const ChannelCut& cut) {
  check(cut.channel < cut.channels, "the channel is one of the channels");
  const std::uint64_t share = (std::uint64_t{cut.tokens} + cut.channels - 1) / cut.channels;
  const auto token_at = [&](std::uint64_t channel) {
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(share * channel, cut.tokens));
  };
  return {.begin = token_at(cut.channel), .end = token_at(std::uint64_t{cut.channel} + 1)};
}

TokenFanout::TokenFanout(const Routing& routing, const ExpertPlacement& placement, RankId source)
    : TokenFanout(
          routing, placement, source, TokenRange{.begin = 0, .end = routing.token_count(source)}) {}

TokenFanout::TokenFanout(const Routing& routing,
                         const ExpertPlacement& placement,
                         RankId source,
                         TokenRange range)
    : range_(range), first_target_{0} {
  check(placement.rank_count() == routing.rank_count(), "routing and placement agree on ranks");
  check(placement.expert_count() == routing.expert_count(),
        "routing and placement agree on experts");
  check(range.begin <= range.end && range.end <= routing.token_count(source),
        "the range lies within the tokens of the source");
  first_target_.reserve(range.size() + std::size_t{1});
  for (std::uint32_t token = range.begin; token < range.end; ++token) {
    const auto first = static_cast<std::ptrdiff_t>(targets_.size());
    for (const ExpertChoice choice : routing.choices(source, token))
      if (choice != kMasked) targets_.push_back(placement.rank_of(expert_of(choice)));
    std::sort(targets_.begin() + first, targets_.end());
    targets_.erase(std::unique(targets_.begin() + first, targets_.end()), targets_.end());
    first_target_.push_back(targets_.size());
  }
}

std::span<const RankId> TokenFanout::targets(std::uint32_t token) const {
  check(token >= range_.begin && token < range_.end, "the token lies within the range");
  const std::size_t first = first_target_[token - range_.begin];
  return std::span(targets_).subspan(first, first_target_[token - range_.begin + 1] - first);
}

bool TokenFanout::token_goes_to(std::uint32_t token, RankId rank) const {
  return std::ranges::binary_search(targets(token), rank);
}

std::vector<std::uint32_t> TokenFanout::tokens_to(RankId rank) const {
  std::vector<std::uint32_t> tokens;
  for (std::uint32_t token = range_.begin; token < range_.end; ++token)
    if (token_goes_to(token, rank)) tokens.push_back(token);
  return tokens;
}

}  // namespace epsim
