#include "sim/litmus/litmus_test.hpp"

#include <string>

#include <doctest/doctest.h>

#include "sim/base/input_error.hpp"
#include "tests/support/litmus_text.hpp"

using namespace epsim;
using namespace epsim::litmus;

namespace {

const std::string kGood = text_of({{0, 0, {st("x", "1"), ld("r", "x")}, ""}}, {"0:r == 1"});

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

std::string error_of(const std::string& text) {
  try {
    (void)parse_litmus_test(text, "t.json");
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

std::string error_of_op(const std::string& op) {
  return error_of(text_of({{0, 0, {op}, ""}}, {}));
}

}  // namespace

TEST_CASE("Litmus file: threads, operations and the question are read as they stand") {
  const LitmusTest test = parse_litmus_test(kGood, "t.json");
  REQUIRE(test.threads.size() == 1);
  REQUIRE(test.threads[0].ops.size() == 2);
  CHECK(test.threads[0].ops[0].kind == LitmusOpKind::store);
  CHECK_FALSE(test.threads[0].ops[0].is_strong);
  CHECK(test.threads[0].registers == std::vector<std::string>{"r"});
  CHECK(test.reachable[static_cast<std::size_t>(LitmusModel::ptx_7_5)] == true);
  CHECK_FALSE(test.reachable[static_cast<std::size_t>(LitmusModel::ptx_6_0)].has_value());
  CHECK_FALSE(test.needs_proxies());
}

TEST_CASE("Litmus file: keys that only describe a test may be new, misspelt ones may not") {
  CHECK(error_of(replaced(kGood, R"("id":"t")", R"("id":"t","reviewer":"nobody")")) == "");
  CHECK(error_of(replaced(kGood, R"("id":"t")", R"("id":"t","asume":[])")) ==
        "t.json: unknown key \"asume\"; did you mean \"assume\"?");
}

TEST_CASE("Litmus file: an unknown key, word or name is refused with its place") {
  CHECK(error_of(replaced(kGood, R"("op":"st",)", R"("op":"st","volatile":true,)")) ==
        "t.json: /threads/0/ops/0/volatile: unknown key; expected one of loc, op, phys, proxy, "
        "scope, sem, value, virt");
  CHECK(error_of(replaced(kGood, R"("op":"st")", R"("op":"sts")"))
            .starts_with("t.json: /threads/0/ops/0/op: expected one of ld, st, atom, red, fence"));
  CHECK(error_of_op(st("x", "1", "acquire.gpu"))
            .starts_with("t.json: /threads/0/ops/0/sem: expected one of weak, relaxed, release"));
  CHECK(error_of_op(st("x", "1", "release.warp"))
            .starts_with("t.json: /threads/0/ops/0/scope: expected one of cta, cluster, gpu, sys"));
  CHECK(error_of_op(st("x", "1", "weak.gpu"))
            .starts_with("t.json: /threads/0/ops/0/scope: expected null"));
  CHECK(error_of_op(st("x", "1", "weak", "tensor")).find("/proxy: expected one of generic") !=
        std::string::npos);
  CHECK(error_of_op(branch("r", "==", 1, "nowhere")) ==
        "t.json: /threads/0/ops/0/target: \"nowhere\": no such label");
  CHECK(error_of(replaced(kGood, R"("loc":"x")", R"("loc":"w")")) ==
        "t.json: /threads/0/ops/0/loc: \"w\": no such location");
  CHECK(error_of(replaced(kGood, R"("reg":["P0")", R"("reg":["P7")"))
            .find("\"P7\": no such thread") != std::string::npos);
}

TEST_CASE("Litmus file: what contradicts itself is refused") {
  CHECK(error_of(text_of({{0, 0, {label("a"), label("a")}, ""}}, {})) ==
        "t.json: /threads/0/ops/1/label: \"a\" stands at two places");
  // The locations say that s is the storage x; this operation says that it is s.
  CHECK(error_of(replaced(text_of({{0, 0, {st("x", "1"), ld("r", "s:x")}, ""}}, {}),
                          R"("reg":"r","loc":"s","virt":"s","phys":"x")",
                          R"("reg":"r","loc":"s","virt":"s","phys":"s")"))
            .find("/phys: expected what the location says") != std::string::npos);
  // One CTA lies in one cluster.
  CHECK(error_of(text_of({{0, 0, {}, R"(,"cluster":1)"}, {0, 0, {}, R"(,"cluster":2)"}}, {}))
            .find("expected cluster 1, where other threads of this CTA are, found 2") !=
        std::string::npos);
}

TEST_CASE("Litmus file: names of one storage share its start, whichever says it") {
  std::string text = text_of({{0, 0, {ld("r", "x"), ld("s", "s:x")}, ""}}, {});
  text = replaced(text, R"("x":{"init":0)", R"("x":{"init":7)");
  CHECK(parse_litmus_test(text, "t.json").initial == std::vector<std::int64_t>{7});
  text = replaced(text, R"("s":{"init":0)", R"("s":{"init":8)");
  CHECK(error_of(text).find("/locations/s/init: expected 7") != std::string::npos);
}

TEST_CASE("Litmus file: a premise narrows the question") {
  // Racing stores: r may be 2, but not where it is given that it is 1.
  const std::vector<Thread> threads = {
      {0, 0, {st("x", "1")}, ""}, {0, 0, {st("x", "2")}, ""}, {0, 0, {ld("r", "x")}, ""}};
  const auto decided = [&](const std::string& more) {
    return decide(parse_litmus_test(text_of(threads, {"2:r == 2"}, more), "t.json"),
                  LitmusModel::ptx_7_5)
        .is_reachable;
  };
  CHECK(decided(""));
  CHECK_FALSE(decided(R"(,"assume":[)" + term("2:r == 1") + "]"));
}

TEST_CASE("Litmus file: arithmetic wraps as words of 64 bits do") {
  const std::int64_t most = std::numeric_limits<std::int64_t>::max();
  const std::int64_t least = std::numeric_limits<std::int64_t>::min();
  CHECK(apply(Arithmetic::add, most, 1) == least);
  CHECK(apply(Arithmetic::sub, 2, 3) == -1);
  CHECK(apply(Arithmetic::bit_xor, 6, 3) == 5);
  CHECK(apply(Arithmetic::div, least, -1) == least);
  CHECK(apply(Arithmetic::div, 5, 0) == -1);
  CHECK(apply(Arithmetic::exch, 1, 9) == 9);
}
