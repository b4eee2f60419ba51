#include "sim/hazards/happens_before.hpp"

#include <doctest/doctest.h>

#include "tests/support/hand_made_program.hpp"

using namespace epsim;

namespace {

constexpr Place kCta0{0, 0, 0};
constexpr Place kCta1{0, 1, 1};
constexpr Place kPeer{1, 2, 2};

struct Answer {
  Verdict verdict;
  std::size_t findings;
  HazardKind kind;  // of the first
};

Answer check_program(const HandMadeProgram& program, bool lenient = false) {
  const HazardReport report = find_hazards(program.take(), {.lenient = lenient});
  return {report.verdict(),
          report.findings.size(),
          report.findings.empty() ? HazardKind::call_order : report.findings.front().kind};
}

// Data and flag from one place to another, at the scopes given.
HandMadeProgram message(Place reader, Scope release, Scope acquire) {
  HandMadeProgram program(1);
  const std::uint32_t flag = program.flag();
  program.agent(kCta0).write(0).release(flag, release);
  program.agent(reader).acquire(flag, acquire).read(0);
  return program;
}

}  // namespace

TEST_CASE("happens-before: a release that an acquire sees orders what was written before it") {
  CHECK(check_program(message(kCta1, Scope::gpu, Scope::gpu)).findings == 0);
  CHECK(check_program(message(kPeer, Scope::sys, Scope::sys)).findings == 0);
}

TEST_CASE("happens-before: a scope that does not reach the other side is a formal hazard") {
  for (const auto& [release, acquire] : {std::pair{Scope::gpu, Scope::sys},
                                         std::pair{Scope::sys, Scope::gpu},
                                         std::pair{Scope::cta, Scope::cta}}) {
    const Answer answer = check_program(message(kPeer, release, acquire));
    CHECK(answer.verdict == Verdict::formal);
    CHECK(answer.kind == HazardKind::stale_read);
  }
}

TEST_CASE("happens-before: scopes of links in a chain need only reach their own two ends") {
  // CTA 0 -> CTA 1 of one GPU at gpu scope, CTA 1 -> the peer at sys scope: causality is
  // transitive.
  HandMadeProgram program(1);
  const std::uint32_t near = program.flag();
  const std::uint32_t far = program.flag();
  program.agent(kCta0).write(0).release(near, Scope::gpu);
  program.agent(kCta1).acquire(near, Scope::gpu).release(far, Scope::sys);
  program.agent(kPeer).acquire(far, Scope::sys).read(0);
  CHECK(check_program(program).findings == 0);
}

TEST_CASE("happens-before: what nothing orders is an error, whichever way a schedule runs it") {
  HandMadeProgram reader_last(1);
  reader_last.agent(kCta0).write(0);
  reader_last.agent(kCta1).read(0);
  HandMadeProgram reader_first(1);
  reader_first.agent(kCta1).read(0);
  reader_first.agent(kCta0).write(0);
  for (const HandMadeProgram* program : {&reader_last, &reader_first}) {
    const Answer answer = check_program(*program);
    CHECK(answer.verdict == Verdict::error);
    CHECK(answer.kind == HazardKind::stale_read);
  }
}

TEST_CASE("happens-before: an overwriting write must come after the read, and says which it lost") {
  // Writer, reader, and the writer again without waiting for the reader.
  HandMadeProgram program(1);
  const std::uint32_t flag = program.flag();
  program.agent(kCta0).write(0).release(flag, Scope::gpu).write(0);
  program.agent(kCta1).acquire(flag, Scope::gpu).read(0);
  const HazardReport report = find_hazards(program.take());
  REQUIRE(report.findings.size() == 1);
  // The schedule runs the writer to its end first: then the read may see the second write.
  CHECK((report.findings[0].kind == HazardKind::overwritten_read ||
         report.findings[0].kind == HazardKind::stale_read));
  CHECK(report.findings[0].verdict == Verdict::error);
}

TEST_CASE("happens-before: a counter orders only those writers without whom it cannot be reached") {
  // Two writers add one each. A wait for two needs both; a wait for one may be either's.
  for (const std::uint32_t count : {2U, 1U}) {
    HandMadeProgram program(2);
    const std::uint32_t flag = program.flag();
    program.agent(kCta0).write(0).release(flag, Scope::gpu);
    program.agent({0, 3, 3}).write(1).release(flag, Scope::gpu);
    program.agent(kCta1).acquire(flag, Scope::gpu, count).read(0).read(1);
    CHECK(check_program(program).findings == (count == 2 ? 0 : 2));
  }
}

