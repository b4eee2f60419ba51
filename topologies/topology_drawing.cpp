#include "topologies/topology_drawing.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "sim/base/quantity_text.hpp"
#include "topologies/count_text.hpp"
#include "topologies/topology_boxes.hpp"
#include "topologies/topology_words.hpp"

namespace epsim {
namespace {

constexpr double kMargin = 24;
constexpr double kGutter = 128;  // for the names of the layers
constexpr double kLeastPage = 840;
constexpr double kLineHeight = 18;

// Ten times the bandwidth is about three times the width.
double stroke_of(Bandwidth bandwidth, double cell) {
  const double width = std::sqrt(bandwidth.bytes_per_second / 50e9);
  return std::clamp(width, 0.7, std::min(5.0, std::max(1.0, cell / 6)));
}

// That the widest row of switches asks for.
double shared_width(const TopologyLayers& layers) {
  std::map<std::uint32_t, std::size_t> counts;
  for (const NodeId id : layers.shared) ++counts[layers.layer_of[id.index()]];
  double width = 0;
  for (const auto& [layer, count] : counts)
    width = std::max(width, std::min(kDrawingWidth, 80.0 * static_cast<double>(count)));
  return width;
}

std::vector<std::string> wrapped(const std::string& text, double width, double size) {
  std::vector<std::string> lines(1);
  std::string word;
  const auto place_word = [&] {
    if (!lines.back().empty() && text_width(lines.back() + ' ' + word, size) > width)
      lines.emplace_back();
    if (!lines.back().empty()) lines.back() += ' ';
    lines.back() += word;
    word.clear();
  };
  for (const char letter : text) {
    if (letter == ' ' && !word.empty()) place_word();
    if (letter != ' ') word += letter;
  }
  if (!word.empty()) place_word();
  return lines;
}

std::string gpu_text(const Topology& topology) {
  const GpuSpec& gpu = topology.gpu_spec();
  return fmt::format("{} x {}: {} SMs, HBM {} at {}, L2 {:.4g} MiB",
                     topology.gpu_count(),
                     gpu.model,
                     gpu.sm_count,
                     to_text(gpu.hbm_capacity),
                     to_text(gpu.hbm_bandwidth),
                     static_cast<double>(gpu.l2_size.count) / (1 << 20));
}

// Returns where the picture may begin.
double write_heading(const Topology& topology, TopologyDrawing& drawing) {
  double y = kMargin + 14;
  const auto add = [&](TextStyle style, const std::string& text) {
    drawing.texts.push_back({.x = kMargin, .y = y, .style = style, .text = text});
  };
  add(TextStyle::title, topology.name());
  y += 4;
  for (const std::string& line : wrapped(topology.description(), drawing.width - 2 * kMargin, 13)) {
    y += kLineHeight;
    add(TextStyle::plain, line);
  }
  y += kLineHeight;
  std::string facts = gpu_text(topology);
  if (topology.has_network())
    facts += fmt::format(
        "; {} routing", kNetworkRoutingNames[static_cast<std::size_t>(topology.network_routing())]);
  add(TextStyle::faint, facts);
  return y + 28;
}

// Cables between the same two boxes.
struct Bundle {
  std::vector<Cable> cables;
  std::size_t count = 0;
  Bandwidth bandwidth;  // of all together, each way
};

std::string bundle_text(const Bundle& bundle,
                        const std::string& source,
                        const std::string& target) {
  std::string text = source + " \u2013 " + target;
  std::map<std::string, std::size_t> counts;
  for (const Cable& cable : bundle.cables)
    counts[fmt::format("{} {}", words_of(cable.kind), cable_text(cable))] += cable.count;
  for (const auto& [line, count] : counts)
    text += count == 1 ? "\n" + line : fmt::format("\n{} x {}", count, line);
  return text;
}

// Where a line meets a box: wide ones and marks are met below or above its other end.
double meeting_point(const DrawnBox& box, double other, double drawing_width) {
  constexpr double kInset = 7;
  if (box.width > 110) return std::clamp(other, box.x + 3, box.x + box.width - 3);
  const bool spreads =
      box.hidden > 0 || box.kind == NodeKind::network_switch || box.kind == NodeKind::nvswitch;
  if (!spreads) return box.middle();
  return box.middle() + (box.width - 2 * kInset) * (other - box.middle()) / drawing_width;
}

DrawnLine line_between(const DrawnBox& a, const DrawnBox& b, double drawing_width) {
  DrawnLine line;
  const bool is_level = a.y < b.bottom() && b.y < a.bottom();
  if (is_level) {
    // GPUs have the way up taken: their arcs hang below.
    const bool hangs = a.kind == NodeKind::gpu || a.kind == NodeKind::nvswitch;
    // Those that go far leave further out, so that they can be told apart.
    const double share = 0.1 + 0.3 * std::abs(b.middle() - a.middle()) / drawing_width;
    const double side = a.middle() < b.middle() ? 1 : -1;
    line.x1 = a.middle() + side * share * a.width;
    line.x2 = b.middle() - side * share * b.width;
    line.y1 = hangs ? a.bottom() : a.y;
    line.y2 = hangs ? b.bottom() : b.y;
    line.bend = std::min(36.0, 8 + std::abs(line.x2 - line.x1) / 14) * (hangs ? -1 : 1);
    return line;
  }
  const DrawnBox& upper = a.y < b.y ? a : b;
  const DrawnBox& lower = a.y < b.y ? b : a;
  line.x1 = meeting_point(lower, upper.middle(), drawing_width);
  line.x2 = meeting_point(upper, lower.middle(), drawing_width);
  line.y1 = lower.y;
  line.y2 = upper.bottom();
  return line;
}

void write_lines(const Topology& topology,
                 const TopologyLayers& layers,
                 const std::vector<Cable>& cables,
                 const TopologyBoxes& boxes,
                 double cell,
                 TopologyDrawing& drawing) {
  std::map<std::tuple<LinkKind, std::size_t, std::size_t>, Bundle> bundles;
  for (const Cable& cable : cables) {
    const std::size_t source = boxes.box_of[cable.source.index()];
    const std::size_t target = boxes.box_of[cable.target.index()];
    if (source == target) continue;  // within a mark
    Bundle& bundle = bundles[{cable.kind, std::min(source, target), std::max(source, target)}];
    bundle.cables.push_back(cable);
    bundle.count += cable.count;
    bundle.bandwidth.bytes_per_second +=
        cable.bandwidth.bytes_per_second * static_cast<double>(cable.count);
  }
  for (const auto& [key, bundle] : bundles) {
    const auto& [kind, first, second] = key;
    const bool is_first_source = boxes.box_of[bundle.cables.front().source.index()] == first;
    const std::string a = end_text(topology, layers, boxes, first);
    const std::string b = end_text(topology, layers, boxes, second);
    DrawnLine line = line_between(boxes.boxes[first], boxes.boxes[second], drawing.width);
    line.kind = kind;
    line.is_bundle = boxes.boxes[first].hidden > 0 || boxes.boxes[second].hidden > 0;
    line.width = line.is_bundle ? 1 : stroke_of(bundle.bandwidth, cell);
    line.tooltip = bundle_text(bundle, is_first_source ? a : b, is_first_source ? b : a);
    drawing.lines.push_back(std::move(line));
  }
}

// The name of each layer beside its topmost row, and how many there are.
void name_layers(const TopologyLayers& layers, TopologyDrawing& drawing) {
  std::map<std::uint32_t, std::size_t> counts;
  for (const std::uint32_t layer : layers.layer_of) ++counts[layer];
  std::map<std::uint32_t, double> heights;
  for (const DrawnBox& box : drawing.boxes) {
    if (box.height > 40) continue;  // a mark that stands for hosts
    const double y = box.y + box.height / 2;
    const auto [entry, is_new] = heights.emplace(box.layer, y);
    if (!is_new) entry->second = std::max(entry->second, y);
  }
  for (const auto& [layer, y] : heights) {
    drawing.texts.push_back(
        {.x = kMargin, .y = y - 1, .style = TextStyle::strong, .text = layers.layer_names[layer]});
    drawing.texts.push_back({.x = kMargin,
                             .y = y + 13,
                             .style = TextStyle::faint,
                             .text = fmt::format("{} in all", counts[layer])});
  }
}

struct LegendRow {
  Cable cable;
  std::uint32_t source = 0;  // layers that it joins
  std::uint32_t target = 0;
};

std::vector<LegendRow> legend_rows(const TopologyLayers& layers, const std::vector<Cable>& cables) {
  std::map<std::tuple<std::uint32_t, std::uint32_t, LinkKind, std::string>, LegendRow> rows;
  for (const Cable& cable : cables) {
    std::uint32_t source = layers.layer_of[cable.source.index()];
    std::uint32_t target = layers.layer_of[cable.target.index()];
    const bool may_turn = !cable.is_one_way && cable.latency == cable.latency_back;
    if (may_turn && source >= kNetworkLayer && source > target) std::swap(source, target);
    const auto [entry, is_new] = rows.try_emplace({source, target, cable.kind, cable_text(cable)},
                                                  LegendRow{cable, source, target});
    if (!is_new) entry->second.cable.count += cable.count;
  }
  std::vector<LegendRow> list;
  for (const auto& [key, row] : rows) list.push_back(row);
  return list;
}

// Returns where it ends.
double write_legend(const TopologyLayers& layers,
                    const std::vector<Cable>& cables,
                    double cell,
                    double y,
                    TopologyDrawing& drawing) {
  constexpr std::size_t kMostRows = 12;
  const std::vector<LegendRow> rows = legend_rows(layers, cables);
  const std::size_t shown = rows.size() > kMostRows ? kMostRows - 1 : rows.size();
  const auto add = [&](double x, TextStyle style, std::string text) {
    drawing.texts.push_back({.x = x, .y = y, .style = style, .text = std::move(text)});
  };
  bool has_marks = false;
  for (const DrawnLine& line : drawing.lines) has_marks = has_marks || line.is_bundle;
  for (std::size_t i = 0; i < shown; ++i, y += kLineHeight + 2) {
    const LegendRow& row = rows[i];
    Cable one = row.cable;
    one.count = 1;
    drawing.samples.push_back({.x1 = kMargin,
                               .y1 = y - 4.5,
                               .x2 = kMargin + 34,
                               .y2 = y - 4.5,
                               .kind = one.kind,
                               .width = stroke_of(one.bandwidth, cell),
                               .tooltip = {}});
    add(kMargin + 44, TextStyle::strong, std::string(words_of(one.kind)));
    add(kMargin + kGutter,
        TextStyle::plain,
        layers.layer_nouns[row.source] + " \u2013 " + layers.layer_nouns[row.target]);
    add(kMargin + kGutter + 152, TextStyle::plain, cable_text(one));
    add(kMargin + kGutter + 550, TextStyle::faint, counted(row.cable.count, "cable"));
  }
  if (shown < rows.size()) {
    add(kMargin + 44,
        TextStyle::faint,
        fmt::format("\u2026 {} more kinds of cable", rows.size() - shown));
    y += kLineHeight + 2;
  }
  if (has_marks) {
    add(kMargin + 44, TextStyle::faint, "dashed: all cables of what is left out, as one line");
    y += kLineHeight + 2;
  }
  return y - kLineHeight + kMargin;
}

}  // namespace

double text_width(const std::string& text, double size) {
  const auto letters = std::count_if(text.begin(), text.end(), [](char letter) {
    return (static_cast<unsigned char>(letter) & 0xC0U) != 0x80U;  // where a letter of UTF-8 begins
  });
  return static_cast<double>(letters) * size * 0.62;
}

TopologyDrawing draw_topology(const Topology& topology) {
  const TopologyLayers layers = layers_of(topology);
  const std::vector<Cable> cables = cables_of(topology);
  const TopologyElision elision = elide(topology, layers);
  const double width = std::max(hosts_width(topology, layers, elision), shared_width(layers));

  TopologyDrawing drawing{.title = topology.name(),
                          .description = topology.description(),
                          .width = std::max(kGutter + width + 2 * kMargin, kLeastPage),
                          .frames = {},
                          .lines = {},
                          .boxes = {},
                          .samples = {},
                          .texts = {}};
  const double top = write_heading(topology, drawing);
  TopologyBoxes boxes = place_boxes(
      topology, layers, cables, elision, {.x = kMargin + kGutter, .y = top, .width = width});
  write_words(topology, layers, cables, boxes);
  write_lines(topology, layers, cables, boxes, elision.cell, drawing);
  drawing.frames = std::move(boxes.frames);
  drawing.boxes = std::move(boxes.boxes);
  name_layers(layers, drawing);
  drawing.height = write_legend(layers, cables, elision.cell, boxes.bottom + 42, drawing);
  return drawing;
}

}  // namespace epsim
