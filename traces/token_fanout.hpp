// TokenFanout: which ranks each token of one source goes to, each of them once, however many of its
// experts live there. What the layout kernel of the normal mode works out, for the channels to cut.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "sim/base/ids.hpp"
#include "traces/expert_placement.hpp"
#include "traces/routing.hpp"

namespace epsim {

// Tokens `begin` to `end` - 1 of one rank.
struct TokenRange {
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
  bool operator==(const TokenRange&) const = default;
  [[nodiscard]] constexpr std::uint32_t size() const { return end - begin; }
};

struct ChannelCut {
  std::uint32_t tokens = 0;
  std::uint32_t channel = 0;
  std::uint32_t channels = 1;
};

// The tokens that one of several channels carries, cut as DeepEP's kernels cut them: every channel
// takes tokens/channels rounded up until none are left, so that the last ones may go empty.
[[nodiscard]] TokenRange channel_range(const ChannelCut& cut);

class TokenFanout {
 public:
  TokenFanout(const Routing& routing,
              const ExpertPlacement& placement,
              RankId source,
              TokenRange range);
  // Of all tokens of the source.
  TokenFanout(const Routing& routing, const ExpertPlacement& placement, RankId source);

  [[nodiscard]] TokenRange range() const { return range_; }
  // Tokens are numbered as in the routing, not from the start of the range. Ranks rise.
  [[nodiscard]] std::span<const RankId> targets(std::uint32_t token) const;
  [[nodiscard]] bool token_goes_to(std::uint32_t token, RankId rank) const;
  // The tokens of the range that go to `rank`, in order: what its queue carries.
  [[nodiscard]] std::vector<std::uint32_t> tokens_to(RankId rank) const;
  // One copy for each token and rank it goes to.
  [[nodiscard]] std::size_t copy_count() const { return targets_.size(); }

 private:
  TokenRange range_;
  std::vector<std::size_t> first_target_;  // of each token; one more at the end
  std::vector<RankId> targets_;
};

}  // namespace epsim