TEST_CASE("happens-before: a relaxed signal publishes what a releasing fence before it covers") {
  for (const bool fenced : {true, false}) {
    HandMadeProgram program(1);
    const std::uint32_t flag = program.flag();
    program.agent(kCta0).write(0);
    if (fenced)
      program.op({.kind = SyncOpKind::fence, .scope = Scope::sys, .order = Order::release});
    program.op({.kind = SyncOpKind::signal, .scope = Scope::sys, .target = flag});
    program.agent(kPeer).acquire(flag, Scope::sys).read(0);
    CHECK(check_program(program).verdict == (fenced ? Verdict::ok : Verdict::formal));
  }
}

TEST_CASE("happens-before: a relaxed wait orders nothing until an acquiring fence") {
  for (const bool fenced : {true, false}) {
    HandMadeProgram program(1);
    const std::uint32_t flag = program.flag();
    program.agent(kCta0).write(0).release(flag, Scope::sys);
    program.agent(kPeer).op({.kind = SyncOpKind::wait, .scope = Scope::sys, .target = flag});
    if (fenced)
      program.op({.kind = SyncOpKind::fence, .scope = Scope::sys, .order = Order::acquire});
    program.read(0);
    CHECK(check_program(program).verdict == (fenced ? Verdict::ok : Verdict::formal));
  }
}

TEST_CASE(
    "happens-before: a barrier joins whoever arrives, and arrivals that do not wait learn "
    "nothing") {
  // 0 writes and arrives; 1 waits and reads. Then the other way: 1 writes after it left, 0 reads.
  HandMadeProgram program(2);
  const std::uint32_t barrier = program.barrier(2);
  program.agent(kCta0).write(0).op({.kind = SyncOpKind::arrive, .target = barrier}).read(1);
  program.agent({0, 0, 0}).write(1).meet(barrier).read(0);
  const Answer answer = check_program(program);
  CHECK(answer.findings == 1);
  CHECK(answer.verdict == Verdict::error);
}

TEST_CASE("happens-before: a barrier of two that a third may join first has no certain meeting") {
  // 0 and 1 meet; 2 and 3 meet at the same barrier. Ordered behind the first meeting it is two
  // meetings, else anybody may meet anybody.
  for (const bool ordered : {true, false}) {
    HandMadeProgram program(0);
    const std::uint32_t barrier = program.barrier(2);
    const std::uint32_t over = program.flag();
    program.agent(kCta0).meet(barrier).release(over, Scope::cta);
    program.agent(kCta0).meet(barrier);
    for (int agent = 0; agent < 2; ++agent) {
      program.agent(kCta0);
      if (ordered) program.acquire(over, Scope::cta);
      program.meet(barrier);
    }
    const Answer answer = check_program(program);
    CHECK(answer.verdict == (ordered ? Verdict::ok : Verdict::error));
    if (!ordered) CHECK(answer.kind == HazardKind::call_order);
  }
}

TEST_CASE("happens-before: a copy's completion publishes the copy and not what came before it") {
  // The issuer writes location 2, then copies 0 to 1; whoever waits for the copy alone may read 1.
  HandMadeProgram program(3);
  const std::uint32_t landed = program.flag(FlagOrder::progress);
  program.agent(kCta0).write(2).copy(
      {.read_from = 0, .read_count = 1, .write_to = 1, .write_count = 1, .landed = landed});
  program.agent({0, 0, 0}).acquire(landed, Scope::cta).read(1).read(2);
  const HazardReport report = find_hazards(program.take());
  REQUIRE(report.findings.size() == 1);
  CHECK(report.findings[0].location == "2");
  CHECK(report.findings[0].verdict == Verdict::error);
}

TEST_CASE("happens-before: a wait for a group leaves its newest copies in flight") {
  // Two stores; the first one's target is read after a wait that leaves N of them.
  for (const std::uint32_t newest : {0U, 1U, 2U}) {
    HandMadeProgram program(2);
    program.agent(kCta0)
        .copy({.write_to = 0, .write_count = 1})
        .copy({.write_to = 1, .write_count = 1})
        .wait_group(newest)
        .read(0);
    CHECK(check_program(program).findings == (newest < 2 ? 0 : 1));
  }
}

TEST_CASE("happens-before: a wait for a group's reads frees its source and publishes nothing") {
  // Location 0 is the source, 1 the target. Writing the source is right, reading the target is not.
  HandMadeProgram program(2);
  program.agent(kCta0)
      .write(0)
      .proxy_fence()
      .copy({.read_from = 0, .read_count = 1, .write_to = 1, .write_count = 1})
      .wait_group(0, true)
      .write(0)
      .read(1);
  const HazardReport report = find_hazards(program.take());
  REQUIRE(report.findings.size() == 1);
  CHECK(report.findings[0].location == "1");
}

