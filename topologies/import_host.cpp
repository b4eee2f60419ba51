#include "topologies/import_host.hpp"

#include <algorithm>
#include <filesystem>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "sim/base/input_error.hpp"
#include "sim/base/quantity_text.hpp"
#include "topologies/count_text.hpp"
#include "topologies/import_nccl_xml.hpp"
#include "topologies/import_topo_matrix.hpp"

namespace epsim {
namespace {

std::string names_of(const HostDrawing& host) {
  std::string names;
  for (const NicPort& port : host.ports)
    names += (names.empty() ? "" : ", ") + host.nodes[port.nic.index()].name;
  return names;
}

// The ports that are asked for, each with its speed. Throws InputError for a name that no NIC has.
std::vector<NicPort> chosen_ports(const HostDrawing& host,
                                  const HostChoices& choices,
                                  std::string_view file) {
  std::vector<NicPort> chosen;
  if (choices.nics.empty()) chosen = host.ports;
  for (const std::string& name : choices.nics) {
    const auto found = std::find_if(host.ports.begin(), host.ports.end(), [&](const NicPort& port) {
      return host.nodes[port.nic.index()].name == name;
    });
    if (found == host.ports.end())
      throw InputError(
          file, "--nics", fmt::format("no NIC \"{}\"; there are {}", name, names_of(host)));
    const auto is_known = [&](const NicPort& port) { return port.nic == found->nic; };
    if (std::none_of(chosen.begin(), chosen.end(), is_known)) chosen.push_back(*found);
  }
  for (NicPort& port : chosen) {
    if (!port.speed) port.speed = choices.nic_speed;
    if (!port.speed)
      throw InputError(file,
                       host.nodes[port.nic.index()].name,
                       "how fast this NIC is, is not told; say --nic-speed and for example \"400 "
                       "Gbit/s\"");
  }
  return chosen;
}

// Which node of the host is which of the topology: NICs that are not chosen are none.
class HostCopy {
 public:
  HostCopy(const HostDrawing& host, const std::vector<NicPort>& ports, TopologyParts& parts)
      : host_(host), parts_(parts), kept_(host.nodes.size()), ids_(host.nodes.size()) {
    for (std::size_t i = 0; i < kept_.size(); ++i) {
      const auto is_here = [&](const NicPort& port) { return port.nic.index() == i; };
      kept_[i] =
          host.nodes[i].kind != NodeKind::nic || std::any_of(ports.begin(), ports.end(), is_here);
    }
  }

  void add(const std::string& prefix) {
    for (std::size_t i = 0; i < kept_.size(); ++i) {
      if (!kept_[i]) continue;
      ids_[i] = NodeId{static_cast<std::uint32_t>(parts_.nodes.size())};
      parts_.nodes.push_back({.name = prefix + host_.nodes[i].name, .kind = host_.nodes[i].kind});
    }
    for (Link link : host_.links) {
      if (!kept_[link.source.index()] || !kept_[link.target.index()]) continue;
      link.source = ids_[link.source.index()];
      link.target = ids_[link.target.index()];
      parts_.links.push_back(link);
    }
  }
  [[nodiscard]] NodeId id(NodeId of_host) const { return ids_[of_host.index()]; }

