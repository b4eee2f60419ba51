#include "sim/capacity/expert_slots.hpp"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <numeric>
#include <string>

#include <doctest/doctest.h>

#include "sim/base/input_error.hpp"
#include "tests/base/temporary_folder.hpp"

using namespace epsim;

namespace {

CapacityQuestion question_of(const std::string& routing, std::uint64_t seed = 0) {
  CapacityQuestion question;
  question.model.name = "small";
  question.model.experts = 256;
  question.model.top_k = 8;
  question.routing = routing;
  question.seed = seed;
  return question;
}

double sum_of(const ExpertShares& shares) {
  return std::accumulate(shares.begin(), shares.end(), 0.0);
}

}  // namespace

TEST_CASE("expert slots: routings that are even by what they mean have even shares") {
  for (const std::string name : {"random", "balanced", "node-limited:8:4", "zipf:0"}) {
    CAPTURE(name);
    const ExpertShares shares = expert_shares(question_of(name));
    REQUIRE(shares.size() == 256);
    CHECK(sum_of(shares) == doctest::Approx(1.0));
    CHECK(!is_uneven(shares));
  }
}

TEST_CASE("expert slots: a skewed routing's shares are drawn, the same for the same seed") {
  ExpertShares shares = expert_shares(question_of("zipf:0.6", 7));
  CHECK(shares == expert_shares(question_of("zipf:0.6", 7)));
  CHECK(shares != expert_shares(question_of("zipf:0.6", 8)));
  CHECK(is_uneven(shares));
  CHECK(sum_of(shares) == doctest::Approx(1.0));
  std::ranges::sort(shares, std::greater<>());
  // Weights 1 to 256^-0.6 sum to (256^0.4 - 1) / 0.4 + 0.44 or 21.0: the hottest is asked for by
  // each choice with 0.048, 12 times the mean. Eight different choices of a token come to it less
  // often, at most once a token: share at most 1/8, and between those two of the pairs.
  CHECK(shares.front() < 0.048);
  CHECK(shares.front() > 0.03);
  CHECK(shares.back() < 1.0 / 256);
}

TEST_CASE("expert slots: a routing file gives the shares of its pairs") {
  const TemporaryFolder folder;
  const std::filesystem::path path = folder / "routing.json";
  const Routing routing(
      {.ranks = 1, .experts = 4, .top_k = 2}, std::vector<std::uint32_t>{2}, {0, 1, 0, 2});
  write_routing(path, routing);
  CapacityQuestion question = question_of("file:" + path.string());
  CHECK_THROWS_AS((void)expert_shares(question), InputError);  // 4 experts, not 256
  question.model.experts = 4;
  CHECK(expert_shares(question) == ExpertShares{0.5, 0.25, 0.25, 0.0});

  const Routing nothing(
      {.ranks = 1, .experts = 4, .top_k = 1}, std::vector<std::uint32_t>{1}, {kMasked});
  write_routing(path, nothing);
  CHECK_THROWS_AS((void)expert_shares(question), InputError);
  std::filesystem::remove(path);
  CHECK_THROWS_AS((void)expert_shares(question), InputError);
}

TEST_CASE("expert slots: names that do not say how busy experts are, are refused") {
  for (const std::string name : {"local-same", "random-same", "zipf", "no-such", "random:1", ""}) {
    CAPTURE(name);
    CHECK_THROWS_AS((void)expert_shares(question_of(name)), InputError);
  }
}