TEST_CASE("happens-before: ordinary writes reach a copy through a fence of its CTA and its space") {
  struct Case {
    const char* what;
    bool at_writer, at_issuer;
    MemorySpace space;
    Verdict strict, lenient;
  };
  // The writer is another CTA: strictly, only a fence where the copy is issued counts.
  for (const Case& c :
       {Case{"none", false, false, MemorySpace::both, Verdict::formal, Verdict::formal},
        Case{"writer's", true, false, MemorySpace::both, Verdict::formal, Verdict::ok},
        Case{"issuer's", false, true, MemorySpace::both, Verdict::ok, Verdict::ok},
        Case{"global", false, true, MemorySpace::global, Verdict::ok, Verdict::ok},
        Case{"shared", false, true, MemorySpace::shared, Verdict::formal, Verdict::formal}}) {
    CAPTURE(c.what);
    HandMadeProgram program(1);
    const std::uint32_t flag = program.flag();
    const std::uint32_t landed = program.flag(FlagOrder::progress);
    program.agent(kCta0).write(0);
    if (c.at_writer) program.proxy_fence(c.space);
    program.release(flag, Scope::gpu);
    program.agent(kCta1).acquire(flag, Scope::gpu);
    if (c.at_issuer) program.proxy_fence(c.space);
    program.copy({.read_from = 0, .read_count = 1, .landed = landed});
    CHECK(check_program(program, false).verdict == c.strict);
    CHECK(check_program(program, true).verdict == c.lenient);
  }
}

TEST_CASE("happens-before: a fence before the acquire comes too early") {
  HandMadeProgram program(1);
  const std::uint32_t flag = program.flag();
  const std::uint32_t landed = program.flag(FlagOrder::progress);
  program.agent(kCta0).write(0).release(flag, Scope::gpu);
  program.agent(kCta1)
      .proxy_fence()
      .acquire(flag, Scope::gpu)
      .copy({.read_from = 0, .read_count = 1, .landed = landed});
  CHECK(check_program(program).verdict == Verdict::formal);
}

TEST_CASE("happens-before: an edge of the API orders every proxy") {
  HandMadeProgram program(1);
  const std::uint32_t end = program.flag();
  const std::uint32_t landed = program.flag(FlagOrder::progress);
  program.agent(kCta0).write(0).op({.kind = SyncOpKind::signal, .traits = kApiEdge, .target = end});
  program.agent(kCta1)
      .op({.kind = SyncOpKind::wait, .traits = kApiEdge, .target = end})
      .copy({.read_from = 0, .read_count = 1, .landed = landed});
  CHECK(check_program(program).findings == 0);
}

TEST_CASE("happens-before: a wait that nobody ends is a deadlock, told once and at its root") {
  // 1 waits for 0, which waits for a flag that no one raises.
  HandMadeProgram program(0);
  const std::uint32_t never = program.flag();
  const std::uint32_t then = program.flag();
  program.agent(kCta0).acquire(never, Scope::gpu).release(then, Scope::gpu);
  program.agent(kCta1).acquire(then, Scope::gpu);
  const HazardReport report = find_hazards(program.take());
  REQUIRE(report.findings.size() == 1);
  CHECK(report.findings[0].kind == HazardKind::deadlock);
  CHECK(report.findings[0].location == "0");
}

TEST_CASE("happens-before: a reset that does not wait for the waiter may erase the signal") {
  for (const bool ordered : {true, false}) {
    HandMadeProgram program(0);
    const std::uint32_t flag = program.flag();
    const std::uint32_t seen = program.flag();
    program.agent(kCta0).release(flag, Scope::gpu);
    program.agent(kCta1).acquire(flag, Scope::gpu).release(seen, Scope::gpu);
    program.agent({0, 4, 4});
    if (ordered) program.acquire(seen, Scope::gpu);
    program.op({.kind = SyncOpKind::reset, .target = flag});
    const Answer answer = check_program(program);
    CHECK(answer.verdict == (ordered ? Verdict::ok : Verdict::error));
    if (!ordered) CHECK(answer.kind == HazardKind::lost_signal);
  }
}

TEST_CASE("happens-before: a wait for any word may take one that was left over") {
  // The word holds 7 of an earlier use; the waiter means 9, which comes later.
  for (const bool tagged : {true, false}) {
    HandMadeProgram program(0);
    const std::uint32_t word = program.flag(FlagOrder::word, 7);
    program.agent(kCta0).op({.kind = SyncOpKind::signal,
                             .scope = Scope::sys,
                             .order = Order::release,
                             .traits = kStore,
                             .target = word,
                             .count = 9});
    program.agent(kPeer).op({.kind = SyncOpKind::wait,
                             .scope = Scope::sys,
                             .order = Order::acquire,
                             .traits = tagged ? std::uint8_t{0} : kAnyWord,
                             .target = word,
                             .count = 9});
    const Answer answer = check_program(program);
    CHECK(answer.findings == (tagged ? 0 : 1));
    if (!tagged) CHECK(answer.kind == HazardKind::stale_signal);
  }
}

