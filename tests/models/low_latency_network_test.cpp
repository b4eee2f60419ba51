// Low-latency kernels beyond one host, and of one host that stands for all.
#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "models/bounds.hpp"
#include "models/kernel_families.hpp"
#include "models/low_latency.hpp"
#include "sim/base/rng.hpp"
#include "sim/critical_path.hpp"
#include "sim/prediction.hpp"
#include "sim/report.hpp"
#include "tests/support/round_hosts.hpp"
#include "tests/support/seeds.hpp"
#include "traces/routing_generators.hpp"

using namespace epsim;

namespace {

using MakePlan = Plan (*)(const Workload&, const ConstantSet&, const ConstantSet&);

Plan plan_of(MakePlan make, const Workload& workload) {
  return make(workload, round_network_hardware(), round_low_latency());
}

struct Counts {
  std::size_t puts = 0, own_puts = 0, posts = 0, post_signals = 0, signals = 0, queue_pairs = 0;
  bool operator==(const Counts&) const = default;
};

// `signals`: those that other GPUs may wait for.
Counts counts_of(const Plan& plan) {
  Counts counts{.queue_pairs = plan.queue_pairs.size()};
  for (const Agent& agent : plan.agents)
    for (const Operation& operation : plan.operations_of(agent)) {
      const bool is_own = operation.target == plan.rank_of(agent).value;
      if (operation.kind == OpKind::put) ++(is_own ? counts.own_puts : counts.puts);
      if (operation.kind == OpKind::post) ++counts.posts;
      if (operation.kind == OpKind::post_signal) ++counts.post_signals;
      if (operation.kind == OpKind::signal &&
          operation.detail == static_cast<std::uint16_t>(Scope::sys))
        ++counts.signals;
    }
  return counts;
}

// Two hosts of two ranks with an expert each. Rank 0 alone has tokens: one to ranks 1 and 2, one to
// itself and rank 3.
Workload two_hosts() {
  Workload workload =
      round_workload({.experts = 4, .top_k = 2, .tokens = {{{1, 2}, {0, 3}}, {}, {}, {}}}, 4);
  workload.topology = round_hosts({.hosts = 2, .gpus_per_host = 2, .sms = 4});
  return workload;
}

struct Shape {
  std::uint32_t hosts = 1, gpus_per_host = 1, experts_per_rank = 1, top_k = 1, tokens = 1;
  [[nodiscard]] std::uint32_t ranks() const { return hosts * gpus_per_host; }
  [[nodiscard]] std::uint32_t experts() const { return ranks() * experts_per_rank; }
};

void set_routing(Routing routing, Workload& workload) {
  const RoutingShape shape = routing.shape();
  workload.placement = std::make_shared<const ExpertPlacement>(
      ExpertPlacement::contiguous({.ranks = shape.ranks, .experts = shape.experts}));
  workload.routing = std::make_shared<const Routing>(std::move(routing));
  workload.traffic = std::make_shared<const TrafficMatrix>(*workload.routing, *workload.placement);
  workload.hidden = 1024;
  workload.rank_start.assign(shape.ranks, Duration{});
}

Workload folded(const Shape& shape, std::uint64_t seed) {
  Workload workload;
  set_routing(make_routing({.shape = {shape.ranks(), shape.experts(), shape.top_k},
                            .tokens_per_rank = shape.tokens,
                            .drawn_ranks = shape.gpus_per_host},
                           Rng(seed)),
              workload);
  workload.topology = round_hosts({.hosts = 1, .gpus_per_host = shape.gpus_per_host});
  workload.fold.planned = shape.gpus_per_host;
  return workload;
}

// All hosts written out: each does what the first does, towards the hosts that follow it.
Workload unfolded(const Workload& fold) {
  const RoutingShape shape = fold.routing->shape();
  const std::uint32_t planned = fold.planned_ranks();
  std::vector<std::uint32_t> tokens;
  std::vector<ExpertChoice> choices;
  for (std::uint32_t rank = 0; rank < shape.ranks; ++rank) {
    tokens.push_back(fold.routing->token_count(fold.site_of(rank)));
    const std::uint32_t shift = rank / planned * planned * shape.experts_per_rank();
    for (const ExpertChoice choice : fold.routing->choices(fold.site_of(rank)))
      choices.push_back(
          static_cast<ExpertChoice>((expert_of(choice).value + shift) % shape.experts));
  }
  Workload workload;
  set_routing(Routing(shape, tokens, std::move(choices)), workload);
  workload.topology = round_hosts({.hosts = shape.ranks / planned, .gpus_per_host = planned});
  return workload;
}

Duration latency_of(MoeOperation operation, const char* family, const Workload& workload) {
  return predict(operation,
                 workload,
                 *find_family(family),
                 round_network_hardware(),
                 round_low_latency())
      .latency;
}

}  // namespace

