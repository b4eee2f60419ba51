#include "topologies/topology_boxes.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "topologies/topology_rows.hpp"

namespace epsim {
namespace {

constexpr double kBetween = 6;
constexpr std::size_t kMostSwitches = 18;  // in a row
constexpr std::size_t kFewSwitches = 10;   // where some are left out anyway

// One place in a row: a node, or all that a mark stands for.
struct Place {
  std::vector<NodeId> nodes;
  bool is_mark = false;
  double wished = 0;  // its middle
  double width = 0;
};

std::vector<Place> places_of(const std::vector<NodeId>& nodes, const Shown& shown) {
  std::vector<Place> places;
  for (std::size_t i = 0; i < shown.first; ++i) places.push_back({.nodes = {nodes[i]}});
  if (shown.hidden() > 0) {
    const auto begin = nodes.begin() + static_cast<std::ptrdiff_t>(shown.first);
    const auto end = nodes.end() - static_cast<std::ptrdiff_t>(shown.last);
    places.push_back({.nodes = {begin, end}, .is_mark = true});
  }
  for (std::size_t i = nodes.size() - shown.last; i < nodes.size(); ++i)
    places.push_back({.nodes = {nodes[i]}});
  return places;
}

double widest_of(NodeKind kind) {
  if (kind == NodeKind::nvswitch) return kDrawingWidth;
  return kind == NodeKind::network_switch ? 92 : 48;
}

// Whether all may stand in the middle of what they are linked to.
bool fit_as_wished(const std::vector<Place>& places, const DrawingArea& area, double gap) {
  double free_from = area.x;
  for (const Place& place : places) {
    if (place.wished - place.width / 2 < free_from - 0.01) return false;
    free_from = place.wished + place.width / 2 + gap;
  }
  return free_from - gap <= area.x + area.width + 0.01;
}

class BoxPlacing {
 public:
  BoxPlacing(const Topology& topology,
             const TopologyLayers& layers,
             const TopologyElision& elision,
             TopologyRows rows)
      : topology_(topology), layers_(layers), elision_(elision), rows_(std::move(rows)) {
    placed_.box_of.assign(topology.nodes().size(), kNoBox);
    neighbours_.resize(topology.nodes().size());
    for (const Link& link : topology.links()) {
      neighbours_[link.source.index()].push_back(link.target);
      neighbours_[link.target.index()].push_back(link.source);
    }
    placed_.bottom = rows_.bottom;
  }

  void place_domains(double x) {
    const Shown shown = show_most(layers_.domains.size(), elision_.domains);
    for (std::size_t i = 0; i < shown.count; ++i) {
      if (i == shown.first && shown.hidden() > 0) {
        place_hidden_domains(shown, x);
        x += kMarkWidth + host_gap(elision_);
        i += shown.hidden();
      }
      const DrawnDomain& domain = layers_.domains[i];
      const double width = domain_width(topology_, layers_, domain, elision_);
      const double inset = is_framed(domain) ? padding(elision_) : 0;
      if (is_framed(domain))
        placed_.frames.push_back({.x = x,
                                  .y = rows_.domain_top,
                                  .width = width,
                                  .height = rows_.domain_bottom - rows_.domain_top,
                                  .is_outer = true,
                                  .is_named_on_top = false,
                                  .text = domain.name,
                                  .tooltip = {}});
      place_hosts(domain, x + inset);
      if (!domain.shared.empty())
        place_row(places_of(domain.shared, show_most(domain.shared.size(), kMostSwitches)),
                  {.x = x + inset, .y = rows_.domain_switches, .width = width - 2 * inset},
                  kSwitchHeight);
      x += width + host_gap(elision_);
    }
  }

  // What belongs to no host, layer by layer away from the hosts.
  void place_shared(std::uint32_t layer, const DrawingArea& area) {
    std::vector<NodeId> nodes;
    std::size_t longest = 4;
    for (const NodeId id : layers_.shared) {
      if (layers_.layer_of[id.index()] != layer) continue;
      nodes.push_back(id);
      longest = std::max(longest, last_part(topology_.node(id).name).size());
    }
    if (nodes.empty()) return;
    const double least = text_width(std::string(longest, 'n'), 10) + 10 + kBetween;
    const auto room = static_cast<std::size_t>(area.width / least);
    place_row(choose(nodes, std::clamp<std::size_t>(room, 4, kMostSwitches)),
              {.x = area.x, .y = rows_.shared[layer], .width = area.width},
              kSwitchHeight);
  }

