// The program itself, as a user runs it.
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "sim/base/json.hpp"
#include "sim/base/text_file.hpp"
#include "tests/base/temporary_folder.hpp"
#include "tests/support/shell.hpp"

using namespace epsim;

namespace {

const std::string kExample = EPSIM_SOURCE_DIR "/examples/deepseek_v3_decode_h200.json";
const std::string kSmall = kExample + " --set traffic.tokens_per_rank=4";

}  // namespace

TEST_CASE("Command line: run answers in one screen") {
  const Outcome outcome = shell("run " + kSmall);
  CHECK(outcome.code == 0);
  CHECK(outcome.err.empty());
  CHECK(has(outcome.out, "critical path\n"));
  CHECK(has(outcome.out, "\ndispatch  "));
  CHECK(has(outcome.out, "\ncombine   "));
}

TEST_CASE("Command line: a scenario that is wrong is exit 2 and one line that says where") {
  for (const BadInput& bad : {
           BadInput{"--set trafic.top_k=8", "/trafic: unknown key"},
           BadInput{"--set launch_skew=3", "/launch_skew: expected a time with its unit"},
           BadInput{"--set traffic.tokens_per_rank=-1", "/traffic/tokens_per_rank: expected"},
           BadInput{"--set traffic.experts=255", "expected a multiple of the 8 ranks, found 255"},
           BadInput{"--set traffic.experts=8 --set traffic.top_k=9", "at most the 8 experts"},
           BadInput{"--set topology.preset=nope", "/topology/preset: \"nope\": no such topology"},
           BadInput{"--set calibration=nope", "nope: expected a calibration"},
           BadInput{"--set kernel.family=nope", "/kernel/family: expected one of"},
           BadInput{"--set combine.fence=P9", "/combine/fence: expected one of P0"},
           BadInput{"--set hidden=100", "/hidden"},
           BadInput{"--set seed", "--set seed: expected dotted.key=value"},
           BadInput{"--set traffic.top_k.x=1", "--set traffic.top_k.x: not an object"},
       })
    check_refused({"run " + kExample + " " + bad.arguments, bad.message});
}

TEST_CASE("Command line: a wrong command line is exit 2 and names the help to read") {
  for (const BadInput& bad : {
           BadInput{"", "see epsim --help"},
           BadInput{"simulate", "unknown verb \"simulate\"; see epsim --help"},
           BadInput{"run", "SCENARIO is required; see epsim run --help"},
           BadInput{"run a b", "see epsim run --help"},
           BadInput{"run " + kExample + " --sed 3", "--sed"},
           BadInput{"run " + kExample + " --seed -1", "--seed"},
           BadInput{"run " + kExample + " --jobs 0", "--jobs"},
           BadInput{"list animals", "unknown verb \"animals\"; see epsim list --help"},
           BadInput{"topology show nope", "nope: no such topology"},
       })
    check_refused(bad);
}

TEST_CASE("Command line: litmus decides the tests of this tree, and says where a file disagrees") {
  const std::string folder = EPSIM_SOURCE_DIR "/tests/litmus";
  const Outcome good = shell("litmus " + folder);
  CHECK(good.code == 0);
  CHECK(has(good.out, " 0 missed, 0 false alarms; "));
  CHECK(has(good.err, " ms\n"));
  CHECK(shell("litmus --jobs 2 " + folder).out == good.out);
  check_refused({"litmus " + kExample, "/schema: expected one of litmus-json/1"});
  check_refused({"litmus " EPSIM_SOURCE_DIR "/cmake", "expected litmus tests, found none"});

  const TemporaryFolder wrong;
  const std::string file = (wrong / "wrong.json").string();
  std::ofstream{file} << R"({"schema":"litmus-json/1","id":"wrong","locations":{"x":{"init":0,)"
                      << R"("virt":"x","phys":"x"}},"threads":[],"query":{"expr":{"cmp":"==",)"
                      << R"("l":{"mem":"x"},"r":{"imm":1}},"reachable":{"ptx-v7.5":true}}})";
  const Outcome missed = shell("litmus " + file);
  CHECK(missed.code == 1);
  CHECK(has(missed.out, "0 of 1 programs agree, 1 missed, 0 false alarms; 1 file\n"));
}

