#include "traces/routing.hpp"

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "sim/base/check.hpp"
#include "sim/base/input_error.hpp"
#include "sim/base/text_file.hpp"
#include "tests/base/temporary_folder.hpp"

using namespace epsim;

namespace {

// Two ranks, four experts, top-2; rank 0 has two tokens, rank 1 has one.
const std::string kSmall =
    R"({"schema": "epsim.routing/1", "experts": 4, "ranks": 2, "topk": 2,
        "tokens": [[[3, 0], [1, -1]], [[-1, -1]]]})";

// The small file with one piece of its text replaced.
std::string small_with(const std::string& piece, const std::string& replacement) {
  std::string text = kSmall;
  const std::size_t at = text.find(piece);
  REQUIRE(at != std::string::npos);
  return text.replace(at, piece.size(), replacement);
}

Routing parse(const std::string& text) {
  return parse_routing(text, "r.json");
}

}  // namespace

TEST_CASE("Routing: a file gives each token's choices in the order they were written") {
  const Routing routing = parse(kSmall);
  CHECK(routing.shape() == RoutingShape{.ranks = 2, .experts = 4, .top_k = 2});
  CHECK(routing.token_count() == 3);
  CHECK(routing.token_count(RankId{0}) == 2);
  CHECK(routing.token_count(RankId{1}) == 1);
  CHECK(routing.choices(RankId{0}, 0)[0] == 3);
  CHECK(routing.choices(RankId{0}, 0)[1] == 0);
  CHECK(routing.choices(RankId{0}, 1)[0] == 1);
  CHECK(routing.choices(RankId{0}, 1)[1] == kMasked);
  CHECK(routing.choices(RankId{1}).size() == 2);
}

TEST_CASE("Routing: a rank, or every rank, may be without tokens") {
  CHECK(parse(small_with("[[-1, -1]]", "[]")).token_count(RankId{1}) == 0);
  const Routing none = parse(small_with("[[[3, 0], [1, -1]], [[-1, -1]]]", "[[], []]"));
  CHECK(none.token_count() == 0);
  CHECK(none.choices(RankId{0}).empty());
  CHECK(parse(to_json(none)) == none);
}

TEST_CASE("Routing: what is written reads back the same, plain and gzip'd") {
  const TemporaryFolder folder;
  const Routing routing = parse(kSmall);
  for (const char* name : {"r.json", "r.json.gz"}) {
    CAPTURE(name);
    write_routing(folder / name, routing);
    CHECK(read_routing(folder / name) == routing);
  }
  CHECK(
      to_json(routing) ==
      "{\n  \"schema\": \"epsim.routing/1\",\n  \"experts\": 4,\n  \"ranks\": 2,\n  \"topk\": 2,\n"
      "  \"tokens\": [\n    [[3, 0], [1, -1]],\n    [[-1, -1]]\n  ]\n}\n");
}

TEST_CASE("Routing: a file that breaks the format is refused at the place that breaks it") {
  const auto refused = [](const char* piece, const char* replacement, const char* message) {
    CAPTURE(replacement);
    CHECK_THROWS_WITH_AS(parse(small_with(piece, replacement)), message, InputError);
  };
  refused("routing/1",
          "routing/2",
          "r.json: /schema: expected one of epsim.routing/1, found \"epsim.routing/2\"");
  refused("\"topk\": 2,", "", "r.json: missing key \"topk\"");
  refused("\"topk\"",
          "\"seed\": 1, \"topk\"",
          "r.json: /seed: unknown key; expected one of experts, ranks, schema, tokens, topk");
  refused(
      "[3, 0]", "[3, 4]", "r.json: /tokens/0/0/1: expected a whole number from -1 to 3, found 4");
  refused(
      "[3, 0]", "[-2, 0]", "r.json: /tokens/0/0/0: expected a whole number from -1 to 3, found -2");
  refused("[3, 0]",
          "[3, 0.5]",
          "r.json: /tokens/0/0/1: expected a whole number from -1 to 3, found 0.5");
  refused("[3, 0]", "[3, 3]", "r.json: /tokens/0/0/1: expert 3 stands twice in one token");
  refused("[3, 0]",
          "[3]",
          "r.json: /tokens/0/0: expected an array of 2, the topk, found an array of 1");
  refused("[3, 0]", "7", "r.json: /tokens/0/0: expected an array, found 7");
  refused("[[-1, -1]]]",
          "[[-1, -1]], []]",
          "r.json: /tokens: expected 2 arrays, one a rank, found an array of 3");
  refused("\"topk\": 2", "\"topk\": 5", "r.json: /topk: expected at most the 4 experts, found 5");
  refused("\"topk\": 2",
          "\"topk\": 0",
          "r.json: /topk: expected a whole number from 1 to 32767, found 0");
  refused("\"experts\": 4",
          "\"experts\": 5",
          "r.json: /experts: expected a multiple of the 2 ranks, found 5");
  refused("\"experts\": 4",
          "\"experts\": 32768",
          "r.json: /experts: expected a whole number from 1 to 32767, found 32768");
}

