#include "sim/protocols/protocol_file.hpp"

#include <chrono>
#include <span>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "sim/base/input_error.hpp"
#include "sim/hazards/happens_before.hpp"

using namespace epsim;
using namespace std::chrono_literals;

namespace {

Protocol read(const std::string& sections, const std::string& variant = "") {
  return read_protocol(
      JsonDocument::parse(R"({"schema": "epsim.protocol/1", "name": "p", )" + sections + "}",
                          "p.json"),
      variant);
}

std::span<const SyncOp> ops_of(const Protocol& protocol, const std::string& agent) {
  const SyncProgram& program = protocol.program;
  for (std::uint32_t a = 0; a < program.agents.size(); ++a)
    if (program.names.agent(a) == agent) return program.ops_of(program.agents[a]);
  FAIL("no such agent: ", agent);
  return {};
}

std::vector<std::string> texts_of(const Protocol& protocol, const std::string& agent) {
  std::vector<std::string> texts;
  const SyncProgram& program = protocol.program;
  for (const SyncOp& op : ops_of(protocol, agent)) {
    const auto index = static_cast<std::uint32_t>(&op - program.ops.data());
    texts.push_back(program.names.operation(0, index));
  }
  return texts;
}

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("Protocol file: a write, a flag and a read become a program") {
  const Protocol protocol = read(R"(
    "buffers": {"rows": 4, "ring": {"places": 2, "space": "shared", "initialised": true}},
    "flags": {"ready": {"order": "word", "count": 2, "scope": "sys", "initial": 3}},
    "threads": {
      "writer": {"gpu": "A", "ops": [
        {"write": "rows[1..2]", "takes": "2 us"},
        {"signal": "ready[1]", "value": 7}
      ]},
      "reader": {"gpu": "B", "ops": [
        {"wait": "ready[1]", "for": 7, "accepts": "any"},
        {"read": "rows", "nc": true, "text": "the rows"}
      ]}
    })");
  const SyncProgram& program = protocol.program;
  CHECK(program.name == "p");
  CHECK(program.locations.size() == 6);  // 4 rows and 2 stages
  CHECK(program.locations[3] == MemorySpace::global);
  CHECK(program.locations[4] == MemorySpace::shared);
  CHECK(program.initialised == std::vector<bool>{false, false, false, false, true, true});
  CHECK(program.names.location(2) == "rows[2]");
  CHECK(program.names.flag(1) == "ready[1]");
  CHECK(program.flags[1].initial == 3);
  REQUIRE(program.agents.size() == 2);
  CHECK(program.agents[0].place.gpu != program.agents[1].place.gpu);

  const auto writer = ops_of(protocol, "writer");
  REQUIRE(writer.size() == 2);
  CHECK(writer[0].kind == SyncOpKind::write);
  CHECK(writer[0].target == 1);
  CHECK(writer[0].count == 2);
  CHECK(writer[1].order == Order::release);
  CHECK(writer[1].scope == Scope::sys);
  CHECK(writer[1].traits == kStore);  // st.release, no update
  CHECK(writer[1].count == 7);
  const auto reader = ops_of(protocol, "reader");
  CHECK(reader[0].order == Order::acquire);
  CHECK(reader[0].traits == kAnyWord);
  CHECK(reader[1].traits == kNonCoherent);
  CHECK(texts_of(protocol, "reader")[1] == "the rows");
  CHECK(protocol.pointers[reader[1].source] == "/threads/reader/ops/1");
  CHECK(program.takes == std::vector<Duration>{2us, 0us, 0us, 0us});
}

TEST_CASE("Protocol file: copies, loops and conditions multiply operations") {
  const Protocol protocol = read(R"(
    "parameters": {"warps": 2, "rows": 3},
    "buffers": {"rows": "warps * rows"},
    "threads": {
      "warp {w}": {"copies": "warps", "as": "w", "cta": "0", "ops": [
        {"repeat": "rows", "as": "i", "ops": [
          {"write": "rows[w * rows + i]", "when": "i != w"}
        ]}
      ]}
    })");
  CHECK(texts_of(protocol, "warp 0") == Texts{"write of rows[1]", "write of rows[2]"});
  CHECK(texts_of(protocol, "warp 1") == Texts{"write of rows[3]", "write of rows[5]"});
  CHECK(protocol.program.agents[0].place == protocol.program.agents[1].place);  // one CTA
  // One place in the file is one site.
  const SyncNames& names = protocol.program.names;
  CHECK(names.site(0, 0) == names.site(1, 3));
}

TEST_CASE("Protocol file: CTAs without a name are apart, and so are those of two kernels") {
  const Protocol protocol = read(R"(
    "streams": {"s": {"ops": [{"launch": "k"}, {"launch": "l"}]}},
    "threads": {
      "a": {"ops": []}, "b": {"ops": []},
      "c": {"kernel": "k", "cta": "0", "ops": []},
      "d": {"kernel": "l", "cta": "0", "ops": []}
    })");
  std::vector<std::uint32_t> ctas;
  for (const SyncAgent& agent : protocol.program.agents) {
    for (const std::uint32_t cta : ctas) CHECK(cta != agent.place.cta);
    ctas.push_back(agent.place.cta);
    CHECK(agent.place.gpu == 0);
  }
  CHECK(ctas.size() == 5);  // a, b, c, d and the stream
}

TEST_CASE("Protocol file: a kernel runs between edges of its stream, once a launch") {
  const Protocol protocol = read(R"(
    "buffers": {"rows": 2},
    "streams": {"s": {"ops": [{"launch": "k"}, {"launch": "k"}]}},
    "threads": {"warp": {"kernel": "k", "ops": [{"write": "rows[call]"}]}})");
  CHECK(texts_of(protocol, "stream s") ==
        Texts{"launch of k", "end of k", "launch of k, call 2", "end of k, call 2"});
  CHECK(texts_of(protocol, "warp") == Texts{"start of k", "write of rows[0]", "end of k"});
  CHECK(texts_of(protocol, "warp, call 2")[1] == "write of rows[1]");
  for (const SyncOp& op : ops_of(protocol, "stream s")) CHECK(op.traits == kApiEdge);
}

TEST_CASE("Protocol file: phases of an mbarrier are numbered by who arrives") {
  const std::string text = R"(
    "buffers": {"row": {"places": 1, "initialised": true}, "ring": {"places": 1, "space": "shared"}},
    "mbarriers": {"full": {"arrivals": 2}, "empty": {"arrivals": 2}},
    "threads": {
      "loader": {"cta": "0", "ops": [{"repeat": 2, "as": "i", "ops": [
        {"bulk_load": "row", "into": "ring", "completes": "full"},
        {"bulk_load": "row", "into": "ring", "completes": "full"},
        {"wait": "empty", "phase": "i"}
      ]}]},
      "decoder {w}": {"cta": "0", "copies": 2, "as": "w", "ops": [{"repeat": 2, "as": "i", "ops": [
        {"wait": "full", "phase": "i"},
        {"arrive": "empty"}
      ]}]}
    })";
  const Protocol protocol = read(text);
  const SyncProgram& program = protocol.program;
  REQUIRE(program.engine_ops.size() == 4);
  for (std::uint32_t e = 0; e < 4; ++e) {
    CHECK(program.engine_ops[e].landed == 0);
    CHECK(program.engine_ops[e].position == e);  // one agent: in its order
  }
  // Two agents: the first has the even steps, the second the odd ones.
  const auto first = ops_of(protocol, "decoder 0");
  const auto second = ops_of(protocol, "decoder 1");
  CHECK(first[0].count == 2);  // phase 0: two loads
  CHECK(first[2].count == 4);
  CHECK(first[1].position == 0);
  CHECK(second[1].position == 1);
  CHECK(first[3].position == 2);
  CHECK(second[3].position == 3);
  CHECK(first[1].scope == Scope::cta);
  CHECK(first[1].order == Order::release);
}

