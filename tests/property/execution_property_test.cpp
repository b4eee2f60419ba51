// Properties that every execution must have, whatever the scenario. Not among them: that more
// bandwidth never hurts, which does not hold where steps depend on each other.
#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <numeric>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "models/kernel_families.hpp"
#include "sim/base/rng.hpp"
#include "sim/execute.hpp"
#include "tests/sim/random_workload.hpp"
#include "tests/support/hand_made_plan.hpp"
#include "tests/support/round_constants.hpp"
#include "tests/support/seeds.hpp"
#include "traces/routing_generators.hpp"

using namespace epsim;

namespace {

constexpr std::size_t kSeeds = 80;

std::uint32_t draw(Rng& rng, std::uint32_t low, std::uint32_t high) {
  return low + static_cast<std::uint32_t>(rng.below(high - low + 1));
}

struct Case {
  Workload workload;
  const FamilyKind* kind;
  MoeOperation operation;

  [[nodiscard]] Plan plan() const {
    const ConstantSet family = round_constants(kind->constants());
    return operation == MoeOperation::dispatch ? kind->dispatch(workload, round_hardware(), family)
                                               : kind->combine(workload, round_hardware(), family);
  }
  [[nodiscard]] Timeline run(const Plan& plan) const {
    return execute(plan, *workload.topology, {.record_link_uses = true});
  }
  // What one row takes on the wire, and how many a pair of ranks exchanges.
  [[nodiscard]] std::int64_t row_bytes() const {
    if (kind->takes_exchange) return 2 * workload.hidden + 16;  // BF16 and a label
    return operation == MoeOperation::dispatch
               ? dispatch_message(workload.hidden, workload.dispatch_format).count
               : combine_message(workload.hidden, workload.combine_format).count;
  }
  [[nodiscard]] std::uint32_t rows(std::uint32_t source, std::uint32_t target) const {
    // A combine carries back what the dispatch brought.
    const RankPair pair = operation == MoeOperation::dispatch
                              ? RankPair{RankId{source}, RankId{target}}
                              : RankPair{RankId{target}, RankId{source}};
    return kind->takes_sms ? workload.traffic->copies(pair) : workload.traffic->messages(pair);
  }
};

Routing random_routing(Rng& rng) {
  RoutingSpec spec;
  spec.shape.ranks = draw(rng, 1, 4);
  const std::uint32_t own = draw(rng, 1, 4);
  spec.shape.experts = own * spec.shape.ranks;
  spec.tokens_per_rank = rng.below(8) == 0 ? 0 : draw(rng, 1, 20);
  std::vector<std::string> kinds = {"random", "random-same", "zipf", "local-rand", "local-same"};
  if (spec.shape.ranks > 1) kinds.emplace_back("remote-rand");
  spec.name.kind = kinds[rng.below(kinds.size())];
  spec.name.alpha = 1.0;
  std::uint32_t most = spec.shape.experts;
  if (spec.name.kind.starts_with("local")) most = own;
  if (spec.name.kind.starts_with("remote")) most = spec.shape.experts - own;
  spec.shape.top_k = draw(rng, 1, std::min(4U, most));
  if (rng.below(3) == 0) spec.masked_fraction = 0.3;
  return make_routing(spec, rng.stream("routing"));
}

Case random_case(std::uint64_t seed) {
  Rng rng(seed);
  Workload workload;
  workload.routing = std::make_shared<const Routing>(random_routing(rng));
  const PlacementShape shape{.ranks = workload.rank_count(), .experts = workload.expert_count()};
  workload.placement = std::make_shared<const ExpertPlacement>(
      rng.below(2) == 0 ? ExpertPlacement::contiguous(shape) : ExpertPlacement::round_robin(shape));
  workload.traffic = std::make_shared<const TrafficMatrix>(*workload.routing, *workload.placement);
  workload.topology = round_topology({.gpus = workload.rank_count(), .sms = 4});
  workload.hidden = 128 * draw(rng, 1, 24);
  workload.dispatch_format = static_cast<DispatchFormat>(rng.below(2));
  workload.combine_format = static_cast<CombineFormat>(rng.below(2));
  const FamilyKind& kind = *calibrated_kinds()[rng.below(calibrated_kinds().size())];
  if (kind.takes_sms) {
    workload.combine_format = CombineFormat::bf16;
    workload.sms = 2 * draw(rng, 1, 2);
    workload.counted = rng.below(2) == 0;
  } else {
    constexpr std::array kFused = {FencePlacement::P0,
                                   FencePlacement::P1,
                                   FencePlacement::P2,
                                   FencePlacement::P3,
                                   FencePlacement::P6,
                                   FencePlacement::P1b_P4};
    workload.fence = kFused[rng.below(kFused.size())];
  }
  const auto operation = static_cast<MoeOperation>(rng.below(2));
  if (kind.takes_split && operation == MoeOperation::dispatch)
    workload.split.split = rng.below(2) == 0;
  for (std::uint32_t r = 0; r < workload.rank_count(); ++r)
    workload.rank_start.push_back(Duration{static_cast<std::int64_t>(rng.below(5'000'000))});
  return {std::move(workload), &kind, operation};
}

// Calls check(seed, case, plan, timeline) for every seed.
template <typename Check>
void for_each_case(Check check) {
  for (const std::uint64_t seed : property_seeds(kSeeds)) {
    INFO("replay with EPSIM_SEED=" << seed);
    const Case random = random_case(seed);
    const Plan plan = random.plan();
    CAPTURE(plan.name);
    check(random, plan, random.run(plan));
  }
}

std::string bytes_of(const Timeline& timeline) {
  std::string text;
  for (const auto* instants : {&timeline.start, &timeline.end, &timeline.kernel_end})
    for (const Instant moment : *instants) text += std::to_string(ps(moment)) + " ";
  for (const LinkUse& use : timeline.link_uses)
    text += std::to_string(use.link.value) + ":" + std::to_string(ps(use.start)) + " ";
  return text + std::to_string(timeline.event_count);
}

}  // namespace

