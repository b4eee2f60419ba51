#include "sim/litmus/litmus_score.hpp"

#include <algorithm>
#include <chrono>
#include <filesystem>

#include <doctest/doctest.h>

#include "tests/support/litmus_text.hpp"

using namespace epsim;
using namespace epsim::litmus;

namespace {

namespace fs = std::filesystem;

// One store, and a read of it in the same thread: r == 1 is reachable, r == 0 is not. The file says
// that it is reachable.
LitmusTest own(int asked, const std::string& more) {
  return parse_litmus_test(
      text_of({{0, 0, {st("x", "1"), ld("r", "x")}, ""}}, {fmt::format("0:r == {}", asked)}, more),
      "t.json");
}

std::vector<LitmusResult> results_of(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder))
    if (entry.path().extension() == ".json") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  std::vector<LitmusResult> results;
  for (const fs::path& file : files) results.push_back(score(read_litmus_test(file), {}));
  return results;
}

void check_agreement(const std::vector<LitmusResult>& results) {
  for (const LitmusResult& result : results) {
    CAPTURE(result.file);
    CHECK(result.outcome != LitmusOutcome::missed);
    CHECK(result.outcome != LitmusOutcome::false_alarm);
  }
}

}  // namespace

TEST_CASE("Litmus score: agreement, misses and false alarms are told apart") {
  CHECK(score(own(1, ""), {}).outcome == LitmusOutcome::agreed);
  CHECK(score(own(0, ""), {}).outcome == LitmusOutcome::missed);
  std::string text = text_of({{0, 0, {st("x", "1"), ld("r", "x")}, ""}}, {"0:r == 1"});
  text.replace(text.find("true"), 4, "false");
  CHECK(score(parse_litmus_test(text, "t.json"), {}).outcome == LitmusOutcome::false_alarm);
}

TEST_CASE("Litmus score: what is disputed, about termination or without verdict is not scored") {
  CHECK(score(own(0, R"(,"disputed":"by its authors")"), {}).outcome == LitmusOutcome::disputed);
  CHECK(score(own(0, ""), LitmusModel::ptx_6_0).outcome == LitmusOutcome::unjudged);
  std::string text = text_of({{0, 0, {st("x", "1")}, ""}}, {});
  text.replace(text.find("safety"), 6, "termination");
  CHECK(score(parse_litmus_test(text, "t.json"), {}).outcome == LitmusOutcome::termination);
  const std::string proxies = text_of({{0, 0, {proxy_fence("async")}, ""}}, {});
  CHECK(score(parse_litmus_test(proxies, "t.json"), LitmusModel::ptx_6_0).outcome ==
        LitmusOutcome::outside);
}

TEST_CASE(
    "Litmus score: one program under several names counts once, and fails if one of them does") {
  const std::string group = R"(,"dup_group":"g")";
  const LitmusResult good = score(own(1, group), {});
  const LitmusResult bad = score(own(0, group), {});
  const LitmusResult alone = score(own(1, ""), {});
  const std::vector<LitmusResult> same = {good, good, alone, alone};
  // Group g and twice a file that is alone.
  CHECK(summarize(same).total.programs == 3);
  CHECK(summarize(same).total.agreed == 3);
  CHECK(summarize(same).total.files == 4);
  const std::vector<LitmusResult> mixed = {good, bad};
  CHECK(summarize(mixed).total.programs == 1);
  CHECK(summarize(mixed).total.missed == 1);
  CHECK(summarize(mixed).suites.size() == 1);
}

TEST_CASE("Litmus score: the text ends in one line that says it all") {
  const std::vector<LitmusResult> results = {score(own(1, ""), {}), score(own(0, ""), {})};
  const std::string text = litmus_text(results, LitmusDetail::summary);
  CHECK(text.ends_with("\n1 of 2 programs agree, 1 missed, 0 false alarms; 2 files\n"));
  CHECK(text.find("missed        unreachable  t: t.json says reachable\n") != std::string::npos);
  const std::string witness = litmus_text(results, LitmusDetail::witnesses);
  CHECK(witness.find("    P0 op 1 reads x from P0 op 0: 1\n") != std::string::npos);
}

TEST_CASE("Litmus score: the tests of this tree agree") {
  const std::vector<LitmusResult> results =
      results_of(fs::path(EPSIM_SOURCE_DIR) / "tests" / "litmus");
  CHECK(results.size() >= 60);
  check_agreement(results);
}

TEST_CASE("Litmus score: published tests agree, and all of them take less than two seconds") {
  const fs::path folder = fs::path(EPSIM_SOURCE_DIR) / "../shared/reference/litmus/tests";
  if (!fs::exists(folder)) {
    MESSAGE("skipped: no reference/litmus beside this tree");
    return;
  }
  const auto start = std::chrono::steady_clock::now();
  const std::vector<LitmusResult> results = results_of(folder);
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(2));
  check_agreement(results);
  CHECK(summarize(results).total.unjudged == 0);
}
