#include "sim/protocols/call_sequence.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "sim/base/input_error.hpp"
#include "sim/hazards/finding.hpp"
#include "sim/protocols/call_layout.hpp"

using namespace epsim;

namespace {

const std::filesystem::path kExamples = EPSIM_SOURCE_DIR "/examples/calls";

CallSequence parse(const std::string& text) {
  return read_call_sequence(JsonDocument::parse(text, "c.json"));
}

// A sequence of three ranks with one low-latency buffer, unless `head` says otherwise.
CallSequence with_calls(const std::string& calls,
                        const std::string& head = R"("buffers": {"moe": {}})") {
  return parse(fmt::format(R"({{"schema": "epsim.calls/1", {}, "calls": [{}]}})", head, calls));
}

std::string error_of(const std::string& calls,
                     const std::string& head = R"("buffers": {"moe": {}})") {
  try {
    (void)check_calls(with_calls(calls, head));
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

Verdict verdict_of(const std::string& calls,
                   const std::string& head = R"("buffers": {"moe": {}})") {
  return check_calls(with_calls(calls, head)).verdict();
}

std::vector<std::string> example_names() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(kExamples))
    names.push_back(entry.path().stem().string());
  std::sort(names.begin(), names.end());
  return names;
}

HazardReport check_example(std::string_view name) {
  return check_calls(
      read_call_sequence(JsonDocument::read(kExamples / (std::string(name) + ".json"))));
}

struct Broken {
  std::string_view name;
  HazardKind kind;
  Verdict verdict;
  std::string_view closes;  // in the words of the finding
};

constexpr std::array kBroken = {
    Broken{"buffer_freed", HazardKind::use_after_end, Verdict::error, "after a wait of the CPU"},
    Broken{"capture_breaks", HazardKind::capture, Verdict::error, "scatter_add of ones for counts"},
    Broken{"capture_events", HazardKind::capture, Verdict::error, "before the capture begins"},
    Broken{"clean_without_barrier",
           HazardKind::lost_signal,
           Verdict::error,
           "a barrier of all ranks before and after clean 1"},
    Broken{"collective_mismatch",
           HazardKind::collective_order,
           Verdict::error,
           "the same order of collectives on every rank"},
    Broken{"collective_order",
           HazardKind::collective_order,
           Verdict::error,
           "a communicator for each of threads A and B; or a baton"},
    Broken{"concurrent_replays",
           HazardKind::stale_signal,
           Verdict::error,
           "a tag for each call that may run beside another"},
    Broken{"exchange_overwrites_rows",
           HazardKind::overwritten_read,
           Verdict::error,
           "an event after experts of layer 1"},
    Broken{"exchange_skips_done",
           HazardKind::lost_signal,
           Verdict::error,
           "both meetings, of counts and of rows"},
    Broken{"exchange_without_flush",
           HazardKind::stale_read,
           Verdict::platform,
           "CU_STREAM_WAIT_VALUE_FLUSH"},
    Broken{"frozen_generation",
           HazardKind::stale_signal,
           Verdict::error,
           "a generation counted in device memory"},
    Broken{"graph_keeps_address",
           HazardKind::use_after_end,
           Verdict::error,
           "one allocation before the capture of graph step"},
    Broken{"graphs_of_two_parities",
           HazardKind::stale_signal,
           Verdict::error,
           "an even number of its calls before each capture"},
    Broken{
        "moved_rows",
        HazardKind::overwritten_read,
        Verdict::error,
        "clean_low_latency_buffer with a barrier on both sides between dispatch 1 and dispatch 2"},
    Broken{"moved_words",
           HazardKind::call_order,
           Verdict::error,
           "clean_low_latency_buffer for the new shape between dispatch 1 and dispatch 2"},
    Broken{"odd_graph",
           HazardKind::stale_signal,
           Verdict::error,
           "an even number of low-latency calls of handle moe in graph step"},
    Broken{"ranks_differ",
           HazardKind::deadlock,
           Verdict::error,
           "the same low-latency calls of handle moe in the same order on every rank"},
    Broken{
        "receive_never_launched", HazardKind::call_order, Verdict::error, "a hook of dispatch 1"},
    Broken{"receive_on_other_stream",
           HazardKind::lost_signal,
           Verdict::error,
           "the receive of dispatch 1 before the send of combine 1"},
    Broken{
        "sibling_handles", HazardKind::stale_signal, Verdict::error, "one handle for buffer moe"},
    Broken{"slot_posted_at_launch",
           HazardKind::stale_read,
           Verdict::error,
           "an event after gather of request 1 that the CPU waits for before post_slot 1"},
    Broken{"slot_returned_at_launch",
           HazardKind::overwritten_read,
           Verdict::error,
           "an event after scatter of request 1 that the CPU waits for before return_slot 1"},
    Broken{"two_in_flight",
           HazardKind::lost_signal,
           Verdict::error,
           "the receive of dispatch of batch A before the send of dispatch of batch B"},
    Broken{"world_rank_in_group",
           HazardKind::call_order,
           Verdict::error,
           "the rank in communicator pair, passed to the call"},
    Broken{"world_size_in_group",
           HazardKind::deadlock,
           Verdict::error,
           "rank and size of communicator pair, passed to the call"},
};

}  // namespace