TEST_CASE("execution: bytes sent are bytes received, rank by rank, and those of the traffic") {
  for_each_case([](const Case& random, const Plan& plan, const Timeline& timeline) {
    for (std::uint32_t r = 0; r < plan.rank_count; ++r) {
      std::int64_t out = 0;
      std::int64_t in = 0;
      for (std::uint32_t peer = 0; peer < plan.rank_count; ++peer) {
        if (peer == r) continue;
        out += random.rows(r, peer) * random.row_bytes();
        in += random.rows(peer, r) * random.row_bytes();
      }
      CHECK(timeline.link_bytes[2 * r].count == out);
      CHECK(timeline.link_bytes[2 * r + 1].count == in);
    }
  });
}

TEST_CASE("execution: no link carries more than its capacity at any instant") {
  // A link carries one piece at a time, each for at least its bytes over the rate.
  for_each_case([](const Case& random, const Plan&, const Timeline& timeline) {
    const std::size_t links = random.workload.topology->links().size();
    std::vector<Instant> free(links);
    std::vector<Duration> busy(links);
    std::size_t overlaps = 0;
    for (const LinkUse& use : timeline.link_uses) {  // each link's in the order of their starts
      if (use.start < free[use.link.index()] || use.end <= use.start) ++overlaps;
      free[use.link.index()] = use.end;
      busy[use.link.index()] += use.end - use.start;
    }
    CHECK(overlaps == 0);
    CHECK(busy == timeline.link_busy);
    for (std::size_t l = 0; l < links; ++l)
      CHECK(timeline.link_busy[l] >= timeline.link_bytes[l] / Bandwidth{100e9});
  });
}

TEST_CASE("execution: every operation runs, and starts after the one before it has ended") {
  for_each_case([](const Case&, const Plan& plan, const Timeline& timeline) {
    std::size_t wrong = 0;
    for (std::size_t a = 0; a < plan.agents.size(); ++a) {
      const Agent& agent = plan.agents[a];
      Instant before = timeline.agent_start[a];
      for (std::size_t i = 0; i < agent.operation_count; ++i) {
        const std::size_t index = agent.first_operation + i;
        if (timeline.start[index] < before || timeline.end[index] < timeline.start[index]) ++wrong;
        // A load runs in the background: the next operation only starts after it.
        const bool is_load = plan.operations[index].kind == OpKind::load;
        before = is_load ? timeline.start[index] : timeline.end[index];
      }
      const Cta& cta = plan.ctas[agent.cta.index()];
      if (timeline.kernel_end[cta.kernel.index()] < before) ++wrong;
    }
    CHECK(wrong == 0);
  });
}

