#include "topologies/topology.hpp"

#include <algorithm>
#include <functional>
#include <limits>
#include <optional>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <boost/graph/adjacency_list.hpp>
#include <boost/graph/dijkstra_shortest_paths.hpp>
#include <boost/graph/edmonds_karp_max_flow.hpp>
#include <boost/graph/filtered_graph.hpp>
#include <boost/property_map/function_property_map.hpp>

#include "sim/base/check.hpp"
#include "sim/base/input_error.hpp"

namespace epsim {
namespace {

// What a route minimises. Every link adds a hop, so that no loop is ever free.
struct Cost {
  std::int64_t picoseconds = 0;
  std::int64_t hops = 0;
  auto operator<=>(const Cost&) const = default;
  friend Cost operator+(Cost a, Cost b) { return {a.picoseconds + b.picoseconds, a.hops + b.hops}; }
};
constexpr Cost kUnreached{std::numeric_limits<std::int64_t>::max(), 0};

// Its vertices are the NodeIds.
using Graph =
    boost::adjacency_list<boost::vecS, boost::vecS, boost::directedS, boost::no_property, Link>;

Cost cost_of(const Link& link) {
  return {link.latency.count(), 1};
}

Graph to_graph(const TopologyParts& parts) {
  Graph graph(parts.nodes.size());
  for (const Link& link : parts.links)
    boost::add_edge(link.source.index(), link.target.index(), link, graph);
  return graph;
}

// GPUs do not forward: of all GPUs only the sender's own links lead anywhere. Boost copies it with
// every edge iterator, so it holds pointers only.
struct MayCarry {
  const TopologyParts* parts = nullptr;
  const Graph* graph = nullptr;
  NodeId sender;