TEST_CASE("CallSequence: each broken example has its hazard, and names what closes it") {
  for (const Broken& broken : kBroken) {
    CAPTURE(broken.name);
    const HazardReport report = check_example(broken.name);
    CHECK(report.verdict() == broken.verdict);
    const bool is_found =
        std::any_of(report.findings.begin(), report.findings.end(), [&](const Finding& finding) {
          return finding.kind == broken.kind && finding.verdict == broken.verdict &&
                 finding.closes.find(broken.closes) != std::string::npos;
        });
    CHECK(is_found);
  }
}

TEST_CASE("CallSequence: each fixed example has no finding") {
  int count = 0;
  for (const std::string& name : example_names()) {
    if (!name.ends_with("_fixed")) continue;
    ++count;
    CAPTURE(name);
    const HazardReport report = check_example(name);
    CHECK(report.findings.empty());
    CHECK(report.operations > 0);
  }
  // One for each broken file; the two of the world's communicator share one, and two threads on one
  // communicator have two.
  CHECK(count == 24);
}

TEST_CASE("CallSequence: no example is left out of the table") {
  for (const std::string& name : example_names()) {
    CAPTURE(name);
    const bool is_listed = std::any_of(
        kBroken.begin(), kBroken.end(), [&](const Broken& broken) { return broken.name == name; });
    CHECK((is_listed || name.ends_with("_fixed")));
  }
}

TEST_CASE("CallSequence: a finding says which send clears which word") {
  const HazardReport report = check_example("two_in_flight");
  REQUIRE(!report.findings.empty());
  const Finding& finding = report.findings.front();
  CHECK(finding.kind == HazardKind::lost_signal);
  CHECK(finding.first.text.find("send of dispatch of batch A sets its word of parity 0") !=
        std::string::npos);
  CHECK(finding.second.text.find("send of dispatch of batch B clears the word of parity 0") !=
        std::string::npos);
  CHECK(finding.location.find("word of parity 0 from rank") == 0);
}

TEST_CASE("CallSequence: replays of a graph keep the alternation if its calls are even in number") {
  for (int calls = 1; calls <= 5; ++calls) {
    CAPTURE(calls);
    std::string body;
    for (int i = 0; i < calls; ++i)
      body += fmt::format(
          R"({}{{"do": "{}"}})", i > 0 ? ", " : "", i % 2 == 0 ? "dispatch" : "combine");
    const std::string text = fmt::format(
        R"({{"do": "capture", "graph": "g", "calls": [{}]}},
           {{"do": "replay", "graph": "g", "times": 2}})",
        body);
    CHECK(verdict_of(text) == (calls % 2 == 0 ? Verdict::ok : Verdict::error));
    // A generation that comes back is news only if another stood between: two calls a parity.
    CHECK(verdict_of(text, R"("buffers": {"moe": {"words": "tagged"}})") ==
          (calls == 4 ? Verdict::ok : Verdict::error));
    CHECK(verdict_of(text, R"("buffers": {"moe": {"words": "device_tagged"}})") == Verdict::ok);
  }
}

TEST_CASE("CallSequence: eager calls of one handle on one stream are safe, whatever their kinds") {
  std::string calls = R"({"do": "dispatch"})";
  for (const char* kind : {"dispatch", "combine", "combine", "dispatch", "dispatch"})
    calls += fmt::format(R"(, {{"do": "{}"}})", kind);
  for (const char* words : {"cleaned", "tagged", "device_tagged"}) {
    CAPTURE(words);
    const std::string head =
        fmt::format(R"("ranks": 4, "buffers": {{"moe": {{"words": "{}"}}}})", words);
    CHECK(verdict_of(calls, head) == Verdict::ok);
  }
}