  TopologyBoxes take() { return std::move(placed_); }

 private:
  void place_hidden_domains(const Shown& shown, double x) {
    std::vector<std::size_t> hosts;
    std::vector<NodeId> nodes;
    for (std::size_t i = shown.first; i < shown.count - shown.last; ++i) {
      const DrawnDomain& domain = layers_.domains[i];
      hosts.insert(hosts.end(), domain.hosts.begin(), domain.hosts.end());
      nodes.insert(nodes.end(), domain.shared.begin(), domain.shared.end());
    }
    const bool is_rack = is_framed(layers_.domains[shown.first]);
    place_host_mark(hosts,
                    std::move(nodes),
                    {.x = x, .y = is_rack ? rows_.domain_top : rows_.host_top, .width = kMarkWidth},
                    is_rack ? rows_.domain_bottom : rows_.host_bottom);
  }

  void place_host_mark(const std::vector<std::size_t>& hosts,
                       std::vector<NodeId> nodes,
                       const DrawingArea& area,
                       double bottom) {
    for (const std::size_t host : hosts)
      nodes.insert(nodes.end(), layers_.hosts[host].nodes.begin(), layers_.hosts[host].nodes.end());
    add_box({.nodes = std::move(nodes), .is_mark = true, .width = area.width},
            area.x,
            area.y,
            bottom - area.y);
    placed_.boxes.back().kind = NodeKind::gpu;
    placed_.boxes.back().layer = kGpuLayer;
    placed_.hosts_of.back() = hosts;
  }

  void place_hosts(const DrawnDomain& domain, double x) {
    const Shown shown = show_most(domain.hosts.size(), elision_.hosts);
    for (std::size_t i = 0; i < shown.count; ++i) {
      if (i == shown.first && shown.hidden() > 0) {
        const auto begin = domain.hosts.begin() + static_cast<std::ptrdiff_t>(i);
        place_host_mark({begin, begin + static_cast<std::ptrdiff_t>(shown.hidden())},
                        {},
                        {.x = x, .y = rows_.host_top, .width = kMarkWidth},
                        rows_.host_bottom);
        x += kMarkWidth + host_gap(elision_);
        i += shown.hidden();
      }
      x = place_host(layers_.hosts[domain.hosts[i]], x) + host_gap(elision_);
    }
  }

  double place_host(const DrawnHost& host, double x) {
    const double width = host_width(topology_, host, elision_);
    const double inset = padding(elision_);
    placed_.frames.push_back({.x = x,
                              .y = rows_.host_top,
                              .width = width,
                              .height = rows_.host_bottom - rows_.host_top,
                              .is_outer = false,
                              .is_named_on_top = rows_.is_named_on_top,
                              .text = host.name,
                              .tooltip = {}});
    std::map<std::uint32_t, std::vector<NodeId>> rows;
    for (const NodeId id : host.nodes) rows[layers_.layer_of[id.index()]].push_back(id);
    // GPUs first: the others stand by them.
    for (const std::uint32_t layer : {1U, 0U, 2U, 3U, 4U}) {
      const std::vector<NodeId>& nodes = rows[layer];
      if (nodes.empty()) continue;
      const std::size_t most = nodes.size() > elision_.nodes ? elision_.nodes - 2 : nodes.size();
      place_row(places_of(nodes, show_most(nodes.size(), most)),
                {.x = x + inset, .y = rows_.host[layer], .width = width - 2 * inset},
                kBoxHeight);
    }
    return x + width;
  }