TEST_CASE("low latency: what goes to another host is posted, in order before its count") {
  // Dispatch: tokens to ranks 1 (put), 0 (own put), 2 and 3 (posts). Each of four ranks tells two
  // experts of its host a count by a signal and two of the other by an atomic.
  CHECK(
      counts_of(plan_of(&plan_low_latency_dispatch, two_hosts())) ==
      Counts{
          .puts = 1, .own_puts = 1, .posts = 2, .post_signals = 8, .signals = 8, .queue_pairs = 8});
  // Combine: rank 1 puts one row, rank 0 one to itself; ranks 2 and 3 stage one each and post it.
  CHECK(
      counts_of(plan_of(&plan_low_latency_combine, two_hosts())) ==
      Counts{
          .puts = 1, .own_puts = 3, .posts = 2, .post_signals = 8, .signals = 8, .queue_pairs = 8});
}

TEST_CASE("low latency: the kernels without NVLink post to every other rank") {
  CHECK(counts_of(plan_of(&plan_rdma_low_latency_dispatch, two_hosts())) ==
        Counts{.puts = 0,
               .own_puts = 1,
               .posts = 3,
               .post_signals = 12,
               .signals = 4,
               .queue_pairs = 12});
  CHECK(counts_of(plan_of(&plan_rdma_low_latency_combine, two_hosts())) ==
        Counts{.puts = 0,
               .own_puts = 4,
               .posts = 3,
               .post_signals = 12,
               .signals = 4,
               .queue_pairs = 12});
}

TEST_CASE(
    "low latency: the local expert's number picks the queue pair, and data stays before its "
    "count") {
  // One rank a host, two experts a rank: rank 0 posts to expert 3, the second of rank 1.
  Workload workload = round_workload({.experts = 4, .top_k = 1, .tokens = {{{3}}, {}}}, 4);
  workload.topology = round_hosts({.hosts = 2, .gpus_per_host = 1, .sms = 4});
  const Plan plan = plan_of(&plan_low_latency_dispatch, workload);
  REQUIRE(plan.queue_pairs.size() == 4);  // of rank 0: 0 and 1; of rank 1: 2 and 3
  std::vector<std::uint32_t> posts, counted;
  for (const Operation& operation : plan.operations) {
    if (operation.kind == OpKind::post) posts.push_back(operation.target);
    if (operation.kind == OpKind::post_signal) counted.push_back(operation.count);
    if (operation.kind == OpKind::post || operation.kind == OpKind::post_signal)
      CHECK((operation.detail & kRings) != 0);
  }
  std::sort(counted.begin(), counted.end());
  CHECK(posts == std::vector<std::uint32_t>{1});
  CHECK(counted == std::vector<std::uint32_t>{0, 1, 2, 3});
}

TEST_CASE("low latency: of a folded plan every flag gets one signal and every row is expected") {
  for (const std::uint64_t seed : property_seeds(40)) {
    CAPTURE(seed);
    Rng rng(seed);
    const Shape shape{.hosts = 1 + static_cast<std::uint32_t>(rng.below(5)),
                      .gpus_per_host = 1 + static_cast<std::uint32_t>(rng.below(4)),
                      .experts_per_rank = 1 + static_cast<std::uint32_t>(rng.below(3)),
                      .top_k = 1,
                      .tokens = static_cast<std::uint32_t>(rng.below(30))};
    CAPTURE(shape.hosts);
    CAPTURE(shape.gpus_per_host);
    const Workload workload = folded(shape, seed);
    for (const MakePlan make : {&plan_low_latency_dispatch,
                                &plan_low_latency_combine,
                                &plan_rdma_low_latency_dispatch,
                                &plan_rdma_low_latency_combine}) {
      const Plan plan = plan_of(make, workload);
      REQUIRE(plan.rank_count == shape.gpus_per_host);
      std::vector<std::uint32_t> signals(plan.flags.size(), 0);
      std::size_t sent = 0, received = 0;
      for (const Operation& operation : plan.operations) {
        const bool is_signal = operation.kind == OpKind::signal &&
                               operation.detail == static_cast<std::uint16_t>(Scope::sys);
        if (is_signal || operation.kind == OpKind::post_signal) ++signals[operation.target];
        if (operation.kind == OpKind::post) ++sent;
        if (operation.kind == OpKind::put) ++sent;
        if (operation.kind == OpKind::serve || operation.kind == OpKind::load) ++received;
      }
      CHECK(*std::max_element(signals.begin(), signals.end()) == 1);
      CHECK(std::count(signals.begin(), signals.end(), 1) ==
            std::ptrdiff_t{shape.gpus_per_host} * shape.experts());
      // Staged rows are put and posted.
      const Counts counts = counts_of(plan);
      const bool stages =
          make == &plan_low_latency_combine || make == &plan_rdma_low_latency_combine;
      CHECK(sent - (stages ? counts.posts : 0) == received);
      CHECK(received == std::size_t{shape.gpus_per_host} * shape.tokens * shape.top_k);
    }
  }
}

