// gemm_tiles: how many output tiles a recorded GEMM had. A persistent GEMM works in rounds of as
// many tiles as it has CTAs; beside communication it has fewer CTAs and needs more rounds, and how
// many more is a matter of whole rounds. A dump tells neither the shape nor the tiles, but the
// kernel's name tells a tile's size, and the elementwise kernel behind it how many elements the
// GEMM wrote. Where no such kernel follows, GEMMs of the same place in the layer tell how long an
// element takes.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "models/gpu_step.hpp"

namespace epsim {

// Elements of the output that a tile holds, read from a kernel's name ("..._256x128_64x4_...").
[[nodiscard]] std::optional<std::uint64_t> tile_elements(std::string_view kernel_name);

// Elements that an elementwise kernel of PyTorch writes, from its name and launch.
[[nodiscard]] std::optional<std::uint64_t> elementwise_elements(std::string_view kernel_name,
                                                                std::uint32_t cta_count);

// Fills tile_count of the step's persistent kernels as far as names and times tell; returns how
// many were told by what follows, and how many by their likes.
struct TileEvidence {
  std::uint32_t told = 0, alike = 0, unknown = 0;
};
TileEvidence find_tiles(GpuStep& step);

}  // namespace epsim
