#include "traces/token_fanout.hpp"

#include <vector>

#include <doctest/doctest.h>

#include "sim/base/check.hpp"

using namespace epsim;

namespace {

// Three ranks of two experts, top-3; rank 0 has three tokens, the others none.
//   token 0: experts 5 4 0 -> ranks 2 2 0;  token 1: experts 2 - 3 -> rank 1;  token 2: nothing.
const RoutingShape kShape{.ranks = 3, .experts = 6, .top_k = 3};
const Routing kRouting(kShape,
                       std::vector<std::uint32_t>{3, 0, 0},
                       {5, 4, 0, 2, kMasked, 3, kMasked, kMasked, kMasked});
const ExpertPlacement kPlacement = ExpertPlacement::contiguous({.ranks = 3, .experts = 6});

}  // namespace

TEST_CASE("TokenFanout: a token goes once to each rank that hosts any of its experts") {
  const TokenFanout fanout(kRouting, kPlacement, RankId{0});
  REQUIRE(fanout.targets(0).size() == 2);
  CHECK(fanout.targets(0)[0] == RankId{0});
  CHECK(fanout.targets(0)[1] == RankId{2});
  CHECK(fanout.token_goes_to(0, RankId{2}));
  CHECK_FALSE(fanout.token_goes_to(0, RankId{1}));
  CHECK(fanout.targets(1).size() == 1);
  CHECK(fanout.targets(2).empty());
  CHECK(fanout.copy_count() == 3);
  CHECK(fanout.tokens_to(RankId{1}) == std::vector<std::uint32_t>{1});
}

TEST_CASE("TokenFanout: of a range knows the tokens of the range and no others") {
  const TokenFanout fanout(kRouting, kPlacement, RankId{0}, {.begin = 1, .end = 3});
  CHECK(fanout.copy_count() == 1);
  CHECK(fanout.token_goes_to(1, RankId{1}));
  CHECK(fanout.tokens_to(RankId{2}).empty());
  CHECK_THROWS_AS((void)fanout.targets(0), Bug);
  CHECK_THROWS_AS((void)fanout.targets(3), Bug);
  CHECK_THROWS_AS(TokenFanout(kRouting, kPlacement, RankId{0}, {.begin = 1, .end = 4}), Bug);
  CHECK(TokenFanout(kRouting, kPlacement, RankId{1}).copy_count() == 0);
}

TEST_CASE("TokenFanout: a placement of other experts is a bug") {
  const auto other = ExpertPlacement::contiguous({.ranks = 3, .experts = 9});
  CHECK_THROWS_AS(TokenFanout(kRouting, other, RankId{0}), Bug);
}

TEST_CASE("channel_range: channels take equal shares, rounded up, until none are left") {
  const auto cut = [](std::uint32_t tokens, std::uint32_t channel, std::uint32_t channels) {
    return channel_range({.tokens = tokens, .channel = channel, .channels = channels});
  };
  // 4096 / 12 = 341.3, so 342 each and 4096 - 11 * 342 = 334 for the last.
  CHECK(cut(4096, 0, 12) == TokenRange{.begin = 0, .end = 342});
  CHECK(cut(4096, 11, 12) == TokenRange{.begin = 3762, .end = 4096});
  // 5 tokens over 4 channels: 2, 2, 1 and none.
  CHECK(cut(5, 2, 4).size() == 1);
  CHECK(cut(5, 3, 4) == TokenRange{.begin = 5, .end = 5});
  CHECK(cut(0, 0, 4).size() == 0);
  CHECK_THROWS_AS((void)cut(5, 4, 4), Bug);
}