  // Where not all find room: those that a node already drawn is linked to, if these do.
  [[nodiscard]] std::vector<Place> choose(const std::vector<NodeId>& nodes,
                                          std::size_t room) const {
    if (nodes.size() <= room) return places_of(nodes, show_most(nodes.size(), room));
    std::vector<Place> places;
    bool is_any_left_out = false;
    for (const NodeId id : nodes) {
      const std::vector<NodeId>& around = neighbours_[id.index()];
      const bool is_shown = std::any_of(around.begin(), around.end(), [&](NodeId other) {
        const std::size_t box = placed_.box_of[other.index()];
        return box != kNoBox && placed_.boxes[box].hidden == 0;
      });
      is_any_left_out = is_any_left_out || !is_shown;
      if (!is_shown && !places.empty() && places.back().is_mark)
        places.back().nodes.push_back(id);
      else
        places.push_back({.nodes = {id}, .is_mark = !is_shown});
    }
    if (places.size() > room || !is_any_left_out || places.size() < 3)
      return places_of(nodes, show_most(nodes.size(), std::min(room - 2, kFewSwitches)));
    for (Place& place : places) place.is_mark = place.nodes.size() > 1;
    return places;
  }

  // In the middle of what it is linked to and already drawn.
  [[nodiscard]] double wished_middle(const Place& place, double otherwise) const {
    double sum = 0;
    std::size_t count = 0;
    for (const NodeId id : place.nodes) {
      for (const NodeId other : neighbours_[id.index()]) {
        const std::size_t box = placed_.box_of[other.index()];
        if (box == kNoBox) continue;
        sum += placed_.boxes[box].middle();
        ++count;
      }
    }
    return count == 0 ? otherwise : sum / static_cast<double>(count);
  }

  void place_row(std::vector<Place> places, const DrawingArea& area, double height) {
    const NodeKind kind = topology_.node(places.front().nodes.front()).kind;
    double slots = 0;
    for (const Place& place : places) slots += place.is_mark ? 2 : 1;
    const double slot = area.width / slots;
    const double gap = slot < 20 ? 2 : kBetween;
    for (Place& place : places) {
      const double share = place.is_mark ? 2 * slot : slot;
      place.width = std::min(share - gap, widest_of(kind));
      place.wished = wished_middle(place, area.x + area.width / 2);
    }
    std::vector<Place> sorted = places;
    std::stable_sort(sorted.begin(), sorted.end(), [](const Place& a, const Place& b) {
      return a.wished < b.wished - 0.01;
    });
    const bool is_free =
        kind != NodeKind::gpu && kind != NodeKind::nvswitch && fit_as_wished(sorted, area, gap);
    // Switches of a network that cannot stand as wished are best found in their own order.
    if (is_free || kind == NodeKind::pcie_switch || kind == NodeKind::cpu || kind == NodeKind::nic)
      places = std::move(sorted);
    double at = area.x;
    for (Place& place : places) {
      const double share = place.is_mark ? 2 * slot : slot;
      const double middle = is_free ? place.wished : at + share / 2;
      at += share;
      const double left = middle - place.width / 2;
      add_box(std::move(place), left, area.y, height);
    }
  }

  void add_box(Place place, double x, double y, double height) {
    const NodeId first = place.nodes.front();
    for (const NodeId id : place.nodes) placed_.box_of[id.index()] = placed_.boxes.size();
    placed_.boxes.push_back({.x = x,
                             .y = y,
                             .width = place.width,
                             .height = height,
                             .kind = topology_.node(first).kind,
                             .layer = layers_.layer_of[first.index()],
                             .hidden = place.is_mark ? place.nodes.size() : 0,
                             .text = {},
                             .tooltip = {}});
    placed_.nodes_of.push_back(std::move(place.nodes));
    placed_.hosts_of.emplace_back();
  }

  const Topology& topology_;
  const TopologyLayers& layers_;
  const TopologyElision& elision_;
  TopologyRows rows_;
  std::vector<std::vector<NodeId>> neighbours_;
  TopologyBoxes placed_;
};

}  // namespace

TopologyBoxes place_boxes(const Topology& topology,
                          const TopologyLayers& layers,
                          const std::vector<Cable>& cables,
                          const TopologyElision& elision,
                          const DrawingArea& area) {
  BoxPlacing placing(
      topology, layers, elision, plan_rows(layers, cables, area.y, padding(elision)));
  const double hosts = hosts_width(topology, layers, elision);
  placing.place_domains(area.x + (area.width - hosts) / 2);
  for (std::uint32_t layer = 0; layer < layers.layer_names.size(); ++layer)
    placing.place_shared(layer, area);
  return placing.take();
}

}  // namespace epsim
