// Each verdict is derived in a comment from the rules: sync needs a release pattern, an observation
// and an acquire pattern whose ends include each other; a stale read is forbidden where causality
// leads from the write to the read.
#include "sim/litmus/litmus_search.hpp"

#include <doctest/doctest.h>

#include "tests/support/litmus_text.hpp"

using namespace epsim;
using namespace epsim::litmus;

namespace {

// The flag is up and the data is old.
const std::vector<std::string> kStale = {"1:f == 1", "1:d == 0"};

// One thread writes data and then a flag, another reads the flag and then data.
bool is_stale(const Ops& flag_up, const Ops& flag_seen, int gpu = 0, int cta = 1) {
  Ops writer = {st("x", "1")};
  writer.insert(writer.end(), flag_up.begin(), flag_up.end());
  Ops reader = flag_seen;
  reader.push_back(ld("d", "x"));
  return is_reachable({{0, 0, writer, ""}, {gpu, cta, reader, ""}}, kStale);
}

}  // namespace

TEST_CASE("Litmus search: a release that is acquired orders data, a relaxed flag does not") {
  CHECK_FALSE(is_stale({st("y", "1", "release.gpu")}, {ld("f", "y", "acquire.gpu")}));
  CHECK(is_stale({st("y", "1", "relaxed.gpu")}, {ld("f", "y", "acquire.gpu")}));
  CHECK(is_stale({st("y", "1", "release.gpu")}, {ld("f", "y", "relaxed.gpu")}));
  CHECK(is_stale({st("y", "1")}, {ld("f", "y")}));
}

TEST_CASE("Litmus search: both ends of a synchronization include each other, or it is none") {
  // Two GPUs: gpu scope of one end does not take in the other, sys does.
  CHECK(is_stale({st("y", "1", "release.gpu")}, {ld("f", "y", "acquire.sys")}, 1));
  CHECK(is_stale({st("y", "1", "release.sys")}, {ld("f", "y", "acquire.gpu")}, 1));
  CHECK_FALSE(is_stale({st("y", "1", "release.sys")}, {ld("f", "y", "acquire.sys")}, 1));
  // Two CTAs of a GPU, then one.
  CHECK(is_stale({st("y", "1", "release.cta")}, {ld("f", "y", "acquire.gpu")}));
  CHECK_FALSE(is_stale({st("y", "1", "release.cta")}, {ld("f", "y", "acquire.cta")}, 0, 0));
}

TEST_CASE("Litmus search: cluster scope takes in the CTAs of the cluster and no others") {
  const auto is_stale_with = [](const std::string& first, const std::string& second) {
    return is_reachable({{0, 0, {st("x", "1"), st("y", "1", "release.cluster")}, first},
                         {0, 1, {ld("f", "y", "acquire.cluster"), ld("d", "x")}, second}},
                        kStale);
  };
  CHECK_FALSE(is_stale_with(R"(,"cluster":3)", R"(,"cluster":3)"));
  CHECK(is_stale_with(R"(,"cluster":3)", R"(,"cluster":4)"));
  CHECK(is_stale_with("", ""));  // a CTA of no cluster is one by itself
}

TEST_CASE(
    "Litmus search: a fence and a later strong write release, a strong read and a fence acquire") {
  const std::string up = st("y", "1", "relaxed.gpu");
  const std::string seen = ld("f", "y", "relaxed.gpu");
  CHECK_FALSE(is_stale({fence("acq_rel.gpu"), up}, {seen, fence("acq_rel.gpu")}));
  CHECK_FALSE(is_stale({fence("sc.gpu"), up}, {seen, fence("sc.gpu")}));
  // One way each.
  CHECK_FALSE(is_stale({fence("release.gpu"), up}, {seen, fence("acquire.gpu")}));
  CHECK(is_stale({fence("acquire.gpu"), up}, {seen, fence("acquire.gpu")}));
  CHECK(is_stale({fence("release.gpu"), up}, {seen, fence("release.gpu")}));
  // A weak flag is observed by nobody; a fence too early releases nothing of the flag.
  CHECK(is_stale({fence("acq_rel.gpu"), st("y", "1")}, {seen, fence("acq_rel.gpu")}));
  CHECK(is_stale({up, fence("acq_rel.gpu")}, {seen, fence("acq_rel.gpu")}));
}

