#include "cli/known_names.hpp"

#include "models/calibration.hpp"
#include "models/kernel_families.hpp"
#include "models/model_description.hpp"
#include "topologies/registry.hpp"
#include "traces/routing_generators.hpp"

namespace epsim {

std::vector<KnownNames> known_names() {
  KnownNames kernels{"KERNEL", "kernels", {}, false};
  for (const FamilyKind& kind : kernel_families()) kernels.names.emplace_back(kind.name);
  KnownNames topologies{"TOPOLOGY", "topologies", {}, true};
  for (const TopologyPreset& preset : topology_presets()) topologies.names.push_back(preset.name);
  // A kind that takes an argument goes on after its colon: no name is whole yet.
  KnownNames routings{"ROUTING", "routings", {}, false};
  for (const RoutingKind& kind : routing_kinds())
    if (kind.argument.empty()) routings.names.emplace_back(kind.name);
  // A system goes by the name of its topology's preset.
  KnownNames systems{"SYSTEM", "systems", topologies.names, false};
  return {{"CALIBRATION", "calibrations", calibration_names(), true},
          kernels,
          {"MODEL", "models", model_names(), true},
          routings,
          systems,
          topologies};
}

}  // namespace epsim
