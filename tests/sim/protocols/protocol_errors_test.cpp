#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "sim/base/input_error.hpp"
#include "sim/protocols/protocol_file.hpp"

using namespace epsim;

namespace {

std::string error_of(const std::string& sections) {
  try {
    (void)read_protocol(JsonDocument::parse(
        R"({"schema": "epsim.protocol/1", "name": "p", )" + sections + "}", "p.json"));
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

// A thread's operations, with all kinds of names about.
std::string error_of_ops(const std::string& ops) {
  return error_of(R"("buffers": {"rows": 4, "ring": {"places": 2, "space": "shared"}},
    "flags": {"ready": "word", "tails": {"order": "progress", "count": 2, "scope": "gpu"}},
    "mbarriers": {"full": {}}, "barriers": {"block": 2}, "communicators": {"tp": 2},
    "parameters": {"n": 3}, "streams": {"s": {}}, "nics": {"nic": {}},
    "threads": {"t": {"ops": [)" +
                  ops + "]}}");
}

struct Wrong {
  std::string text;
  std::string message;
};

void check_errors(const std::vector<Wrong>& all) {
  for (const Wrong& wrong : all) {
    CAPTURE(wrong.text);
    const std::string error = error_of(wrong.text);
    CAPTURE(error);
    CHECK(error.find(wrong.message) != std::string::npos);
  }
}

}  // namespace

TEST_CASE("Protocol file: an operation that is wrong is named with its place and the remedy") {
  const std::string at = "p.json: /threads/t/ops/0";
  for (const Wrong& wrong : {
           Wrong{R"({"write": "rwos"})",
                 "/write: no buffer is called \"rwos\"; did you mean \"rows\"?"},
           Wrong{R"({"write": "rows[4]"})",
                 "/write: expected places from 0 to 3 of \"rows\", found 4"},
           Wrong{R"({"write": "rows[2..1]"})", "/write: expected places from 0 to 3"},
           Wrong{R"({"write": "rows[n"})", "/write: expected a name, or a name and an index"},
           Wrong{R"({"write": "rows[m]"})", "/write: \"m\" is no expression: nothing is called m"},
           Wrong{R"({"write": 3})", "/write: expected a string, found 3"},
           Wrong{R"({"wirte": "rows"})", ": expected an operation, one of read, write,"},
           Wrong{R"({"read": "rows", "write": "rows"})",
                 "expected one operation, found \"read\" and \"write\""},
           Wrong{R"({"read": "rows", "proxi": "async"})",
                 "/proxi: unknown key; did you mean \"proxy\"?"},
           Wrong{R"({"read": "rows", "proxy": "asink"})",
                 "/proxy: expected one of generic, async,"},
           Wrong{R"({"signal": "ready"})", ": missing key \"scope\": cta, cluster, gpu or sys"},
           Wrong{R"({"signal": "ready", "scope": "sys", "value": 0})",
                 "/value: expected a whole number from 1"},
           Wrong{R"({"signal": "tails"})",
                 "/signal: expected an index from 0 to 1 of \"tails\", found none"},
           Wrong{R"({"signal": "full"})", "/signal: this is an mbarrier: arrive there"},
           Wrong{R"({"arrive": "ready"})", "/arrive: this is a flag: signal it"},
           Wrong{R"({"sync": "blok"})",
                 "/sync: no barrier is called \"blok\"; did you mean \"block\"?"},
           Wrong{R"({"wait": "full", "phase": "n - 4"})",
                 "/phase: expected a whole number from 0 to 1000000, found n - 4 = -1"},
           Wrong{R"({"fence": "strong", "scope": "gpu"})",
                 "/fence: expected one of acq_rel, sc, release, acquire"},
           Wrong{R"({"fence": "sc"})", ": missing key \"scope\""},
           Wrong{R"({"proxy_fence": "generic"})",
                 "/proxy_fence: expected the proxy on the other side"},
           Wrong{R"({"bulk_load": "rows[0]", "into": "ring[0]"})", ": missing key \"completes\""},
           Wrong{R"({"bulk_load": "rows[0]", "into": "ring[0]", "completes": "ready"})",
                 "/completes: expected an mbarrier"},
           Wrong{R"({"launch": "k"})", ": a GPU thread cannot \"launch\""},
           Wrong{R"({"read": "rows", "takes": 3})", "/takes: expected a time with its unit"},
           Wrong{R"({"read": "rows", "takes": "-3 us"})",
                 "/takes: expected a time that is not negative"},
           Wrong{R"({"read": "rows", "only_in": "V1"})",
                 "/only_in: expected a variant of this file"},
           Wrong{R"({"repeat": 2, "as": "n", "ops": []})", "/as: \"n\" is in use already"},
           Wrong{R"({"repeat": -1, "ops": []})", "/repeat: expected a whole number from 0"},
           Wrong{R"({"repeat": 1000000, "ops": [{"repeat": 1000000, "ops": []}]})",
                 "more than 1000000 operations"},
           Wrong{R"({"post": "nik"})", "/post: no NIC is called \"nik\""},
           Wrong{R"({"collective": "sum", "communicator": "pt"})",
                 "/communicator: no communicator is called \"pt\""},
       }) {
    CAPTURE(wrong.text);
    const std::string error = error_of_ops(wrong.text);
    CAPTURE(error);
    CHECK(error.starts_with(at));
    CHECK(error.find(wrong.message) != std::string::npos);
  }
}

TEST_CASE("Protocol file: a declaration that is wrong is named with its place and the remedy") {
  check_errors({
      Wrong{R"("bufers": {})", "p.json: /bufers: unknown key; did you mean \"buffers\"?"},
      Wrong{R"("buffers": {"a": 0})", "p.json: /buffers/a: expected a whole number from 1"},
      Wrong{R"("buffers": {"a[0]": 1})", "p.json: /buffers/a[0]: expected a name without brackets"},
      Wrong{R"("buffers": {"a": 1}, "flags": {"a": "word"})",
            "p.json: /flags/a: \"a\" is declared at /buffers/a already"},
      Wrong{R"("flags": {"f": "wrd"})",
            "p.json: /flags/f: expected one of counter, progress, word"},
      Wrong{R"("flags": {"f": {"order": "counter", "initial": 1}})",
            "/initial: only a word has a value at the start"},
      Wrong{R"("flags": {"f": {"order": "word", "arrivals": 1}})",
            "/arrivals: only a progress flag has phases"},
      Wrong{R"("parameters": {"call": 1})", "/parameters/call: \"call\" counts the launches"},
      Wrong{R"("variants": {"v": {"parameters": {"n": 1}}})",
            "/variants/v/parameters/n: expected a parameter of the whole file"},
      Wrong{R"("paths": [{"from": "a", "to": "b"}])",
            "/paths/0/from: expected the label of an operation"},
      Wrong{R"("expect": {"verdict": "WRONG"})",
            "/expect/verdict: expected one of OK, PLATFORM, FORMAL, ERROR"},
  });
}

TEST_CASE("Protocol file: an agent that is wrong is named with its place and the remedy") {
  check_errors({
      Wrong{R"("threads": {"t": {"copies": 2, "ops": []}})", "\"copies\" and \"as\""},
      Wrong{R"("threads": {"t": {"copies": 2, "as": "w", "ops": []}})",
            "expected a name that tells copies apart, such as \"t {w}\""},
      Wrong{R"("threads": {"t": {"kernel": "k", "ops": []}})",
            "p.json: /threads/t: nothing launches kernel \"k\""},
      Wrong{R"("threads": {"t": {}})", "p.json: /threads/t: missing key \"ops\""},
      Wrong{R"("streams": {"s": {"ops": [{"launch": "k"}]}})",
            "/launch: no kernel of a thread is called \"k\""},
      Wrong{R"("streams": {"s": {"ops": [{"wait_event": "e"}]}})",
            "/wait_event: nothing records event \"e\""},
      Wrong{R"("flags": {"f": "word"}, "streams": {"s": {"ops": [{"wait_value": "f"}]}})",
            "missing key \"flush\""},
      Wrong{
          R"("streams": {"s": {"ops": []}}, "cpu_threads": {"h": {"ops": [{"record": "e", "on": "s"}]}})",
          "/on: stream \"s\" has operations of its own"},
      Wrong{R"("streams": {"s": {}}, "cpu_threads": {"h": {"ops": [{"record": "e"}]}})",
            "missing key \"on\""},
      Wrong{
          R"("streams": {"s": {}}, "cpu_threads": {"h": {"ops": [{"record": "e", "on": "s"}]}, "i": {"ops": [{"record": "e", "on": "s"}]}})",
          "p.json: /cpu_threads/i/ops/0/on: \"h\" enqueues on stream \"s\" too"},
      Wrong{R"("nics": {"n": {"ordering": "strict"}})",
            "/ordering: expected one of none, owner, all devices"},
      Wrong{
          R"("nics": {"n": {}}, "cpu_threads": {"h": {"ops": [{"post": "n"}]}, "i": {"ops": [{"post": "n"}]}})",
          "\"h\" posts to n too"},
      Wrong{
          R"("buffers": {"a": {"places": 1, "space": "shared"}}, "threads": {"t": {"ops": [{"read": "a"}]}, "u": {"ops": [{"read": "a"}]}})",
          "a is shared memory of another CTA; \"u\" cannot reach it"},
      Wrong{
          R"("mbarriers": {"m": {"arrivals": 3}}, "threads": {"t": {"ops": [{"arrive": "m"}]}, "u": {"ops": [{"arrive": "m"}]}})",
          "2 agents arrive here, and a phase takes 3"},
      Wrong{
          R"("buffers": {"a": 1}, "threads": {"t": {"ops": [{"repeat": 2, "ops": [{"read": "a", "label": "l"}]}]}})",
          "/label: \"l\" labels two operations"},
  });
}

TEST_CASE("Protocol file: a variant that is not there is named with those that are") {
  const JsonDocument document = JsonDocument::parse(
      R"({"schema": "epsim.protocol/1", "name": "p", "variants": {"a": {}, "b": {}}})", "p.json");
  CHECK_THROWS_WITH_AS((void)read_protocol(document, "c"),
                       "p.json: /variants: no variant is called \"c\"; there is a, b",
                       InputError);
  CHECK(is_protocol(document));
  CHECK_FALSE(is_protocol(JsonDocument::parse(R"({"schema": "epsim.scenario/1"})", "s.json")));
  CHECK_FALSE(is_protocol(JsonDocument::parse("[]", "s.json")));
}
