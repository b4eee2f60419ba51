// Round hosts: GPUs with a NIC each, an NVSwitch a host, and one switch between all NICs; with
// constants of hardware and network in the round numbers of round_constants.hpp.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "models/network_constants.hpp"
#include "tests/support/round_constants.hpp"

namespace epsim {

inline ConstantSet round_network_hardware() {
  std::vector<ConstantSpec> table(hardware_constants().begin(), hardware_constants().end());
  table.insert(table.end(), network_constants().begin(), network_constants().end());
  return round_constants(table).with("proxy_message", 0).with("proxy_latency", 0);
}

struct RoundHosts {
  std::uint32_t hosts = 2;
  std::uint32_t gpus_per_host = 2;
  int sms = 132;
};

inline std::shared_ptr<const Topology> round_hosts(const RoundHosts& shape) {
  TopologyParts parts;
  parts.file = "round hosts";
  parts.name = "round hosts";
  parts.gpu = {.model = "round",
               .sm_count = shape.sms,
               .hbm_bandwidth = Bandwidth{100e9},
               .hbm_capacity = Bytes{1'000'000'000},
               .l2_size = Bytes{1'000'000'000}};
  const auto add = [&](const std::string& name, NodeKind kind) {
    parts.nodes.push_back({name, kind});
    return NodeId{static_cast<std::uint32_t>(parts.nodes.size() - 1)};
  };
  const auto cable = [&](NodeId one, NodeId other, LinkKind kind, double bandwidth) {
    for (const auto& [source, target] : {std::pair{one, other}, std::pair{other, one}})
      parts.links.push_back({.source = source,
                             .target = target,
                             .bandwidth = Bandwidth{bandwidth},
                             .latency = std::chrono::nanoseconds{100},
                             .kind = kind});
  };
  std::vector<NodeId> gpus;
  for (std::uint32_t g = 0; g < shape.hosts * shape.gpus_per_host; ++g)
    gpus.push_back(add("gpu" + std::to_string(g), NodeKind::gpu));
  const NodeId between = add("core", NodeKind::network_switch);
  for (std::uint32_t host = 0; host < shape.hosts; ++host) {
    const NodeId nvswitch = add("nvswitch" + std::to_string(host), NodeKind::nvswitch);
    for (std::uint32_t g = 0; g < shape.gpus_per_host; ++g) {
      const NodeId gpu = gpus[host * shape.gpus_per_host + g];
      const NodeId nic = add("nic of " + parts.nodes[gpu.index()].name, NodeKind::nic);
      cable(gpu, nvswitch, LinkKind::nvlink, 100e9);
      cable(gpu, nic, LinkKind::pcie, 50e9);
      cable(nic, between, LinkKind::rdma, 50e9);
    }
  }
  return std::make_shared<const Topology>(std::move(parts));
}

}  // namespace epsim
