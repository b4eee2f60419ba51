#include "traces/traffic_matrix.hpp"

#include <cmath>
#include <numeric>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "sim/base/check.hpp"
#include "traces/routing_generators.hpp"

using namespace epsim;

namespace {

std::uint64_t sum(const std::vector<std::uint64_t>& values) {
  return std::accumulate(values.begin(), values.end(), std::uint64_t{0});
}

TrafficMatrix count(std::string_view name, const RoutingShape& shape, std::uint32_t tokens) {
  const RoutingSpec spec{
      .name = parse_routing_name(name), .shape = shape, .tokens_per_rank = tokens};
  return TrafficMatrix(
      make_routing(spec, Rng(4).stream("routing")),
      ExpertPlacement::contiguous({.ranks = shape.ranks, .experts = shape.experts}));
}

}  // namespace

TEST_CASE("TrafficMatrix: a routing small enough to count by hand") {
  // Two ranks of two experts, top-2.   rank 0: tokens {2, 3}, {0, 3};   rank 1: token {1, masked}.
  const Routing routing({.ranks = 2, .experts = 4, .top_k = 2},
                        std::vector<std::uint32_t>{2, 1},
                        {2, 3, 0, 3, 1, kMasked});
  const TrafficMatrix traffic(routing, ExpertPlacement::contiguous({.ranks = 2, .experts = 4}));
  const RankPair across{.source = RankId{0}, .target = RankId{1}};
  CHECK(traffic.tokens(RankId{0}, ExpertId{3}) == 2);
  CHECK(traffic.messages(across) == 3);  // 2, 3 and 3
  CHECK(traffic.copies(across) == 2);    // both tokens
  CHECK(traffic.messages_by_source() == std::vector<std::uint64_t>{4, 1});
  CHECK(traffic.messages_by_target() == std::vector<std::uint64_t>{2, 3});
  CHECK(traffic.copies_by_source() == std::vector<std::uint64_t>{3, 1});
  CHECK(traffic.copies_by_target() == std::vector<std::uint64_t>{2, 2});
  CHECK(traffic.tokens_by_expert() == std::vector<std::uint64_t>{1, 1, 1, 2});
  CHECK(traffic.remote_messages() == 4);  // 3 to the right, 1 to the left
  CHECK(traffic.remote_copies() == 3);
  CHECK_FALSE(traffic.is_symmetric());
}

TEST_CASE("TrafficMatrix: the placement decides which rank an expert's traffic goes to") {
  // Experts 0 and 1 share rank 0 in blocks, and are parted by dealing.
  const Routing routing(
      {.ranks = 2, .experts = 4, .top_k = 2}, std::vector<std::uint32_t>{1, 0}, {0, 1});
  const PlacementShape shape{.ranks = 2, .experts = 4};
  CHECK(TrafficMatrix(routing, ExpertPlacement::contiguous(shape)).copies_by_target() ==
        std::vector<std::uint64_t>{1, 0});
  CHECK(TrafficMatrix(routing, ExpertPlacement::round_robin(shape)).copies_by_target() ==
        std::vector<std::uint64_t>{1, 1});
}

TEST_CASE("TrafficMatrix: every way of summing messages gives ranks * tokens * K") {
  for (const char* name :
       {"random", "local-rand", "local-same", "remote-rand", "random-same", "zipf:1.2"}) {
    CAPTURE(name);
    const TrafficMatrix traffic = count(name, {.ranks = 4, .experts = 32, .top_k = 4}, 30);
    CHECK(sum(traffic.messages_by_source()) == 4 * 30 * 4);
    CHECK(sum(traffic.messages_by_target()) == 4 * 30 * 4);
    CHECK(sum(traffic.tokens_by_expert()) == 4 * 30 * 4);
    CHECK(sum(traffic.copies_by_source()) == sum(traffic.copies_by_target()));
    CHECK(sum(traffic.copies_by_source()) <= 4 * 30 * 4);
    CHECK(sum(traffic.copies_by_source()) >= 4 * 30);
  }
}

