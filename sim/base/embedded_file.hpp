// EmbeddedFile: a preset, calibration or table that travels inside the binary, so that epsim runs
// from any folder. cmake/EmbedFiles.cmake writes the tables from the files in the repository.
#pragma once

#include <span>
#include <string_view>

namespace epsim {

struct EmbeddedFile {
  std::string_view name;  // file name without folder and ending: "hgx-h200"
  std::string_view text;  // the file, byte for byte
};

namespace embedded {
std::span<const EmbeddedFile> topology_presets();
std::span<const EmbeddedFile> calibrations();
std::span<const EmbeddedFile> readings();
std::span<const EmbeddedFile> kernel_classes();
std::span<const EmbeddedFile> model_presets();
std::span<const EmbeddedFile> step_constants();
std::span<const EmbeddedFile> page_parts();
std::span<const EmbeddedFile> page_libraries();
}  // namespace embedded

}  // namespace epsim