TEST_CASE("low latency: a planned rank of a fold expects of each source what that source sends") {
  // By symmetry rank j of all hosts written out receives of s what rank j of the fold does.
  for (const std::uint64_t seed : property_seeds(10)) {
    CAPTURE(seed);
    const Workload fold = folded(
        {.hosts = 3, .gpus_per_host = 2, .experts_per_rank = 2, .top_k = 3, .tokens = 11}, seed);
    const Workload full = unfolded(fold);
    for (std::uint32_t j = 0; j < fold.planned_ranks(); ++j)
      for (std::uint32_t s = 0; s < fold.rank_count(); ++s)
        for (std::uint32_t local = 0; local < fold.experts_per_rank(); ++local) {
          const RankId meant{fold.image_of(j, s)};
          CHECK(fold.traffic->tokens(fold.site_of(s), fold.placement->experts_of(meant)[local]) ==
                full.traffic->tokens(RankId{s}, full.placement->experts_of(RankId{j})[local]));
        }
  }
}

TEST_CASE("low latency: over a network and folded, phases add up and bounds hold") {
  for (const std::uint64_t seed : property_seeds(10)) {
    CAPTURE(seed);
    const Workload fold = folded(
        {.hosts = 3, .gpus_per_host = 2, .experts_per_rank = 2, .top_k = 2, .tokens = 12}, seed);
    for (const Workload& workload : {fold, unfolded(fold)})
      for (const char* family : {"deepep-ll-legacy", "deepep-ll-v1-rdmaonly"})
        for (const MoeOperation operation : {MoeOperation::dispatch, MoeOperation::combine}) {
          const Prediction prediction = predict(operation,
                                                workload,
                                                *find_family(family),
                                                round_network_hardware(),
                                                round_low_latency());
          const CriticalPath path =
              critical_path(prediction.plan, prediction.timeline, *workload.topology);
          Duration sum{};
          for (const Duration part : path.by_phase) sum += part;
          CHECK(sum == prediction.latency);
          for (const Bound& bound : bounds_of(prediction.plan, *workload.topology).of_kind)
            CHECK(bound.latency <= prediction.latency);
        }
  }
}

TEST_CASE("low latency: a report of one host counts the rows of all") {
  const Workload fold =
      folded({.hosts = 3, .gpus_per_host = 2, .experts_per_rank = 2, .top_k = 2, .tokens = 12}, 1);
  KernelFamily family;
  family.name = "deepep-ll-legacy";
  for (const MoeOperation operation : {MoeOperation::dispatch, MoeOperation::combine}) {
    const auto facts = [&](const Workload& workload) {
      const Prediction prediction = predict(operation,
                                            workload,
                                            *find_family(family.name),
                                            round_network_hardware(),
                                            round_low_latency());
      return summarize(prediction, workload, family, {}).traffic;
    };
    const TrafficFacts few = facts(fold);
    const TrafficFacts all = facts(unfolded(fold));
    CHECK(few.messages == all.messages);
    CHECK(few.messages == 3 * 2 * 12 * 2);  // hosts, GPUs, tokens, choices
    CHECK(few.remote_messages == all.remote_messages);
    CHECK(few.bytes == all.bytes);
    CHECK(few.remote_bytes == all.remote_bytes);
    CHECK(few.ranks.max == all.ranks.max);
    CHECK(few.experts.max == all.experts.max);
  }
}

TEST_CASE("low latency: one host that stands for four takes as long as the four") {
  const Workload fold =
      folded({.hosts = 4, .gpus_per_host = 2, .experts_per_rank = 4, .top_k = 4, .tokens = 64}, 1);
  const Workload full = unfolded(fold);
  for (const char* family : {"deepep-ll-legacy", "deepep-ll-v1-rdmaonly"})
    for (const MoeOperation operation : {MoeOperation::dispatch, MoeOperation::combine}) {
      CAPTURE(family);
      const double folded_us = to_us(latency_of(operation, family, fold));
      const double full_us = to_us(latency_of(operation, family, full));
      CAPTURE(folded_us);
      CAPTURE(full_us);
      CHECK(folded_us > 0.98 * full_us);
      CHECK(folded_us < 1.02 * full_us);
    }
}