TEST_CASE(
    "CallSequence: tagged words of sibling handles count alike and are taken for each other") {
  const std::string calls =
      R"({"do": "dispatch", "handle": "a"}, {"do": "dispatch", "handle": "b"})";
  const auto head = [](const char* words) {
    return fmt::format(R"("buffers": {{"moe": {{"handles": ["a", "b"], "words": "{}"}}}})", words);
  };
  CHECK(verdict_of(calls, head("tagged")) == Verdict::error);
  CHECK(verdict_of(calls, head("device_tagged")) == Verdict::ok);
}

TEST_CASE("CallSequence: a fused dispatch has five operations a peer and three of its own") {
  // A rank: launch, start, preparation of rows; for each rank a word to clear, rows to write, a
  // word to set, a word to wait for, rows to read. Two ranks: 2 * (3 + 2 * 5) = 26; three: 3 * 18
  // = 54.
  CHECK(check_calls(with_calls(R"({"do": "dispatch"})", R"("ranks": 2, "buffers": {"moe": {}})"))
            .operations == 26);
  CHECK(check_calls(with_calls(R"({"do": "dispatch"})")).operations == 54);
  // A combine prepares nothing; tagged words are not cleared: 3 * (2 + 3 * 4) = 42.
  CHECK(
      check_calls(with_calls(R"({"do": "combine"})", R"("buffers": {"moe": {"words": "tagged"}})"))
          .operations == 42);
}

TEST_CASE("CallSequence: an order by another rank's words is none on the own rank") {
  // The side stream's receive is ordered with the next send by an event on ranks 0 and 1 alone.
  const std::string calls = R"(
    {"do": "dispatch", "phase": "send"},
    {"do": "hook", "of": "dispatch 1", "stream": "side"},
    {"do": "record", "event": "e", "stream": "side"},
    {"do": "wait", "event": "e", "ranks": [0, 1]},
    {"do": "combine"})";
  const HazardReport report = check_calls(with_calls(calls));
  CHECK(report.verdict() == Verdict::error);
  CHECK(std::all_of(report.findings.begin(), report.findings.end(), [](const Finding& finding) {
    return finding.first.text.find("rank 2") != std::string::npos ||
           finding.second.text.find("rank 2") != std::string::npos ||
           finding.kind == HazardKind::deadlock;
  }));
}

TEST_CASE("CallSequence: one thread may use one communicator on two streams") {
  const std::string calls = R"(
    {"do": "collective", "stream": "a"},
    {"do": "collective", "stream": "b"})";
  CHECK(verdict_of(calls) == Verdict::ok);
}

TEST_CASE("CallSequence: launches of one graph on two streams do not run at once") {
  const std::string calls = R"(
    {"do": "capture", "graph": "g", "calls": [{"do": "exchange", "flush": true}]},
    {"do": "replay", "graph": "g", "stream": "a"},
    {"do": "replay", "graph": "g", "stream": "b"})";
  CHECK(verdict_of(calls, R"("tags": ["moe"])") == Verdict::ok);
}

TEST_CASE("CallSequence: a branch of a graph that an event does not join races with what follows") {
  const std::string calls = R"(
    {"do": "capture", "graph": "g", "calls": [
      {"do": "record", "event": "fork"},
      {"do": "wait", "event": "fork", "stream": "side"},
      {"do": "kernel", "name": "writer", "stream": "side", "writes": ["x"]},
      {"do": "record", "event": "join", "stream": "side"}
      JOIN
    ]},
    {"do": "replay", "graph": "g"},
    {"do": "kernel", "name": "reader", "reads": ["x"]})";
  const auto with = [&](const std::string& join) {
    std::string text = calls;
    return verdict_of(text.replace(text.find("JOIN"), 4, join), R"("memory": ["x"])");
  };
  CHECK(with(R"(, {"do": "wait", "event": "join"})") == Verdict::ok);
  CHECK(with("") == Verdict::error);
}