TEST_CASE("Command line: damaged files are refused with their name") {
  const TemporaryFolder folder;
  const std::string empty = (folder / "empty.json").string();
  std::ofstream{empty};
  check_refused({"run " + empty, "empty.json: expected JSON, found an empty file"});
  check_refused({"run " + (folder / "none.json").string(), "none.json: no such file"});
  check_refused({"run " + folder.path().string(), "found a folder"});

  const std::string routing = (folder / "routing.json").string();
  std::ofstream{routing} << R"({"schema":"epsim.routing/1","experts":256,"ranks":1,"topk":1,)"
                         << R"("tokens":[[[256]]]})";
  const std::string use =
      " --set traffic.ranks=1 --set traffic.top_k=1 --set traffic.routing=file:";
  check_refused({"run " + kExample + use + routing, "/tokens/0/0/0: expected a whole number"});

  const std::string whole = (folder / "whole.gz").string();
  replace_text_file(whole, std::string(10'000, '['));
  std::filesystem::resize_file(whole, 30);
  check_refused({"run " + kExample + use + whole, "truncated gzip"});
}

TEST_CASE("Command line: what cannot be written is exit 1 and leaves nothing behind") {
  const TemporaryFolder folder;
  for (const char* option : {"--json ", "--trace "}) {
    CAPTURE(option);
    const std::string target = (folder / "no_such_folder").string() + "/out.json";
    const Outcome outcome = shell("run " + kSmall + " " + option + target);
    CHECK(outcome.code == 1);
    CHECK(outcome.out.empty());
    CHECK(outcome.err.starts_with("epsim: "));
    CHECK(std::filesystem::is_empty(folder.path()));
  }
}

TEST_CASE("Command line: zero tokens, one rank and masked tokens are valid questions") {
  for (const char* setting :
       {"traffic.tokens_per_rank=0", "traffic.ranks=1", "traffic.masked_fraction=1"}) {
    CAPTURE(setting);
    CHECK(shell("run " + kSmall + " --set " + setting).code == 0);
  }
}

TEST_CASE("Command line: results do not depend on the number of jobs") {
  const TemporaryFolder folder;
  std::vector<std::string> reports;
  std::vector<std::string> traces;
  for (const char* jobs : {"1", "2"}) {
    const std::string trace = (folder / jobs).string() + ".json.gz";
    const Outcome outcome =
        shell("run " + kSmall + " --json - --jobs " + jobs + " --trace " + trace);
    CHECK(outcome.code == 0);
    reports.push_back(outcome.out);
    traces.push_back(read_text_file(trace));
  }
  CHECK(reports[0] == reports[1]);
  CHECK(traces[0] == traces[1]);
}

TEST_CASE("Command line: with --json - stdout holds one JSON document and nothing else") {
  for (const std::string& verb : {"run " + kSmall,
                                  "show " + kSmall,
                                  "explain " + kSmall,
                                  std::string("list topologies"),
                                  std::string("list models"),
                                  std::string("list operations"),
                                  std::string("list kernels"),
                                  std::string("list routings"),
                                  std::string("list calibrations"),
                                  std::string("topology show hgx-h200")}) {
    CAPTURE(verb);
    const Outcome outcome = shell(verb + " --json -");
    CHECK(outcome.code == 0);
    CHECK_NOTHROW((void)JsonDocument::parse(outcome.out, "stdout"));
  }
}

TEST_CASE("Command line: the shown scenario is a scenario that gives the same report") {
  const TemporaryFolder folder;
  const std::string shown = (folder / "shown.json").string();
  CHECK(shell("show " + kSmall + " --seed 11 --json " + shown).code == 0);
  CHECK(shell("run " + shown + " --json -").out ==
        shell("run " + kSmall + " --seed 11 --json -").out);
}

TEST_CASE("Command line: every verb explains itself with an example") {
  for (const char* verb : {"",
                           "run",
                           "show",
                           "explain",
                           "check",
                           "list",
                           "list routings",
                           "topology show",
                           "topology import",
                           "calibrate carry",
                           "calibrate import",
                           "calibrate network",
                           "calibrate fit",
                           "calibrate show",
                           "calibrate derive",
                           "calibrate observe",
                           "calibrate step",
                           "validate"}) {
    CAPTURE(verb);
    const Outcome outcome = shell(std::string(verb) + " --help");
    CHECK(outcome.code == 0);
    CHECK(has(outcome.out, "Example:\n  epsim "));
  }
}

TEST_CASE("Command line: explain tells who does what and what limits") {
  const Outcome outcome = shell("explain " + kSmall);
  CHECK(outcome.code == 0);
  CHECK(has(outcome.out, "send warps"));
  CHECK(has(outcome.out, "It cannot be faster than\n"));
}

namespace {
const std::string kMeasured = EPSIM_SOURCE_DIR "/calibrate/results/h200_x2.json.gz";
}

TEST_CASE(
    "Command line: calibrate show prints the medians of what was measured, and nothing else") {
  const Outcome outcome = shell("calibrate show " + kMeasured + " --only M4");
  CHECK(outcome.code == 0);
  CHECK(has(outcome.out, "2 x NVIDIA H200"));
  CHECK(has(outcome.out, "M4 one_way_ns variant=release_acquire pollers=0"));
  CHECK_FALSE(has(outcome.out, "M8"));
}

TEST_CASE("Command line: the committed readings are what derive reads off the committed samples") {
  const TemporaryFolder folder;
  const std::string results = EPSIM_SOURCE_DIR "/calibrate/results/h200_";
  const std::string readings = EPSIM_SOURCE_DIR "/calibrate/readings/hgx-h200.json";
  const Outcome outcome =
      shell("calibrate derive --system hgx-h200 --measurements " + results + "x4.json.gz " +
            results + "x2.json.gz " + results + "x1.json.gz --out " + (folder / "r.json").string());
  CHECK(outcome.code == 0);
  CHECK(read_text_file(folder / "r.json") == read_text_file(readings));
}

TEST_CASE(
    "Command line: the committed observations are what observe makes of the committed samples") {
  const TemporaryFolder folder;
  const std::string results = EPSIM_SOURCE_DIR "/calibrate/results/h200_x4.json.gz";
  const std::string observations = EPSIM_SOURCE_DIR "/calibrate/observations/epsim_h200.json";
  const Outcome outcome = shell("calibrate observe --system hgx-h200 --measurements " + results +
                                " --out " + (folder / "o.json").string());
  CHECK(outcome.code == 0);
  CHECK(read_text_file(folder / "o.json") == read_text_file(observations));
}

TEST_CASE("Command line: a measurement that is none is refused, and no file is written") {
  const TemporaryFolder folder;
  check_refused({"calibrate derive --system hgx-h200 --measurements " + kExample + " --out " +
                     (folder / "r.json").string(),
                 "/schema: expected \"epsim.measurement/1\""});
  CHECK_FALSE(std::filesystem::exists(folder / "r.json"));
}