 private:
  const HostDrawing& host_;
  TopologyParts& parts_;
  std::vector<bool> kept_;
  std::vector<NodeId> ids_;
};

void state_assumptions(const HostDrawing& host, TopologyParts& parts) {
  parts.sources = host.sources;
  parts.sources.push_back(host.gpu.source);
  parts.sources.push_back(fmt::format(
      "latencies: assumptions; no tool tells them: NVLink {}, PCIe {}, NIC to leaf {}, leaf to NIC "
      "{}, as in preset hgx-hopper-ib400; a link of a CPU {}, so that the way over NICs is shorter",
      to_text(kNvlinkLatency),
      to_text(kPcieLatency),
      to_text(kLeafLatency),
      to_text(kCableLatency),
      to_text(kCpuLatency)));
}

std::size_t checked_gpu_count(const HostDrawing& host,
                              const HostChoices& choices,
                              std::string_view file) {
  const auto count = static_cast<std::size_t>(
      std::count_if(host.nodes.begin(), host.nodes.end(), [](const Node& node) {
        return node.kind == NodeKind::gpu;
      }));
  if (count * choices.host_count > kMostGpus)
    throw InputError(file,
                     "--hosts",
                     fmt::format("expected at most {} GPUs in all, found {} hosts of {}",
                                 kMostGpus,
                                 choices.host_count,
                                 count));
  return count;
}

// One switch that all ports meet in.
void add_leaf(const std::vector<NicPort>& ports, TopologyParts& parts) {
  parts.sources.push_back(fmt::format(
      "leaf0: an assumption; the text shows no network: one switch that {} meet in, its "
      "ports as fast as they are",
      counted(ports.size(), "NIC")));
  const NodeId leaf{static_cast<std::uint32_t>(parts.nodes.size())};
  parts.nodes.push_back({.name = "leaf0", .kind = NodeKind::network_switch});
  for (const NicPort& port : ports) {
    Link link{.source = port.nic,
              .target = leaf,
              .bandwidth = port.speed.value(),
              .latency = kLeafLatency,
              .kind = LinkKind::rdma};
    parts.links.push_back(link);
    std::swap(link.source, link.target);
    link.latency = kCableLatency;
    parts.links.push_back(link);
  }
}

// NICs bring names of their own; a file whose names are not different could not be read back.
void check_names(const TopologyParts& parts) {
  std::set<std::string_view> names;
  for (const Node& node : parts.nodes)
    if (!names.insert(node.name).second)
      throw InputError(parts.file, node.name, "a NIC has the name of another node; rename it");
}

// Bytes that no text has tell a binary file.
bool is_text(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) < ' ' && c != '\n' && c != '\r' && c != '\t' &&
           c != '\x1b' && c != '\f';
  });
}

}  // namespace

Topology join_hosts(const HostDrawing& host, const HostChoices& choices, std::string_view file) {
  const std::vector<NicPort> ports = chosen_ports(host, choices, file);
  const std::size_t gpu_count = checked_gpu_count(host, choices, file);
  if (choices.host_count > 1 && ports.empty())
    throw InputError(file, "", "it has no NICs, so that one host cannot reach another");

  TopologyParts parts;
  parts.file = file;
  parts.name = choices.name;
  parts.gpu = host.gpu.spec;
  parts.description =
      fmt::format("{}{} x {} and {}, imported from {}",
                  choices.host_count == 1 ? std::string("one host: ")
                                          : fmt::format("{} hosts, each ", choices.host_count),
                  gpu_count,
                  host.gpu.spec.model,
                  counted(ports.size(), "NIC"),
                  std::filesystem::path(file).filename().string());
  state_assumptions(host, parts);

  HostCopy copy(host, ports, parts);
  std::vector<NicPort> all_ports;
  for (std::uint32_t n = 0; n < choices.host_count; ++n) {
    copy.add(choices.host_count == 1 ? "" : fmt::format("host{}.", n));
    for (const NicPort& port : ports)
      all_ports.push_back({.nic = copy.id(port.nic), .speed = port.speed});
  }
  if (!all_ports.empty()) add_leaf(all_ports, parts);
  check_names(parts);
  return Topology(std::move(parts));
}

Topology import_host(std::string_view text, std::string_view file, const HostChoices& choices) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) throw InputError(file, "", "it is empty");
  if (!is_text(text))
    throw InputError(file,
                     "",
                     "expected the output of nvidia-smi topo -m or an NCCL topology XML, found a "
                     "binary file");
  return join_hosts(text[first] == '<' ? draw_nccl_xml(text, file, choices.gpu)
                                       : draw_topo_matrix(text, file, choices.gpu),
                    choices,
                    file);
}

}  // namespace epsim