TEST_CASE("CallLayout: regions follow from tokens and channels, and another shape moves them") {
  const CallBuffer buffer{.name = "moe"};
  const CallShape large{.tokens = 128, .hidden = 7168};
  const CallShape small{.tokens = 96, .hidden = 7168};
  const CallLayout layout(buffer, 3, {large, small});
  Call call;
  call.kind = CallKind::combine;
  call.shape = large;
  const CellRange first = layout.rows(call, 0, 0);
  const CellRange second = layout.rows(call, 0, 1);
  CHECK(first.first + first.count == second.first);
  // A combine slot: 2 * 7168 + 7168 / 128 * 4 = 14560 B. A region of 128 tokens and three ranks:
  // 3 * 128 * 14560 = 5 591 040 B; of 96: 4 193 280. Received rows of parity 0 lie from
  // 256 + 2 * 5 591 040 to 256 + 3 * 5 591 040 = 16 773 376; those of parity 1 of the small shape
  // from 256 + 3 * 4 193 280 = 12 580 096 on: in between.
  Call later = call;
  later.shape = small;
  const CellRange moved = layout.rows(later, 1, 0);
  const CellRange last = layout.rows(call, 0, 2);
  CHECK(moved.first > first.first);
  CHECK(moved.first < last.first + last.count);
  CHECK(layout.word_set(small) == layout.word_set(large));
  CHECK_FALSE(layout.words_were_used(small, large));
}

TEST_CASE("CallLayout: words behind the rows lie in the rows of a larger shape alone") {
  const CallBuffer buffer{.name = "moe", .word_place = WordPlace::last};
  const CallShape large{.tokens = 128, .hidden = 7168};
  const CallShape small{.tokens = 96, .hidden = 7168};
  const CallLayout layout(buffer, 3, {large, small});
  CHECK(layout.word_set(small) != layout.word_set(large));
  CHECK(layout.words_were_used(small, large));
  CHECK_FALSE(layout.words_were_used(large, small));
  CHECK_FALSE(layout.words_were_used(large, large));
}

TEST_CASE("CallSequence: what a file gets wrong is said with its place") {
  CHECK(error_of(R"({"do": "dispach"})").find("c.json: /calls/0/do: expected one of dispatch") ==
        0);
  CHECK(error_of(R"({"do": "dispatch", "handle": "mow"})")
            .find("/calls/0/handle: expected one of moe") != std::string::npos);
  CHECK(error_of(R"({"do": "dispatch"}, {"do": "hook", "of": "dispatch 1"})")
            .find("/calls/1/of: that call receives itself") != std::string::npos);
  CHECK(error_of(R"({"do": "replay", "graph": "g"})")
            .find("no graph of this name is captured before") != std::string::npos);
  CHECK(error_of(R"({"do": "wait", "event": "e"})")
            .find("/calls/0: event e is not recorded before") != std::string::npos);
  CHECK(error_of(R"({"do": "await", "baton": "b"})").find("nobody puts baton b down before") !=
        std::string::npos);
  CHECK(error_of(R"({"do": "dispatch", "ranks": [0, 3]})")
            .find("/calls/0/ranks/1: expected a whole") != std::string::npos);
  CHECK(error_of(R"({"do": "collective", "communicator": "pair"})",
                 R"("communicators": {"pair": [0, 1]})")
            .find("rank 2 is not in communicator pair") != std::string::npos);
  CHECK(error_of(R"({"do": "dispatch", "phase": "send", "ranks": [0]},
                    {"do": "hook", "of": "dispatch 1"})")
            .find("/calls/1: rank 1 did not send what this receives") != std::string::npos);
  CHECK(error_of(R"({"do": "cuda", "call": "cudaMaloc"})").find("expected one of cudaStream") !=
        std::string::npos);
  CHECK(error_of(R"({"do": "dispatch", "stram": "s"})").find("stram") != std::string::npos);
  CHECK(error_of(R"({"do": "kernel", "name": "k"}, {"do": "kernel", "name": "k"})")
            .find("another call has this name") != std::string::npos);
}

TEST_CASE("CallSequence: a finding points at its second call in the file") {
  const CallSequence sequence =
      read_call_sequence(JsonDocument::read(kExamples / "two_in_flight.json"));
  const CheckedProgram checked = check_call_file(sequence);
  REQUIRE(checked.pointers.size() == checked.report.findings.size());
  CHECK(checked.pointers.front() == "/calls/1");
}

TEST_CASE("CallSequence: one file gives one program, and one report") {
  const CallSequence sequence =
      read_call_sequence(JsonDocument::read(kExamples / "odd_graph.json"));
  const HazardReport first = check_calls(sequence);
  const HazardReport second = check_calls(sequence);
  REQUIRE(first.findings.size() == second.findings.size());
  for (std::size_t i = 0; i < first.findings.size(); ++i) {
    CHECK(first.findings[i].first.text == second.findings[i].first.text);
    CHECK(first.findings[i].closes == second.findings[i].closes);
  }
  const SyncProgram program = call_program(sequence);
  CHECK(program.takes.empty());
  CHECK(program.agents.size() == 6);  // a CPU thread and a stream on each of three ranks
}
