// epsim replay, as a user runs it.
#include <filesystem>
#include <string>

#include <doctest/doctest.h>

#include "sim/base/json.hpp"
#include "sim/base/text_file.hpp"
#include "tests/base/temporary_folder.hpp"
#include "tests/support/shell.hpp"

using namespace epsim;

namespace {

// Communication 0-30 us beside compute 10-40 us: 20 of 30 us are hidden.
constexpr const char* kDump = R"({
  "schemaVersion": 1,
  "distributedInfo": {"backend": "nccl", "rank": 1, "world_size": 4},
  "deviceProperties": [{"id": 0, "name": "NVIDIA H200", "numSms": 132}],
  "traceEvents": [
    {"ph": "X", "cat": "user_annotation", "name": "ProfilerStep#3", "pid": 1, "tid": 1,
     "ts": 990, "dur": 20, "args": {}},
    {"ph": "X", "cat": "cuda_runtime", "name": "cudaLaunchKernel", "pid": 1, "tid": 1,
     "ts": 995, "dur": 2, "args": {"correlation": 1}},
    {"ph": "X", "cat": "cuda_runtime", "name": "cudaLaunchKernel", "pid": 1, "tid": 1,
     "ts": 998, "dur": 2, "args": {"correlation": 2}},
    {"ph": "X", "cat": "kernel", "name": "my_all_rows", "pid": 0, "tid": 20,
     "ts": 1000, "dur": 30,
     "args": {"device": 0, "stream": 20, "correlation": 1, "grid": [8, 1, 1], "block": [32, 1, 1]}},
    {"ph": "X", "cat": "kernel", "name": "nvjet_sm90_tst", "pid": 0, "tid": 7,
     "ts": 1010, "dur": 30,
     "args": {"device": 0, "stream": 7, "correlation": 2, "grid": [9, 1, 1], "block": [32, 1, 1]}}
  ]})";

constexpr const char* kRules = R"({"schema": "epsim.kernel_classes/1", "rules": [
  {"family": "rows", "class": "communication", "phase": "exchange", "prefix": "my_all_rows"}]})";

struct Dump {
  TemporaryFolder folder;
  std::string path = (folder / "rank1.json").string();
  std::string rules = (folder / "rules.json").string();
  Dump() {
    replace_text_file(path, kDump);
    replace_text_file(rules, kRules);
  }
};

}  // namespace

TEST_CASE("Command line: replay says how much of the communication is hidden") {
  const Dump dump;
  const Outcome plain = shell("replay " + dump.path);
  CHECK(plain.code == 0);
  CHECK(has(plain.out, "no communication in 40.0 us"));  // nobody knows that kernel
  const Outcome taught = shell("replay " + dump.path + " --classes " + dump.rules);
  CHECK(taught.code == 0);
  CHECK(has(taught.out, "66.7 % of the communication hides behind compute"));
  CHECK(has(taught.out, "rank 1 of 4"));
  const Outcome json = shell("replay " + dump.path + " --classes " + dump.rules + " --json -");
  JsonObject root = JsonDocument::parse(json.out, "stdout").root().object();
  CHECK(root.required("overlap_us").number() == 20);
  CHECK(root.required("steps").number() == 1);
}

TEST_CASE("Command line: replay writes a trace and takes one step of a dump") {
  const Dump dump;
  const std::string trace = (dump.folder / "out.json.gz").string();
  CHECK(shell("replay " + dump.path + " --step 3 --trace " + trace).code == 0);
  CHECK(has(read_text_file(trace), "nvjet_sm90_tst"));
  const Outcome unknown = shell("replay " + dump.path + " --step 4");
  CHECK(unknown.code == 2);
  CHECK(has(unknown.err, "expected a range named \"ProfilerStep#4\", found ProfilerStep#3"));
}

TEST_CASE("Command line: replay compares dumps with what is known of them") {
  const Dump dump;
  const std::string truth = (dump.folder / "truth.json").string();
  const auto judge = [&](const std::string& pct) {
    replace_text_file(truth, R"({"traces": [{"file": "rank1.json", "overlap_pct": )" + pct + "}]}");
    return shell("replay --truth " + truth + " --classes " + dump.rules);
  };
  const Outcome right = judge("66.7");
  CHECK(right.code == 0);
  CHECK(has(right.out, "| rank1.json | rows | 66.67 | 66.7 | -0.03 |"));
  CHECK(judge("60").code == 1);
  CHECK(judge("\"60\"").code == 2);
}

TEST_CASE("Command line: replay refuses what is no dump") {
  const Dump dump;
  CHECK(shell("replay").code == 2);
  CHECK(shell("replay " + (dump.folder / "none.json").string()).code == 2);
  CHECK(shell("replay " + dump.path + " --trace -").code == 2);
  CHECK(shell("replay " + dump.path + " --classes " + dump.path).code == 2);
}

TEST_CASE("Command line: list classes shows the rules for kernel names") {
  const Outcome listed = shell("list classes");
  CHECK(listed.code == 0);
  CHECK(has(listed.out, "DeepEP (communication, dispatch)"));
  CHECK(has(listed.out, "GEMM (compute)"));
}
