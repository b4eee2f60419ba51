#include "topologies/topology_layers.hpp"

#include <algorithm>
#include <deque>
#include <limits>
#include <map>
#include <set>

#include <fmt/format.h>

namespace epsim {
namespace {

constexpr std::uint32_t kNobody = std::numeric_limits<std::uint32_t>::max();
using Neighbours = std::vector<std::vector<NodeId>>;

Neighbours neighbours_of(const Topology& topology) {
  Neighbours neighbours(topology.nodes().size());
  for (const Link& link : topology.links()) {
    neighbours[link.source.index()].push_back(link.target);
    neighbours[link.target.index()].push_back(link.source);
  }
  return neighbours;
}

bool is_network_switch(const Topology& topology, NodeId id) {
  return topology.node(id).kind == NodeKind::network_switch;
}

// "host3" of "host3.gpu5"; empty without a dot.
std::string_view host_part(std::string_view name) {
  const std::size_t dot = name.find_last_of('.');
  return dot == std::string_view::npos ? std::string_view{} : name.substr(0, dot);
}

// What a node's name says, for names under which a GPU stands too.
std::vector<std::uint32_t> hosts_by_name(const Topology& topology, TopologyLayers& layers) {
  std::map<std::string_view, std::uint32_t> numbers;
  for (const Node& node : topology.nodes()) {
    const std::string_view host = host_part(node.name);
    if (node.kind != NodeKind::gpu || host.empty()) continue;
    if (numbers.emplace(host, static_cast<std::uint32_t>(layers.hosts.size())).second)
      layers.hosts.push_back(
          {.name = std::string(host), .noun = std::string(stem(host)), .nodes = {}});
  }
  std::vector<std::uint32_t> host_of(topology.nodes().size(), kNobody);
  for (std::uint32_t id = 0; id < host_of.size(); ++id) {
    const auto known = numbers.find(host_part(topology.node(NodeId{id}).name));
    if (known != numbers.end() && !is_network_switch(topology, NodeId{id}))
      host_of[id] = known->second;
  }
  return host_of;
}

// Nodes without a host that hang together join the only host they touch; else, with a GPU among
// them, they are one themselves; those between hosts are nobody's.
void hosts_by_links(const Topology& topology,
                    const Neighbours& neighbours,
                    std::vector<std::uint32_t>& host_of,
                    TopologyLayers& layers) {
  std::vector<bool> is_seen(host_of.size());
  for (std::uint32_t start = 0; start < host_of.size(); ++start) {
    if (is_seen[start] || host_of[start] != kNobody || is_network_switch(topology, NodeId{start}))
      continue;
    std::vector<NodeId> part = {NodeId{start}};
    std::set<std::uint32_t> touched;
    bool has_gpu = false;
    is_seen[start] = true;
    for (std::size_t next = 0; next < part.size(); ++next) {
      has_gpu = has_gpu || topology.node(part[next]).kind == NodeKind::gpu;
      for (const NodeId other : neighbours[part[next].index()]) {
        if (is_network_switch(topology, other)) continue;
        const std::uint32_t host = host_of[other.index()];
        if (host != kNobody) {
          touched.insert(host);
        } else if (!is_seen[other.index()]) {
          is_seen[other.index()] = true;
          part.push_back(other);
        }
      }
    }
    std::uint32_t host = touched.size() == 1 ? *touched.begin() : kNobody;
    if (touched.size() != 1 && has_gpu) {
      host = static_cast<std::uint32_t>(layers.hosts.size());
      layers.hosts.emplace_back();
    }
    for (const NodeId id : part) host_of[id.index()] = host;
  }
}

// "NVLink domain" where that is what holds the GPUs together.
void name_hosts(const Topology& topology,
                const std::vector<std::uint32_t>& host_of,
                TopologyLayers& layers) {
  std::vector<std::set<std::uint32_t>> domains(layers.hosts.size());
  for (std::uint32_t gpu = 0; gpu < topology.gpu_count(); ++gpu) {
    const std::uint32_t host = host_of[topology.gpu(GpuId{gpu}).index()];
    domains[host].insert(topology.nvlink_domain(GpuId{gpu}));
    ++layers.hosts[host].gpu_count;
  }
  for (std::size_t i = 0; i < layers.hosts.size(); ++i) {
    DrawnHost& host = layers.hosts[i];
    const bool is_domain = host.name.empty() && domains[i].size() == 1 && host.gpu_count > 1;
    if (host.noun.empty()) host.noun = is_domain ? "NVLink domain" : "host";
    if (!host.name.empty()) continue;
    host.name = layers.hosts.size() == 1 ? host.noun : fmt::format("{} {}", host.noun, i);
  }
}

// Hosts of one NVLink domain, and the switches that touch no other.
void group_domains(const Topology& topology,
                   const Neighbours& neighbours,
                   const std::vector<std::uint32_t>& host_of,
                   TopologyLayers& layers) {
  std::map<std::uint32_t, std::size_t> known;
  std::vector<std::size_t> domain_of_host(layers.hosts.size(), kNobody);
  for (std::uint32_t gpu = 0; gpu < topology.gpu_count(); ++gpu) {
    const std::uint32_t host = host_of[topology.gpu(GpuId{gpu}).index()];
    if (domain_of_host[host] != kNobody) continue;
    const auto [entry, is_new] =
        known.emplace(topology.nvlink_domain(GpuId{gpu}), layers.domains.size());
    if (is_new) layers.domains.emplace_back();
    domain_of_host[host] = entry->second;
    layers.domains[entry->second].hosts.push_back(host);
  }
  for (std::size_t i = 0; i < layers.domains.size(); ++i) {
    DrawnDomain& domain = layers.domains[i];
    const std::string_view rack = host_part(layers.hosts[domain.hosts.front()].name);
    const bool is_rack =
        !rack.empty() && std::all_of(domain.hosts.begin(), domain.hosts.end(), [&](auto host) {
          return host_part(layers.hosts[host].name) == rack;
        });
    domain.noun = is_rack ? stem(rack) : "NVLink domain";
    domain.name = is_rack                               ? std::string(rack)
                  : topology.nvlink_domain_count() == 1 ? domain.noun
                                                        : fmt::format("{} {}", domain.noun, i);
  }
  for (std::uint32_t id = 0; id < host_of.size(); ++id) {
    if (host_of[id] != kNobody) continue;
    std::set<std::size_t> touched;
    for (const NodeId other : neighbours[id])
      touched.insert(host_of[other.index()] == kNobody ? kNobody
                                                       : domain_of_host[host_of[other.index()]]);
    const bool is_of_domain = topology.node(NodeId{id}).kind == NodeKind::nvswitch &&
                              touched.size() == 1 && *touched.begin() != kNobody;
    (is_of_domain ? layers.domains[*touched.begin()].shared : layers.shared).push_back(NodeId{id});
  }
}

// Links from each network switch to the nearest node that is none.
std::vector<std::uint32_t> network_levels(const Topology& topology, const Neighbours& neighbours) {
  std::vector<std::uint32_t> levels(topology.nodes().size(), kNobody);
  std::deque<NodeId> waiting;
  for (std::uint32_t id = 0; id < levels.size(); ++id) {
    if (is_network_switch(topology, NodeId{id})) continue;
    levels[id] = 0;
    waiting.push_back(NodeId{id});
  }
  for (; !waiting.empty(); waiting.pop_front()) {
    for (const NodeId other : neighbours[waiting.front().index()]) {
      if (levels[other.index()] != kNobody) continue;
      levels[other.index()] = levels[waiting.front().index()] + 1;
      waiting.push_back(other);
    }
  }
  return levels;
}

// "leaf" where all names agree on it, else by its place.
std::string network_noun(const Topology& topology,
                         const TopologyLayers& layers,
                         std::uint32_t layer) {
  std::set<std::string_view> stems;
  for (std::uint32_t id = 0; id < layers.layer_of.size(); ++id)
    if (layers.layer_of[id] == layer) stems.insert(stem(last_part(topology.node(NodeId{id}).name)));
  if (stems.size() == 1 && stems.begin()->size() >= 3) return std::string(*stems.begin());
  const std::uint32_t level = layer - kNetworkLayer;
  const std::size_t count = layers.layer_nouns.size() - kNetworkLayer;
  if (count == 1) return "switch";
  if (level == 0) return "leaf";
  return level == 1 ? "spine" : fmt::format("level {}", level + 1);
}

void name_layers(const Topology& topology, TopologyLayers& layers) {
  const std::uint32_t top = *std::max_element(layers.layer_of.begin(), layers.layer_of.end());
  layers.layer_nouns = {"NVSwitch", "GPU", "PCIe switch", "CPU", "NIC"};
  layers.layer_names = {"NVSwitches", "GPUs", "PCIe switches", "CPUs", "NICs"};
  layers.layer_nouns.resize(std::max<std::size_t>(top + 1, kNetworkLayer));
  for (std::uint32_t layer = kNetworkLayer; layer <= top; ++layer) {
    layers.layer_nouns[layer] = network_noun(topology, layers, layer);
    const std::string& noun = layers.layer_nouns[layer];
    layers.layer_names.push_back(noun.ends_with("switch") ? noun + "es" : noun + " switches");
  }
}

}  // namespace

std::string_view last_part(std::string_view name) {
  const std::size_t dot = name.find_last_of('.');
  return dot == std::string_view::npos ? name : name.substr(dot + 1);
}

std::string_view number_at_end(std::string_view name) {
  const std::size_t last = name.find_last_not_of("0123456789");
  return last == std::string_view::npos ? name : name.substr(last + 1);
}

std::string_view stem(std::string_view name) {
  name = last_part(name);
  name.remove_suffix(number_at_end(name).size());
  while (!name.empty() && (name.back() == '-' || name.back() == '_' || name.back() == ' '))
    name.remove_suffix(1);
  return name;
}

TopologyLayers layers_of(const Topology& topology) {
  TopologyLayers layers;
  const Neighbours neighbours = neighbours_of(topology);
  std::vector<std::uint32_t> host_of = hosts_by_name(topology, layers);
  hosts_by_links(topology, neighbours, host_of, layers);
  name_hosts(topology, host_of, layers);
  for (std::uint32_t id = 0; id < host_of.size(); ++id) {
    if (host_of[id] == kNobody) continue;
    layers.hosts[host_of[id]].nodes.push_back(NodeId{id});
  }
  group_domains(topology, neighbours, host_of, layers);

  const std::vector<std::uint32_t> levels = network_levels(topology, neighbours);
  for (std::uint32_t id = 0; id < levels.size(); ++id) {
    const auto place =
        std::find(kHostLayers.begin(), kHostLayers.end(), topology.node(NodeId{id}).kind);
    const std::uint32_t level = levels[id] == kNobody || levels[id] == 0 ? 0 : levels[id] - 1;
    layers.layer_of.push_back(static_cast<std::uint32_t>(place - kHostLayers.begin()) + level);
  }
  name_layers(topology, layers);
  return layers;
}

}  // namespace epsim