TEST_CASE("Routing: a file of another shape than the scenario asks for is refused") {
  const auto refused = [](const RoutingShape& wanted, const char* message) {
    CHECK_THROWS_WITH_AS((void)parse_routing(kSmall, "r.json", wanted), message, InputError);
  };
  refused({.ranks = 4, .experts = 4, .top_k = 2},
          "r.json: /ranks: expected 4, as asked for, found 2");
  refused({.ranks = 2, .experts = 8, .top_k = 2},
          "r.json: /experts: expected 8, as asked for, found 4");
  refused({.ranks = 2, .experts = 4, .top_k = 1},
          "r.json: /topk: expected 1, as asked for, found 2");
  CHECK_NOTHROW(
      (void)parse_routing(kSmall, "r.json", RoutingShape{.ranks = 2, .experts = 4, .top_k = 2}));
}

TEST_CASE("Routing: a truncated .gz is refused") {
  const TemporaryFolder folder;
  write_routing(folder / "whole.json.gz", parse(kSmall));
  const auto size = std::filesystem::file_size(folder / "whole.json.gz");
  for (const std::uintmax_t kept : {size - 1, size - 9, size / 2}) {
    CAPTURE(kept);
    std::filesystem::copy_file(folder / "whole.json.gz", folder / "cut.json.gz");
    std::filesystem::resize_file(folder / "cut.json.gz", kept);
    CHECK_THROWS_AS((void)read_routing(folder / "cut.json.gz"), InputError);
    std::filesystem::remove(folder / "cut.json.gz");
  }
}

TEST_CASE("Routing: building one that breaks its contract is a bug") {
  const RoutingShape shape{.ranks = 2, .experts = 4, .top_k = 2};
  const std::vector<std::uint32_t> one_each{1, 1};
  const auto build = [&](std::vector<ExpertChoice> choices) {
    (void)Routing(shape, one_each, std::move(choices));
  };
  CHECK_NOTHROW(build({0, 3, kMasked, kMasked}));
  CHECK_THROWS_AS(build({0, 3, 1}), Bug);
  CHECK_THROWS_AS(build({0, 4, 1, 2}), Bug);
  CHECK_THROWS_AS(build({0, -2, 1, 2}), Bug);
  CHECK_THROWS_AS(build({0, 1, 2, 2}), Bug);
  CHECK_NOTHROW(build({0, 1, 1, 0}));  // two tokens may choose alike
  CHECK_THROWS_AS((void)Routing(shape, std::vector<std::uint32_t>{1}, {0, 1}), Bug);
}

TEST_CASE("Routing: the measured hot-spot routing names expert 0 first in every token") {
  const std::filesystem::path path =
      std::filesystem::path(EPSIM_SOURCE_DIR) / "../shared/reference/routing/hot1_T256.json.gz";
  if (!std::filesystem::exists(path)) {
    MESSAGE("skipped: there is no ", path.string());
    return;
  }
  const Routing routing = read_routing(path, RoutingShape{.ranks = 4, .experts = 256, .top_k = 8});
  // The name says it: T = 256 tokens a rank, one hot expert.
  CHECK(routing.token_count() == 4 * 256);
  std::size_t hot = 0;
  for (std::uint32_t rank = 0; rank < 4; ++rank)
    for (std::size_t token = 0; token < 256; ++token)
      if (routing.choices(RankId{rank}, token)[0] == 0) ++hot;
  CHECK(hot == 4 * 256);
  CHECK(parse(to_json(routing)) == routing);
}
