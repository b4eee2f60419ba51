#include "models/one_sided.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include <doctest/doctest.h>

#include "sim/execute.hpp"
#include "tests/support/hand_made_plan.hpp"
#include "tests/support/round_constants.hpp"
#include "tests/support/small_workloads.hpp"

using namespace epsim;
using namespace std::chrono_literals;

namespace {

ConstantSet round_family() {
  return round_constants(one_sided_constants());
}
Plan dispatch(const Workload& workload) {
  return plan_one_sided_dispatch(workload, round_hardware(), round_family());
}
Plan combine(const Workload& workload) {
  return plan_one_sided_combine(workload, round_hardware(), round_family());
}

std::int64_t put_bytes(const Plan& plan, std::uint32_t source, std::uint32_t target) {
  const std::vector<RankId> ranks = operation_ranks(plan);
  std::int64_t bytes = 0;
  for (const std::size_t i : operations_of_kind(plan, OpKind::put))
    if (ranks[i].value == source && plan.operations[i].target == target)
      bytes += plan.operations[i].count;
  return bytes;
}

Duration latency(const Plan& plan, const Workload& workload) {
  return execute(plan, *workload.topology).aligned_latency(plan);
}

// Every token of each rank goes once to every rank.
Workload all_to_all(std::uint32_t ranks, std::size_t tokens) {
  TokenChoices every;
  for (std::uint32_t r = 0; r < ranks; ++r) every.push_back(static_cast<ExpertChoice>(r));
  SmallRouting routing{.experts = ranks, .top_k = ranks, .tokens = {}};
  for (std::uint32_t r = 0; r < ranks; ++r) routing.tokens.push_back(same_tokens(tokens, every));
  return round_workload(routing);
}

}  // namespace

TEST_CASE("one-sided: a token's payload is its values, their scales, its experts and weights") {
  // 1024 channels, top-2: 8 B a choice. NVFP4: 512 + 64.
  Workload workload = round_workload({.experts = 4, .top_k = 2, .tokens = {{{0, 1}}, {{2, 3}}}});
  workload.dispatch_format = DispatchFormat::nvfp4;
  CHECK(one_sided_payload(workload) == Bytes{512 + 64 + 16});
  workload.dispatch_format = DispatchFormat::fp8;
  CHECK(one_sided_payload(workload) == Bytes{1024 + 16});
  workload.dispatch_format = DispatchFormat::bf16;
  CHECK(one_sided_payload(workload) == Bytes{2048 + 16});
}

TEST_CASE("one-sided: one copy of a token goes to each rank, and one row of each comes back") {
  // Two experts a rank. Rank 0: {0, 1} stays, {2, 3} goes once to rank 1, {1, 2} to both. Rank 1:
  // one token to rank 0, its other choice masked.
  const Workload workload = round_workload(
      {.experts = 4, .top_k = 2, .tokens = {{{0, 1}, {2, 3}, {1, 2}}, {{0, kMasked}}}});
  const Plan out = dispatch(workload);  // FP8: 1024 + 16 B
  CHECK(put_bytes(out, 0, 0) == 2 * 1040);
  CHECK(put_bytes(out, 0, 1) == 2 * 1040);
  CHECK(put_bytes(out, 1, 0) == 1 * 1040);
  CHECK(put_bytes(out, 1, 1) == 0);
  // Rows of 2048 B leave the memory of the rank that computed them; own rows cross no link.
  const Plan back = combine(workload);
  CHECK(put_bytes(back, 1, 0) == 2 * 2048);
  CHECK(put_bytes(back, 0, 1) == 1 * 2048);
  CHECK(put_bytes(back, 0, 0) == 0);
  CHECK(put_bytes(back, 1, 1) == 0);
}

TEST_CASE("one-sided: a dispatch of one token takes what its steps add up to") {
  // One rank, one token to itself. Start 1 us, overhead 1, copy of the row 1, put of 1032 B to own
  // memory: an SM's store path at 100 GB/s 0.01032, memory 2 x 1032 B at 100 GB/s 0.02064, visible
  // 1; the last CTA hears of it 1 later; fence 100 ns; own flag 1; finish 1.
  const Workload workload = round_workload({.experts = 1, .top_k = 1, .tokens = {{{0}}}});
  const Duration expected = 7us + 100ns + Duration{10'320 + 20'640};
  const Duration found = latency(dispatch(workload), workload);
  CHECK(std::abs((found - expected).count()) <= 10);
}

TEST_CASE("one-sided: small batches cost a fixed time for each remote rank, large ones the links") {
  // 1 us for each copy of a dispatch, own rank included. A combine reads 2048 B in one trip of 4
  // KB, 1 us for each remote row.
  const auto one_token = [](std::uint32_t ranks, auto plan) {
    const Workload workload = all_to_all(ranks, 1);
    return to_us(latency(plan(workload), workload));
  };
  CHECK(one_token(8, dispatch) - one_token(4, dispatch) == doctest::Approx(4.0).epsilon(0.1));
  CHECK(one_token(8, combine) - one_token(4, combine) == doctest::Approx(4.0).epsilon(0.1));
  // 40 000 tokens to three remote ranks at 100 GB/s: 1024 + 4 * 8 B
  // out and 2048 B back.
  const Workload many = all_to_all(4, 40'000);
  CHECK(to_us(latency(dispatch(many), many)) ==
        doctest::Approx(40e3 * 3 * 1056 / 1e5).epsilon(0.05));
  CHECK(to_us(latency(combine(many), many)) ==
        doctest::Approx(40e3 * 3 * 2048 / 1e5).epsilon(0.05));
}

TEST_CASE("one-sided: a plan stays small however many tokens there are") {
  CHECK(dispatch(all_to_all(8, 60'000)).operations.size() < 10'000);
  CHECK(combine(all_to_all(8, 60'000)).operations.size() < 40'000);
}

TEST_CASE("one-sided: odd workloads come to an end") {
  for (const NamedWorkload& odd : odd_workloads()) {
    CAPTURE(odd.name);
    for (const auto plan : {&dispatch, &combine})
      CHECK(latency(plan(odd.workload), odd.workload) > Duration{});
  }
}
