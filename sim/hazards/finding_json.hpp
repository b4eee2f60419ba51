// Finding JSON: hazards for a program to read, as epsim.hazards/1.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "sim/base/json_writer.hpp"
#include "sim/hazards/checked_file.hpp"

namespace epsim {

void write_finding(const Finding& finding, std::string_view pointer, JsonWriter& writer);

[[nodiscard]] std::string hazards_json(std::span<const CheckedFile> files);

}  // namespace epsim
