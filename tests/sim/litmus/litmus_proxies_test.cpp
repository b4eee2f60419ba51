// Proxies, aliases, barriers and engines; each verdict is derived in a comment.
#include <doctest/doctest.h>

#include "sim/litmus/litmus_search.hpp"
#include "tests/support/litmus_text.hpp"

using namespace epsim;
using namespace epsim::litmus;

namespace {

const std::vector<std::string> kStale = {"1:f == 1", "1:d == 0"};
const std::string kEngine = R"(,"engine":true)";

}  // namespace

TEST_CASE("Litmus proxies: a fence counts in the CTA of the access that goes by the proxy") {
  const std::string up = st("y", "1", "release.gpu");
  const std::string seen = ld("f", "y", "acquire.gpu");
  const std::string read = ld("d", "x", "weak", "async");
  const auto is_stale = [&](const Ops& writer, const Ops& reader) {
    return is_reachable({{0, 0, writer, ""}, {0, 1, reader, ""}}, kStale);
  };
  // Generic write, async read: the fence stands in the reader's CTA, behind the flag.
  CHECK(is_stale({st("x", "1"), up}, {seen, read}));
  CHECK_FALSE(is_stale({st("x", "1"), up}, {seen, proxy_fence("async"), read}));
  CHECK(is_stale({st("x", "1"), proxy_fence("async"), up}, {seen, read}));
  CHECK(is_stale({st("x", "1"), up}, {proxy_fence("async"), seen, read}));
  CHECK(is_stale({st("x", "1"), up}, {seen, proxy_fence("texture"), read}));
  // Async write, generic read: in the writer's CTA, before the flag.
  const std::string written = st("x", "1", "weak", "async");
  CHECK_FALSE(is_stale({written, proxy_fence("async"), up}, {seen, ld("d", "x")}));
  CHECK(is_stale({written, up}, {seen, proxy_fence("async"), ld("d", "x")}));
  // Async both ways over two CTAs: a fence in each.
  CHECK(is_stale({written, proxy_fence("async"), up}, {seen, read}));
  CHECK_FALSE(is_stale({written, proxy_fence("async"), up}, {seen, proxy_fence("async"), read}));
}

TEST_CASE("Litmus proxies: one proxy in one CTA needs no fence, two threads of it do not either") {
  const Ops writer = {st("x", "1", "weak", "surface"), st("y", "1", "release.cta")};
  const Ops reader = {ld("f", "y", "acquire.cta"), ld("d", "x", "weak", "surface")};
  CHECK_FALSE(is_reachable({{0, 0, writer, ""}, {0, 0, reader, ""}}, kStale));
}

TEST_CASE("Litmus proxies: a fence of another thread of the CTA counts if causality runs by it") {
  // P1 fences between its acquire and its release; P2, in the same CTA, reads by async.
  const Ops writer = {st("x", "1"), st("y", "1", "release.gpu")};
  const Ops reader = {ld("g", "z", "acquire.cta"), ld("d", "x", "weak", "async")};
  const std::vector<std::string> stale = {"1:f == 1", "2:g == 1", "2:d == 0"};
  const auto is_stale = [&](const Ops& middle, int cta) {
    return is_reachable({{0, 0, writer, ""}, {0, cta, middle, ""}, {0, cta, reader, ""}}, stale);
  };
  const std::string seen = ld("f", "y", "acquire.gpu");
  const std::string on = st("z", "1", "release.cta");
  CHECK_FALSE(is_stale({seen, proxy_fence("async"), on}, 1));
  CHECK(is_stale({seen, on}, 1));
}

TEST_CASE("Litmus aliases: two addresses of one storage need a fence of their own") {
  const auto is_stale = [](const Ops& between) {
    Ops ops = {st("x", "1")};
    ops.insert(ops.end(), between.begin(), between.end());
    ops.push_back(ld("d", "s:x"));
    return is_reachable({{0, 0, ops, ""}}, {"0:d == 0"});
  };
  CHECK(is_stale({}));
  CHECK(is_stale({proxy_fence("async")}));
  CHECK_FALSE(is_stale({alias_fence()}));
}

TEST_CASE("Litmus aliases: source fence, then alias, then destination fence, in this order") {
  const auto is_stale = [](const Ops& between) {
    Ops ops = {st("x", "1", "weak", "surface")};
    ops.insert(ops.end(), between.begin(), between.end());
    ops.push_back(ld("d", "s:x", "weak", "texture"));
    return is_reachable({{0, 0, ops, ""}}, {"0:d == 0"});
  };
  const std::string source = proxy_fence("surface");
  const std::string alias = alias_fence();
  const std::string target = proxy_fence("texture");
  CHECK_FALSE(is_stale({source, alias, target}));
  CHECK(is_stale({alias, source, target}));
  CHECK(is_stale({source, target, alias}));
  CHECK(is_stale({target, alias, source}));
  CHECK(is_stale({source, alias}));
}

TEST_CASE("Litmus barriers: those who arrive are before those who wait, and not the other way") {
  const auto is_stale = [](const std::string& writer, const std::string& reader, int cta = 0) {
    return is_reachable({{0, 0, {st("x", "1"), writer}, ""}, {0, cta, {reader, ld("d", "x")}, ""}},
                        {"1:d == 0"});
  };
  CHECK_FALSE(is_stale(bar("sync"), bar("sync")));
  CHECK_FALSE(is_stale(bar("arrive"), bar("sync")));
  CHECK(is_stale(bar("sync"), bar("arrive")));
  CHECK(is_stale(bar("sync"), bar("sync"), 1));         // another CTA: another barrier
  CHECK(is_stale(bar("sync", "1"), bar("sync", "2")));  // another name
  CHECK_FALSE(is_stale(bar("sync", "1"), bar("sync", "1")));
}

