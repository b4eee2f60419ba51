#include "models/graph_exchange.hpp"

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "sim/execute.hpp"
#include "tests/support/hand_made_plan.hpp"
#include "tests/support/round_constants.hpp"
#include "tests/support/small_workloads.hpp"

using namespace epsim;
using namespace std::chrono_literals;

namespace {

// Ten tokens of each rank, of which seven go to rank 0.
Workload two_ranks(const ExchangeOptions& exchange = {}) {
  std::vector<TokenChoices> tokens = same_tokens(7, {0});
  tokens.resize(10, {1});
  Workload workload = round_workload({.experts = 2, .top_k = 1, .tokens = {tokens, tokens}});
  workload.exchange = exchange;
  return workload;
}

// Gaps of a graph are a tenth of a stream's.
ConstantSet hardware() {
  return round_hardware().with("graph_gap", 0.1);
}

ConstantSet family() {
  return round_constants(graph_exchange_constants());
}

Plan dispatch(const Workload& workload) {
  return plan_graph_dispatch(workload, hardware(), family());
}
Plan combine(const Workload& workload) {
  return plan_graph_combine(workload, hardware(), family());
}

Duration latency(const Plan& plan, const Workload& workload) {
  return execute(plan, *workload.topology).aligned_latency(plan);
}

// Bytes of all puts, rows and labels, from one rank to another.
std::int64_t put_bytes(const Plan& plan, const RankPair& pair) {
  const std::vector<RankId> ranks = operation_ranks(plan);
  std::int64_t bytes = 0;
  for (const std::size_t i : operations_of_kind(plan, OpKind::put))
    if (ranks[i] == pair.source && plan.operations[i].target == pair.target.value)
      bytes += plan.operations[i].count;
  return bytes;
}

// Names of a rank's kernels in the order in which they begin.
std::vector<std::string> launch_order(const Plan& plan, const Timeline& timeline, RankId rank) {
  std::vector<std::size_t> kernels;
  for (std::size_t k = 0; k < plan.kernels.size(); ++k)
    if (plan.kernels[k].rank == rank) kernels.push_back(k);
  std::stable_sort(kernels.begin(), kernels.end(), [&](std::size_t a, std::size_t b) {
    return timeline.kernel_start[a] < timeline.kernel_start[b];
  });
  std::vector<std::string> names;
  for (const std::size_t k : kernels) names.emplace_back(plan.kernels[k].name);
  return names;
}

constexpr std::int64_t kRow = 2 * 1024 + 16;  // BF16 and a label

}  // namespace

TEST_CASE("graph exchange: a rank's operations run in the order of the protocol") {
  const Workload workload = two_ranks();
  const Plan sent = dispatch(workload);
  const std::vector<std::string> order{"call begin",
                                       "plan rows",
                                       "pack rows",
                                       "counts meeting",
                                       "place rows",
                                       "rows all-to-all",
                                       "labels all-to-all",
                                       "rows meeting",
                                       "call end"};
  CHECK(launch_order(sent, execute(sent, *workload.topology), RankId{1}) == order);
  const Plan back = combine(workload);
  std::vector<std::string> with_output = order;
  with_output.insert(with_output.end() - 1, {"clear output", "unpack rows"});
  CHECK(launch_order(back, execute(back, *workload.topology), RankId{0}) == with_output);
}

TEST_CASE("graph exchange: each row goes out once with its label, and comes back once") {
  for (const ExchangeCopy copy : {ExchangeCopy::byte, ExchangeCopy::persistent}) {
    CAPTURE(kExchangeCopyNames[static_cast<std::size_t>(copy)]);
    const Workload workload = two_ranks({.copy = copy});
    const Plan sent = dispatch(workload);
    CHECK(put_bytes(sent, {RankId{0}, RankId{0}}) == 7 * kRow);
    CHECK(put_bytes(sent, {RankId{1}, RankId{0}}) == 7 * kRow);
    CHECK(put_bytes(sent, {RankId{0}, RankId{1}}) == 3 * kRow);
    const Plan back = combine(workload);
    CHECK(put_bytes(back, {RankId{0}, RankId{1}}) == 7 * kRow);
    CHECK(put_bytes(back, {RankId{1}, RankId{0}}) == 3 * kRow);
  }
}

