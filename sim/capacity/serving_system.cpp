#include "sim/capacity/serving_system.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "sim/base/check.hpp"
#include "sim/base/input_error.hpp"
#include "sim/step_exchange.hpp"
#include "topologies/registry.hpp"

namespace epsim {
namespace {

// Of a preset's default size, or of two domains where it has a parameter for more.
Topology sample_of(const std::string& preset, const std::string& size_key) {
  if (size_key == "gpus") return load_topology(preset).topology;
  const JsonDocument two =
      JsonDocument::parse(fmt::format("{{\"{}\": 2}}", size_key), "two " + size_key);
  return load_topology(preset, two.root().object()).topology;
}

Bandwidth nic_of(const Topology& topology, std::uint32_t domain) {
  if (!topology.has_network() || topology.gpu_count() <= domain) return {};
  Bandwidth slowest{};
  for (const LinkId link : topology.route(GpuId{0}, GpuId{domain})) {
    const Link& one = topology.link(link);
    if (one.kind != LinkKind::rdma) continue;
    if (slowest.bytes_per_second == 0 || one.bandwidth.bytes_per_second < slowest.bytes_per_second)
      slowest = one.bandwidth;
  }
  return slowest;
}

}  // namespace

StepMachine ServingSystem::machine(std::uint32_t reserved_sms) const {
  return step_machine(compute, calibration.hardware, gpu, reserved_sms);
}

std::string ServingSystem::topology_override(std::uint32_t ranks) const {
  if (size_key == "gpus") return "{}";
  const std::uint32_t domains = (ranks + domain - 1) / domain;
  return fmt::format("{{\"{}\": {}}}", size_key, domains);
}

bool ServingSystem::folds_to_one(std::uint32_t ranks) const {
  if (!folds(ranks)) return false;
  try {
    const JsonDocument sizes = JsonDocument::parse(topology_override(ranks), "ranks");
    (void)load_folded_topology(preset, sizes.root().object());
    return true;
  } catch (const InputError&) {
    return false;  // the last leaf is not as full as the others
  }
}

bool ServingSystem::holds(std::uint32_t ranks) const {
  return ranks <= domain || (can_grow && ranks % domain == 0);
}

ServingSystem load_serving_system(const std::string& calibration, const std::string& topology) {
  ServingSystem system{.calibration = load_calibration(calibration),
                       .preset = {},
                       .gpu = {},
                       .compute = {},
                       .size_key = "gpus"};
  system.preset = topology.empty() ? system.calibration.topology : topology;
  for (const char* key : {"hosts", "racks"})
    if (has_parameter(system.preset, key)) system.size_key = key;
  const Topology sample = sample_of(system.preset, system.size_key);
  for (std::uint32_t g = 0; g < sample.gpu_count(); ++g)
    if (sample.nvlink_domain(GpuId{g}) == 0) ++system.domain;
  check(system.domain > 0, "GPU 0 is in its own NVLink domain");
  system.gpu = sample.gpu_spec();
  system.nvlink = link_of(sample);
  system.nic = nic_of(sample, system.domain);
  system.can_grow = system.nic.bytes_per_second > 0;
  system.compute = compute_constants(system.calibration, sample);
  return system;
}

}  // namespace epsim