TEST_CASE("execution: zero tokens move zero bytes") {
  for (const FamilyKind* kind : calibrated_kinds())
    for (const MoeOperation operation : {MoeOperation::dispatch, MoeOperation::combine})
      for (std::size_t ranks = 1; ranks <= 4; ++ranks) {
        Case empty{round_workload({.experts = static_cast<std::uint32_t>(2 * ranks),
                                   .top_k = 2,
                                   .tokens = std::vector<std::vector<TokenChoices>>(ranks)},
                                  4),
                   kind,
                   operation};
        const Timeline timeline = empty.run(empty.plan());
        for (const Bytes bytes : timeline.link_bytes) CHECK(bytes == Bytes{0});
        for (const Bytes bytes : timeline.memory_bytes) CHECK(bytes == Bytes{0});
        CHECK(timeline.link_uses.empty());
      }
}

TEST_CASE("execution: one seed gives identical bytes, in two runs and in two threads") {
  const auto all = [] {
    std::string text;
    for (const std::uint64_t seed : property_seeds(20)) {
      const Case random = random_case(seed);
      text += bytes_of(random.run(random.plan()));
    }
    return text;
  };
  const std::string once = all();
  std::string first;
  std::string second;
  std::thread left([&] { first = all(); });
  std::thread right([&] { second = all(); });
  left.join();
  right.join();
  CHECK((once == all()));
  CHECK((once == first));
  CHECK((once == second));
}

