// Import of a host: what other tools say of a machine, as a Topology.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "topologies/host_drawing.hpp"

namespace epsim {

// What the user says beside the text.
struct HostChoices {
  std::string name;  // of the topology
  GpuChoice gpu;
  std::optional<Bandwidth> nic_speed;  // where the text tells none
  std::vector<std::string> nics;       // these alone; all if empty
  std::uint32_t host_count = 1;
};

// The host, or several of it, around one leaf switch. `file` stands for the text in messages.
[[nodiscard]] Topology join_hosts(const HostDrawing& host,
                                  const HostChoices& choices,
                                  std::string_view file);

// Reads the text of `nvidia-smi topo -m` or an NCCL topology XML, told apart by what they hold.
[[nodiscard]] Topology import_host(std::string_view text,
                                   std::string_view file,
                                   const HostChoices& choices);

}  // namespace epsim
