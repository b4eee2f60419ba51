#include "calibrate/observed_traffic.hpp"

#include <stdexcept>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "sim/base/input_error.hpp"
#include "traces/routing_generators.hpp"

namespace epsim {
namespace {

constexpr std::string_view kLimitedByHost = "node-limited:HOSTS:";

// What a family means by "random", on as many hosts as the observation fills: a limit that all of
// them keep is none.
std::string random_routing(const Observation& observation, const FamilyKind& kind) {
  if (!kind.random_means.starts_with(kLimitedByHost)) return std::string(kind.random_means);
  const std::string limit(kind.random_means.substr(kLimitedByHost.size()));
  const std::uint32_t node = observation.gpus_per_node;
  const std::uint32_t hosts = node == 0 ? 1 : (observation.ranks + node - 1) / node;
  if (hosts <= static_cast<std::uint32_t>(std::stoul(limit))) return "random";
  return fmt::format("node-limited:{}:{}", hosts, limit);
}

// (token, group) pairs with a choice in the group, where groups are runs of that many ranks.
std::uint64_t pairs_with_groups(const Routing& routing, std::uint32_t ranks_per_group) {
  const std::uint32_t experts_per_group = routing.shape().experts_per_rank() * ranks_per_group;
  const std::uint32_t groups = (routing.rank_count() + ranks_per_group - 1) / ranks_per_group;
  std::uint64_t pairs = 0;
  std::vector<std::uint64_t> last_token(groups, 0);  // that was counted; tokens count from 1
  std::uint64_t token = 0;
  for (std::uint32_t rank = 0; rank < routing.rank_count(); ++rank)
    for (std::uint32_t i = 0; i < routing.token_count(RankId{rank}); ++i) {
      ++token;
      for (const ExpertChoice choice : routing.choices(RankId{rank}, i)) {
        if (choice == kMasked) continue;
        std::uint64_t& last = last_token[expert_of(choice).value / experts_per_group];
        if (last != token) ++pairs;
        last = token;
      }
    }
  return pairs;
}

// Values and scales, without the header of a message: what normal kernels' sources count.
double row_bytes(const Observation& observation) {
  const auto hidden = static_cast<double>(observation.hidden);
  if (observation.op == MoeOperation::combine || observation.dispatch_format != DispatchFormat::fp8)
    return 2 * hidden;
  return hidden + hidden / 128 * 4;
}

double message_bytes(const Observation& observation) {
  return static_cast<double>(
      (observation.op == MoeOperation::dispatch
           ? dispatch_message(observation.hidden, observation.dispatch_format)
           : combine_message(observation.hidden, observation.combine_format))
          .count);
}

}  // namespace

Routing routing_of(const Observation& observation,
                   const ObservationSet& set,
                   const FamilyKind& kind) {
  RoutingSpec spec;
  spec.where = fmt::format("{}: {}", set.file, observation.id);
  spec.folder = set.folder;
  spec.shape = {
      .ranks = observation.ranks, .experts = observation.experts, .top_k = observation.top_k};
  spec.tokens_per_rank = observation.tokens;
  try {
    spec.name = parse_routing_name(
        observation.routing == "random" ? random_routing(observation, kind) : observation.routing);
  } catch (const std::invalid_argument& error) {
    throw InputError(set.file, observation.id, error.what());
  }
  if (spec.name.kind != "file") spec.masked_picks = kind.masked_picks;  // a file says its own
  return make_routing(spec, Rng(observation.seed).stream("routing"));
}

std::optional<double> stated_bytes(const Observation& observation,
                                   const ObservationSet& set,
                                   const FamilyKind& kind) {
  if (observation.hidden % 128 != 0)
    throw InputError(set.file, observation.id, "hidden is not a multiple of 128 channels");
  if (kind.takes_split)
    return static_cast<double>(observation.tokens) * observation.top_k * message_bytes(observation);
  if (!kind.takes_sms) return std::nullopt;
  const std::uint32_t node = observation.gpus_per_node;
  const bool is_one_node = node == 0 || observation.ranks <= node;
  const Routing routing = routing_of(observation, set, kind);
  const auto rows = static_cast<double>(pairs_with_groups(routing, is_one_node ? 1 : node));
  return rows / observation.ranks * row_bytes(observation);
}

}  // namespace epsim
