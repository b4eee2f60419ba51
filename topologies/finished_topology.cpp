#include "topologies/finished_topology.hpp"

#include <algorithm>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "sim/base/edit_distance.hpp"
#include "sim/base/input_error.hpp"

namespace epsim {
namespace {

// More are a slip of the pen, and would take hours of looking for routes.
constexpr std::size_t kMostLinks = 262'144;

std::string name_of_link(const TopologyParts& parts, const Link& link) {
  return parts.nodes[link.source.index()].name + "->" + parts.nodes[link.target.index()].name;
}

using Ends = std::pair<NodeId, NodeId>;  // the lower id first

Ends ends_of(const Link& link) {
  return std::minmax(link.source, link.target);
}

Ends find_link(const JsonValue& wanted, const TopologyParts& parts) {
  const std::string name = wanted.string();
  for (const Link& link : parts.links)
    if (name_of_link(parts, link) == name) return ends_of(link);
  if (parts.links.empty()) wanted.fail("there are no links");
  if (name.size() > 200 || name.find("->") == std::string::npos)
    wanted.fail_expected(fmt::format("a link by the names of its ends, such as \"{}\"",
                                     name_of_link(parts, parts.links.back())));
  std::string nearest;
  std::size_t least = std::numeric_limits<std::size_t>::max();
  for (const Link& link : parts.links) {
    std::string known = name_of_link(parts, link);
    const std::size_t distance = edit_distance(known, name);
    if (distance >= least) continue;
    least = distance;
    nearest = std::move(known);
  }
  wanted.fail(fmt::format("there is no link \"{}\"; did you mean \"{}\"?", name, nearest));
}

void remove_links(const JsonValue& failed, TopologyParts& parts) {
  std::set<Ends> gone;
  for (const JsonValue& name : failed.array()) gone.insert(find_link(name, parts));
  std::erase_if(parts.links, [&](const Link& link) { return gone.contains(ends_of(link)); });
}

}  // namespace

Topology finished_topology(TopologySpec& spec, TopologyParts parts) {
  const std::optional<JsonValue> failed = spec.optional_parameter("failed_links");
  spec.finish();
  if (parts.links.size() > kMostLinks)
    throw InputError(
        parts.file,
        "",
        fmt::format("expected at most {} links, found {}", kMostLinks, parts.links.size()));
  if (failed) {
    remove_links(*failed, parts);
    // What is missing is to be looked for where links were taken away.
    if (!failed->array().empty()) parts.file = failed->file() + ": " + failed->place();
  }
  return Topology(std::move(parts));
}

}  // namespace epsim
