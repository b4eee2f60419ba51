// The happens-before checker looks at one schedule, the litmus search at all executions. On what
// both can say, the first must never find nothing where the second finds a stale read.
#include "sim/litmus/litmus_program.hpp"

#include <algorithm>
#include <filesystem>

#include <doctest/doctest.h>

#include "sim/base/rng.hpp"
#include "sim/hazards/happens_before.hpp"
#include "sim/hazards/schedule.hpp"
#include "tests/support/litmus_text.hpp"

using namespace epsim;
using namespace epsim::litmus;

namespace {

namespace fs = std::filesystem;

struct Link {
  bool is_pair = false;   // both can say it
  bool is_clean = false;  // the checker finds nothing
  bool is_stale = false;  // the search finds what the order of the checker rules out
};

// A clean program orders the two accesses as its schedule runs: the value that the other order
// would show is the stale one.
Link link_of(const LitmusTest& test) {
  Link link;
  const std::optional<LitmusPair> pair = litmus_pair(test);
  if (!pair) return link;
  link.is_pair = true;
  link.is_clean = find_hazards(pair->program).findings.empty();
  if (!link.is_clean) return link;
  const Schedule schedule = make_schedule(pair->program);
  const auto position = [&](std::uint32_t op) {
    return std::find_if(schedule.steps.begin(), schedule.steps.end(), [&](const Step& step) {
      return step.op == op;
    });
  };
  const bool is_write_first = position(pair->write) < position(pair->read);
  const std::int64_t stale = is_write_first ? pair->old_value : pair->new_value;
  link.is_stale = decide(asking(test, *pair, stale), LitmusModel::ptx_7_5).is_reachable;
  return link;
}

// Threads in a chain, each handing on to the next by a flag, a counter or a barrier, with orders,
// scopes and fences drawn so that about as many chains hold as break.
class RandomPair {
 public:
  explicit RandomPair(std::uint64_t seed) : rng_(Rng(seed).stream("litmus pair")) {}

  LitmusTest draw() {
    const std::size_t count = 2 + rng_.below(3);
    chain_ = count;
    threads_.resize(count);
    const bool has_proxies = rng_.below(2) == 0;
    const bool is_one_cta = rng_.below(3) == 0;
    for (Thread& thread : threads_) {
      thread.gpu = is_one_cta ? 0 : static_cast<int>(rng_.below(2));
      thread.cta = is_one_cta ? 0 : static_cast<int>(rng_.below(2));
    }
    const bool is_write_first = rng_.below(2) == 0;
    access(0, is_write_first, has_proxies);
    for (std::size_t from = 0; from + 1 < count; ++from) hand_on(from, from + 1, has_proxies);
    access(count - 1, !is_write_first, has_proxies);
    return parse_litmus_test(text_of(threads_, terms_), "random.json");
  }

 private:
  // By the thread itself, or by an engine that it issues and, most times, waits for.
  void access(std::size_t thread, bool is_write, bool has_proxies) {
    const auto made = [&](std::size_t by, const char* proxy) {
      if (!is_write) terms_.push_back(fmt::format("{}:d == 0", by));
      return is_write ? st("x", "1", "weak", proxy) : ld("d", "x", "weak", proxy);
    };
    if (!has_proxies || rng_.below(2) == 0) {
      const bool is_async = has_proxies && rng_.below(2) == 0;
      threads_[thread].ops.push_back(made(thread, is_async ? "async" : "generic"));
      return;
    }
    const std::size_t engine = threads_.size();
    const std::string token = fmt::format("t{}", thread);
    const std::string done = fmt::format("m{}", thread);
    threads_.push_back({threads_[thread].gpu, threads_[thread].cta, {}, R"(,"engine":true)"});
    threads_.back().ops = {ld("i", token, "acquire.cta"),
                           made(engine, "async"),
                           proxy_fence("async"),
                           st(done, "1", "release.cta")};
    terms_.push_back(fmt::format("{}:i == 1", engine));
    threads_[thread].ops.push_back(st(token, "1", "release.cta"));
    if (rng_.below(4) == 0) return;
    threads_[thread].ops.push_back(ld("m", done, "acquire.cta"));
    terms_.push_back(fmt::format("{}:m == 1", thread));
  }

  std::string strength(std::string_view order) {
    const std::array<const char*, 4> scopes = {"sys", "sys", "gpu", "cta"};
    const bool is_weaker = rng_.below(10) == 0;
    return fmt::format("{}.{}", is_weaker ? "relaxed" : order, scopes[rng_.below(4)]);
  }

  std::string any_fence() {
    const std::array<const char*, 5> orders = {"acq_rel", "acq_rel", "sc", "release", "acquire"};
    const std::array<const char*, 3> scopes = {"sys", "gpu", "cta"};
    return fence(fmt::format("{}.{}", orders[rng_.below(5)], scopes[rng_.below(3)]));
  }

