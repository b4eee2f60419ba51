// TopologyDrawing: where the boxes, lines and words of a picture of a topology stand. Plain data in
// points; topology_svg writes it.
//
// What is many and alike is left out and counted: the first hosts and the last are drawn, and a
// mark between them says how many more there are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "topologies/topology.hpp"

namespace epsim {

struct DrawnBox {
  double x = 0;  // left
  double y = 0;  // top
  double width = 0;
  double height = 0;
  NodeKind kind = NodeKind::gpu;
  std::uint32_t layer = 0;        // of TopologyLayers; of a mark: that of what it stands for
  std::size_t hidden = 0;         // a mark: of so many nodes; 0 for a node that is drawn
  std::vector<std::string> text;  // lines, from top to bottom
  double text_size = 10;
  std::string tooltip;
  [[nodiscard]] double middle() const { return x + width / 2; }
  [[nodiscard]] double bottom() const { return y + height; }
};

// Round a host, or round the hosts of one NVLink domain.
struct DrawnFrame {
  double x = 0;
  double y = 0;
  double width = 0;
  double height = 0;
  bool is_outer = false;
  bool is_named_on_top = false;  // else at its lower edge
  std::string text;
  std::string tooltip;
};

struct DrawnLine {
  double x1 = 0;
  double y1 = 0;
  double x2 = 0;
  double y2 = 0;
  double bend = 0;  // how far an arc rises above its ends; 0: straight
  LinkKind kind = LinkKind::nvlink;
  double width = 1;
  bool is_bundle = false;  // at least one end is a mark
  std::string tooltip;
};

enum class TextStyle { title, plain, faint, strong };

struct DrawnText {
  double x = 0;  // where it starts
  double y = 0;  // its baseline
  TextStyle style = TextStyle::plain;
  std::string text;
};

struct TopologyDrawing {
  std::string title;
  std::string description;
  double width = 0;
  double height = 0;
  std::vector<DrawnFrame> frames;  // outer ones first
  std::vector<DrawnLine> lines;
  std::vector<DrawnBox> boxes;
  std::vector<DrawnLine> samples;  // of the legend
  std::vector<DrawnText> texts;
};

[[nodiscard]] TopologyDrawing draw_topology(const Topology& topology);

// How wide text of that size is at most, by the widths of common system fonts.
[[nodiscard]] double text_width(const std::string& text, double size);

}  // namespace epsim
