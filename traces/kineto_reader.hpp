// kineto_reader: PyTorch profiler dumps (Kineto's JSON, plain or gzip), of PyTorch 1.8 to 2.11,
// CUDA and HIP, read as a stream: memory grows with what a GpuTrace keeps, not with the file.
//
// Operators, Python frames, flows and counters are read past. A dump that ends in the middle, as a
// killed profiler leaves it, gives what is whole, with a warning that names the byte.
#pragma once

#include <string>
#include <string_view>

#include "traces/byte_stream.hpp"
#include "traces/gpu_trace.hpp"

namespace epsim {

// Throws InputError with file and byte where this is no such dump, where gzip data are damaged, and
// where nothing ran on a GPU.
[[nodiscard]] GpuTrace read_kineto(const std::string& path);

// The same from a stream of which nothing was read yet.
[[nodiscard]] GpuTrace read_kineto(ByteStream stream);

// The same from bytes in memory; `name` stands in messages where the path would.
[[nodiscard]] GpuTrace parse_kineto(std::string_view bytes, const std::string& name);

}  // namespace epsim
