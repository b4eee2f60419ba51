// Fence placement: where the receive side of an exchange puts fences, and of which form. What a
// scenario asks for; models/fence_sites.hpp says which fences that makes.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "models/plan.hpp"
#include "sim/base/json.hpp"
#include "sim/base/json_writer.hpp"

namespace epsim {

// None is P0. Each closes other edges (docs/fences.md).
enum class FencePlacement : std::uint8_t { P0, P1, P1b, P2, P3, P3g, P3s, P4, P5, P6, P7, P1b_P4 };
inline constexpr std::array<std::string_view, 12> kFencePlacementNames = {
    "P0", "P1", "P1b", "P2", "P3", "P3g", "P3s", "P4", "P5", "P6", "P7", "P1b+P4"};

// State space of proxy fences. The last two are of P1b+P4: one for P1b's, one for P4's.
enum class FenceSpace : std::uint8_t {
  own,  // that of the placement's name
  both,
  global,
  shared_cta,
  both_and_shared_cta,
  global_and_shared_cta
};
inline constexpr std::array<std::string_view, 6> kFenceSpaceNames = {
    "own", "both", "global", "shared::cta", "both+shared::cta", "global+shared::cta"};

// What a placement's fences are, where its name leaves a choice.
struct FenceForm {
  Scope scope = Scope::sys;
  FenceSpace space = FenceSpace::own;
  bool operator==(const FenceForm&) const = default;
};

struct FenceChoice {
  FencePlacement placement = FencePlacement::P0;
  FenceForm form;
  bool operator==(const FenceChoice&) const = default;
};

// The space that a placement's proxy fences have by its name; own if it has no proxy fence.
[[nodiscard]] FenceSpace own_space(FencePlacement placement);

// Reads P0 ... P7, P1b+P4, or the names that observations use: none, proxy_async_once (P1b),
// proxy_async_per_load (P3), threadfence_system_per_load (P5).
[[nodiscard]] FencePlacement read_fence_placement(const JsonValue& value);

// What an operation of a kernel family has room for.
struct FenceRules {
  std::span<const FencePlacement> placements;
  bool in_shared_memory = true;  // a fence of shared memory alone orders something
  std::string_view otherwise;    // why other placements and spaces mean nothing
};
// Reads the keys fence, fence_scope and fence_space of `object`. What the rules leave out, and a
// scope or a space that means nothing with the placement, is an InputError.
[[nodiscard]] FenceChoice read_fence_choice(JsonObject& object, const FenceRules& rules);
void write_fence_choice(const FenceChoice& choice, JsonWriter& writer);

// "P3", "P3 (proxy.async.global)", "P5 (acq_rel.gpu)": the form where it is not the usual one.
[[nodiscard]] std::string to_text(const FenceChoice& choice);

}  // namespace epsim
