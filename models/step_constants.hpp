// step_constants: what plan_step and clock_under_load know of a system: how kernels that share a
// GPU slow each other down. `epsim calibrate step` derives some from M2, M4, M23 and M24; the
// others were read off or set against recorded steps. The file's sources say which.
#pragma once

#include <span>
#include <string_view>

#include "models/constants.hpp"
#include "sim/base/json.hpp"

namespace epsim {

[[nodiscard]] std::span<const ConstantSpec> step_constants();

// Of an epsim.step_constants/1 file. Throws InputError.
[[nodiscard]] ConstantSet read_step_constants(const JsonDocument& document);
// `name_or_path`: a name of the embedded table ("hgx-h200") or a file.
[[nodiscard]] ConstantSet load_step_constants(std::string_view name_or_path);

}  // namespace epsim
