#include "sim/protocols/capture.hpp"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "sim/scenario.hpp"

using namespace epsim;

namespace {

std::vector<Finding> findings_of(const std::string& body, const std::string& after = "") {
  return capture_findings(read_call_sequence(JsonDocument::parse(
      fmt::format(R"({{"schema": "epsim.calls/1", "ranks": 1, "buffers": {{"moe": {{}}}},
                       "slots": ["slot"],
                       "calls": [{{"do": "record", "event": "before", "stream": "other"}},
                                 {{"do": "capture", "graph": "g", "calls": [{}]}}{}]}})",
                  body,
                  after),
      "c.json")));
}

// The operations that the findings name, as far as the colon.
std::vector<std::string> operations_of(const std::vector<Finding>& findings) {
  std::vector<std::string> operations;
  for (const Finding& finding : findings)
    operations.push_back(finding.missing.substr(0, finding.missing.find(':')));
  return operations;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("capture: each operation has one rule, and each function belongs to one") {
  std::set<std::string_view> operations;
  for (const CaptureRule& rule : capture_rules()) {
    CAPTURE(rule.operation);
    CHECK(operations.insert(rule.operation).second);
    CHECK(&rule_of_operation(rule.operation) == &rule);
    CHECK(!rule.why.empty());
    CHECK((!rule.instead.empty() || rule.effect == CaptureEffect::recorded));
    CHECK((rule.error.empty() || rule.effect == CaptureEffect::fails));
  }
  std::set<std::string_view> calls;
  for (const std::string_view call : capture_calls()) {
    CAPTURE(call);
    CHECK(calls.insert(call).second);
    REQUIRE(rule_of_call(call) != nullptr);
    CHECK(rule_of_call(call)->calls.find(call) != std::string_view::npos);
  }
  CHECK(rule_of_call("cudaMemcpy")->operation == "synchronous copy or fill");
  CHECK(rule_of_call("cudaMemcpyAsync")->effect == CaptureEffect::recorded);
  CHECK(rule_of_call("cudaMem") == nullptr);
}

TEST_CASE("capture: what fails is an ERROR and what is frozen is FORMAL") {
  const std::vector<Finding> findings = findings_of(R"(
    {"do": "cuda", "call": "cudaStreamSynchronize"},
    {"do": "cuda", "call": "cudaMalloc"},
    {"do": "cuda", "call": "host_poll"},
    {"do": "cuda", "call": "Tensor.item"},
    {"do": "cuda", "call": "MPI_Barrier"},
    {"do": "cuda", "call": "cudaMemcpyAsync"},
    {"do": "return_slot"})");
  CHECK(operations_of(findings) == Names{"wait of the CPU for a stream or a device",
                                         "allocation",
                                         "poll of the CPU for a word that the GPU writes",
                                         "read of a device value by the CPU",
                                         "work of the CPU between the calls",
                                         "work of the CPU between the calls"});
  for (std::size_t i = 0; i < findings.size(); ++i) {
    CHECK(findings[i].kind == HazardKind::capture);
    CHECK(findings[i].verdict == (i < 4 ? Verdict::error : Verdict::formal));
    CHECK(findings[i].first.text == "capture of graph g");
  }
  CHECK(findings[0].missing.find("(cudaErrorStreamCaptureUnsupported)") != std::string::npos);
  CHECK(findings[1].closes.find("cudaMallocAsync") != std::string::npos);
}

TEST_CASE("capture: waits of the CPU count for streams and events that take part alone") {
  CHECK(findings_of(R"({"do": "sync", "stream": "other"}, {"do": "sync", "event": "before"})")
            .empty());
  CHECK(operations_of(findings_of(R"({"do": "sync", "stream": "compute"}, {"do": "sync"})")) ==
        Names{"wait of the CPU for a stream or a device",
              "wait of the CPU for a stream or a device"});
  CHECK(operations_of(
            findings_of(R"({"do": "record", "event": "e"}, {"do": "sync", "event": "e"})")) ==
        Names{"wait of the CPU for a captured event"});
  CHECK(operations_of(findings_of(R"({"do": "record", "event": "e"})",
                                  R"(, {"do": "wait", "event": "e", "stream": "other"})")) ==
        Names{"wait outside for a captured event"});
  // Recorded again outside, it is an event like any other.
  CHECK(findings_of(R"({"do": "record", "event": "e"})",
                    R"(, {"do": "record", "event": "e"}, {"do": "sync", "event": "e"})")
            .empty());
}

TEST_CASE("capture: a fork is joined when the captured stream has waited for all of its work") {
  const std::string fork = R"(
    {"do": "record", "event": "fork"},
    {"do": "wait", "event": "fork", "stream": "a"},
    {"do": "kernel", "name": "first", "stream": "a"},
    {"do": "record", "event": "a done", "stream": "a"},
    {"do": "wait", "event": "a done", "stream": "b"},
    {"do": "kernel", "name": "second", "stream": "b"},
    {"do": "record", "event": "b done", "stream": "b"})";
  CHECK(findings_of(fork + R"(, {"do": "wait", "event": "b done"})").empty());
  CHECK(operations_of(findings_of(fork + R"(, {"do": "wait", "event": "a done"})")) ==
        Names{"stream that is not joined"});
  CHECK(findings_of(fork + R"(, {"do": "wait", "event": "b done"},
                               {"do": "kernel", "name": "third", "stream": "a"})")
            .size() == 1);
  CHECK(findings_of(fork).size() == 2);  // both streams
}