TEST_CASE("Litmus barriers: a barrier that somebody never reaches ends nothing") {
  // P1 jumps over its barrier if it sees x = 0: then P0 waits for ever.
  const Ops reader = {ld("a", "x"), branch("a", "==", 0, "end"), bar("sync"), label("end")};
  const std::vector<Thread> threads = {{0, 0, {st("x", "1"), bar("sync")}, ""}, {0, 0, reader, ""}};
  CHECK_FALSE(is_reachable(threads, {"1:a == 0"}));
  CHECK(is_reachable(threads, {"1:a == 1"}));
}

TEST_CASE("Litmus barriers: a quorum opens by any of its sets, and latecomers pass behind them") {
  const std::string two = bar("sync", "1", "2");
  // P1 and P2 may open without the writer P0.
  CHECK(is_reachable(
      {{0, 0, {st("x", "1"), two}, ""}, {0, 0, {two, ld("d", "x")}, ""}, {0, 0, {two}, ""}},
      {"1:d == 0"}));
  CHECK_FALSE(is_reachable({{0, 0, {st("x", "1"), bar("sync", "1", "3")}, ""},
                            {0, 0, {bar("sync", "1", "3"), ld("d", "x")}, ""},
                            {0, 0, {bar("sync", "1", "3")}, ""}},
                           {"1:d == 0"}));
  // Too few for the quorum: nobody ends.
  CHECK_FALSE(is_reachable({{0, 0, {two}, ""}}, {}));
}

TEST_CASE("Litmus barriers: a second use of a barrier is another meeting") {
  // Between the two P1 writes and P0 does not read; after the second P0 must see it, and before the
  // first it must not.
  const Ops reader = {ld("a", "x"), bar("sync"), bar("sync"), ld("b", "x")};
  const Ops writer = {bar("sync"), st("x", "1"), bar("sync")};
  const std::vector<Thread> threads = {{0, 0, reader, ""}, {0, 0, writer, ""}};
  CHECK(is_reachable(threads, {"0:a == 0", "0:b == 1"}));
  CHECK_FALSE(is_reachable(threads, {"0:b == 0"}));
  CHECK_FALSE(is_reachable(threads, {"0:a == 1"}));
}

TEST_CASE("Litmus engines: a completion publishes the copy and not what its issuer did before") {
  // P0 writes x and issues; P1 copies p to q; P2 waits for the copy.
  const Ops issuer = {
      st("x", "1"), st("p", "1"), proxy_fence("async"), st("t", "1", "release.cta")};
  const Ops engine = {ld("i", "t", "acquire.cta"),
                      ld("c", "p", "weak", "async"),
                      st("q", "\"c\"", "weak", "async"),
                      proxy_fence("async"),
                      st("m", "1", "release.cta")};
  const auto ends = [&](const Ops& waiter, const std::vector<std::string>& terms) {
    return is_reachable({{0, 0, issuer, ""}, {0, 0, engine, kEngine}, {0, 0, waiter, ""}}, terms);
  };
  const std::string wait = ld("f", "m", "acquire.cta");
  // The copy itself is there, and it has read what the issuer wrote before.
  CHECK_FALSE(ends({wait, ld("d", "q")}, {"1:i == 1", "2:f == 1", "2:d == 0"}));
  CHECK(ends({wait, ld("d", "q")}, {"1:i == 1", "2:f == 1", "2:d == 1"}));
  // x is not; if the engine were a thread, it would be.
  CHECK(ends({wait, ld("d", "x")}, {"1:i == 1", "2:f == 1", "2:d == 0"}));
  CHECK_FALSE(
      is_reachable({{0, 0, issuer, ""}, {0, 0, engine, ""}, {0, 0, {wait, ld("d", "x")}, ""}},
                   {"1:i == 1", "2:f == 1", "2:d == 0"}));
}

TEST_CASE("Litmus engines: the fence of a completion covers its own copy alone") {
  // P2 waits for the first copy and issues a second one, P3, that reads x. Nothing fences the
  // issuer's generic store of x towards async: the first engine's fence must not count for it.
  const Ops issuer = {st("x", "1"), st("u", "1", "release.cta"), st("t", "1", "release.cta")};
  const Ops first = {ld("i", "t", "acquire.cta"),
                     ld("c", "p", "weak", "async"),
                     proxy_fence("async"),
                     st("m", "1", "release.cta")};
  const auto is_stale = [&](const Ops& middle) {
    const Ops second = {ld("j", "v", "acquire.cta"),
                        ld("d", "x", "weak", "async"),
                        proxy_fence("async"),
                        st("n", "1", "release.cta")};
    return is_reachable(
        {{0, 0, issuer, ""}, {0, 0, first, kEngine}, {0, 0, middle, ""}, {0, 0, second, kEngine}},
        {"1:i == 1", "2:f == 1", "2:g == 1", "3:j == 1", "3:d == 0"});
  };
  const std::string both = ld("g", "u", "acquire.cta");
  const std::string wait = ld("f", "m", "acquire.cta");
  const std::string issue = st("v", "1", "release.cta");
  CHECK(is_stale({both, wait, issue}));
  CHECK_FALSE(is_stale({both, wait, proxy_fence("async"), issue}));
}