TEST_CASE("Litmus search: a release write passes its head to later strong writes of its thread") {
  const std::string seen = ld("f", "y", "acquire.gpu");
  // The read sees the relaxed 1 that follows a release at the same address, or at another.
  CHECK_FALSE(is_stale({st("y", "2", "release.gpu"), st("y", "1", "relaxed.gpu")}, {seen}));
  CHECK(is_stale({st("z", "2", "release.gpu"), st("y", "1", "relaxed.gpu")}, {seen}));
  CHECK(is_stale({st("y", "2", "release.gpu"), st("y", "1")}, {seen}));
  // Mirror image: the relaxed read sees the flag, a later acquire of the same address ends it.
  const std::string relaxed = ld("f", "y", "relaxed.gpu");
  CHECK_FALSE(is_stale({st("y", "1", "release.gpu")}, {relaxed, ld("g", "y", "acquire.gpu")}));
  CHECK(is_stale({st("y", "1", "release.gpu")}, {relaxed, ld("g", "z", "acquire.gpu")}));
}

TEST_CASE("Litmus search: an atomic carries a release on, a plain store between ends it") {
  // P0 releases 1, P2 adds 1 relaxed, P1 acquires 2: obs runs through the atomic of P2.
  const Ops writer = {st("x", "1"), st("y", "1", "release.gpu")};
  const Ops reader = {ld("f", "y", "acquire.gpu"), ld("d", "x")};
  const std::vector<std::string> stale = {"1:f == 2", "1:d == 0", "2:o == 1"};
  const auto is_stale_over = [&](const Ops& middle) {
    return is_reachable({{0, 0, writer, ""}, {0, 1, reader, ""}, {0, 2, middle, ""}}, stale);
  };
  CHECK_FALSE(is_stale_over({atom("add", "o", "y", 1, "relaxed.gpu")}));
  CHECK(is_stale_over({ld("o", "y", "relaxed.gpu"), st("y", "2", "relaxed.gpu")}));
  CHECK(is_stale_over({atom("add", "o", "y", 1, "relaxed.cta")}));  // it does not see P0 strongly
}

TEST_CASE("Litmus search: the halves of an atomic have the order of their side alone") {
  const std::string add = atom("add", "o", "y", 1, "acquire.gpu");
  // Its write is strong but releases nothing; so P1 sees 1 and old data.
  CHECK(is_stale({add}, {ld("f", "y", "acquire.gpu")}));
  CHECK_FALSE(is_stale({atom("add", "o", "y", 1, "release.gpu")}, {ld("f", "y", "acquire.gpu")}));
  // A reading add: it acquires only with acquire. P1 adds 0, so f is the old value.
  CHECK_FALSE(is_stale({st("y", "1", "release.gpu")}, {atom("add", "f", "y", 0, "acquire.gpu")}));
  CHECK(is_stale({st("y", "1", "release.gpu")}, {atom("add", "f", "y", 0, "release.gpu")}));
}

TEST_CASE("Litmus search: the read inside a red starts no acquire pattern") {
  // y ends as 2 only if the red read the 1 of P0; an atom in its place acquires.
  const Ops writer = {st("x", "1"), st("y", "1", "release.gpu")};
  const auto is_stale_after = [&](const std::string& update) {
    return is_reachable({{0, 0, writer, ""}, {0, 1, {update, ld("d", "x")}, ""}},
                        {"y == 2", "1:d == 0"});
  };
  CHECK(is_stale_after(red("y", 1, "acquire.gpu")));
  CHECK_FALSE(is_stale_after(atom("add", "o", "y", 1, "acquire.gpu")));
}

TEST_CASE("Litmus search: an atomic is atomic to what is morally strong with it, and to no more") {
  // Two adds of 1 from 0: the sum is 1 only if both read 0.
  const auto loses_one = [](const std::string& sem, int cta) {
    return is_reachable({{0, 0, {atom("add", "a", "y", 1, sem)}, ""},
                         {0, cta, {atom("add", "b", "y", 1, sem)}, ""}},
                        {"0:a == 0", "1:b == 0"});
  };
  CHECK_FALSE(loses_one("relaxed.gpu", 1));
  CHECK_FALSE(loses_one("relaxed.cta", 0));
  CHECK(loses_one("relaxed.cta", 1));
  // A failed cas writes the old value back: nothing changes, and 5 is never there.
  CHECK(is_reachable({{0, 0, {cas("a", "y", 7, 5, "relaxed.gpu")}, ""}}, {"0:a == 0", "y == 0"}));
  CHECK_FALSE(is_reachable({{0, 0, {cas("a", "y", 7, 5, "relaxed.gpu")}, ""}}, {"y == 5"}));
}

