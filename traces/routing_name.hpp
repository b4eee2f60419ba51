// RoutingName: the word that a scenario or an observation gives a routing, such as "zipf:0.6".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "sim/base/json.hpp"

namespace epsim {

// Of node-limited: experts stand in `groups` groups of equal size, in order of their ids, so that a
// group is a host where there are as many hosts as groups; a token goes to at most `limit` of them.
struct NodeLimit {
  std::uint32_t groups = 0;
  std::uint32_t limit = 0;
  bool operator==(const NodeLimit&) const = default;
};

struct RoutingName {
  std::string kind = "random";  // a name of routing_kinds(), traces/routing_generators.hpp
  double alpha = 0.0;           // of zipf
  std::string path;             // of file
  NodeLimit node_limit = {};    // of node-limited
  bool operator==(const RoutingName&) const = default;
};

// Throws std::invalid_argument with a sentence for the reader of the terminal.
[[nodiscard]] RoutingName parse_routing_name(std::string_view text);
// The same as an InputError at the value's place.
[[nodiscard]] RoutingName read_routing_name(const JsonValue& value);
// Text that parses back to the same name.
[[nodiscard]] std::string to_text(const RoutingName& name);

}  // namespace epsim