TEST_CASE("graph exchange: a capacity bounds what a rank receives, in order of the source") {
  // Room for 10 rows a rank: rank 0 is sent 14, and the last four of rank 1 do not go.
  const Workload workload = two_ranks({.capacity = 1.0});
  const Plan sent = dispatch(workload);
  CHECK(put_bytes(sent, {RankId{0}, RankId{0}}) == 7 * kRow);
  CHECK(put_bytes(sent, {RankId{1}, RankId{0}}) == 3 * kRow);
  CHECK(put_bytes(combine(workload), {RankId{0}, RankId{1}}) == 3 * kRow);
  CHECK(exchange_capacity(10, 2, 1.01) == 11);
  CHECK(exchange_capacity(10, 2, 5) == 20);  // no more can arrive
  CHECK(exchange_capacity(10, 2, 0) == 20);
  // The worst case keeps 20 rows and drops none; a factor of 1 keeps half and drops the four.
  const ExchangeBuffer tight = exchange_buffer(workload);
  CHECK(tight.rows == 10);
  CHECK(tight.size == Bytes{10 * (2 * workload.hidden + kExchangeLabelBytes)});
  CHECK(tight.dropped == 4);
  const ExchangeBuffer worst = exchange_buffer(two_ranks({.capacity = 0}));
  CHECK(worst.rows == 20);
  CHECK(worst.dropped == 0);
}

TEST_CASE("graph exchange: a graph spares the stream's gaps and nothing else") {
  const Workload graph = two_ranks({.mode = ExchangeMode::graph});
  const Workload stream = two_ranks({.mode = ExchangeMode::stream});
  // Before plan, pack, and both all-to-alls' second kernels: two and two; and the copies of counts
  // from two ranks. Each gap is 0.9 us shorter.
  CHECK(latency(dispatch(stream), stream) - latency(dispatch(graph), graph) == 6 * 900ns);
  CHECK(latency(combine(stream), stream) - latency(combine(graph), graph) == 8 * 900ns);
}

TEST_CASE("graph exchange: a host in the path takes longer with every rank it serves") {
  const auto of = [](std::uint32_t ranks) {
    const SmallRouting routing{
        .experts = ranks, .top_k = 1, .tokens = std::vector(ranks, same_tokens(4, {0}))};
    Workload workload = round_workload(routing);
    workload.exchange.mode = ExchangeMode::cpu_sync;
    return latency(dispatch(workload), workload);
  };
  // Three copies of places and two launches for rows and labels, and one for the end: 6 us a rank.
  CHECK(of(3) - of(2) >= 5us);
  CHECK(of(3) - of(2) <= 8us);
}

TEST_CASE("graph exchange: the byte kernel pays for its worst-case grid, the host's for what is") {
  Workload worst = two_ranks({.mode = ExchangeMode::graph, .copy = ExchangeCopy::byte});
  const Plan plan = dispatch(worst);
  // 10 rows of 2048 B for each of two targets are 160 CTAs of 10 ns, beside an empty kernel of 1
  // us; the last piece of 2 KB crosses its link after that.
  const Duration rows = execute(plan, *worst.topology).aligned_latency(plan, kExchangeRows);
  CHECK(rows >= 2600ns);
  CHECK(rows < 2800ns);
  worst.exchange.mode = ExchangeMode::cpu_sync;
  const Plan exact = dispatch(worst);
  // The host sizes the grid by 7 rows: 112 CTAs.
  const Duration fewer = execute(exact, *worst.topology).aligned_latency(exact, kExchangeRows);
  CHECK(fewer >= 2120ns);
  CHECK(fewer < 2320ns);
}

TEST_CASE("graph exchange: odd workloads get through every mode and copy kernel") {
  for (const NamedWorkload& odd : odd_workloads())
    for (const ExchangeMode mode :
         {ExchangeMode::stream, ExchangeMode::graph, ExchangeMode::cpu_sync})
      for (const ExchangeCopy copy : {ExchangeCopy::byte, ExchangeCopy::persistent}) {
        CAPTURE(odd.name);
        Workload workload = odd.workload;
        workload.exchange = {.mode = mode, .copy = copy};
        CHECK(latency(dispatch(workload), workload) > Duration{});
        CHECK(latency(combine(workload), workload) > Duration{});
      }
}
