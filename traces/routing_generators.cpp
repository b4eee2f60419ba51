#include "traces/routing_generators.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "sim/base/check.hpp"
#include "sim/base/input_error.hpp"
#include "traces/expert_sampler.hpp"

namespace epsim {

namespace {

using Choices = std::vector<ExpertChoice>;

[[noreturn]] void fail(const RoutingSpec& spec, std::string_view what) {
  throw InputError(spec.where, "", fmt::format("{}: {}", to_text(spec.name), what));
}

// `count` experts from `first` on.
Choices expert_block(std::size_t first, std::size_t count) {
  Choices block(count);
  std::iota(block.begin(), block.end(), static_cast<ExpertChoice>(first));
  return block;
}

Choices own_experts(const RoutingShape& shape, std::size_t rank) {
  return expert_block(rank * shape.experts_per_rank(), shape.experts_per_rank());
}

std::uint32_t drawn_ranks(const RoutingSpec& spec) {
  return spec.drawn_ranks == 0 ? spec.shape.ranks : spec.drawn_ranks;
}

void mask(std::span<ExpertChoice> choices, double fraction, Rng rng) {
  if (fraction <= 0.0) return;
  for (ExpertChoice& choice : choices)
    if (rng.uniform() < fraction) choice = kMasked;
}

// As DeepEP's low-latency test does it: a choice that is picked twice is masked once.
void mask_picks(std::span<ExpertChoice> choices, std::uint32_t picks, Rng rng) {
  if (choices.empty()) return;
  for (std::uint32_t i = 0; i < picks; ++i) choices[rng.below(choices.size())] = kMasked;
}

// The loop that all kinds share. `fill_rank(rank, rng)` prepares one rank and returns the function
// that fills one token.
template <typename FillRank>
Routing fill_tokens(const RoutingSpec& spec, const Rng& rng, FillRank fill_rank) {
  const std::size_t tokens = *spec.tokens_per_rank;
  const std::size_t top_k = spec.shape.top_k;
  const std::uint32_t drawn = drawn_ranks(spec);
  Choices choices(drawn * tokens * top_k);
  for (std::size_t rank = 0; rank < drawn; ++rank) {
    const Rng own = rng.stream(fmt::format("rank {}", rank));
    const auto all = std::span(choices).subspan(rank * tokens * top_k, tokens * top_k);
    Rng draws = own.stream("choices");
    auto fill_token = fill_rank(rank, draws);
    for (std::size_t token = 0; token < tokens; ++token)
      fill_token(all.subspan(token * top_k, top_k));
    mask(all, spec.masked_fraction, own.stream("mask"));
    mask_picks(all, spec.masked_picks, own.stream("masked picks"));
  }
  std::vector<std::uint32_t> tokens_of_rank(spec.shape.ranks, 0);
  std::fill_n(tokens_of_rank.begin(), drawn, *spec.tokens_per_rank);
  return Routing(spec.shape, tokens_of_rank, std::move(choices));
}

// Every token draws uniformly out of a pool that depends on its rank.
template <typename PoolOfRank>
Routing draw_from_pools(const RoutingSpec& spec, const Rng& rng, PoolOfRank pool_of_rank) {
  return fill_tokens(spec, rng, [&](std::size_t rank, Rng& draws) {
    return [&draws, sampler = UniformSampler(pool_of_rank(rank))](
               std::span<ExpertChoice> token) mutable { sampler.draw(draws, token); };
  });
}

void require_own_experts(const RoutingSpec& spec) {
  const RoutingShape& shape = spec.shape;
  if (shape.top_k > shape.experts_per_rank())
    fail(spec,
         fmt::format("top_k {} is more than the {} experts of one rank ({} experts / {} ranks)",
                     shape.top_k,
                     shape.experts_per_rank(),
                     shape.experts,
                     shape.ranks));
}

Routing make_random(const RoutingSpec& spec, const Rng& rng) {
  return draw_from_pools(
      spec, rng, [&](std::size_t) { return expert_block(0, spec.shape.experts); });
}

Routing make_local_random(const RoutingSpec& spec, const Rng& rng) {
  require_own_experts(spec);
  return draw_from_pools(
      spec, rng, [&](std::size_t rank) { return own_experts(spec.shape, rank); });
}

Routing make_local_same(const RoutingSpec& spec, const Rng& rng) {
  require_own_experts(spec);
  return fill_tokens(spec, rng, [&](std::size_t rank, Rng&) {
    return [first = own_experts(spec.shape, rank)](std::span<ExpertChoice> token) {
      std::copy_n(first.begin(), token.size(), token.begin());
    };
  });
}

Routing make_remote_random(const RoutingSpec& spec, const Rng& rng) {
  const RoutingShape& shape = spec.shape;
  if (shape.ranks == 1) fail(spec, "one rank has no other rank to send to");
  const std::uint32_t remote = shape.experts - shape.experts_per_rank();
  if (shape.top_k > remote)
    fail(spec,
         fmt::format("top_k {} is more than the {} experts of other ranks", shape.top_k, remote));
  return draw_from_pools(spec, rng, [&](std::size_t rank) {
    Choices pool = expert_block(0, shape.experts);
    const auto own = pool.begin() + static_cast<std::ptrdiff_t>(rank * shape.experts_per_rank());
    pool.erase(own, own + shape.experts_per_rank());
    return pool;
  });
}

Routing make_random_same(const RoutingSpec& spec, const Rng& rng) {
  Choices set(spec.shape.top_k);
  Rng draws = rng.stream("set");
  UniformSampler(expert_block(0, spec.shape.experts)).draw(draws, set);
  return fill_tokens(spec, rng, [&](std::size_t, Rng&) {
    return [&set](std::span<ExpertChoice> token) { std::ranges::copy(set, token.begin()); };
  });
}

// Zipf's law over a random order of popularity that all ranks share: the i-th most popular expert
// (i from 1) weighs 1 / i^alpha, and a token draws its experts one after the other, each with
// probability proportional to its weight among those it has not drawn. So alpha = 0 is `random`,
// and for top_k > 1 the load of the hottest expert saturates at one message a token.
Routing make_zipf(const RoutingSpec& spec, const Rng& rng) {
  Choices by_popularity = expert_block(0, spec.shape.experts);
  rng.stream("popularity").shuffle(std::span(by_popularity));
  std::vector<double> weights(spec.shape.experts);
  for (std::size_t i = 0; i < by_popularity.size(); ++i)
    weights[expert_of(by_popularity[i]).index()] =
        std::pow(static_cast<double>(i + 1), -spec.name.alpha);
  WeightedSampler sampler(weights);
  return fill_tokens(spec, rng, [&](std::size_t, Rng& draws) {
    return [&](std::span<ExpertChoice> token) { sampler.draw(draws, token); };
  });
}

// Deals numbers from `first` on, every one of them once before any comes again.
class Deck {
 public:
  Deck(std::size_t first, std::size_t count) : cards_(expert_block(first, count)), next_(count) {}

