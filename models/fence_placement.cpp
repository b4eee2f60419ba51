#include "models/fence_placement.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "models/fence_sites.hpp"

namespace epsim {
namespace {

std::string_view name_of(FencePlacement placement) {
  return kFencePlacementNames[static_cast<std::size_t>(placement)];
}

bool is_pair(FenceSpace space) {
  return space == FenceSpace::both_and_shared_cta || space == FenceSpace::global_and_shared_cta;
}

Scope read_scope(const JsonValue& value, FencePlacement placement) {
  const std::vector<std::string_view> names(kScopeNames.begin(), kScopeNames.end());
  const auto scope = static_cast<Scope>(value.one_of(names));
  if (placement != FencePlacement::P5)
    value.fail(fmt::format("only P5 has a thread fence, and with it a scope; fence is {}",
                           name_of(placement)));
  return scope;
}

FenceSpace read_space(const JsonValue& value, FencePlacement placement, const FenceRules& rules) {
  const std::vector<std::string_view> names(kFenceSpaceNames.begin() + 1, kFenceSpaceNames.end());
  const auto space = static_cast<FenceSpace>(value.one_of(names) + 1);
  const FenceSpace own = own_space(placement);
  if (own == FenceSpace::own)
    value.fail(fmt::format("{} has no proxy fence, and so no state space", name_of(placement)));
  if (space == own) return FenceSpace::own;
  if (placement == FencePlacement::P3g || placement == FencePlacement::P3s)
    value.fail(fmt::format("{} is P3 with {}; set fence to P3",
                           name_of(placement),
                           kFenceSpaceNames[static_cast<std::size_t>(own)]));
  if (is_pair(space) && placement != FencePlacement::P1b_P4)
    value.fail(fmt::format("two spaces are of P1b+P4 alone; fence is {}", name_of(placement)));
  if (space == FenceSpace::shared_cta && !rules.in_shared_memory)
    value.fail(fmt::format("shared::cta means nothing here: {}", rules.otherwise));
  return space;
}

}  // namespace

FenceSpace own_space(FencePlacement placement) {
  switch (placement) {
    case FencePlacement::P1:
    case FencePlacement::P1b:
    case FencePlacement::P2:
    case FencePlacement::P3:
      return FenceSpace::both;
    case FencePlacement::P3g:
      return FenceSpace::global;
    case FencePlacement::P3s:
    case FencePlacement::P4:
      return FenceSpace::shared_cta;
    case FencePlacement::P1b_P4:
      return FenceSpace::both_and_shared_cta;
    case FencePlacement::P0:
    case FencePlacement::P5:
    case FencePlacement::P6:
    case FencePlacement::P7:
      break;
  }
  return FenceSpace::own;
}

FencePlacement read_fence_placement(const JsonValue& value) {
  constexpr std::array kAliases = {
      std::pair{"none", FencePlacement::P0},
      std::pair{"proxy_async_once", FencePlacement::P1b},
      std::pair{"proxy_async_per_load", FencePlacement::P3},
      std::pair{"threadfence_system_per_load", FencePlacement::P5},
  };
  std::vector<std::string_view> words(kFencePlacementNames.begin(), kFencePlacementNames.end());
  for (const auto& [alias, ignored] : kAliases) words.emplace_back(alias);
  const std::size_t found = value.one_of(words);
  if (found < kFencePlacementNames.size()) return static_cast<FencePlacement>(found);
  return kAliases[found - kFencePlacementNames.size()].second;
}

FenceChoice read_fence_choice(JsonObject& object, const FenceRules& rules) {
  FenceChoice choice;
  if (const auto fence = object.optional("fence")) {
    choice.placement = read_fence_placement(*fence);
    if (std::find(rules.placements.begin(), rules.placements.end(), choice.placement) ==
        rules.placements.end())
      fence->fail(
          fmt::format("{} means nothing here: {}", name_of(choice.placement), rules.otherwise));
  }
  if (const auto scope = object.optional("fence_scope"))
    choice.form.scope = read_scope(*scope, choice.placement);
  if (const auto space = object.optional("fence_space"))
    choice.form.space = read_space(*space, choice.placement, rules);
  return choice;
}

void write_fence_choice(const FenceChoice& choice, JsonWriter& writer) {
  const FenceSpace own = own_space(choice.placement);
  const FenceSpace space = choice.form.space == FenceSpace::own ? own : choice.form.space;
  writer.field("fence", name_of(choice.placement));
  if (choice.placement == FencePlacement::P5)
    writer.field("fence_scope", kScopeNames[static_cast<std::size_t>(choice.form.scope)]);
  if (own != FenceSpace::own)
    writer.field("fence_space", kFenceSpaceNames[static_cast<std::size_t>(space)]);
}

std::string to_text(const FenceChoice& choice) {
  std::string text(name_of(choice.placement));
  if (choice.placement == FencePlacement::P5 && choice.form.scope == Scope::cluster)
    return text + " (acq_rel.cluster, taken to cost what acq_rel.gpu does)";
  if (choice.placement == FencePlacement::P5 && choice.form.scope != Scope::sys)
    return fmt::format(
        "{} (acq_rel.{})", text, kScopeNames[static_cast<std::size_t>(choice.form.scope)]);
  if (choice.form.space == FenceSpace::own) return text;
  return fmt::format(
      "{} (state space {})", text, kFenceSpaceNames[static_cast<std::size_t>(choice.form.space)]);
}

}  // namespace epsim
