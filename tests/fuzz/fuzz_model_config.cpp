// Any bytes as a model's config.json, and what is counted of the model.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "models/model_description.hpp"
#include "sim/base/input_error.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const epsim::ModelDescription model =
        epsim::read_model_config(epsim::JsonDocument::parse(text, "fuzz"));
    if (!(epsim::total_weights(model) > 0)) __builtin_trap();
    if (!(epsim::cache_bytes(model, 1'000'000, 8) >= 0)) __builtin_trap();
    if (!(epsim::attended_keys(model, 1'000'000) >= 0)) __builtin_trap();
  } catch (const epsim::InputError&) {
    // The right answer to most bytes.
  }
  return 0;
}
