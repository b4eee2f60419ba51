// Rank rates of a plan: what every family takes from the hardware constants in the same way.
#pragma once

#include "models/constants.hpp"
#include "models/plan.hpp"
#include "models/workload.hpp"

namespace epsim {

// The part of `footprint` bytes, streamed through once, that L2 holds.
[[nodiscard]] double l2_part(const ConstantSet& hardware, const GpuSpec& gpu, Bytes footprint);

// Rate at which a phase that streams through `footprint` bytes reads and writes memory: what fits
// into L2's usable share at L2's rate, the rest at HBM's.
[[nodiscard]] Bandwidth memory_rate(const ConstantSet& hardware,
                                    const GpuSpec& gpu,
                                    Bytes footprint);

// The same for a phase that brings rows in by bulk loads and writes little.
[[nodiscard]] Bandwidth read_rate(const ConstantSet& hardware, const GpuSpec& gpu, Bytes footprint);

// Memory counts as HBM unless a family knows its footprint. Link efficiency is that of a single
// sender; a family scales it for its own access pattern.
[[nodiscard]] RankRates hardware_rates(const ConstantSet& hardware, const Workload& workload);

}  // namespace epsim