TEST_CASE("happens-before: where two writers store one word, either may be what is seen") {
  // Both store 1; only the second has written the data before.
  HandMadeProgram program(1);
  const std::uint32_t word = program.flag(FlagOrder::word);
  const SyncOp store{.kind = SyncOpKind::signal,
                     .scope = Scope::gpu,
                     .order = Order::release,
                     .traits = kStore,
                     .target = word,
                     .count = 1};
  program.agent({0, 3, 3}).op(store);
  program.agent(kCta0).write(0).op(store);
  program.agent(kCta1).acquire(word, Scope::gpu).read(0);
  const HazardReport report = find_hazards(program.take());
  REQUIRE(report.findings.size() == 1);
  CHECK(report.findings[0].kind == HazardKind::stale_read);
  CHECK(report.schedules == 3);
}

TEST_CASE("happens-before: of two unordered words one may hide the other from its wait") {
  HandMadeProgram program(0);
  const std::uint32_t word = program.flag(FlagOrder::word);
  for (const std::uint32_t value : {1U, 2U})
    program.agent({0, value, value})
        .op({.kind = SyncOpKind::signal,
             .scope = Scope::gpu,
             .order = Order::release,
             .traits = kStore,
             .target = word,
             .count = value});
  program.agent({0, 3, 3}).acquire(word, Scope::gpu, 1);
  const Answer answer = check_program(program);
  CHECK(answer.verdict == Verdict::error);
}

TEST_CASE("happens-before: an order that needs a flush is the platform's affair") {
  HandMadeProgram program(1);
  const std::uint32_t flag = program.flag();
  program.agent(kPeer).write(0).release(flag, Scope::sys);
  program.agent(kCta0, AgentKind::stream)
      .op({.kind = SyncOpKind::wait,
           .scope = Scope::sys,
           .order = Order::acquire,
           .traits = kConditional,
           .target = flag})
      .read(0);
  SyncProgram whole = program.take();
  whole.conditions.push_back({"inbound writes are flushed", "flush them"});
  const HazardReport report = find_hazards(whole);
  REQUIRE(report.findings.size() == 1);
  CHECK(report.verdict() == Verdict::platform);
  CHECK(report.findings[0].missing == "inbound writes are flushed");
  CHECK(report.findings[0].closes == "flush them");
}

TEST_CASE(
    "happens-before: a non-coherent load of what the kernel's time saw written is outside the "
    "model") {
  HandMadeProgram program(1);
  const std::uint32_t flag = program.flag();
  program.agent(kCta0).write(0).release(flag, Scope::gpu);
  program.agent(kCta1)
      .acquire(flag, Scope::gpu)
      .op({.kind = SyncOpKind::read, .traits = kNonCoherent, .target = 0});
  const HazardReport report = find_hazards(program.take());
  REQUIRE(report.findings.size() == 1);
  CHECK(report.findings[0].kind == HazardKind::non_coherent_read);
  CHECK(report.findings[0].basis == Basis::outside_model);
}

TEST_CASE("happens-before: the path of two ordered operations names every hand-over") {
  const HandMadeProgram program = message(kPeer, Scope::sys, Scope::sys);
  // write, release, acquire, read.
  CHECK(happens_before_path(program.take(), 0, 3).size() == 4);
  CHECK(happens_before_path(message(kPeer, Scope::gpu, Scope::gpu).take(), 0, 3).empty());
}

TEST_CASE("happens-before: collectives of two streams on one communicator need an order") {
  // Each rank has two streams, in no order; the ranks' streams enter in opposite orders of time.
  HandMadeProgram program(0);
  SyncProgram whole;
  for (const std::uint32_t rank : {0U, 1U})
    for (const std::uint32_t stream : {0U, 1U})
      program.agent({rank, rank * 2 + stream, rank * 2 + stream}, AgentKind::stream)
          .op({.kind = SyncOpKind::collective,
               .target = 0,
               .count = rank == 0 ? stream : 1 - stream});
  whole = program.take();
  whole.communicators.push_back({2});
  const HazardReport report = find_hazards(whole);
  REQUIRE(!report.findings.empty());
  for (const Finding& finding : report.findings)
    CHECK(finding.kind == HazardKind::collective_order);
}