  void hand_on(std::size_t from, std::size_t to, bool has_proxies) {
    Ops& giver = threads_[from].ops;
    Ops& taker = threads_[to].ops;
    const std::string flag = fmt::format("f{}", from);
    const std::string reg = fmt::format("r{}", from);
    if (has_proxies && rng_.below(2) == 0) giver.push_back(proxy_fence("async"));
    int value = 1;
    switch (rng_.below(6)) {
      case 0:
        giver.push_back(st(flag, "1", strength("release")));
        taker.push_back(ld(reg, flag, strength("acquire")));
        break;
      case 1:
        giver.push_back(any_fence());
        giver.push_back(st(flag, "1", strength("relaxed")));
        taker.push_back(ld(reg, flag, strength("relaxed")));
        taker.push_back(any_fence());
        break;
      case 2:  // a counter that others raise, too
        giver.push_back(red(flag, 1, strength("release")));
        value = 1 + static_cast<int>(rng_.below(2));
        for (int more = 1; more < value; ++more)
          threads_[rng_.below(chain_)].ops.push_back(red(flag, 1, strength("release")));
        taker.push_back(ld(reg, flag, strength("acquire")));
        break;
      case 3:  // released, then raised on
        giver.push_back(st(flag, "2", strength("release")));
        giver.push_back(st(flag, "1", strength("relaxed")));
        taker.push_back(ld(reg, flag, strength("acquire")));
        break;
      case 4:
        giver.push_back(any_fence());
        giver.push_back(red(flag, 1, strength("relaxed")));
        taker.push_back(ld(reg, flag, strength("acquire")));
        break;
      default:
        giver.push_back(bar(rng_.below(3) == 0 ? "arrive" : "sync", "null", "null", next_));
        taker.push_back(bar(rng_.below(5) == 0 ? "arrive" : "sync", "null", "null", next_));
        ++next_;
        value = 0;
        break;
    }
    if (value > 0) terms_.push_back(fmt::format("{}:{} == {}", to, reg, value));
    if (has_proxies && rng_.below(2) == 0) taker.push_back(proxy_fence("async"));
  }

  Rng rng_;
  std::vector<Thread> threads_;
  std::vector<std::string> terms_;
  std::size_t chain_ = 0;  // threads that are no engines
  int next_ = 0;           // barrier
};

}  // namespace

TEST_CASE("Litmus link: message passing becomes a program, and its order decides for both") {
  const std::vector<std::string> stale = {"1:f == 1", "1:d == 0"};
  const auto link = [&](const std::string& up) {
    return link_of(
        parse_litmus_test(text_of({{0, 0, {st("x", "1"), st("y", "1", up)}, ""},
                                   {0, 1, {ld("f", "y", "acquire.gpu"), ld("d", "x")}, ""}},
                                  stale),
                          "t.json"));
  };
  CHECK(link("release.gpu").is_clean);
  CHECK_FALSE(link("release.gpu").is_stale);
  CHECK(link("relaxed.gpu").is_pair);
  CHECK_FALSE(link("relaxed.gpu").is_clean);
}

TEST_CASE("Litmus link: what a program cannot say is left out and not guessed") {
  const auto is_pair = [](const std::vector<Thread>& threads,
                          const std::vector<std::string>& terms) {
    return litmus_pair(parse_litmus_test(text_of(threads, terms), "t.json")).has_value();
  };
  const Ops writer = {st("x", "1"), st("y", "1", "release.gpu")};
  const Ops reader = {ld("f", "y", "acquire.gpu"), ld("d", "x")};
  CHECK(is_pair({{0, 0, writer, ""}, {0, 1, reader, ""}}, {"1:f == 1", "1:d == 0"}));
  CHECK_FALSE(is_pair({{0, 0, writer, ""}, {0, 1, reader, ""}}, {"1:f == 1", "x == 0"}));
  // Two stores may have left the 1; a branch; two reads of data.
  Ops twice = writer;
  twice.push_back(st("y", "1", "relaxed.gpu"));
  CHECK_FALSE(is_pair({{0, 0, twice, ""}, {0, 1, reader, ""}}, {"1:f == 1", "1:d == 0"}));
  Ops jumps = reader;
  jumps.insert(jumps.begin() + 1, branch("f", "==", 0, "end"));
  jumps.push_back(label("end"));
  CHECK_FALSE(is_pair({{0, 0, writer, ""}, {0, 1, jumps, ""}}, {"1:f == 1", "1:d == 0"}));
  Ops both = reader;
  both.push_back(ld("e", "x"));
  CHECK_FALSE(is_pair({{0, 0, writer, ""}, {0, 1, both, ""}}, {"1:f == 1", "1:d == 0"}));
}

TEST_CASE("Litmus link: where the checker finds nothing no random pair is read stale") {
  std::size_t pairs = 0;
  std::size_t clean = 0;
  for (std::uint64_t seed = 0; seed < 1500; ++seed) {
    const Link link = link_of(RandomPair(seed).draw());
    pairs += link.is_pair ? 1 : 0;
    clean += link.is_clean ? 1 : 0;
    CAPTURE(seed);
    CHECK_FALSE(link.is_stale);
  }
  CAPTURE(pairs);
  CAPTURE(clean);
  CHECK(pairs > 1000);
  CHECK(clean > 150);
}

TEST_CASE("Litmus link: where the checker finds nothing no test of a file is read stale") {
  std::size_t pairs = 0;
  std::size_t clean = 0;
  for (const char* name : {"tests/litmus", "../shared/reference/litmus/tests"}) {
    const fs::path folder = fs::path(EPSIM_SOURCE_DIR) / name;
    if (!fs::exists(folder)) {
      MESSAGE("skipped: no " << name);
      continue;
    }
    for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
      if (entry.path().extension() != ".json") continue;
      const Link link = link_of(read_litmus_test(entry.path()));
      pairs += link.is_pair ? 1 : 0;
      clean += link.is_clean ? 1 : 0;
      CAPTURE(entry.path().string());
      CHECK_FALSE(link.is_stale);
    }
  }
  CAPTURE(pairs);
  CHECK(pairs > 20);
  CHECK(clean > 5);
}
