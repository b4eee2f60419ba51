#include "kernels/reference/graph_exchange_reference.hpp"

#include <vector>

#include <doctest/doctest.h>

using namespace epsim::kernels;

namespace {

// 2 ranks, 4 experts: rank 0 owns 0 and 1, rank 1 owns 2 and 3.
constexpr ExchangeReferenceShape kTwoRanks{.rank_count = 2, .expert_count = 4, .capacity = 100};

}  // namespace

TEST_CASE("graph exchange reference: rows lie by source rank, then by their place at the source") {
  const ExchangeReference result = exchange_reference(kTwoRanks, {{3, 0, 2}, {1, 2, 0}});
  // Rank 0 keeps its own row 1 (expert 0), then rows 0 (expert 1) and 2 (expert 0) of rank 1: by
  // place, not by expert. Rank 1 keeps rows 0 and 2 of rank 0, then its own row 1.
  CHECK(result.received[0] == std::vector<ArrivedRow>{{0, 1, 0}, {1, 0, 1}, {1, 2, 0}});
  CHECK(result.received[1] == std::vector<ArrivedRow>{{0, 0, 3}, {0, 2, 2}, {1, 1, 2}});
  CHECK(result.counts == std::vector<std::vector<int>>{{1, 2}, {2, 1}});
  CHECK(result.dropped == std::vector<int>{0, 0});
  CHECK(result.returned == std::vector<std::vector<bool>>{{true, true, true}, {true, true, true}});
}

TEST_CASE("graph exchange reference: rows above the capacity are dropped, the last ranks' first") {
  ExchangeReferenceShape shape = kTwoRanks;
  shape.capacity = 3;
  // Four rows for rank 0: two of each source. It keeps three, so rank 1's second one is dropped and
  // does not come back. Rank 1 gets nothing.
  const ExchangeReference result = exchange_reference(shape, {{0, 1}, {0, 1}});
  CHECK(result.received[0] == std::vector<ArrivedRow>{{0, 0, 0}, {0, 1, 1}, {1, 0, 0}});
  CHECK(result.received[1].empty());
  CHECK(result.dropped == std::vector<int>{1, 0});
  CHECK(result.returned == std::vector<std::vector<bool>>{{true, true}, {true, false}});
}

TEST_CASE("graph exchange reference: a masked choice goes nowhere, a bad expert is also noted") {
  // Rank 0 masks its first row; rank 1 names expert 4 of 4, and -2.
  const ExchangeReference result = exchange_reference(kTwoRanks, {{-1, 2}, {4, -2}});
  CHECK(result.received[0].empty());
  CHECK(result.received[1] == std::vector<ArrivedRow>{{0, 1, 2}});
  CHECK(result.has_bad_expert == std::vector<bool>{false, true});
  CHECK(result.returned == std::vector<std::vector<bool>>{{false, true}, {false, false}});
}