  // The next number for which `is_taken` is false: of a whole deck at least one must be free.
  template <typename IsTaken>
  ExpertChoice deal(Rng& rng, IsTaken is_taken) {
    if (next_ == cards_.size()) {
      rng.shuffle(std::span(cards_));
      next_ = 0;
    }
    const auto rest = cards_.begin() + static_cast<std::ptrdiff_t>(next_++);
    const auto free = std::find_if_not(rest, cards_.end(), is_taken);
    check(free != cards_.end(), "a deck holds a number that its token has not got");
    std::iter_swap(rest, free);
    return *rest;
  }

 private:
  Choices cards_;
  std::size_t next_;
};

// Every token goes to min(ranks, K) ranks, and to those as evenly as K allows. Ranks are dealt from
// a deck that each source shuffles for itself, and so are the experts of a rank: over all tokens of
// a source, any two ranks and any two experts are used equally often, or one of them once more.
Routing make_balanced(const RoutingSpec& spec, const Rng& rng) {
  const RoutingShape& shape = spec.shape;
  return fill_tokens(spec, rng, [&](std::size_t, Rng& draws) {
    std::vector<Deck> experts;
    for (std::size_t rank = 0; rank < shape.ranks; ++rank)
      experts.emplace_back(rank * shape.experts_per_rank(), shape.experts_per_rank());
    return
        [&draws, experts, ranks = Deck(0, shape.ranks), dealt = Choices(), per_rank = shape.ranks](
            std::span<ExpertChoice> token) mutable {
          for (std::size_t k = 0; k < token.size(); ++k) {
            if (k % per_rank == 0) dealt.clear();  // every rank has had its turn
            const auto in = [](const auto& taken) {
              return [&taken](ExpertChoice one) {
                return std::ranges::find(taken, one) != taken.end();
              };
            };
            dealt.push_back(ranks.deal(draws, in(dealt)));
            const auto chosen = token.first(k);
            token[k] = experts[static_cast<std::size_t>(dealt.back())].deal(draws, in(chosen));
          }
        };
  });
}

void require_groups(const RoutingSpec& spec) {
  const auto& [groups, limit] = spec.name.node_limit;
  if (spec.shape.experts % groups != 0)
    fail(
        spec,
        fmt::format("{} experts cannot be shared evenly by {} groups", spec.shape.experts, groups));
  const std::uint32_t reach = spec.shape.experts / groups * limit;
  if (spec.shape.top_k > reach)
    fail(spec,
         fmt::format(
             "top_k {} is more than the {} experts of {} groups", spec.shape.top_k, reach, limit));
}

// Group-limited gating on uniform scores: a token keeps the groups with the best single experts,
// as DeepEP's tests choose them, and takes the K best experts of those. In descending order of
// scores, which is a random order of all experts, the first LIMIT groups met are the groups kept.
Routing make_node_limited(const RoutingSpec& spec, const Rng& rng) {
  require_groups(spec);
  const auto& [groups, limit] = spec.name.node_limit;
  const auto experts_per_group = static_cast<ExpertChoice>(spec.shape.experts / groups);
  return fill_tokens(spec, rng, [&, experts_per_group](std::size_t, Rng& draws) {
    return [&draws,
            experts_per_group,
            limit = limit,
            kept = Choices(),
            order = expert_block(0, spec.shape.experts)](std::span<ExpertChoice> token) mutable {
      kept.clear();
      std::size_t drawn = 0;
      for (std::size_t k = 0; k < token.size();) {
        std::swap(order[drawn], order[drawn + draws.below(order.size() - drawn)]);
        const ExpertChoice expert = order[drawn++];
        const auto group = static_cast<ExpertChoice>(expert / experts_per_group);
        const bool is_kept = std::ranges::find(kept, group) != kept.end();
        if (!is_kept && kept.size() == limit) continue;
        if (!is_kept) kept.push_back(group);
        token[k++] = expert;
      }
    };
  });
}

Routing make_from_file(const RoutingSpec& spec, const Rng&) {
  if (spec.masked_fraction > 0.0)
    fail(spec, "a file says itself what is masked; leave the masked fraction out");
  if (spec.masked_picks > 0) fail(spec, "a file says itself what is masked; leave the picks out");
  const std::filesystem::path path = spec.folder / spec.name.path;  // an absolute path stays itself
  Routing routing = read_routing(path, spec.shape);
  if (!spec.tokens_per_rank) return routing;
  for (std::uint32_t rank = 0; rank < routing.rank_count(); ++rank)
    if (routing.token_count(RankId{rank}) != *spec.tokens_per_rank)
      throw InputError(path.string(),
                       fmt::format("/tokens/{}", rank),
                       fmt::format("expected {} tokens, as asked for, found {}",
                                   *spec.tokens_per_rank,
                                   routing.token_count(RankId{rank})));
  return routing;
}

constexpr std::array kRoutingKinds = {
    RoutingKind{"random", "", "K different experts of all, uniformly", &make_random, true},
    RoutingKind{"local-rand", "", "K different experts of the own rank", &make_local_random, true},
    RoutingKind{"local-same", "", "own experts 0 to K-1 for every token", &make_local_same, true},
    RoutingKind{"remote-rand", "", "K different experts of other ranks", &make_remote_random, true},
    RoutingKind{"random-same", "", "one random K-set for all tokens", &make_random_same},
    RoutingKind{"zipf", "ALPHA", "popularity falls as 1/i^ALPHA, in random order", &make_zipf},
    RoutingKind{
        "balanced", "", "min(ranks, K) ranks a token, all used evenly", &make_balanced, true},
    RoutingKind{"node-limited",
                "GROUPS:LIMIT",
                "K best of the LIMIT best of GROUPS groups of experts, such as hosts",
                &make_node_limited,
                true},
    RoutingKind{"file", "PATH", "read from an epsim.routing/1 file", &make_from_file},
};

void require_shape(const RoutingSpec& spec) {
  const auto& [ranks, experts, top_k] = spec.shape;
  if (ranks == 0) fail(spec, "expected at least one rank");
  if (experts == 0 || experts > kMostExperts)
    fail(spec, fmt::format("expected 1 to {} experts, found {}", kMostExperts, experts));
  if (experts % ranks != 0)
    fail(spec, fmt::format("{} experts cannot be shared evenly by {} ranks", experts, ranks));
  if (top_k == 0) fail(spec, "expected a top_k of at least 1");
  if (top_k > experts)
    fail(spec, fmt::format("top_k {} is more than the {} experts", top_k, experts));
}

}  // namespace

std::span<const RoutingKind> routing_kinds() {
  return kRoutingKinds;
}

const RoutingKind& kind_of(const RoutingName& name) {
  const auto kind = std::ranges::find(kRoutingKinds, name.kind, &RoutingKind::name);
  check(kind != kRoutingKinds.end(), "the routing kind is one of the table");
  return *kind;
}

Routing make_routing(const RoutingSpec& spec, const Rng& rng) {
  require_shape(spec);
  if (!(spec.masked_fraction >= 0.0 && spec.masked_fraction <= 1.0))
    fail(spec,
         fmt::format("expected a masked fraction from 0 to 1, found {}", spec.masked_fraction));
  if (!spec.tokens_per_rank && spec.name.kind != "file")
    fail(spec, "expected a number of tokens per rank");
  check(drawn_ranks(spec) <= spec.shape.ranks, "ranks that are drawn are ranks of the shape");
  const std::uint64_t choices_of_token_row = std::uint64_t{drawn_ranks(spec)} * spec.shape.top_k;
  if (spec.tokens_per_rank.value_or(0) > kMostChoices / choices_of_token_row)
    fail(spec,
         fmt::format(
             "{} tokens per rank make more than {} choices", *spec.tokens_per_rank, kMostChoices));
  const RoutingKind& kind = kind_of(spec.name);
  check(spec.drawn_ranks == 0 || kind.ranks_are_alike, "a rank stands for others that are alike");
  return kind.make(spec, rng);
}

}  // namespace epsim