TEST_CASE("capture: edges do not cross the border of a graph") {
  CHECK(operations_of(findings_of(R"({"do": "wait", "event": "before"})")) ==
        Names{"wait for an event from outside"});
  CHECK(findings_of(R"({"do": "wait", "event": "before", "stream": "other"})").empty());
  CHECK(operations_of(findings_of(R"({"do": "kernel", "name": "beside", "stream": "other"})")) ==
        Names{"work on a stream beside the capture"});
  CHECK(operations_of(findings_of(R"({"do": "kernel", "name": "legacy", "stream": "legacy"})")) ==
        Names{"work on the legacy default stream"});
}

TEST_CASE("capture: an odd number of low-latency calls freezes their parity") {
  CHECK(findings_of(R"({"do": "dispatch"}, {"do": "combine"})").empty());
  const std::vector<Finding> odd = findings_of(R"({"do": "dispatch"})");
  CHECK(operations_of(odd) == Names{"parity that the host counts"});
  CHECK(odd.front().verdict == Verdict::formal);
  CHECK(odd.front().second.text == "1 low-latency call of handle moe: dispatch 1");
}

TEST_CASE("capture: the exchange with the CPU in its path breaks where the CPU waits") {
  CaptureQuery query{.family = "epsim-graph", .mode = ExchangeMode::cpu_sync};
  // Two waits for all streams fail; the sums of the host in between are frozen.
  const std::vector<Finding> findings = capture_findings(query);
  CHECK(operations_of(findings) == Names{"wait of the CPU for a stream or a device",
                                         "work of the CPU between the calls",
                                         "wait of the CPU for a stream or a device"});
  query.copy = ExchangeCopy::byte;  // its grid is sized by the host
  CHECK(capture_findings(query).size() == 4);
  for (const ExchangeMode mode : {ExchangeMode::stream, ExchangeMode::graph}) {
    query.mode = mode;
    CHECK(capture_findings(query).empty());
  }
}

TEST_CASE("capture: an intranode dispatch breaks where the host reads counts") {
  CaptureQuery query{.family = "deepep-intranode-1.2.1", .counted = true};
  CHECK(operations_of(capture_findings(query)) ==
        Names{"poll of the CPU for a word that the GPU writes",
              "allocation",
              "sizes and addresses that the host knew"});
  query.counted = false;
  const std::vector<Finding> cached = capture_findings(query);
  CHECK(operations_of(cached) == Names{"sizes and addresses that the host knew"});
  CHECK(cached.front().verdict == Verdict::formal);
}

TEST_CASE("capture: low-latency families freeze a parity or a generation") {
  CHECK(capture_findings(CaptureQuery{.family = "deepep-ll-1.2.1", .calls = 2}).empty());
  CHECK(operations_of(capture_findings(CaptureQuery{.family = "deepep-ll-1.2.1", .calls = 1})) ==
        Names{"parity that the host counts"});
  CHECK(operations_of(capture_findings(CaptureQuery{.family = "epsim-ll", .calls = 2})) ==
        Names{"generation that the host counts"});
  CHECK(capture_findings(CaptureQuery{.family = "epsim-ll", .calls = 4}).empty());
}

TEST_CASE("capture: a scenario is asked about as it would run") {
  const std::string file = EPSIM_SOURCE_DIR "/examples/graph_exchange_h200.json";
  CHECK(capture_findings(capture_query(load_scenario(file))).empty());
  const CaptureQuery query = capture_query(load_scenario(file, {"kernel.mode=cpu_sync"}));
  CHECK(query.family == "epsim-graph");
  CHECK(query.calls == 2);
  CHECK(capture_findings(query).size() == 3);
}
