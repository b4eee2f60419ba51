#include "topologies/topology_elision.hpp"

#include <algorithm>
#include <array>

#include "topologies/topology_drawing.hpp"

namespace epsim {
namespace {

constexpr double kWidestCell = 54;
constexpr double kReadableCell = 30;   // names fit into boxes
constexpr double kNarrowestCell = 12;  // numbers do
constexpr double kNarrowestOfMany = 24;

std::size_t widest_row(const Topology& topology, const DrawnHost& host) {
  std::array<std::size_t, kNodeKindNames.size()> counts{};
  for (const NodeId id : host.nodes) ++counts[static_cast<std::size_t>(topology.node(id).kind)];
  return *std::max_element(counts.begin(), counts.end());
}

// Sums `width_of` over what is shown of `count`, with gaps and a mark.
template <typename WidthOf>
double row_width(const Shown& shown, double gap, const WidthOf& width_of) {
  double total = -gap;
  for (std::size_t i = 0; i < shown.count; ++i)
    if (i < shown.first || i >= shown.count - shown.last) total += width_of(i) + gap;
  return shown.hidden() > 0 ? total + kMarkWidth + gap : total;
}

}  // namespace

Shown show_most(std::size_t count, std::size_t most) {
  if (count <= most) return {.first = count, .last = 0, .count = count};
  const std::size_t shown = std::max<std::size_t>(2, std::min(most, count - 2));
  return {.first = shown - 1, .last = 1, .count = count};
}

double host_gap(const TopologyElision& elision) {
  return elision.cell < kNarrowestOfMany ? 5 : 14;
}

double padding(const TopologyElision& elision) {
  return elision.cell < kNarrowestOfMany ? 3 : 10;
}

bool is_framed(const DrawnDomain& domain) {
  return domain.hosts.size() > 1 || !domain.shared.empty();
}

double host_width(const Topology& topology, const DrawnHost& host, const TopologyElision& elision) {
  const double cells = static_cast<double>(std::min(widest_row(topology, host), elision.nodes));
  return std::max(cells * elision.cell + 2 * padding(elision),
                  text_width(std::string(last_part(host.name)), 11) + 2 * padding(elision));
}

double domain_width(const Topology& topology,
                    const TopologyLayers& layers,
                    const DrawnDomain& domain,
                    const TopologyElision& elision) {
  const double hosts = row_width(
      show_most(domain.hosts.size(), elision.hosts), host_gap(elision), [&](std::size_t i) {
        return host_width(topology, layers.hosts[domain.hosts[i]], elision);
      });
  return hosts + (is_framed(domain) ? 2 * padding(elision) : 0);
}

double hosts_width(const Topology& topology,
                   const TopologyLayers& layers,
                   const TopologyElision& elision) {
  return row_width(
      show_most(layers.domains.size(), elision.domains), host_gap(elision), [&](std::size_t i) {
        return domain_width(topology, layers, layers.domains[i], elision);
      });
}

TopologyElision elide(const Topology& topology, const TopologyLayers& layers) {
  const std::size_t domains = layers.domains.size();
  std::size_t hosts = 0;
  for (const DrawnDomain& domain : layers.domains) hosts = std::max(hosts, domain.hosts.size());
  const auto fits = [&](const TopologyElision& elision) {
    return hosts_width(topology, layers, elision) <= kDrawingWidth;
  };
  const auto widened = [&](TopologyElision elision) {
    elision.cell = kWidestCell;
    while (elision.cell > kNarrowestCell && !fits(elision)) elision.cell -= 0.5;
    return elision;
  };

  std::size_t widest = 0;
  for (const DrawnHost& host : layers.hosts) widest = std::max(widest, widest_row(topology, host));
  TopologyElision elision{.domains = domains, .hosts = hosts, .nodes = widest, .cell = 0};
  elision.cell = domains == 1 ? kNarrowestCell : kNarrowestOfMany;
  if (fits(elision)) return widened(elision);
  // Fewer, and large enough to read: first nodes are left out, then hosts, then domains.
  elision.cell = kReadableCell;
  elision.nodes = std::min<std::size_t>(widest, layers.hosts.size() == 1 ? 30 : 16);
  if (domains > 1) elision.hosts = std::min<std::size_t>(hosts, 3);
  while (!fits(elision) && elision.hosts > 3) --elision.hosts;
  while (!fits(elision) && elision.domains > 2) --elision.domains;
  while (!fits(elision) && elision.nodes > 8) --elision.nodes;
  while (!fits(elision) && elision.hosts > 2) --elision.hosts;
  return widened(elision);
}

}  // namespace epsim
