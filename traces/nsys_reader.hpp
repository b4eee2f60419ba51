// nsys_reader: Nsight Systems' SQLite exports (`nsys export --type sqlite`), schemas 2.x and 3.x,
// plain or in gzip.
//
// Exports differ by version and by what was recorded: a table or column that is not there is empty.
// What ran on a GPU, the host calls that launch and order it, waits between streams and NVTX ranges
// are read; the rest (samples, OS calls, other APIs) is read past. `epoch_ns` is Unix time where
// the export tells when the session began, or else counts from there.
#pragma once

#include <string>
#include <string_view>

#include "traces/gpu_trace.hpp"

namespace epsim {

// Processes and contexts that use one number for different GPUs or streams are kept apart: the
// first keeps its number, and a warning tells the others'. Throws InputError that names the file,
// and the tables that it has where those of CUDA are missing.
[[nodiscard]] GpuTrace read_nsys(const std::string& path);

// The same from bytes of a database; `name` stands for the file in messages.
[[nodiscard]] GpuTrace parse_nsys(std::string_view bytes, const std::string& name);

}  // namespace epsim
