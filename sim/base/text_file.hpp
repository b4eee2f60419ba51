// Text files: read whole (gzip or plain, told apart by their first bytes) and replaced whole.
//
// A result is written to a temporary file beside its target and renamed, so that nobody ever sees
// half of it. The door to zlib, beside the one for
// streams (traces/byte_stream).
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "sim/base/units.hpp"

namespace epsim {

inline constexpr Bytes kLargestInput{512LL << 20};  // after decompression

// Throws InputError when the file is missing, truncated, damaged or larger than `limit`.
[[nodiscard]] std::string read_text_file(const std::filesystem::path& path,
                                         Bytes limit = kLargestInput);

// Writes `text`, gzip'd when the name ends in ".gz". Throws std::system_error when the disk says
// no; the old file, if any, is then still whole.
void replace_text_file(const std::filesystem::path& path, std::string_view text);

}  // namespace epsim
