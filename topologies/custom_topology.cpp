// custom: nodes and links listed one by one, for a machine that no builder knows.
#include <functional>
#include <map>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "topologies/finished_topology.hpp"
#include "topologies/registry.hpp"

namespace epsim {
namespace {

using NodesByName = std::map<std::string, NodeId, std::less<>>;

template <typename Names>
std::size_t index_in(const Names& names, const JsonValue& value) {
  return value.one_of({names.begin(), names.end()});
}

NodeId read_end(const JsonValue& name, const NodesByName& nodes) {
  const auto found = nodes.find(name.string());
  if (found == nodes.end()) name.fail_expected("the name of a node under /nodes");
  return found->second;
}

NodesByName read_nodes(const JsonValue& list, TopologyParts& parts) {
  NodesByName nodes;
  for (const JsonValue& element : list.array()) {
    JsonObject object = element.object();
    const JsonValue name = object.required("name");
    const NodeId id{static_cast<std::uint32_t>(parts.nodes.size())};
    if (name.string().empty()) name.fail_expected("a name");
    if (!nodes.emplace(name.string(), id).second)
      name.fail(
          fmt::format("a second node named \"{}\"; every node needs its own name", name.string()));
    const auto kind = static_cast<NodeKind>(index_in(kNodeKindNames, object.required("kind")));
    object.finish();
    parts.nodes.push_back({.name = name.string(), .kind = kind});
  }
  return nodes;
}

void read_link(const JsonValue& element, const NodesByName& nodes, TopologyParts& parts) {
  JsonObject object = element.object();
  const JsonValue target = object.required("target");
  Link link{
      .source = read_end(object.required("source"), nodes),
      .target = read_end(target, nodes),
      .bandwidth = read_bandwidth(object.required("bandwidth")),
      .latency = read_latency(object.required("latency")),
      .kind = static_cast<LinkKind>(index_in(kLinkKindNames, object.required("kind"))),
  };
  if (link.source == link.target) target.fail_expected("another node than the source");
  if (const auto sharing = object.optional("sharing"))
    link.sharing = static_cast<LinkSharing>(index_in(kLinkSharingNames, *sharing));
  const auto duplex = object.optional("duplex");
  object.finish();

  parts.links.push_back(link);
  if (!duplex || !duplex->boolean()) return;
  std::swap(link.source, link.target);
  parts.links.push_back(link);
}

}  // namespace

Topology build_custom(TopologySpec& spec) {
  TopologyParts parts = spec.common_parts();
  const NodesByName nodes = read_nodes(spec.fixed("nodes"), parts);
  for (const JsonValue& link : spec.fixed("links").array()) read_link(link, nodes, parts);
  if (const auto routing = spec.optional_fixed("routing"))
    parts.routing = static_cast<NetworkRouting>(index_in(kNetworkRoutingNames, *routing));
  return finished_topology(spec, std::move(parts));
}

}  // namespace epsim