TEST_CASE("TrafficMatrix: random routing reaches as many ranks a token as combinatorics say") {
  constexpr std::uint64_t seed = 31;
  CAPTURE(seed);
  const RoutingShape shape{.ranks = 8, .experts = 256, .top_k = 8};
  const RoutingSpec spec{
      .name = parse_routing_name("random"), .shape = shape, .tokens_per_rank = 1024};
  const TrafficMatrix traffic(make_routing(spec, Rng(seed).stream("routing")),
                              ExpertPlacement::contiguous({.ranks = 8, .experts = 256}));
  // With E = 256, K = 8, R = 8 and E/R = 32, one rank is missed with p1 = C(224,8)/C(256,8), two
  // given ranks with p2 = C(192,8)/C(256,8), each a product of K factors. The ranks reached by a
  // token have mean R (1 - p1) and variance R p1 (1 - p1) + R (R - 1) (p2 - p1^2).
  double p1 = 1.0;
  double p2 = 1.0;
  for (int k = 0; k < 8; ++k) {
    p1 *= (224.0 - k) / (256.0 - k);
    p2 *= (192.0 - k) / (256.0 - k);
  }
  const double mean = 8.0 * (1.0 - p1);
  const double variance = 8.0 * p1 * (1.0 - p1) + 56.0 * (p2 - p1 * p1);
  const double tokens = 8.0 * 1024.0;
  const auto copies = static_cast<double>(sum(traffic.copies_by_source()));
  CAPTURE(mean);
  CHECK(std::abs(copies - tokens * mean) < 4.0 * std::sqrt(tokens * variance));
  // A choice leaves its rank with 7/8; the 65 536 choices of tokens that avoid repeats vary less
  // than independent ones: sigma < sqrt(65 536 * 7/8 * 1/8) = 84.7.
  CHECK(std::abs(static_cast<double>(traffic.remote_messages()) - 57'344.0) < 4.0 * 84.7);
}

TEST_CASE("TrafficMatrix: local routings send nothing away, remote ones everything") {
  const RoutingShape shape{.ranks = 4, .experts = 32, .top_k = 4};
  CHECK(count("local-rand", shape, 30).remote_messages() == 0);
  CHECK(sum(count("local-rand", shape, 30).copies_by_source()) == 4 * 30);  // each token once
  CHECK(count("remote-rand", shape, 30).remote_messages() == 4 * 30 * 4);
  CHECK(count("local-same", shape, 30).is_symmetric());
}

TEST_CASE("TrafficMatrix: no tokens make no traffic, in balance") {
  const TrafficMatrix traffic = count("random", {.ranks = 4, .experts = 32, .top_k = 4}, 0);
  CHECK(traffic.remote_copies() == 0);
  CHECK(traffic.is_symmetric());
  CHECK(imbalance(traffic.messages_by_target()).ratio() == 1.0);
}

TEST_CASE("Imbalance: the busiest load is measured against the mean") {
  // (1 + 5 + 3 + 5 + 1) / 5 = 3.
  const Imbalance uneven = imbalance(std::vector<std::uint64_t>{1, 5, 3, 5, 1});
  CHECK(uneven.busiest == 1);
  CHECK(uneven.max == 5);
  CHECK(uneven.mean == 3.0);
  CHECK(uneven.ratio() == 5.0 / 3.0);
  CHECK_THROWS_AS((void)imbalance({}), Bug);
}

TEST_CASE("Imbalance: one expert in every token is as far above the mean as E / K") {
  // local-same on one rank: 4 of 32 experts take all tokens, so max/mean = 32 / 4.
  const TrafficMatrix traffic = count("local-same", {.ranks = 1, .experts = 32, .top_k = 4}, 10);
  CHECK(imbalance(traffic.tokens_by_expert()).ratio() == 8.0);
}