TEST_CASE("Protocol file: a CPU thread enqueues, and waits for what it enqueued so far") {
  const Protocol protocol = read(R"(
    "buffers": {"a": 1, "b": 1},
    "streams": {"s": {}},
    "cpu_threads": {"host": {"ops": [
      {"copy": "a", "into": "b", "on": "s", "takes": "5 us", "call_takes": "1 us"},
      {"sync_stream": "s"},
      {"copy": "b", "into": "a", "on": "s"}
    ]}})");
  CHECK(texts_of(protocol, "host") ==
        Texts{"enqueue on stream s", "synchronisation with stream s", "enqueue on stream s"});
  CHECK(texts_of(protocol, "stream s") == Texts{"enqueued by host",
                                                "read of a",
                                                "write of b",
                                                "seen by host",
                                                "enqueued by host",
                                                "read of b",
                                                "write of a"});
  CHECK(find_hazards(protocol.program).verdict() == Verdict::ok);
  CHECK(protocol.program.takes[0] + protocol.program.takes[2] == 5us);  // one of them is the copy
}

TEST_CASE("Protocol file: a wait for an event is for the newest record of its thread") {
  const std::string text = R"(
    "streams": {"s": {}, "t": {}},
    "cpu_threads": {"host": {"ops": [
      {"wait_event": "e", "on": "t"},
      {"record": "e", "on": "s"},
      {"record": "e", "on": "s"},
      {"wait_event": "e", "on": "t"},
      {"sync_event": "e", "nth": 1}
    ]}})";
  const Protocol protocol = read(text);
  const auto stream = ops_of(protocol, "stream t");
  REQUIRE(stream.size() == 4);
  CHECK(stream[1].kind == SyncOpKind::read);  // nothing recorded yet: CUDA does not wait
  CHECK(stream[1].count == 0);
  CHECK(stream[3].kind == SyncOpKind::wait);
  CHECK(stream[3].count == 2);
  CHECK(ops_of(protocol, "host").back().count == 1);
}

