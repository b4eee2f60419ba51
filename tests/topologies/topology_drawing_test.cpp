#include "topologies/topology_drawing.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "topologies/topology_svg.hpp"

using namespace epsim;

namespace {

// Cables are both ways, unless a test adds a link itself.
struct Sketch {
  TopologyParts parts;

  explicit Sketch(std::string name) {
    parts.name = std::move(name);
    parts.description = "drawn by a test";
    parts.gpu = {.model = "H100",
                 .sm_count = 132,
                 .hbm_bandwidth = Bandwidth{3.35e12},
                 .hbm_capacity = Bytes{80'000'000'000},
                 .l2_size = Bytes{50LL << 20}};
  }
  NodeId node(std::string name, NodeKind kind) {
    parts.nodes.push_back({.name = std::move(name), .kind = kind});
    return NodeId{static_cast<std::uint32_t>(parts.nodes.size() - 1)};
  }
  void cable(NodeId a, NodeId b, LinkKind kind, double rate) {
    for (const auto& [source, target] : {std::pair(a, b), std::pair(b, a)})
      parts.links.push_back({.source = source,
                             .target = target,
                             .bandwidth = Bandwidth{rate},
                             .latency = Duration{250'000},
                             .kind = kind});
  }
};

// `hosts` of `gpus`, each with a NIC behind a PCIe switch on the leaf of its rail, and spines.
TopologyParts rails(std::size_t hosts, std::size_t gpus, std::size_t spines) {
  Sketch sketch("rails");
  std::vector<NodeId> leaves;
  for (std::size_t i = 0; i < gpus; ++i)
    leaves.push_back(sketch.node(fmt::format("leaf{}", i), NodeKind::network_switch));
  for (std::size_t i = 0; i < spines; ++i) {
    const NodeId spine = sketch.node(fmt::format("spine{}", i), NodeKind::network_switch);
    for (const NodeId leaf : leaves) sketch.cable(leaf, spine, LinkKind::rdma, 100e9);
  }
  for (std::size_t host = 0; host < hosts; ++host) {
    const NodeId nvswitch = sketch.node(fmt::format("host{}.nvswitch0", host), NodeKind::nvswitch);
    for (std::size_t i = 0; i < gpus; ++i) {
      const NodeId gpu = sketch.node(fmt::format("host{}.gpu{}", host, i), NodeKind::gpu);
      const NodeId pcie = sketch.node(fmt::format("host{}.pcie{}", host, i), NodeKind::pcie_switch);
      const NodeId nic = sketch.node(fmt::format("host{}.nic{}", host, i), NodeKind::nic);
      sketch.cable(gpu, nvswitch, LinkKind::nvlink, 450e9);
      sketch.cable(gpu, pcie, LinkKind::pcie, 63e9);
      sketch.cable(pcie, nic, LinkKind::pcie, 63e9);
      sketch.cable(nic, leaves[i], LinkKind::rdma, 50e9);
    }
  }
  return sketch.parts;
}

TopologyParts star(std::size_t gpus) {
  Sketch sketch("star");
  const NodeId nvswitch = sketch.node("nvswitch0", NodeKind::nvswitch);
  for (std::size_t i = 0; i < gpus; ++i)
    sketch.cable(
        sketch.node(fmt::format("gpu{}", i), NodeKind::gpu), nvswitch, LinkKind::nvlink, 450e9);
  return sketch.parts;
}

TopologyParts rack(std::size_t trays) {
  Sketch sketch("rack");
  const NodeId nvswitch = sketch.node("nvswitch0", NodeKind::nvswitch);
  for (std::size_t i = 0; i < trays * 4; ++i)
    sketch.cable(sketch.node(fmt::format("tray{}.gpu{}", i / 4, i % 4), NodeKind::gpu),
                 nvswitch,
                 LinkKind::nvlink,
                 900e9);
  return sketch.parts;
}

TopologyDrawing drawn(TopologyParts parts) {
  return draw_topology(Topology(std::move(parts)));
}

const DrawnBox& box_of(const TopologyDrawing& drawing, std::string_view node) {
  const auto found = std::find_if(drawing.boxes.begin(), drawing.boxes.end(), [&](const auto& box) {
    return box.hidden == 0 && box.tooltip.starts_with(std::string(node) + '\n');
  });
  REQUIRE(found != drawing.boxes.end());
  return *found;
}

std::vector<DrawnBox> marks(const TopologyDrawing& drawing) {
  std::vector<DrawnBox> found;
  for (const DrawnBox& box : drawing.boxes)
    if (box.hidden > 0) found.push_back(box);
  return found;
}

bool has_line(const TopologyDrawing& drawing, std::string_view start) {
  return std::any_of(drawing.lines.begin(), drawing.lines.end(), [&](const DrawnLine& line) {
    return line.tooltip.starts_with(start);
  });
}

bool overlap(const DrawnBox& a, const DrawnBox& b) {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.bottom() && b.y < a.bottom();
}

// Every tag that is opened is closed, in order; no text holds what would open one.
bool is_balanced(const std::string& xml) {
  std::vector<std::string> open;
  for (std::size_t at = xml.find('<'); at != std::string::npos; at = xml.find('<', at)) {
    const std::size_t end = xml.find('>', at);
    if (end == std::string::npos || xml.find('<', at + 1) < end) return false;
    const std::string tag = xml.substr(at + 1, end - at - 1);
    at = end;
    if (tag.ends_with('/')) continue;
    if (!tag.starts_with('/')) {
      open.push_back(tag.substr(0, tag.find(' ')));
    } else {
      if (open.empty() || open.back() != tag.substr(1)) return false;
      open.pop_back();
    }
  }
  return open.empty();
}

}  // namespace

TEST_CASE("topology drawing: spines are over leaves, NICs, PCIe switches, GPUs and NVSwitches") {
  const TopologyDrawing drawing = drawn(rails(2, 4, 2));
  const std::vector<std::string_view> downwards = {
      "spine0", "leaf0", "host0.nic0", "host0.pcie0", "host0.gpu0", "host0.nvswitch0"};
  for (std::size_t i = 1; i < downwards.size(); ++i) {
    CAPTURE(downwards[i]);
    CHECK(box_of(drawing, downwards[i - 1]).bottom() < box_of(drawing, downwards[i]).y);
  }
  CHECK(marks(drawing).empty());
}

TEST_CASE("topology drawing: boxes are apart and on the page") {
  for (const TopologyParts& parts : {rails(1, 1, 1),
                                     rails(2, 4, 2),
                                     rails(5, 8, 40),
                                     rails(16, 8, 8),
                                     star(1),
                                     star(8),
                                     star(72),
                                     star(512),
                                     rack(18),
                                     rack(64)}) {
    const TopologyDrawing drawing = drawn(parts);
    CAPTURE(parts.name);
    CAPTURE(parts.nodes.size());
    for (std::size_t i = 0; i < drawing.boxes.size(); ++i) {
      const DrawnBox& box = drawing.boxes[i];
      CHECK(box.width > 4);
      CHECK(box.x >= 0);
      CHECK(box.x + box.width <= drawing.width);
      CHECK(box.bottom() <= drawing.height);
      for (std::size_t j = 0; j < i; ++j) CHECK_FALSE(overlap(box, drawing.boxes[j]));
    }
  }
}

TEST_CASE("topology drawing: many hosts are drawn as the first, the last and a count") {
  const TopologyDrawing drawing = drawn(rails(16, 8, 8));
  const std::vector<DrawnBox> hidden = marks(drawing);
  REQUIRE(hidden.size() == 1);
  // 16 hosts less the drawn ones, each with 8 x (GPU, PCIe switch, NIC) and an NVSwitch.
  const std::size_t frames = drawing.frames.size();
  CHECK(frames >= 2);
  CHECK(hidden[0].hidden == (16 - frames) * 25);
  CHECK(hidden[0].text[0] == fmt::format("\u2026 {} more", 16 - frames));
  CHECK(hidden[0].text[1] == "hosts alike");
  CHECK(hidden[0].text[2] == fmt::format("{} GPUs", (16 - frames) * 8));
  CHECK(drawing.frames.front().text == "host0");
  CHECK(drawing.frames.back().text == "host15");
  // What is left out is linked to all eight leaves.
  CHECK(std::count_if(drawing.lines.begin(), drawing.lines.end(), [](const DrawnLine& line) {
          return line.is_bundle;
        }) == 8);
}

TEST_CASE("topology drawing: hosts of which one has lost a link are not called alike") {
  TopologyParts parts = rails(16, 8, 8);
  std::erase_if(parts.links, [&](const Link& link) {
    const std::string_view source = parts.nodes[link.source.index()].name;
    const std::string_view target = parts.nodes[link.target.index()].name;
    return (source == "host9.gpu3" && target == "host9.pcie3") ||
           (target == "host9.gpu3" && source == "host9.pcie3");
  });
  // GPU 3 of host 9 stays in reach by a cable from its NIC.
  const auto named = [&](std::string_view name) {
    const auto found = std::find_if(parts.nodes.begin(), parts.nodes.end(), [&](const Node& node) {
      return node.name == name;
    });
    return NodeId{static_cast<std::uint32_t>(found - parts.nodes.begin())};
  };
  for (const bool there : {true, false})
    parts.links.push_back({.source = named(there ? "host9.gpu3" : "host9.nic3"),
                           .target = named(there ? "host9.nic3" : "host9.gpu3"),
                           .bandwidth = Bandwidth{63e9},
                           .kind = LinkKind::pcie});
  const std::vector<std::string> text = marks(drawn(parts)).at(0).text;
  CHECK(std::find(text.begin(), text.end(), "not all alike") != text.end());
}

TEST_CASE("topology drawing: many switches in a layer and many GPUs on a switch are counted") {
  const TopologyDrawing fabric = drawn(rails(2, 4, 40));
  REQUIRE(marks(fabric).size() == 1);
  const auto spines = static_cast<std::size_t>(
      std::count_if(fabric.boxes.begin(), fabric.boxes.end(), [](const DrawnBox& box) {
        return box.tooltip.starts_with("spine");
      }));
  CHECK(spines + marks(fabric)[0].hidden == 40);
  CHECK(box_of(fabric, "spine39").kind == NodeKind::network_switch);

  const TopologyDrawing node = drawn(star(512));
  REQUIRE(marks(node).size() == 1);
  // The NVSwitch is a box too.
  CHECK(node.boxes.size() - 2 + marks(node)[0].hidden == 512);
  CHECK(box_of(node, "gpu511").text == std::vector<std::string>{"511"});
}

TEST_CASE("topology drawing: the trays of a rack stand in one NVLink domain, all 72 GPUs drawn") {
  const TopologyDrawing drawing = drawn(rack(18));
  CHECK(marks(drawing).empty());
  CHECK(drawing.boxes.size() == 73);
  CHECK(drawing.lines.size() == 72);
  CHECK(drawing.frames.size() == 19);
  CHECK(drawing.frames[0].is_outer);
  CHECK(drawing.frames[0].text == "NVLink domain: 18 trays, 72 GPUs");
  CHECK(drawing.frames[18].text == "tray17");
}

TEST_CASE("topology drawing: tooltips tell bandwidth, latency and what a node is linked to") {
  const TopologyDrawing drawing = drawn(rails(2, 4, 2));
  CHECK(
      has_line(drawing, "host0.gpu0 \u2013 host0.nvswitch0\nNVLink 450.0 GB/s each way, 250.0 ns"));
  CHECK(
      has_line(drawing, "host1.nic3 \u2013 leaf3\nRDMA 50.0 GB/s (400 Gbit/s) each way, 250.0 ns"));
  // A leaf: a NIC of each host and both spines.
  CHECK(box_of(drawing, "leaf0").tooltip ==
        "leaf0\nleaf\n2 x RDMA to NIC: 50.0 GB/s (400 Gbit/s) each way, 250.0 ns\n"
        "2 x RDMA to spine: 100.0 GB/s (800 Gbit/s) each way, 250.0 ns");
  CHECK(box_of(drawing, "host0.gpu0").tooltip.starts_with("host0.gpu0\nGPU H100\n"));
}

TEST_CASE("topology drawing: cables that are slower one way say both, and one-way ones so") {
  Sketch sketch("pair");
  const NodeId a = sketch.node("a", NodeKind::gpu);
  const NodeId b = sketch.node("b", NodeKind::gpu);
  sketch.cable(a, b, LinkKind::nvlink, 300e9);
  sketch.parts.links[1].latency = Duration{100'000};
  CHECK(has_line(drawn(sketch.parts),
                 "a \u2013 b\nNVLink 300.0 GB/s each way, 250.0 ns up, 100.0 ns down"));
  sketch.parts.links.push_back({.source = a,
                                .target = b,
                                .bandwidth = Bandwidth{32e9},
                                .latency = Duration{400'000},
                                .kind = LinkKind::pcie});
  CHECK(has_line(drawn(sketch.parts), "a \u2013 b\nPCIe 32.0 GB/s one way, 400.0 ns"));
}

TEST_CASE("topology drawing: a GPU without a host between two that have one is drawn too") {
  Sketch sketch("between");
  const NodeId nvswitch = sketch.node("nvswitch0", NodeKind::nvswitch);
  for (const char* name : {"host0.gpu0", "host1.gpu0", "gpu9"})
    sketch.cable(sketch.node(name, NodeKind::gpu), nvswitch, LinkKind::nvlink, 450e9);
  const TopologyDrawing drawing = drawn(sketch.parts);
  CHECK(box_of(drawing, "gpu9").tooltip.starts_with("gpu9\nGPU H100\n"));
  CHECK(has_line(drawing, "gpu9 \u2013 nvswitch0\nNVLink 450.0 GB/s each way, 250.0 ns"));
}

TEST_CASE("topology svg: tags balance, and names with < and & stay text") {
  Sketch sketch("a <b> & \"c\"");
  const NodeId a = sketch.node("x<1>", NodeKind::gpu);
  const NodeId b = sketch.node("y&\x01", NodeKind::gpu);
  sketch.cable(a, b, LinkKind::nvlink, 300e9);
  const std::string svg = topology_svg(drawn(sketch.parts));
  CHECK(is_balanced(svg));
  CHECK(svg.find("<title>a &lt;b&gt; &amp; &quot;c&quot;</title>") != std::string::npos);
  CHECK(svg.find("x&lt;1&gt; \u2013 y&amp;?") != std::string::npos);
  CHECK(svg.find("x<1>") == std::string::npos);
  for (const TopologyParts& parts : {rails(16, 8, 40), star(72), rack(18)})
    CHECK(is_balanced(topology_svg(drawn(parts))));
}

TEST_CASE("topology svg: the same topology gives the same bytes, and nothing from elsewhere") {
  const std::string svg = topology_svg(drawn(rails(4, 8, 4)));
  CHECK(svg == topology_svg(drawn(rails(4, 8, 4))));
  CHECK(svg.find("href") == std::string::npos);
  CHECK(svg.find("url(") == std::string::npos);
}
