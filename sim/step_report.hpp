// StepReport: what came of a scenario's step: its time, what compute hides, who holds which stream,
// and which mechanism keeps communication from hiding, told by changing one at a time.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "models/constants.hpp"
#include "sim/modelled_step.hpp"
#include "sim/scenario.hpp"
#include "sim/step_run.hpp"

namespace epsim {

// Communication of some kind: for how long any of it runs, and for how long beside compute.
struct StepOverlap {
  Duration communication{}, overlap{};
  [[nodiscard]] Duration exposed() const { return communication - overlap; }
  [[nodiscard]] double percent() const;  // 0 where there is no communication
};

struct StreamUse {
  std::string name;
  std::size_t tasks = 0;
  Duration compute{}, communication{};  // for which it holds a task of that kind
};

// The same step under another schedule or mechanism.
struct StepVariant {
  std::string what;   // is changed: "one communicator"
  std::string cause;  // why what is changed costs overlap; empty where the change is no remedy
  ScheduleSpec schedule;
  Duration step{};
  StepOverlap counted{};
};

// A mechanism that costs overlap: what it does, and what a change of it alone gives.
struct StepMechanism {
  std::string what;
  std::string change;
  double overlap_pct = 0;  // with the change
  Duration step{};
};

struct StepReport {
  ScheduledStep scheduled;
  StepRun run;
  StepOverlap all, exchanges, collectives, counted;
  std::vector<StreamUse> streams;
  std::uint32_t variant_layers = 0;
  std::vector<StepVariant> variants;      // as step_variants lists them
  std::vector<StepMechanism> mechanisms;  // the dearest first
  Duration serial{};                      // the step's time on one stream
  Duration held{};                        // compute's stream by collectives
  std::string holder;                     // the collective that does it most
};

// All but variants and mechanisms.
[[nodiscard]] StepReport report_step(const Scenario& scenario,
                                     const Calibration& calibration,
                                     const ConstantSet& constants);

// The first and the last layer of a step differ from the others; more of those say the same.
inline constexpr std::uint32_t kVariantLayers = 4;

// Rows of one changed switch, the scenario's own first; each under tbo, then under tbo+aux. Empty
// where there are not two micro-batches.
[[nodiscard]] std::vector<StepVariant> step_variants(const ScheduleSpec& schedule);
// Fills in what the variant takes.
void run_variant(const ModelledStep& modelled, const ConstantSet& constants, StepVariant& variant);
// What the schedule loses to each of its switches, by variants that have run.
[[nodiscard]] std::vector<StepMechanism> step_mechanisms(const ScheduleSpec& schedule,
                                                         const std::vector<StepVariant>& variants);

[[nodiscard]] std::string step_report_text(const Scenario& scenario, const StepReport& report);
// `with_timeline`: and when each task ran.
[[nodiscard]] std::string step_report_json(const Scenario& scenario,
                                           const StepReport& report,
                                           bool with_timeline = false);

// Of the communication that `counted` names.
[[nodiscard]] StepOverlap overlap_of(const ScheduledStep& scheduled,
                                     const StepRun& run,
                                     CountedKernels counted);

}  // namespace epsim
