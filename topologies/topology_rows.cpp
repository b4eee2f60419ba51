#include "topologies/topology_rows.hpp"

#include <algorithm>
#include <set>

#include "topologies/topology_elision.hpp"

namespace epsim {
namespace {

constexpr double kHostRowGap = 32;
constexpr double kNetworkGap = 86;  // many lines cross here
constexpr double kArcRoom = 40;
constexpr double kFrameText = 20;

// Cables between nodes of one layer.
bool has_arcs(const TopologyLayers& layers, const std::vector<Cable>& cables, std::uint32_t layer) {
  return std::any_of(cables.begin(), cables.end(), [&](const Cable& cable) {
    return layers.layer_of[cable.source.index()] == layer &&
           layers.layer_of[cable.target.index()] == layer;
  });
}

double plan_host_rows(const TopologyLayers& layers, double y, TopologyRows& rows) {
  std::set<std::uint32_t> present;
  for (const DrawnHost& host : layers.hosts)
    for (const NodeId id : host.nodes) present.insert(layers.layer_of[id.index()]);
  for (auto layer = present.rbegin(); layer != present.rend(); ++layer) {
    if (layer != present.rbegin()) y += kHostRowGap;
    rows.host[*layer] = y;
    y += kBoxHeight;
  }
  return y;
}

}  // namespace

TopologyRows plan_rows(const TopologyLayers& layers,
                       const std::vector<Cable>& cables,
                       double top,
                       double padding) {
  const auto count = static_cast<std::uint32_t>(layers.layer_names.size());
  TopologyRows rows{.shared = std::vector<double>(count),
                    .host = std::vector<double>(kNetworkLayer)};
  std::set<std::uint32_t> shared;
  for (const NodeId id : layers.shared) shared.insert(layers.layer_of[id.index()]);
  double y = top;
  for (std::uint32_t layer = count; layer-- > kGpuLayer;) {
    if (!shared.contains(layer)) continue;
    if (has_arcs(layers, cables, layer)) y += kArcRoom;
    rows.shared[layer] = y;
    y += kSwitchHeight + kNetworkGap;
  }
  const bool has_racks =
      std::any_of(layers.domains.begin(), layers.domains.end(), [](const DrawnDomain& domain) {
        return !domain.shared.empty();
      });
  rows.is_named_on_top = has_racks && y == top;
  const bool has_outer = std::any_of(layers.domains.begin(), layers.domains.end(), is_framed);
  rows.domain_top = y;
  if (has_outer) y += padding;
  rows.host_top = y;
  const double least_padding = std::max(padding, 8.0);
  y = plan_host_rows(layers, y + (rows.is_named_on_top ? kFrameText : least_padding), rows);
  y += has_arcs(layers, cables, kGpuLayer) ? kArcRoom : 0;
  rows.host_bottom = y += rows.is_named_on_top ? least_padding : kFrameText;
  if (has_racks) {
    rows.domain_switches = y + kHostRowGap + 16;
    y = rows.domain_switches + kSwitchHeight;
  }
  rows.domain_bottom = y += has_outer ? kFrameText + 4 : 0;
  if (shared.contains(0)) {
    rows.shared[0] = y + kNetworkGap;
    y = rows.shared[0] + kSwitchHeight + (has_arcs(layers, cables, 0) ? kArcRoom : 0);
  }
  rows.bottom = y;
  return rows;
}

}  // namespace epsim