namespace {

struct Transfers {
  Plan plan;
  std::int64_t pieces = 0;  // of puts, serves and loads
};

// Agents on three ranks that put, serve and load, and never wait for each other. No latency, so all
// time is bytes over some rate. `faster` multiplies every rate. `label` names the ranks anew.
Transfers random_transfers(std::uint64_t seed,
                           double faster,
                           const std::vector<std::uint32_t>& label = {0, 1, 2}) {
  Rng rng = Rng(seed).stream("transfers");
  RankRates rates{};
  rates.memory = Bandwidth{faster * 200e9};
  rates.local_put_traffic = 2.0;
  rates.serve_traffic = 1.5;
  rates.put_path.rate = Bandwidth{faster * 40e9};
  rates.local_put_path.rate = Bandwidth{faster * 60e9};
  rates.serve_path.rate = Bandwidth{faster * 50e9};
  rates.put_chunk = Bytes{4096};
  rates.put_window = 3;
  rates.link_efficiency = 1.0;
  HandMadePlan plan(3, rates, 16);
  const std::uint16_t cap = plan.rate_cap(Bandwidth{faster * 30e9});
  Transfers transfers;
  for (std::uint32_t a = 0; a < 9; ++a) {
    const FlagId landed = plan.add_flag(RankId{label[a % 3]});
    plan.agent_on(label[a % 3]);
    for (std::uint64_t i = 1 + rng.below(4); i > 0; --i) {
      const Bytes size{1 + static_cast<std::int64_t>(rng.below(60'000))};
      const std::uint32_t target = label[rng.below(3)];
      const std::uint64_t what = rng.below(4);
      transfers.pieces += 1 + size.count / 4096;
      if (what == 0)
        plan.serve(Phase::receive, size, {}, cap);
      else if (what == 1)
        plan.load(Phase::receive, size, landed, {}, cap);
      else
        plan.put(Phase::send, RankId{target}, size, {});
    }
    plan.drain(Phase::wire);
  }
  transfers.plan = plan.take();
  return transfers;
}

Duration makespan(const Plan& plan, Bandwidth link) {
  const auto topology = round_topology({.gpus = 3, .sms = 16, .bandwidth = link, .latency = {}});
  const Timeline timeline = execute(plan, *topology);
  return *std::max_element(timeline.end.begin(), timeline.end.end()) - Instant{};
}

}  // namespace

TEST_CASE(
    "execution: twice every bandwidth halves pure transfers, but for the rounding of each piece") {
  // A piece is rounded up by at most 1 ps on each of the copy path, two links and memory, and its
  // rounding counts double at half the time.
  for (const std::uint64_t seed : property_seeds(kSeeds)) {
    INFO("replay with EPSIM_SEED=" << seed);
    const Transfers slow = random_transfers(seed, 1.0);
    const Transfers fast = random_transfers(seed, 2.0);
    const Duration once = makespan(slow.plan, Bandwidth{100e9});
    const Duration twice = makespan(fast.plan, Bandwidth{200e9});
    CHECK(std::abs((2 * twice - once).count()) <= 2 * 4 * slow.pieces);
  }
}

TEST_CASE("execution: pure transfers take as long whatever their ranks are called") {
  // Sizes are random, so that no two pieces of different ranks reach a link in the same picosecond,
  // and there is no tie that an order of ranks could break.
  for (const std::uint64_t seed : property_seeds(kSeeds)) {
    INFO("replay with EPSIM_SEED=" << seed);
    const Duration named = makespan(random_transfers(seed, 1.0).plan, Bandwidth{100e9});
    for (const std::vector<std::uint32_t>& label :
         {std::vector<std::uint32_t>{1, 2, 0}, {2, 1, 0}, {0, 2, 1}})
      CHECK(ps(makespan(random_transfers(seed, 1.0, label).plan, Bandwidth{100e9})) == ps(named));
  }
}

namespace {

// The same workload with rank r called label[r]: its tokens, its start and its experts.
Workload relabelled(const Workload& old, const std::vector<std::uint32_t>& label) {
  const std::uint32_t ranks = old.rank_count();
  std::vector<std::uint32_t> old_rank(ranks);
  for (std::uint32_t r = 0; r < ranks; ++r) old_rank[label[r]] = r;
  std::vector<std::uint32_t> tokens;
  std::vector<ExpertChoice> choices;
  std::vector<RankId> hosts;
  for (std::uint32_t e = 0; e < old.expert_count(); ++e)
    hosts.push_back(RankId{label[old.placement->rank_of(ExpertId{e}).index()]});
  Workload workload = old;
  for (std::uint32_t r = 0; r < ranks; ++r) {
    const RankId before{old_rank[r]};
    tokens.push_back(old.routing->token_count(before));
    const auto own = old.routing->choices(before);
    choices.insert(choices.end(), own.begin(), own.end());
    workload.rank_start[r] = old.rank_start[before.index()];
  }
  workload.routing =
      std::make_shared<const Routing>(old.routing->shape(), tokens, std::move(choices));
  workload.placement = std::make_shared<const ExpertPlacement>(ranks, hosts);
  workload.traffic = std::make_shared<const TrafficMatrix>(*workload.routing, *workload.placement);
  return workload;
}

}  // namespace

TEST_CASE("execution: new names for ranks and their experts seldom change a latency by 2 %") {
  // Not exactly: kernels cut their CTAs by expert number, so a name decides which warp groups share
  // an SM and its paths, and pieces that reach a link at one instant pass in order of rank. Where a
  // hot expert gets another neighbour a latency moved by 11 %: one case of all may be such a one.
  int changed = 0;
  for_each_case([&](const Case& random, const Plan& plan, const Timeline& timeline) {
    std::vector<std::uint32_t> label(plan.rank_count);
    std::iota(label.begin(), label.end(), 0U);
    std::rotate(label.begin(), label.begin() + 1, label.end());
    Case other = random;
    other.workload = relabelled(random.workload, label);
    const Plan again = other.plan();
    const double was = to_us(timeline.aligned_latency(plan));
    const double is = to_us(other.run(again).aligned_latency(again));
    CHECK(std::abs(is / was - 1.0) < 0.15);
    if (std::abs(is / was - 1.0) >= 0.02) ++changed;
  });
  CHECK(changed <= 1);
}
