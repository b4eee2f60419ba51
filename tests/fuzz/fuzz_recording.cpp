// Any bytes as a recording of ours.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "sim/base/input_error.hpp"
#include "tests/fuzz/sound_trace.hpp"
#include "traces/recording_reader.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    epsim::expect_sound(epsim::parse_recording(
        std::string_view(reinterpret_cast<const char*>(data), size), "fuzz"));
  } catch (const epsim::InputError&) {
    // The right answer to most bytes.
  }
  return 0;
}
