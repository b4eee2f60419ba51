// RoutingName: the word that a scenario or an observation gives a routing, such as "zipf:0.6".
#pragma once

#include <string>
#include <string_view>

#include "sim/base/json.hpp"

namespace epsim {

struct RoutingName {
  std::string kind = "random";  // a name of routing_kinds(), traces/routing_generators.hpp
  double alpha = 0.0;           // of zipf
  std::string path;             // of file
  bool operator==(const RoutingName&) const = default;
};

// Throws std::invalid_argument with a sentence for the reader of the terminal.
[[nodiscard]] RoutingName parse_routing_name(std::string_view text);
// The same as an InputError at the value's place.
[[nodiscard]] RoutingName read_routing_name(const JsonValue& value);
// Text that parses back to the same name.
[[nodiscard]] std::string to_text(const RoutingName& name);

}  // namespace epsim
