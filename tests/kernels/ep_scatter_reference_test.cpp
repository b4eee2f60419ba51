#include "kernels/reference/ep_scatter_reference.hpp"

#include <cstdint>
#include <vector>

#include <doctest/doctest.h>

using epsim::kernels::ep_gather_reference;
using epsim::kernels::expert_starts;
using epsim::kernels::row_experts;
using epsim::kernels::scatter_fault;
using epsim::kernels::ScatterOutcome;
using epsim::kernels::tokens_of_experts;

namespace {

// Two experts, starts 0 and 2; three tokens of one byte and one scale, top-1. Tokens 0 and 2 go to
// expert 0 and take rows 1 and 0, token 1 goes to expert 1 and takes row 2. So ends = {2, 3},
// rows = {token 2, token 0, token 1} = {30, 10, 20}.
struct RightScatter {
  std::vector<int> expert_ids = {0, 1, 0};
  std::vector<int> starts = {0, 2};
  std::vector<int> ends = {2, 3};
  std::vector<int> token_rows = {1, 2, 0};
  std::vector<std::uint8_t> tokens = {10, 20, 30};
  std::vector<std::uint8_t> rows = {30, 10, 20};
  std::vector<float> scales = {1, 2, 3};
  std::vector<float> scales_of_rows = {3, 1, 2};

  std::string fault() const {
    return scatter_fault({.expert_ids = expert_ids,
                          .starts = starts,
                          .ends = ends,
                          .token_rows = token_rows,
                          .tokens = tokens,
                          .rows = rows,
                          .scales = scales,
                          .scales_of_rows = scales_of_rows,
                          .top_k = 1,
                          .row_bytes = 1,
                          .row_scales = 1});
  }
};

}  // namespace

TEST_CASE("ep_scatter reference: an expert starts where the counts before it end") {
  // 3, 3 + 0 = 3, 3 + 0 + 2 = 5: the empty expert shares its start with the next.
  CHECK(expert_starts(std::vector<int>{3, 0, 2, 1}) == std::vector<int>{0, 3, 3, 5});
  CHECK(expert_starts({}).empty());
}

TEST_CASE("ep_scatter reference: each row belongs to the expert whose range it lies in") {
  CHECK(row_experts(std::vector<int>{3, 0, 2, 1}) == std::vector<int>{0, 0, 0, 2, 2, 3});
}

TEST_CASE("ep_scatter reference: ids that name no expert are not counted") {
  // Of {1, -1, 1, 2, 0, -7} with two experts: 0 once, 1 twice; -1, 2 and -7 name none.
  CHECK(tokens_of_experts(std::vector<int>{1, -1, 1, 2, 0, -7}, 2) == std::vector<int>{1, 2});
}

TEST_CASE("ep_scatter reference: rows in any order within their expert are right") {
  RightScatter scatter;
  CHECK(scatter.fault().empty());
  // Token 0 in row 0, token 2 in row 1.
  scatter.token_rows = {0, 2, 1};
  scatter.rows = {10, 30, 20};
  scatter.scales_of_rows = {1, 3, 2};
  CHECK(scatter.fault().empty());
}

TEST_CASE("ep_scatter reference: a skipped entry must have no row") {
  RightScatter scatter;
  scatter.expert_ids = {0, 5, 0};
  scatter.ends = {2, 2};
  scatter.token_rows = {1, -1, 0};
  CHECK(scatter.fault().empty());
  scatter.token_rows[1] = 2;
  CHECK(scatter.fault() == "entry 1 of the expert ids names no expert and got a row");
}

TEST_CASE("ep_scatter reference: every kind of wrong scatter is told") {
  RightScatter scatter;
  scatter.ends = {1, 3};
  CHECK(scatter.fault() == "expert 0 handed out 1 rows for 2 tokens");

  scatter = {};
  scatter.token_rows = {1, 0, 0};
  CHECK(scatter.fault() == "entry 1 of the expert ids got row 0, outside of its expert's");

  scatter = {};
  scatter.token_rows = {1, 2, 1};
  CHECK(scatter.fault() == "entry 2 of the expert ids got row 1, which another has");

  scatter = {};
  scatter.rows = {30, 11, 20};
  CHECK(scatter.fault() == "entry 0 of the expert ids has a row that is not its token's");

  scatter = {};
  scatter.scales_of_rows = {3, 1, 9};
  CHECK(scatter.fault() == "entry 1 of the expert ids has scales that are not its token's");
}

TEST_CASE(
    "ep_gather reference: a token is the weighted sum of its rows, without those it has not") {
  // Two channels, rows {1, 2}, {10, 20}, {100, 200}. Token 0 has rows 2 and 0 with weights 0.5 and
  // 2: {50 + 2, 100 + 4}. Token 1 has row 1 with weight 3 and none: {30, 60}.
  const std::vector<float> rows = {1, 2, 10, 20, 100, 200};
  const std::vector<int> token_rows = {2, 0, 1, -1};
  const std::vector<float> weights = {0.5F, 2, 3, 7};
  CHECK(
      ep_gather_reference(
          {.rows = rows, .token_rows = token_rows, .weights = weights, .top_k = 2, .hidden = 2}) ==
      std::vector<float>{52, 104, 30, 60});
}
