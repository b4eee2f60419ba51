#include "sim/capacity/expert_slots.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <string_view>

#include <fmt/format.h>

#include "sim/base/input_error.hpp"
#include "sim/base/rng.hpp"
#include "traces/routing_generators.hpp"

namespace epsim {
namespace {

constexpr std::string_view kWhere = "--routing";
// Tokens drawn: 2^16 leave the share of a mean expert of 256, at eight choices, known to 2 %.
constexpr std::uint32_t kTokens = 65'536;
// Kinds whose experts are all equally likely.
constexpr std::array<std::string_view, 3> kEvenKinds = {"random", "balanced", "node-limited"};

RoutingName parse_name(std::string_view text) {
  try {
    return parse_routing_name(text);
  } catch (const std::invalid_argument& error) {
    throw InputError(kWhere, "", error.what());
  }
}

bool is_even(const RoutingName& name) {
  return std::ranges::find(kEvenKinds, name.kind) != kEvenKinds.end() ||
         (name.kind == "zipf" && name.alpha == 0);
}

ExpertShares read_shares(const CapacityQuestion& question, const std::string& path) {
  const Routing routing = read_routing(path);
  if (routing.expert_count() != question.model.experts)
    throw InputError(path,
                     "/experts",
                     fmt::format("expected the {} experts of {}, found {}",
                                 question.model.experts,
                                 question.model.name,
                                 routing.expert_count()));
  for (std::uint32_t r = 0; r < routing.rank_count(); ++r)
    if (std::ranges::any_of(routing.choices(RankId{r}),
                            [](ExpertChoice choice) { return choice != kMasked; }))
      return shares_of(routing);
  throw InputError(path, "", "expected a token that goes to an expert, found none");
}

}  // namespace

ExpertShares expert_shares(const CapacityQuestion& question) {
  const RoutingName name = parse_name(question.routing);
  if (name.kind == "file") return read_shares(question, name.path);
  const std::int64_t groups = name.node_limit.groups;
  if (name.kind == "node-limited" && question.model.experts % groups != 0)
    throw InputError(kWhere,
                     "",
                     fmt::format("expected groups that divide the {} experts of {}, found {}",
                                 question.model.experts,
                                 question.model.name,
                                 groups));
  if (is_even(name)) return even_shares(question.model.experts);
  if (name.kind != "zipf")
    throw InputError(kWhere,
                     "",
                     fmt::format("\"{}\" does not say how busy each expert is; expected random, "
                                 "balanced, node-limited:GROUPS:LIMIT, zipf:ALPHA or file:PATH",
                                 question.routing));
  const RoutingShape shape{.ranks = 1,
                           .experts = static_cast<std::uint32_t>(question.model.experts),
                           .top_k = static_cast<std::uint32_t>(question.model.top_k)};
  return shares_of(make_routing({.name = name, .shape = shape, .tokens_per_rank = kTokens},
                                Rng(question.seed).stream("routing")));
}

bool is_uneven(const ExpertShares& shares) {
  const auto [least, most] = std::ranges::minmax(shares);
  return most > least * (1 + 1e-9);
}

}  // namespace epsim
