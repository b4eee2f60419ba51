// SARIF: hazards as code hosts read them (Static Analysis Results Interchange Format 2.1.0): a rule
// a kind of hazard, a result a finding, at the line of the scenario or protocol that asks for it.
#pragma once

#include <filesystem>
#include <span>
#include <string>

#include "sim/hazards/checked_file.hpp"

namespace epsim {

// A path as an artifact's URI: relative to `root` with forward slashes where it lies below, else
// absolute as file://. What a URI does not allow is percent-encoded.
[[nodiscard]] std::string artifact_uri(const std::filesystem::path& path,
                                       const std::filesystem::path& root);

// A number that stays the same while a finding does: of its kind, program, operations and place,
// without the counts in them. 16 hexadecimal digits.
[[nodiscard]] std::string finding_fingerprint(const std::string& uri,
                                              const HazardReport& report,
                                              const Finding& finding);

// `root` is the folder that the code host takes paths from.
[[nodiscard]] std::string sarif_text(std::span<const CheckedFile> files,
                                     const std::filesystem::path& root);

}  // namespace epsim
