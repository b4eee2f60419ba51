// KinetoFields: what one event of a PyTorch profiler dump says, as text, before it is known which
// fields the event must have. Numbers may stand in quotes, triples may be arrays or text.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace epsim {

// Views into the event's text; empty where the event has no such field.
struct KinetoFields {
  std::string_view phase, category, name, process, thread, start, time;
  bool has_args = false;
  // Under "args".
  std::string_view device, stream, correlation, graph_node, bytes, registers, shared_memory;
  std::string_view grid, block;  // from their first sign on, to the end of the event
  std::string_view synchronisation, waited_stream, waited_record;
};

// A string without its quotes and without the blanks around it; any other value as it stands.
[[nodiscard]] std::string_view bare_text(std::string_view token);

// An integer, in quotes or not, perhaps with a fraction of zero. Nothing for anything else.
[[nodiscard]] std::optional<std::int64_t> read_integer(std::string_view token);

// The number at the end of a text such as "stream 7".
[[nodiscard]] std::optional<std::int64_t> read_last_integer(std::string_view token);

// `[2, 66, 1]`, `["2", "66", "1"]` or `"(2, 66, 1)"`; what is not told is 0, and so is what no GPU
// can have.
[[nodiscard]] std::array<std::uint32_t, 3> read_triple(std::string_view text);

}  // namespace epsim
