#include "topologies/topology_words.hpp"
#include "topologies/count_text.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include <fmt/format.h>

namespace epsim {
namespace {

constexpr double kSize = 10;       // of the letters in boxes
constexpr double kSmallSize = 8;   // in narrow ones
constexpr double kLargeSize = 12;  // in marks for hosts
constexpr double kFrameSize = 11;

std::string of_domain(std::size_t hosts, std::string_view noun, std::size_t gpus) {
  return hosts > 1 ? fmt::format("{}, {}", counted(hosts, noun), counted(gpus, "GPU"))
                   : counted(gpus, "GPU");
}

// What a host is, apart from its name: two hosts with equal text are alike.
std::vector<std::string> descriptions_of_hosts(const Topology& topology,
                                               const TopologyLayers& layers,
                                               const std::vector<Cable>& cables) {
  std::map<NodeId, std::size_t> host_of;
  for (std::size_t i = 0; i < layers.hosts.size(); ++i)
    for (const NodeId id : layers.hosts[i].nodes) host_of[id] = i;
  std::vector<std::vector<std::string>> lines(layers.hosts.size());
  for (std::size_t i = 0; i < layers.hosts.size(); ++i)
    for (const NodeId id : layers.hosts[i].nodes)
      lines[i].emplace_back(name_of(topology.node(id).kind));
  for (const Cable& cable : cables) {
    std::set<std::size_t> ends;
    for (const NodeId end : {cable.source, cable.target})
      if (host_of.contains(end)) ends.insert(host_of[end]);
    for (const std::size_t host : ends)
      lines[host].push_back(fmt::format("{} {} {} {} x {}",
                                        layers.layer_of[cable.source.index()],
                                        layers.layer_of[cable.target.index()],
                                        words_of(cable.kind),
                                        cable_text(cable),
                                        cable.count));
  }
  std::vector<std::string> descriptions;
  for (auto& host : lines) {
    std::sort(host.begin(), host.end());
    descriptions.push_back(fmt::format("{}", fmt::join(host, "\n")));
  }
  return descriptions;
}

// "0.1" of "cpu0.port1".
std::string numbers_in(std::string_view name) {
  std::string numbers;
  for (const char letter : name)
    if (letter == '.' || (letter >= '0' && letter <= '9')) numbers += letter;
  return numbers;
}

// Words that fit into a box, else numbers alone. `host` is what the frame round it says.
void write_label(std::string_view whole, std::string_view host, DrawnBox& box) {
  const auto fits = [&](const std::string& text, double size) {
    return text_width(text, size) <= box.width - 2;
  };
  const std::string last(last_part(whole));
  if (box.kind == NodeKind::network_switch && last != whole) {
    const std::string group(whole.substr(0, whole.size() - last.size() - 1));
    if (fits(group, kSize) && fits(last, kSize)) box.text = {group, last};
  }
  if (!host.empty() && whole.starts_with(host) && whole.substr(host.size()).starts_with('.'))
    whole.remove_prefix(host.size() + 1);
  for (const double size : {kSize, kSmallSize}) {
    for (const std::string& text : {std::string(whole), numbers_in(whole)}) {
      if (!box.text.empty() || text.empty() || !fits(text, size)) continue;
      box.text = {text};
      box.text_size = size;
    }
  }
}

// "4 x NVLink to NVSwitch: 450.0 GB/s each way, 250.0 ns", one line for cables alike.
std::string links_text(const Topology& topology,
                       const TopologyLayers& layers,
                       const std::vector<Cable>& cables,
                       NodeId id) {
  std::map<std::string, std::size_t> counts;
  for (const Cable& cable : cables) {
    const NodeId other = cable.source == id ? cable.target : cable.source;
    const std::string_view way = cable.is_one_way && other == cable.source ? "from" : "to";
    counts[fmt::format("{} {} {}: {}",
                       words_of(cable.kind),
                       way,
                       layers.layer_nouns[layers.layer_of[other.index()]],
                       cable_text(cable))] += cable.count;
  }
  std::string text = fmt::format(
      "{}\n{}", topology.node(id).name, layers.layer_nouns[layers.layer_of[id.index()]]);
  if (topology.node(id).kind == NodeKind::gpu) text += ' ' + topology.gpu_spec().model;
  for (const auto& [line, count] : counts) text += fmt::format("\n{} x {}", count, line);
  return text;
}

void write_hidden_nodes(const Topology& topology,
                        const TopologyLayers& layers,
                        const std::vector<NodeId>& nodes,
                        DrawnBox& box) {
  const std::string many = fmt::format("\u2026 {} more", nodes.size());
  box.text = {text_width(many, kSize) <= box.width - 3 ? many : fmt::format("+{}", nodes.size())};
  box.tooltip = fmt::format("{} more {}: {} to {}",
                            nodes.size(),
                            layers.layer_names[box.layer],
                            topology.node(nodes.front()).name,
                            topology.node(nodes.back()).name);
}

// `count` racks or hosts. Alike, if they are, means alike to all that are drawn.
void write_hidden_hosts(const TopologyLayers& layers,
                        const std::vector<std::size_t>& hosts,
                        const std::vector<std::string>& descriptions,
                        DrawnBox& box) {
  const std::set<std::size_t> hidden(hosts.begin(), hosts.end());
  std::size_t gpus = 0;
  for (const std::size_t host : hosts) gpus += layers.hosts[host].gpu_count;
  std::size_t count = hosts.size();
  std::string noun = layers.hosts[hosts.front()].noun;
  const auto is_hidden = [&](std::size_t host) { return hidden.contains(host); };
  std::size_t domains = 0;
  std::string_view domain_noun;
  for (const DrawnDomain& domain : layers.domains) {
    if (domain.hosts.size() < 2 ||
        !std::all_of(domain.hosts.begin(), domain.hosts.end(), is_hidden))
      continue;
    ++domains;
    domain_noun = domain.noun;
  }
  if (domains > 0) {
    count = domains;
    noun = domain_noun;
  }
  const bool are_alike = std::all_of(hosts.begin(), hosts.end(), [&](std::size_t host) {
    return descriptions[host] == descriptions.front();
  });
  const std::string nouns = counted(count, noun).substr(std::to_string(count).size() + 1);
  const std::string alike = are_alike ? "alike" : "not all alike";
  box.text_size = kLargeSize;
  box.text = {fmt::format("\u2026 {} more", count), nouns};
  if (text_width(nouns + ' ' + alike, kLargeSize) <= box.width)
    box.text.back() += ' ' + alike;
  else
    box.text.push_back(alike);
  box.text.push_back(counted(gpus, "GPU"));
  box.tooltip = fmt::format("{} more, {}: {} to {}, {}",
                            counted(count, noun),
                            are_alike ? "alike" : "not all alike",
                            layers.hosts[hosts.front()].name,
                            layers.hosts[hosts.back()].name,
                            counted(gpus, "GPU"));
}

void write_frames(const TopologyLayers& layers, std::vector<DrawnFrame>& frames) {
  for (DrawnFrame& frame : frames) {
    if (frame.is_outer) {
      const auto domain =
          std::find_if(layers.domains.begin(), layers.domains.end(), [&](const DrawnDomain& other) {
            return other.name == frame.text;
          });
      std::size_t gpus = 0;
      for (const std::size_t host : domain->hosts) gpus += layers.hosts[host].gpu_count;
      frame.tooltip = fmt::format(
          "{}: {}",
          frame.text,
          of_domain(domain->hosts.size(), layers.hosts[domain->hosts.front()].noun, gpus));
      frame.text = frame.tooltip;
    } else {
      const auto host = std::find_if(layers.hosts.begin(),
                                     layers.hosts.end(),
                                     [&](const auto& other) { return other.name == frame.text; });
      frame.tooltip = fmt::format("{}: {}", host->name, counted(host->gpu_count, "GPU"));
      if (layers.hosts.size() == 1) frame.text = frame.tooltip;
      if (layers.hosts.size() > layers.domains.size()) frame.text = last_part(frame.text);
    }
    if (text_width(frame.text, kFrameSize) > frame.width - 10) frame.text = last_part(frame.text);
    if (text_width(frame.text, kFrameSize) > frame.width - 10)
      frame.text = number_at_end(frame.text);
  }
}

}  // namespace

std::string end_text(const Topology& topology,
                     const TopologyLayers& layers,
                     const TopologyBoxes& boxes,
                     std::size_t box) {
  if (boxes.boxes[box].hidden == 0) return topology.node(boxes.nodes_of[box].front()).name;
  const std::vector<std::size_t>& hosts = boxes.hosts_of[box];
  return hosts.empty()
             ? fmt::format(
                   "{} {}", boxes.boxes[box].hidden, layers.layer_names[boxes.boxes[box].layer])
             : counted(hosts.size(), layers.hosts[hosts.front()].noun);
}

void write_words(const Topology& topology,
                 const TopologyLayers& layers,
                 const std::vector<Cable>& cables,
                 TopologyBoxes& boxes) {
  const std::vector<std::string> descriptions = descriptions_of_hosts(topology, layers, cables);
  std::vector<std::string_view> host_of(topology.nodes().size());
  for (const DrawnHost& host : layers.hosts)
    for (const NodeId id : host.nodes) host_of[id.index()] = host.name;
  std::vector<std::vector<Cable>> cables_at(topology.nodes().size());
  for (const Cable& cable : cables) {
    cables_at[cable.source.index()].push_back(cable);
    cables_at[cable.target.index()].push_back(cable);
  }
  for (std::size_t i = 0; i < boxes.boxes.size(); ++i) {
    DrawnBox& box = boxes.boxes[i];
    const NodeId first = boxes.nodes_of[i].front();
    if (!boxes.hosts_of[i].empty()) {
      write_hidden_hosts(layers, boxes.hosts_of[i], descriptions, box);
    } else if (box.hidden > 0) {
      write_hidden_nodes(topology, layers, boxes.nodes_of[i], box);
    } else {
      write_label(topology.node(first).name, host_of[first.index()], box);
      box.tooltip = links_text(topology, layers, cables_at[first.index()], first);
    }
  }
  write_frames(layers, boxes.frames);
}

}  // namespace epsim
