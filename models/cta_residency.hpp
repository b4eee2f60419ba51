// CTA residency: how many blocks of a recorded kernel one SM holds at a time, and how many of them
// launch together as a cluster.
#pragma once

#include <cstdint>
#include <string_view>

#include "traces/gpu_trace.hpp"

namespace epsim {

// Blocks that one SM holds by registers, warps and shared memory; at least 1. Of Hopper and
// Blackwell data-centre GPUs, whose limits are the same.
[[nodiscard]] std::uint16_t ctas_per_sm(const GpuActivity& kernel);

// Blocks of a cluster, as far as a kernel's name or its library's known launch tells; else 1.
[[nodiscard]] std::uint16_t cluster_size(std::string_view kernel_name, std::uint64_t block_count);

// A cooperative launch, as far as its library's known launch tells: all blocks run at once, or
// none.
[[nodiscard]] bool starts_whole(std::string_view kernel_name);

}  // namespace epsim
