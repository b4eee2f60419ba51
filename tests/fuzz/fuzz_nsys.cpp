// Any bytes as an Nsight Systems export.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "sim/base/input_error.hpp"
#include "tests/fuzz/sound_trace.hpp"
#include "traces/nsys_reader.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    epsim::expect_sound(
        epsim::parse_nsys(std::string_view(reinterpret_cast<const char*>(data), size), "fuzz"));
  } catch (const epsim::InputError&) {
    // The right answer to most bytes.
  }
  return 0;
}
