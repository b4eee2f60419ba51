// StepStage: the part of a layer that a task belongs to, in a modelled step and in a traced one.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace epsim {

// The shared experts need no exchange: schedules put them where they hide one.
enum class StepStage : std::uint8_t { attention, gate, dispatch, experts, combine, shared };
inline constexpr std::array<std::string_view, 6> kStepStageNames = {
    "attention", "gate", "dispatch", "experts", "combine", "shared"};

}  // namespace epsim
