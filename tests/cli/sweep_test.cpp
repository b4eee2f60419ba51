// epsim sweep as a user runs it: interrupted at any moment, and by any number of jobs.
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>

#include <doctest/doctest.h>

#include "sim/base/json.hpp"
#include "sim/base/rng.hpp"
#include "sim/base/text_file.hpp"
#include "tests/base/temporary_folder.hpp"
#include "tests/support/shell.hpp"

using namespace epsim;

namespace {

// Points of a millisecond or so, some of them refused.
std::string quick_sweep(const TemporaryFolder& folder,
                        int seeds,
                        const std::string& key = "seeds") {
  const std::string path = folder / "quick.json";
  std::ofstream{path} << R"({"schema": "epsim.sweep/1", "name": "quick", "scenario": {
    "schema": "epsim.scenario/1", "topology": {"preset": "hgx-h200"},
    "traffic": {"routing": "random", "ranks": 2, "experts": 16, "top_k": 2, "tokens_per_rank": 1},
    "hidden": 1024, "kernel": {"family": "deepep-ll-1.2.1"}, "seed": 3},
    "axes": {"traffic.tokens_per_rank": [1, 2, 4], "traffic.top_k": [1, 2, 32],
             "traffic.routing": ["random", "zipf:0.6"]}, ")"
                      << key << R"(": )" << seeds << "}";
  return path;
}

std::string command(const std::string& sweep, const std::filesystem::path& out) {
  return "sweep " + sweep + " --out " + out.string();
}

// Points that a run says it found finished.
int found_finished(const std::string& err) {
  const std::string words = "going on, ";
  const std::size_t at = err.find(words);
  return at == std::string::npos ? 0 : std::atoi(err.c_str() + at + words.size());
}

}  // namespace

TEST_CASE("Command line: a sweep's rows are what run says of the same scenarios") {
  const TemporaryFolder folder;
  const std::string example = EPSIM_SOURCE_DIR "/examples/deepseek_v3_decode_h200.json";
  const std::string sweep = folder / "s.json";
  std::ofstream{sweep} << R"({"schema": "epsim.sweep/1", "scenario": ")" << example
                       << R"(", "axes": {"traffic.tokens_per_rank": [1, 2]}})";
  const Outcome outcome = shell(command(sweep, folder / "t.sqlite") + " --json -");
  CHECK(outcome.code == 0);
  const auto rows =
      JsonDocument::parse(outcome.out, "sweep").root().object().required("rows").array();
  REQUIRE(rows.size() == 4);
  const Outcome run = shell("run " + example + " --set traffic.tokens_per_rank=2 --json -");
  const auto reports =
      JsonDocument::parse(run.out, "run").root().object().required("operations").array();
  for (std::size_t i = 0; i < 2; ++i)
    for (const char* key : {"operation", "latency_us", "bound_us", "bound_by", "bottleneck"}) {
      CAPTURE(key);
      CHECK(rows[2 + i].object().required(key).dump() == reports[i].object().required(key).dump());
    }
}

TEST_CASE(
    "Command line: a sweep killed at 20 random moments ends with the bytes of one that was not") {
  const TemporaryFolder folder;
  const std::string sweep = quick_sweep(folder, 20);  // 3 x 3 x 2 x 20 = 360 points
  CHECK(shell(command(sweep, folder / "whole.sqlite") + " --jobs 1").code == 0);
  const std::string whole = read_text_file(folder / "whole.sqlite");
  CHECK(shell(command(sweep, folder / "two.sqlite") + " --jobs 2").code == 0);
  CHECK(read_text_file(folder / "two.sqlite") == whole);

  const std::uint64_t seed = std::random_device{}();
  MESSAGE("seed ", seed);
  Rng rng(seed);
  const std::filesystem::path out = folder / "killed.sqlite";
  const std::filesystem::path err = folder / "err";
  int kills = 0;
  int finished = 0;
  while (kills < 20) {
    const std::string limit = std::to_string(0.001 * static_cast<double>(5 + rng.below(250)));
    const std::string line = "timeout -s KILL " + limit + " " EPSIM_BINARY " " +
                             command(sweep, out) + " --jobs " + std::to_string(1 + kills % 2) +
                             " >/dev/null 2>" + err.string();
    const int status = std::system(("exec sh -c '" + line + "' 2>/dev/null").c_str());
    const int code = WEXITSTATUS(status);
    REQUIRE((code == 0 || code == 128 + SIGKILL));
    const int found = found_finished(read_text_file(err));
    // A run that was killed before it could say a word found what it found.
    if (found > 0) CHECK(found >= finished);
    finished = std::max(finished, found);
    if (code != 0) {
      ++kills;
      continue;
    }
    CHECK(read_text_file(out) == whole);
    std::filesystem::remove(out);
    finished = 0;
  }
  CHECK(shell(command(sweep, out)).code == 0);
  CHECK(read_text_file(out) == whole);
  CHECK_FALSE(std::filesystem::exists(out.string() + ".partial"));
}

TEST_CASE("Command line: a sweep that is told to stop says how to go on, with exit 130") {
  const TemporaryFolder folder;
  const std::string sweep = quick_sweep(folder, 1000);  // 18 000 points: longer than a second
  const std::filesystem::path err = folder / "err";
  const std::filesystem::path out = folder / "t.sqlite";
  // Told once it has a table to go on from; a machine may be slow to begin.
  const std::string line = EPSIM_BINARY " " + command(sweep, out) + " 2>" + err.string() +
                           " & while kill -0 $! && [ ! -e " + out.string() +
                           ".partial ]; do sleep 0.05; done; kill -TERM $!; wait $!";
  CHECK(WEXITSTATUS(std::system(line.c_str())) == 130);
  CHECK(
      has(read_text_file(err), "of 18000 points finished; the same command goes on from there\n"));
  CHECK_FALSE(std::filesystem::exists(out));
}

TEST_CASE("Command line: a sweep that is complete is printed again, and no other takes its file") {
  const TemporaryFolder folder;
  const std::string out = folder / "t.sqlite";
  const Outcome first = shell(command(quick_sweep(folder, 1), out) + " --csv -");
  const Outcome again = shell(command(quick_sweep(folder, 1), out) + " --csv -");
  CHECK(first.code == 0);
  CHECK(again.code == 0);
  CHECK(again.out == first.out);
  CHECK(has(again.err, "is complete\n"));
  check_refused({command(quick_sweep(folder, 2), out), "holds results of another sweep"});
}

TEST_CASE("Command line: a sweep that is wrong is refused before anything runs") {
  const TemporaryFolder folder;
  const std::filesystem::path out = folder / "t.sqlite";
  check_refused({command(quick_sweep(folder, 1, "sead"), out), "did you mean \"seeds\"?"});
  check_refused({command(quick_sweep(folder, 0), out), "/seeds: expected a whole number from 1"});
  check_refused({command(quick_sweep(folder, 1), "-"), "--out -: a table goes to a file"});
  const std::string sweep = folder / "s.json";
  std::ofstream{sweep}
      << R"({"schema": "epsim.sweep/1", "scenario": ")" EPSIM_SOURCE_DIR
      << R"(/examples/deepseek_v3_decode_h200.json", "axes": {"trafic.top_k": [1]}})";
  check_refused({command(sweep, out), "the first with: scenario: /trafic: unknown key"});
  CHECK_FALSE(std::filesystem::exists(out));
  CHECK_FALSE(std::filesystem::exists(out.string() + ".partial"));
}
