#include "topologies/topology_svg.hpp"

#include <array>
#include <string_view>

#include <fmt/format.h>

namespace epsim {
namespace {

// By the kind of link; strokes of boxes have the colour of the links that they belong to.
constexpr std::string_view kStyle =
    "text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif;"
    "font-size:12px;fill:#26323d}\n"
    ".title{font-size:19px;font-weight:600}.strong{font-weight:600}.faint{fill:#64727f}\n"
    ".in{text-anchor:middle;pointer-events:none}.s8{font-size:8px}.s10{font-size:10px}\n"
    ".frame-name{font-size:11px;fill:#52606d;paint-order:stroke;stroke:#f3f5f8;stroke-width:4px}\n"
    ".outer-name{font-weight:600;stroke:#fafbfd}\n"
    ".host{fill:#f3f5f8;stroke:#c3ccd6}.outer{fill:#fafbfd;stroke:#9fb0a6;stroke-dasharray:2 3}\n"
    ".gpu{fill:#e2f2d9;stroke:#4c8c2b}.nvswitch{fill:#cbe6bb;stroke:#3b7020}\n"
    ".pcie_switch{fill:#fbe8c9;stroke:#b87510}.cpu{fill:#eee0f5;stroke:#8246a6}\n"
    ".nic{fill:#dceafa;stroke:#2f6db3}.network_switch{fill:#c4dbf4;stroke:#1f4f8a}\n"
    ".mark{fill:#fff;stroke:#8b98a5;stroke-dasharray:4 3}.mark+text,.mark~text{fill:#52606d}\n"
    ".line{fill:none;stroke-linecap:round}\n"
    ".nvlink{stroke:#5aa02c}.pcie{stroke:#d08a1d}.rdma{stroke:#3a7fcb}.c2c{stroke:#9a55c4}\n"
    ".line.rdma{stroke-opacity:.72}.bundle{stroke-dasharray:3 4}.line.bundle{stroke-opacity:.5}\n"
    ".reach{fill:none;stroke:#000;stroke-opacity:0;stroke-width:7}\n"
    "g.cable:hover .line{stroke-width:4;stroke-opacity:1}g.node:hover rect{stroke-width:2.5}\n";

// Text between tags and in quotes. What XML cannot hold at all, control characters, becomes '?'.
std::string escaped(std::string_view text) {
  std::string safe;
  for (const char letter : text) {
    switch (letter) {
      case '&':
        safe += "&amp;";
        break;
      case '<':
        safe += "&lt;";
        break;
      case '>':
        safe += "&gt;";
        break;
      case '"':
        safe += "&quot;";
        break;
      default:
        safe += static_cast<unsigned char>(letter) < ' ' && letter != '\n' ? '?' : letter;
    }
  }
  return safe;
}

std::string frame_svg(const DrawnFrame& frame) {
  return fmt::format(
      "<g><title>{}</title><rect class=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" "
      "height=\"{:.1f}\" rx=\"8\"/></g>\n",
      escaped(frame.tooltip),
      frame.is_outer ? "outer" : "host",
      frame.x,
      frame.y,
      frame.width,
      frame.height);
}

// After the lines, which may run through it.
std::string frame_name_svg(const DrawnFrame& frame) {
  return fmt::format("<text class=\"frame-name{}\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n",
                     frame.is_outer ? " outer-name" : "",
                     frame.x + 8,
                     frame.is_named_on_top ? frame.y + 14 : frame.y + frame.height - 7,
                     escaped(frame.text));
}

std::string path_of(const DrawnLine& line) {
  if (line.bend == 0)
    return fmt::format("M{:.1f} {:.1f}L{:.1f} {:.1f}", line.x1, line.y1, line.x2, line.y2);
  // A cubic whose inner points are a third further out rises as far as its bend.
  const double rise = line.bend * 4 / 3;
  return fmt::format("M{0:.1f} {1:.1f}C{0:.1f} {2:.1f} {3:.1f} {4:.1f} {3:.1f} {5:.1f}",
                     line.x1,
                     line.y1,
                     line.y1 - rise,
                     line.x2,
                     line.y2 - rise,
                     line.y2);
}

std::string stroke_svg(const DrawnLine& line, const std::string& path) {
  return fmt::format("<path class=\"line {}{}\" stroke-width=\"{:.2f}\" d=\"{}\"/>",
                     name_of(line.kind),
                     line.is_bundle ? " bundle" : "",
                     line.width,
                     path);
}

// With an unseen wide stroke over it, so that a thin line is easy to point at.
std::string line_svg(const DrawnLine& line) {
  const std::string path = path_of(line);
  return fmt::format("<g class=\"cable\"><title>{}</title>{}<path class=\"reach\" d=\"{}\"/></g>\n",
                     escaped(line.tooltip),
                     stroke_svg(line, path),
                     path);
}

std::string box_svg(const DrawnBox& box) {
  std::string svg = fmt::format(
      "<g class=\"node\"><title>{}</title><rect class=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\" "
      "width=\"{:.1f}\" height=\"{:.1f}\" rx=\"{}\"/>",
      escaped(box.tooltip),
      box.hidden > 0 ? "mark" : name_of(box.kind),
      box.x,
      box.y,
      box.width,
      box.height,
      box.width < 20 ? 2.5 : 4.0);
  const bool is_tall = box.height > 40;
  const double step = is_tall ? 16 : 11;
  double y = box.y + box.height / 2 + box.text_size * 0.35 -
             step * (static_cast<double>(box.text.size()) - 1) / 2;
  for (const std::string& text : box.text) {
    svg += fmt::format("<text class=\"in s{:.0f}\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>",
                       box.text_size,
                       box.middle(),
                       y,
                       escaped(text));
    y += step;
  }
  return svg + "</g>\n";
}

std::string text_svg(const DrawnText& text) {
  constexpr std::array<std::string_view, 4> kClasses = {"title", "plain", "faint", "strong"};
  return fmt::format("<text class=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n",
                     kClasses[static_cast<std::size_t>(text.style)],
                     text.x,
                     text.y,
                     escaped(text.text));
}

}  // namespace

std::string topology_svg(const TopologyDrawing& drawing) {
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0:.0f} {1:.0f}\" width=\"{0:.0f}\" "
      "height=\"{1:.0f}\" role=\"img\">\n<title>{2}</title>\n<desc>{3}</desc>\n"
      "<style>{4}</style>\n"
      "<rect width=\"100%\" height=\"100%\" rx=\"10\" fill=\"#ffffff\"/>\n",
      drawing.width,
      drawing.height,
      escaped(drawing.title),
      escaped(drawing.description),
      kStyle);
  for (const DrawnFrame& frame : drawing.frames) svg += frame_svg(frame);
  for (const DrawnLine& line : drawing.lines) svg += line_svg(line);
  for (const DrawnBox& box : drawing.boxes) svg += box_svg(box);
  for (const DrawnFrame& frame : drawing.frames) svg += frame_name_svg(frame);
  for (const DrawnLine& sample : drawing.samples) svg += stroke_svg(sample, path_of(sample)) + '\n';
  for (const DrawnText& text : drawing.texts) svg += text_svg(text);
  return svg + "</svg>\n";
}

}  // namespace epsim