  bool operator()(const Link& link) const {
    return link.source == sender || parts->nodes[link.source.index()].kind != NodeKind::gpu;
  }
  bool operator()(Graph::edge_descriptor edge) const { return (*this)((*graph)[edge]); }
};

std::vector<Cost> distances_from(const Graph& graph, const MayCarry& may_carry) {
  std::vector<Cost> distances(boost::num_vertices(graph), kUnreached);
  const boost::filtered_graph usable(graph, may_carry);
  const auto costs = boost::make_function_property_map<Graph::edge_descriptor>(
      [&](Graph::edge_descriptor edge) { return cost_of(graph[edge]); });
  boost::dijkstra_shortest_paths(usable,
                                 may_carry.sender.index(),
                                 boost::weight_map(costs)
                                     .distance_map(boost::make_iterator_property_map(
                                         distances.begin(), boost::get(boost::vertex_index, graph)))
                                     .distance_compare(std::less<>())
                                     .distance_combine(std::plus<>())
                                     .distance_inf(kUnreached)
                                     .distance_zero(Cost{}));
  return distances;
}

// The link by which the shortest route enters each node: of equals the lowest id, so that the
// answer depends on the topology alone and not on the order in which a heap gives up its entries.
std::vector<std::optional<LinkId>> last_links(const MayCarry& may_carry,
                                              const std::vector<Cost>& distances) {
  const TopologyParts& parts = *may_carry.parts;
  std::vector<std::optional<LinkId>> last(parts.nodes.size());
  for (std::uint32_t id = 0; id < parts.links.size(); ++id) {
    const Link& link = parts.links[id];
    const Cost& before = distances[link.source.index()];
    if (before == kUnreached || !may_carry(link)) continue;
    auto& entry = last[link.target.index()];
    if (!entry && before + cost_of(link) == distances[link.target.index()]) entry = LinkId{id};
  }
  return last;
}

using FlowEdge =
    boost::adjacency_list_traits<boost::vecS, boost::vecS, boost::directedS>::edge_descriptor;
struct Flow {
  double capacity = 0;  // bytes per second
  double residual = 0;
  FlowEdge reverse{};
};
using FlowGraph =
    boost::adjacency_list<boost::vecS, boost::vecS, boost::directedS, boost::no_property, Flow>;

// The maximum flow wants beside every edge one the other way, along which it takes flow back.
void add_flow_edge(FlowGraph& graph, std::size_t source, std::size_t target, double capacity) {
  const FlowEdge forth = boost::add_edge(source, target, Flow{.capacity = capacity}, graph).first;
  const FlowEdge back = boost::add_edge(target, source, Flow{}, graph).first;
  graph[forth].reverse = back;
  graph[back].reverse = forth;
}

void check_parts(const TopologyParts& parts) {
  std::set<std::string_view> names;
  for (const Node& node : parts.nodes)
    check(names.insert(node.name).second, "every node has its own name");
  for (const Link& link : parts.links) {
    check(link.source.index() < parts.nodes.size(), "a link starts at a node");
    check(link.target.index() < parts.nodes.size(), "a link ends at a node");
    check(link.source != link.target, "a link joins two nodes");
    check(link.bandwidth > Bandwidth{0.0}, "a link has bandwidth");
    check(link.latency >= Duration::zero(), "a link does not run back in time");
  }
}

}  // namespace

Topology::Topology(TopologyParts parts) : parts_(std::move(parts)) {
  check_parts(parts_);
  for (std::uint32_t id = 0; id < parts_.nodes.size(); ++id)
    if (parts_.nodes[id].kind == NodeKind::gpu) gpus_.push_back(NodeId{id});
  if (gpus_.empty() || gpus_.size() > kMostGpus)
    throw InputError(
        parts_.file,
        "/nodes",
        fmt::format("expected 1 to {} nodes of kind gpu, found {}", kMostGpus, gpus_.size()));
  compute_routes();
  compute_domains();
  compute_network_links();
}

void Topology::compute_routes() {
  const Graph graph = to_graph(parts_);
  route_starts_.reserve(gpus_.size() * gpus_.size() + 1);
  route_starts_.push_back(0);
  for (const NodeId sender : gpus_) {
    const MayCarry may_carry{.parts = &parts_, .graph = &graph, .sender = sender};
    const std::vector<Cost> distances = distances_from(graph, may_carry);
    const auto last = last_links(may_carry, distances);
    for (const NodeId receiver : gpus_) {
      if (distances[receiver.index()] == kUnreached)
        throw InputError(parts_.file,
                         "/links",
                         fmt::format("no route from {} to {}; GPUs do not forward traffic",
                                     node(sender).name,
                                     node(receiver).name));
      const auto start = static_cast<std::ptrdiff_t>(route_links_.size());
      for (NodeId at = receiver; at != sender; at = link(*last[at.index()]).source)
        route_links_.push_back(*last[at.index()]);
      std::reverse(route_links_.begin() + start, route_links_.end());
      check(route_links_.size() <= UINT32_MAX, "all routes together fit a 32-bit index");
      route_starts_.push_back(static_cast<std::uint32_t>(route_links_.size()));
    }
  }
}

const Node& Topology::node(NodeId id) const {
  check(id.index() < parts_.nodes.size(), "a node of this topology was asked for");
  return parts_.nodes[id.index()];
}

const Link& Topology::link(LinkId id) const {
  check(id.index() < parts_.links.size(), "a link of this topology was asked for");
  return parts_.links[id.index()];
}

std::string Topology::link_name(LinkId id) const {
  return node(link(id).source).name + "->" + node(link(id).target).name;
}

NodeId Topology::gpu(GpuId id) const {
  check(id.index() < gpus_.size(), "a GPU of this topology was asked for");
  return gpus_[id.index()];
}

RouteRange Topology::route_range(GpuId source, GpuId target) const {
  check(source.index() < gpus_.size() && target.index() < gpus_.size(), "a route joins GPUs");
  const std::size_t pair = source.index() * gpus_.size() + target.index();
  return {route_starts_[pair], route_starts_[pair + 1]};
}

std::span<const LinkId> Topology::route(GpuId source, GpuId target) const {
  const RouteRange range = route_range(source, target);
  return std::span(route_links_).subspan(range.begin, range.end - range.begin);
}

Duration Topology::route_latency(GpuId source, GpuId target) const {
  Duration total{};
  for (const LinkId id : route(source, target)) total += link(id).latency;
  return total;
}

Bandwidth Topology::route_bandwidth(GpuId source, GpuId target) const {
  check(source != target, "a route bandwidth is asked for between two GPUs");
  Bandwidth slowest{std::numeric_limits<double>::infinity()};
  for (const LinkId id : route(source, target)) slowest = std::min(slowest, link(id).bandwidth);
  return slowest;
}

Bandwidth Topology::bisection_bandwidth() const {
  if (gpus_.size() < 2) return Bandwidth{};
  // Each half is drawn together into one vertex. That GPUs do not forward needs no care here: one
  // that could would only pass on, in the place of its own bytes, the bytes of a neighbour.
  constexpr std::size_t kFirstHalf = 0;
  constexpr std::size_t kSecondHalf = 1;
  std::vector<std::size_t> vertices(parts_.nodes.size());
  for (std::size_t i = 0; i < vertices.size(); ++i) vertices[i] = i + 2;
  for (std::size_t i = 0; i < gpus_.size(); ++i)
    vertices[gpus_[i].index()] = i < gpus_.size() / 2 ? kFirstHalf : kSecondHalf;

  FlowGraph graph(parts_.nodes.size() + 2);
  for (const Link& link : parts_.links) {
    const std::size_t source = vertices[link.source.index()];
    const std::size_t target = vertices[link.target.index()];
    if (source != target) add_flow_edge(graph, source, target, link.bandwidth.bytes_per_second);
  }
  return Bandwidth{
      boost::edmonds_karp_max_flow(graph,
                                   kFirstHalf,
                                   kSecondHalf,
                                   boost::capacity_map(boost::get(&Flow::capacity, graph))
                                       .residual_capacity_map(boost::get(&Flow::residual, graph))
                                       .reverse_edge_map(boost::get(&Flow::reverse, graph)))};
}

}  // namespace epsim
