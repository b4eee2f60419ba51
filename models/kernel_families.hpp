// Kernel families: the implementations epsim can plan, as a table that a reader can see whole.
// Adding one is a pair of plan functions, its table of constants, and a row.
#pragma once

#include <span>
#include <string_view>

#include "models/constants.hpp"
#include "models/plan.hpp"
#include "models/workload.hpp"

namespace epsim {

struct FamilyKind {
  std::string_view name;
  std::string_view description;
  // The family whose calibration is taken where a system has none of this one's own.
  std::string_view calibrated_as = "";
  bool takes_sms;               // the user chooses how many SMs communicate
  bool takes_fences;            // the combine has fence placements
  bool takes_split;             // send and receive halves can be launched apart
  bool takes_exchange = false;  // the user chooses mode, copy kernel and capacity
  std::span<const FencePlacement> dispatch_fences{};  // placements; empty: no choice
  bool takes_network = false;                         // ranks may lie in several NVLink domains
  bool needs_network = false;                         // they use it within one, too
  bool takes_nvfp4 = false;                           // its dispatch moves rows of NVFP4, too
  bool takes_fold = false;  // identical ranks may be folded (Workload::fold)
  std::uint32_t top_k_max;
  std::uint32_t experts_per_sm_max;  // warp groups that fit a CTA, where experts own them
  // How its published times were taken, where a record's `routing` does not say it all: picks that
  // the source's test masks at random on each rank, and what "random" means there.
  std::uint32_t masked_picks = 0;
  std::string_view random_means = "random";
  bool states_means =
      false;  // over ranks, of each one's own kernel time; else last start to last end
  std::span<const ConstantSpec> (*constants)();
  Plan (*dispatch)(const Workload&, const ConstantSet& hardware, const ConstantSet& family);
  Plan (*combine)(const Workload&, const ConstantSet& hardware, const ConstantSet& family);
};

// Names of the formats that its dispatch moves rows in, in the order of DispatchFormat.
[[nodiscard]] std::span<const std::string_view> dispatch_formats(const FamilyKind& kind);

[[nodiscard]] std::span<const FamilyKind> kernel_families();
[[nodiscard]] const FamilyKind* find_family(std::string_view name);  // or nullptr

}  // namespace epsim
