// Routing generators: from a name such as "zipf:0.6" and a seed to a Routing.
//
// The plug-in point is one table, kRoutingKinds in the source file: adding a kind is a function
// that makes a Routing, a row there, and a test of what defines it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "sim/base/rng.hpp"
#include "traces/routing.hpp"
#include "traces/routing_name.hpp"

namespace epsim {

struct RoutingSpec {
  RoutingName name = {};
  RoutingShape shape = {};
  // Needed by every kind but `file`, where it is what the file must hold, if given.
  std::optional<std::uint32_t> tokens_per_rank = std::nullopt;
  double masked_fraction = 0.0;  // chance of each single choice to be masked
  // The first so many ranks have tokens and stand for the others, which get none; 0: all have.
  std::uint32_t drawn_ranks = 0;
  std::uint32_t masked_picks = 0;     // choices of each rank to mask, drawn with replacement
  std::filesystem::path folder = {};  // where a relative file:PATH starts
  std::string where = "routing";      // what messages begin with: the file that asked
};

struct RoutingKind {
  std::string_view name;         // "zipf"
  std::string_view argument;     // "ALPHA" in "zipf:ALPHA", or empty
  std::string_view description;  // one line for `epsim list routings`
  Routing (*make)(const RoutingSpec& spec, const Rng& rng);
  // No rank and no host differs from another but by chance and its number, so that one host may
  // stand for all.
  bool ranks_are_alike = false;
};

[[nodiscard]] std::span<const RoutingKind> routing_kinds();
[[nodiscard]] const RoutingKind& kind_of(const RoutingName& name);

// Every rank draws from its own stream of `rng`, and masks from another, so that a larger batch
// begins with the smaller one, and masking changes no choice that it leaves. Where a kind speaks of
// a rank's own experts, rank r owns the r-th block of experts/ranks. Throws InputError.
[[nodiscard]] Routing make_routing(const RoutingSpec& spec, const Rng& rng);

}  // namespace epsim