TEST_CASE("Protocol file: waits of a stream without a flush rest on the platform") {
  const auto waits = [](const std::string& ops) {
    return read(R"("flags": {"f": "word"}, "streams": {"s": {"ops": [)" + ops + "]}}");
  };
  const Protocol bare = waits(R"({"wait_value": "f", "flush": "no"})");
  REQUIRE(bare.program.conditions.size() == 1);
  CHECK(bare.program.conditions[0].closes.find("FLUSH") != std::string::npos);
  CHECK(ops_of(bare, "stream s")[0].traits == kConditional);
  CHECK(ops_of(waits(R"({"wait_value": "f", "flush": "yes"})"), "stream s")[0].traits == 0);
  const Protocol flushed =
      waits(R"({"wait_value": "f", "flush": "no"}, {"flush_remote_writes": true})");
  REQUIRE(ops_of(flushed, "stream s").size() == 2);
  CHECK(ops_of(flushed, "stream s")[1].traits == 0);
}

TEST_CASE("Protocol file: what a running kernel sees of a NIC depends on its ordering") {
  const auto signal = [](const std::string& nic) {
    const Protocol protocol = read(R"("buffers": {"a": 1}, "flags": {"f": "word", "c": "counter"},
      "nics": {"n": )" + nic + R"(},
      "cpu_threads": {"host": {"ops": [
        {"post": "n", "writes": "a", "signals": "f", "completes": "c", "nic_takes": "3 us"},
        {"wait": "c"}
      ]}})");
    const auto ops = ops_of(protocol, "n");
    REQUIRE(ops.size() == 4);  // fetch, write, signal, completion
    CHECK(ops[3].traits == 0);
    CHECK(ops[3].order == Order::release);
    return ops[2];
  };
  CHECK(signal("{}").traits == (kStore | kConditional));
  CHECK(signal(R"({"ordering": "owner"})").traits == kStore);
  CHECK(signal(R"({"ordering": "owner"})").order == Order::release);
  CHECK(signal(R"({"ordering": "none"})").order == Order::relaxed);
}

TEST_CASE("Protocol file: variants stand side by side, the first is read without a name") {
  const std::string text = R"(
    "parameters": {"places": 2},
    "variants": {
      "racy": {"text": "no barrier", "expect": {"verdict": "ERROR", "kind": "stale-read"}},
      "safe": {"parameters": {"places": 3}, "measured": {"time": "3 us", "source": "M22"},
               "expect": {"verdict": "OK"}}
    },
    "buffers": {"rows": "places"},
    "barriers": {"block": 2},
    "threads": {
      "a": {"cta": "0", "ops": [{"write": "rows[0]"}, {"sync": "block", "only_in": "safe"}]},
      "b": {"cta": "0", "ops": [{"sync": "block", "not_in": ["racy"]}, {"read": "rows[0]"}]}
    })";
  const Protocol racy = read(text);
  CHECK(racy.variant == "racy");
  CHECK(racy.program.name == "p, racy");
  CHECK(racy.program.locations.size() == 2);
  REQUIRE(racy.expect);
  CHECK(expected_finding(*racy.expect, find_hazards(racy.program)) != nullptr);
  const Protocol safe = read(text, "safe");
  CHECK(safe.program.locations.size() == 3);
  CHECK(find_hazards(safe.program).verdict() == Verdict::ok);

  const auto variants = protocol_variants(
      JsonDocument::parse(R"({"schema": "epsim.protocol/1", "name": "p", )" + text + "}", "p"));
  REQUIRE(variants.size() == 2);
  CHECK(variants[0].text == "no barrier");
  CHECK(variants[1].measured == 3us);
}

TEST_CASE("Protocol file: a path leads from one label to another, or does not") {
  const Protocol protocol = read(R"(
    "buffers": {"row": 1, "other": 1}, "flags": {"f": {"order": "word", "scope": "gpu"}},
    "paths": [{"from": "written", "to": "read", "exists": true},
              {"from": "read", "to": "written", "exists": false}],
    "threads": {
      "a": {"ops": [{"write": "row", "label": "written"}, {"signal": "f"}]},
      "b": {"ops": [{"wait": "f"}, {"read": "row", "label": "read"}]}
    })");
  REQUIRE(protocol.paths.size() == 2);
  for (const PathQuestion& path : protocol.paths)
    CHECK(!happens_before_path(protocol.program, path.first, path.second).empty() == path.exists);
}
