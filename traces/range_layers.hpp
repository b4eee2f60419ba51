// Range layers: which layer of a model each activity belongs to, where the host's ranges say so:
// "layers.7", "DecoderLayer_7", "layer 7".
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "traces/gpu_trace.hpp"

namespace epsim {

// The number behind the last "layer" or "layers" of a name.
[[nodiscard]] std::optional<std::int32_t> layer_number(std::string_view name);

// One an activity: that of the innermost such range in which the host launched it, else -1. Empty
// where no range names a layer.
[[nodiscard]] std::vector<std::int32_t> range_layers(const GpuTrace& trace);

}  // namespace epsim
