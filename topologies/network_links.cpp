// Which links a message may take through the network, as its switches know them: at each node and
// for each GPU the links that lie on a shortest way there. And who shares an NVLink domain.
#include <algorithm>
#include <functional>
#include <limits>
#include <map>
#include <utility>
#include <vector>

#include <boost/graph/adjacency_list.hpp>
#include <boost/graph/dijkstra_shortest_paths.hpp>
#include <boost/graph/filtered_graph.hpp>
#include <boost/graph/incremental_components.hpp>
#include <boost/pending/disjoint_sets.hpp>

#include "sim/base/check.hpp"
#include "topologies/topology.hpp"

namespace epsim {
namespace {

// Time first, then links: one number that Dijkstra's algorithm can add up.
using Cost = std::int64_t;
constexpr Cost kHop = 1;
constexpr Cost kPicosecond = 1 << 10;  // ways have fewer links than that
constexpr Cost kUnreached = std::numeric_limits<Cost>::max();

Cost cost_of(const Link& link) {
  return link.latency.count() * kPicosecond + kHop;
}

// All links but NVLink, turned around: from a GPU back to all who can send to it.
struct Edge {
  Cost cost;
};
using Graph =
    boost::adjacency_list<boost::vecS, boost::vecS, boost::directedS, boost::no_property, Edge>;

// GPUs do not forward: of all GPUs only the target is passed on from, backwards.
struct MayPrecede {
  const Graph* graph = nullptr;
  const std::vector<Node>* nodes = nullptr;
  NodeId target;
  bool operator()(Graph::edge_descriptor edge) const {
    const std::size_t end = boost::source(edge, *graph);
    return end == target.index() || (*nodes)[end].kind != NodeKind::gpu;
  }
};

std::vector<Cost> distances_to(NodeId target, const Graph& graph, const std::vector<Node>& nodes) {
  std::vector<Cost> distances(boost::num_vertices(graph), kUnreached);
  const boost::filtered_graph usable(graph, MayPrecede{&graph, &nodes, target});
  boost::dijkstra_shortest_paths(usable,
                                 target.index(),
                                 boost::weight_map(boost::get(&Edge::cost, graph))
                                     .distance_map(boost::make_iterator_property_map(
                                         distances.begin(), boost::get(boost::vertex_index, graph)))
                                     .distance_inf(kUnreached)
                                     .distance_zero(Cost{}));
  return distances;
}

struct WayOn {
  LinkId link;
  NodeId target;
  Cost cost;
};

// Sets of links, each kept once and numbered from 1; set 0 is empty.
struct LinkGroups {
  explicit LinkGroups(std::size_t link_count) : of_one_(link_count) {}

  std::uint32_t number_of(const std::vector<LinkId>& set) {
    // Nearly all sets are of one link.
    std::uint32_t& number = set.size() == 1 ? of_one_[set[0].index()] : of_several_[set];
    if (number != 0) return number;
    number = static_cast<std::uint32_t>(ends.size());
    links.insert(links.end(), set.begin(), set.end());
    ends.push_back(static_cast<std::uint32_t>(links.size()));
    return number;
  }

  std::vector<LinkId> links;  // one set after the other
  std::vector<std::uint32_t> ends = {0};

 private:
  std::vector<std::uint32_t> of_one_;
  std::map<std::vector<LinkId>, std::uint32_t> of_several_;
};

}  // namespace

void Topology::compute_domains() {
  const std::size_t count = parts_.nodes.size();
  std::vector<std::size_t> rank(count);
  std::vector<std::size_t> parent(count);
  boost::disjoint_sets sets(rank.data(), parent.data());
  for (std::size_t i = 0; i < count; ++i) sets.make_set(i);
  for (const Link& link : parts_.links)
    if (link.kind == LinkKind::nvlink) sets.union_set(link.source.index(), link.target.index());
  std::map<std::size_t, std::uint32_t> numbers;
  for (const NodeId gpu : gpus_)
    domains_.push_back(
        numbers.emplace(sets.find_set(gpu.index()), static_cast<std::uint32_t>(numbers.size()))
            .first->second);
  domain_count_ = static_cast<std::uint32_t>(numbers.size());
}

void Topology::compute_network_links() {
  has_network_ = std::any_of(parts_.nodes.begin(), parts_.nodes.end(), [](const Node& node) {
    return node.kind == NodeKind::nic;
  });
  if (!has_network_) return;
  Graph graph(parts_.nodes.size());
  std::vector<std::vector<WayOn>> leaving(parts_.nodes.size());
  for (std::uint32_t id = 0; id < parts_.links.size(); ++id) {
    const Link& link = parts_.links[id];
    if (link.kind == LinkKind::nvlink) continue;
    boost::add_edge(link.target.index(), link.source.index(), Edge{cost_of(link)}, graph);
    leaving[link.source.index()].push_back({LinkId{id}, link.target, cost_of(link)});
  }
  LinkGroups groups(parts_.links.size());
  network_groups_.assign(parts_.nodes.size() * gpus_.size(), 0);
  std::vector<LinkId> shortest;
  for (std::size_t t = 0; t < gpus_.size(); ++t) {
    const std::vector<Cost> distances = distances_to(gpus_[t], graph, parts_.nodes);
    for (std::size_t node = 0; node < parts_.nodes.size(); ++node) {
      if (distances[node] == kUnreached || node == gpus_[t].index()) continue;
      shortest.clear();
      for (const WayOn& way : leaving[node]) {
        const Cost rest = distances[way.target.index()];
        if (rest != kUnreached && rest + way.cost == distances[node]) shortest.push_back(way.link);
      }
      if (!shortest.empty()) network_groups_[node * gpus_.size() + t] = groups.number_of(shortest);
    }
  }
  link_groups_ = std::move(groups.links);
  group_ends_ = std::move(groups.ends);
}

std::span<const LinkId> Topology::network_links(NodeId node, GpuId target) const {
  check(node.index() < parts_.nodes.size() && target.index() < gpus_.size(),
        "network links are asked for at a node, towards a GPU");
  if (!has_network_) return {};
  const std::uint32_t group = network_groups_[node.index() * gpus_.size() + target.index()];
  if (group == 0) return {};
  const std::uint32_t begin = group_ends_[group - 1];
  return std::span(link_groups_).subspan(begin, group_ends_[group] - begin);
}

}  // namespace epsim