TEST_CASE("Litmus search: fence.sc orders stores before loads where both include each other") {
  const auto is_buffered = [](const std::string& first, const std::string& second) {
    return is_reachable(
        {{0, 0, {st("x", "1", "relaxed.gpu"), first, ld("a", "y", "relaxed.gpu")}, ""},
         {0, 1, {st("y", "1", "relaxed.gpu"), second, ld("b", "x", "relaxed.gpu")}, ""}},
        {"0:a == 0", "1:b == 0"});
  };
  CHECK_FALSE(is_buffered(fence("sc.gpu"), fence("sc.gpu")));
  CHECK(is_buffered(fence("sc.gpu"), fence("acq_rel.gpu")));
  CHECK(is_buffered(fence("sc.gpu"), fence("sc.cta")));  // cta does not take in the other CTA
}

TEST_CASE("Litmus search: no value comes out of itself, but loads may overtake stores") {
  // Load buffering: with immediates both see 1; with copied values nobody ever makes a 1.
  const auto buffers = [](const std::string& first, const std::string& second) {
    return is_reachable({{0, 0, {ld("a", "x", "relaxed.gpu"), first}, ""},
                         {0, 1, {ld("b", "y", "relaxed.gpu"), second}, ""}},
                        {"0:a == 1", "1:b == 1"});
  };
  CHECK(buffers(st("y", "1", "relaxed.gpu"), st("x", "1", "relaxed.gpu")));
  CHECK(buffers(st("y", "\"a\"", "relaxed.gpu"), st("x", "1", "relaxed.gpu")));
  CHECK_FALSE(buffers(st("y", "\"a\"", "relaxed.gpu"), st("x", "\"b\"", "relaxed.gpu")));
}

TEST_CASE(
    "Litmus search: a branch decides what runs, and what it keeps from running depends on it") {
  // P0 stores y only if it saw x = 1, P1 stores x only if it saw y = 1: neither ever starts.
  const auto guarded = [](const char* reg, const char* seen, const char* stored) {
    return Ops{ld(reg, seen, "relaxed.gpu"),
               branch(reg, "!=", 1, "end"),
               st(stored, "1", "relaxed.gpu"),
               label("end")};
  };
  CHECK_FALSE(is_reachable({{0, 0, guarded("a", "x", "y"), ""}, {0, 1, guarded("b", "y", "x"), ""}},
                           {"0:a == 1"}));
  CHECK(is_reachable({{0, 0, guarded("a", "x", "y"), ""}, {0, 1, {st("x", "1")}, ""}}, {"y == 1"}));
}

TEST_CASE(
    "Litmus search: a loop takes one turn more, and may wait for what its own thread started") {
  // P0 raises x and polls y; P1 answers. P0 reads y = 0 once, then 1: one backward jump.
  const Ops asks = {mov("n", 0),
                    st("x", "1", "relaxed.gpu"),
                    label("again"),
                    ld("a", "y", "relaxed.gpu"),
                    branch("a", "!=", 1, "again")};
  const Ops answers = {ld("b", "x", "relaxed.gpu"),
                       branch("b", "!=", 1, "end"),
                       st("y", "1", "relaxed.gpu"),
                       label("end")};
  CHECK(is_reachable({{0, 0, asks, ""}, {0, 1, answers, ""}}, {"0:a == 1", "1:b == 1"}));
  // Nobody else raises x, so that P0 never ends if P1 saw it down.
  CHECK_FALSE(is_reachable({{0, 0, asks, ""}, {0, 1, answers, ""}}, {"1:b == 0"}));
}

TEST_CASE("Litmus search: memory ends with a write that nothing overwrites") {
  const std::string one = st("x", "1");
  const std::string two = st("x", "2");
  // Weak writes of two threads are never ordered; in one thread the later one stays.
  CHECK(is_reachable({{0, 0, {one}, ""}, {0, 1, {two}, ""}}, {"x == 1"}));
  CHECK(is_reachable({{0, 0, {one}, ""}, {0, 1, {two}, ""}}, {"x == 2"}));
  CHECK_FALSE(is_reachable({{0, 0, {one, two}, ""}}, {"x == 1"}));
  CHECK_FALSE(is_reachable({{0, 0, {one}, ""}, {0, 1, {two}, ""}}, {"x == 0"}));
}

TEST_CASE("Litmus search: more than 64 events are as good as fewer") {
  // 80 weak stores elsewhere, then message passing: 84 events and an initial write each.
  Ops writer(80, st("z", "1"));
  writer.push_back(st("x", "1"));
  writer.push_back(st("y", "1", "release.gpu"));
  const Ops reader = {ld("f", "y", "acquire.gpu"), ld("d", "x")};
  CHECK_FALSE(is_reachable({{0, 0, writer, ""}, {0, 1, reader, ""}}, kStale));
  CHECK(is_reachable({{0, 0, writer, ""}, {1, 1, reader, ""}}, kStale));
}
