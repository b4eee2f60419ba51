#include "topologies/topology_text.hpp"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "sim/base/quantity_text.hpp"
#include "topologies/count_text.hpp"

namespace epsim {
namespace {

std::string exact_text(Bytes size) {
  return fmt::format("{} B", size.count);
}

// Caches are counted in powers of two, memories in powers of ten.
std::string cache_text(Bytes size) {
  constexpr std::int64_t kMebibyte = 1 << 20;
  if (size.count % kMebibyte != 0) return to_text(size);
  return fmt::format("{} MiB", size.count / kMebibyte);
}

// The one node that is not a GPU, if there is exactly one and every link starts or ends there.
std::optional<NodeId> only_switch(const Topology& topology) {
  std::optional<NodeId> found;
  for (std::uint32_t id = 0; id < topology.nodes().size(); ++id) {
    if (topology.node(NodeId{id}).kind == NodeKind::gpu) continue;
    if (found) return std::nullopt;
    found = NodeId{id};
  }
  const bool is_star =
      std::all_of(topology.links().begin(), topology.links().end(), [&](const Link& link) {
        return link.source == found || link.target == found;
      });
  return is_star ? found : std::nullopt;
}

// GPUs in a row above a box that stands for the switch. A long row is cut in its middle.
std::string draw_star(const Topology& topology, NodeId hub) {
  constexpr std::size_t kMostDrawn = 8;
  std::vector<std::string> names;
  for (std::uint32_t i = 0; i < topology.gpu_count(); ++i)
    names.push_back(topology.node(topology.gpu(GpuId{i})).name);
  if (names.size() > kMostDrawn) {
    names.erase(names.begin() + 4, names.end() - 3);
    names.insert(names.begin() + 4, "...");
  }
  std::size_t widest = 0;
  for (const std::string& name : names) widest = std::max(widest, name.size());

  std::string top;
  std::string cables;
  std::string edge;
  for (const std::string& name : names) {
    const bool is_gap = name == "...";
    top += fmt::format(" {:^{}} ", name, widest);
    cables += fmt::format(" {:^{}} ", is_gap ? " " : "|", widest);
    edge += fmt::format("-{:-^{}}-", is_gap ? "-" : "+", widest);
  }
  top.erase(top.find_last_not_of(' ') + 1);
  cables.erase(cables.find_last_not_of(' ') + 1);
  const std::string& hub_name = topology.node(hub).name;
  const std::size_t width = std::max(edge.size(), hub_name.size() + 2);
  return fmt::format("     {}\n     {}\n    +{:-<{}}+\n    |{:^{}}|\n    +{:-<{}}+\n",
                     top,
                     cables,
                     edge,
                     width,
                     hub_name,
                     width,
                     "",
                     width);
}

std::string ends_text(const Topology& topology, const Link& link) {
  return fmt::format("{} -> {}",
                     name_of(topology.node(link.source).kind),
                     name_of(topology.node(link.target).kind));
}

// Links that differ only in their ends' names are one line.
std::string link_lines(const Topology& topology) {
  std::size_t widest = 22;
  for (const Link& link : topology.links())
    widest = std::max(widest, ends_text(topology, link).size());
  std::vector<std::pair<std::string, std::size_t>> groups;
  for (const Link& link : topology.links()) {
    std::string text = fmt::format("{:<{}} {:<7}{:>11}{:>10}  {}",
                                   ends_text(topology, link),
                                   widest,
                                   name_of(link.kind),
                                   to_text(link.bandwidth),
                                   to_text(link.latency),
                                   name_of(link.sharing));
    const auto known = std::find_if(
        groups.begin(), groups.end(), [&](const auto& group) { return group.first == text; });
    if (known == groups.end())
      groups.emplace_back(std::move(text), 1);
    else
      ++known->second;
  }
  std::string lines;
  for (const auto& [text, count] : groups)
    lines += fmt::format("  {:<11}{:>4} x {}\n", lines.empty() ? "links" : "", count, text);
  return lines;
}

// NVLink domains and how switches choose, where there is a network.
std::string network_line(const Topology& topology) {
  if (!topology.has_network()) return "";
  return fmt::format("  network    {}, {} routing\n",
                     counted(topology.nvlink_domain_count(), "NVLink domain"),
                     kNetworkRoutingNames[static_cast<std::size_t>(topology.network_routing())]);
}

template <typename T>
struct Range {
  std::optional<T> low;
  std::optional<T> high;
  void include(T value) {
    low = low ? std::min(*low, value) : value;
    high = high ? std::max(*high, value) : value;
  }
};

std::string route_lines(const Topology& topology) {
  if (topology.gpu_count() < 2) return "  routes     none: one GPU\n";
  Range<std::size_t> lengths;
  Range<Duration> latencies;
  Range<Bandwidth> bandwidths;
  for (std::uint32_t i = 0; i < topology.gpu_count(); ++i) {
    for (std::uint32_t j = 0; j < topology.gpu_count(); ++j) {
      if (i == j) continue;
      lengths.include(topology.route(GpuId{i}, GpuId{j}).size());
      latencies.include(topology.route_latency(GpuId{i}, GpuId{j}));
      bandwidths.include(topology.route_bandwidth(GpuId{i}, GpuId{j}));
    }
  }
  const auto text = [](const auto& range, const auto& to_words) {
    const std::string low = to_words(*range.low);
    return *range.low == *range.high ? low : low + " to " + to_words(*range.high);
  };
  const auto quantity = [](auto value) { return to_text(value); };
  const auto count = [](std::size_t value) { return std::to_string(value); };
  return fmt::format(
      "  routes     {} pairs of GPUs, {} links each, {}, {}\n"
      "  bisection  {} from the first half of the GPUs to the second\n",
      topology.gpu_count() * (topology.gpu_count() - 1),
      text(lengths, count),
      text(latencies, quantity),
      text(bandwidths, quantity),
      to_text(topology.bisection_bandwidth()));
}

}  // namespace

void write_topology(const Topology& topology, JsonWriter& writer) {
  const GpuSpec& gpu = topology.gpu_spec();
  writer.begin_object()
      .field("schema", "epsim.topology/1")
      .field("name", topology.name())
      .field("description", topology.description())
      .field("kind", "custom");
  writer.key("sources").begin_array();
  for (const std::string& source : topology.sources()) writer.value(source);
  writer.end_array()
      .field("gpu", gpu.model)
      .field("sms", gpu.sm_count)
      .field("hbm_bandwidth", to_exact_text(gpu.hbm_bandwidth))
      .field("hbm_capacity", exact_text(gpu.hbm_capacity))
      .field("l2_size", exact_text(gpu.l2_size));
  if (topology.has_network())
    writer.field("routing",
                 kNetworkRoutingNames[static_cast<std::size_t>(topology.network_routing())]);
  writer.key("nodes").begin_array();
  for (const Node& node : topology.nodes())
    writer.begin_object().field("name", node.name).field("kind", name_of(node.kind)).end_object();
  writer.end_array().key("links").begin_array();
  for (const Link& link : topology.links())
    writer.begin_object()
        .field("source", topology.node(link.source).name)
        .field("target", topology.node(link.target).name)
        .field("bandwidth", to_exact_text(link.bandwidth))
        .field("latency", to_exact_text(link.latency))
        .field("kind", name_of(link.kind))
        .field("sharing", name_of(link.sharing))
        .end_object();
  writer.end_array().end_object();
}

std::string describe_topology(const Topology& topology) {
  const GpuSpec& gpu = topology.gpu_spec();
  std::string text = fmt::format("{}: {}\n\n", topology.name(), topology.description());
  if (const auto hub = only_switch(topology)) text += draw_star(topology, *hub) + '\n';
  text += fmt::format("  GPUs       {} x {}: {} SMs, HBM {} at {}, L2 {}\n",
                      topology.gpu_count(),
                      gpu.model,
                      gpu.sm_count,
                      to_text(gpu.hbm_capacity),
                      to_text(gpu.hbm_bandwidth),
                      cache_text(gpu.l2_size));
  text += fmt::format("  graph      {}, {}\n",
                      counted(topology.nodes().size(), "node"),
                      counted(topology.links().size(), "one-way link"));
  text += link_lines(topology) + network_line(topology) + route_lines(topology);
  for (const std::string& source : topology.sources())
    text += fmt::format("  source     {}\n", source);
  return text;
}

}  // namespace epsim
