#include "traces/expert_placement.hpp"

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "sim/base/check.hpp"
#include "sim/base/input_error.hpp"

using namespace epsim;

namespace {

ExpertPlacement read(const std::string& json) {
  return read_expert_placement(JsonDocument::parse(json, "p.json").root(),
                               {.ranks = 2, .experts = 4});
}

}  // namespace

TEST_CASE("ExpertPlacement: contiguous blocks are the default of the kernels") {
  const auto placement = ExpertPlacement::contiguous({.ranks = 4, .experts = 32});
  CHECK(placement.experts_per_rank() == 8);
  // Expert 19 = 2 * 8 + 3.
  CHECK(placement.rank_of(ExpertId{19}) == RankId{2});
  CHECK(placement.local_index(ExpertId{19}) == 3);
  CHECK(placement.experts_of(RankId{2})[3] == ExpertId{19});
}

TEST_CASE("ExpertPlacement: round-robin deals experts like cards") {
  const auto placement = ExpertPlacement::round_robin({.ranks = 4, .experts = 32});
  // Expert 19 = 4 * 4 + 3.
  CHECK(placement.rank_of(ExpertId{19}) == RankId{3});
  CHECK(placement.local_index(ExpertId{19}) == 4);
  CHECK(placement.experts_of(RankId{3})[4] == ExpertId{19});
}

TEST_CASE("ExpertPlacement: an explicit one numbers a rank's experts in order of their ids") {
  const ExpertPlacement placement = read("[1, 0, 0, 1]");
  CHECK(placement.rank_of(ExpertId{0}) == RankId{1});
  CHECK(placement.local_index(ExpertId{0}) == 0);
  CHECK(placement.local_index(ExpertId{3}) == 1);
  CHECK(placement.local_index(ExpertId{2}) == 1);
  CHECK(placement.experts_of(RankId{0})[0] == ExpertId{1});
}

TEST_CASE("ExpertPlacement: the words of a file mean the two regular ones") {
  CHECK(read("\"contiguous\"").rank_of(ExpertId{1}) == RankId{0});
  CHECK(read("\"round-robin\"").rank_of(ExpertId{1}) == RankId{1});
}

TEST_CASE("ExpertPlacement: a file that hosts experts unevenly or nowhere is refused") {
  CHECK_THROWS_WITH_AS((void)read("[0, 0, 0, 1]"),
                       "p.json: rank 0 hosts 3 experts; expected 2 on every rank",
                       InputError);
  CHECK_THROWS_WITH_AS((void)read("[0, 1]"),
                       "p.json: expected the rank of each of the 4 experts, found an array of 2",
                       InputError);
  CHECK_THROWS_WITH_AS((void)read("[0, 1, 2, 1]"),
                       "p.json: /2: expected a whole number from 0 to 1, found 2",
                       InputError);
  CHECK_THROWS_WITH_AS((void)read("\"random\""),
                       "p.json: expected one of contiguous, round-robin, found \"random\"",
                       InputError);
}

TEST_CASE("ExpertPlacement: building an uneven one is a bug") {
  const auto build = [](const std::vector<RankId>& ranks) { (void)ExpertPlacement(2, ranks); };
  CHECK_NOTHROW(build({RankId{1}, RankId{0}}));
  CHECK_THROWS_AS(build({RankId{1}, RankId{1}}), Bug);
  CHECK_THROWS_AS(build({RankId{0}, RankId{2}}), Bug);
  CHECK_THROWS_AS(build({}), Bug);
  CHECK_THROWS_AS((void)ExpertPlacement::contiguous({.ranks = 2, .experts = 3}), Bug);
}
