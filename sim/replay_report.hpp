// ReplayReport: what profiler dumps say about a step: how much of the communication compute hid,
// what was exposed, and where the time went. One rank a dump.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "traces/collective_wait.hpp"
#include "traces/gpu_trace.hpp"
#include "traces/kernel_class.hpp"
#include "traces/overlap.hpp"

namespace epsim {

struct RankReplay {
  GpuTrace trace;
  std::vector<KernelRole> roles;  // one an activity
  TraceUse use;
  Duration offset{};  // to add to its times to have them on the first rank's clock

  [[nodiscard]] std::string name() const;  // "rank 3", or the file's name
};

// Times of one device, or the mean of several.
struct ReplayTotals {
  Duration span{}, communication{}, compute{}, copy{}, overlap{}, exposed{}, idle{}, notify{};
  double overlap_pct = 0, possible_overlap_pct = 0;  // of the sums over devices
};

// A kernel by its name, over all ranks.
struct KernelUse {
  std::string name;  // of the function
  KernelRole role;
  std::uint64_t count = 0;
  Duration total{};
};

// The step under another schedule or after edits; times are of one step.
struct ReplayPrediction {
  std::string schedule;  // "tbo", "serial", "as recorded"
  double step_us = 0, communication_us = 0, overlap_pct = 0, exposed_us = 0;
  double low_us = 0, high_us = 0;  // of the step
  double recorded_us = 0;          // the step as the dump has it
  // The same schedule if nothing slowed anything down; 0: not asked.
  double free_step_us = 0, free_overlap_pct = 0;
  double clock = 1;                // of the SMs, over the recorded one
  std::vector<std::string> notes;  // how it came about, a sentence each
};

struct ReplayReport {
  KernelClassTable table;  // holds the names that roles point to
  std::vector<RankReplay> ranks;
  std::uint64_t steps = 1;      // that each dump holds
  bool are_steps_told = false;  // by the dump or by the user; else the dump counts as one
  CollectiveWaits waits;        // none where the ranks' clocks cannot be compared
  std::string clock_refusal;    // why they cannot; empty where they can
  std::optional<ReplayPrediction> predicted;

  [[nodiscard]] ReplayTotals totals() const;
  [[nodiscard]] std::vector<FamilyUse> families() const;  // over all devices, longest first
  [[nodiscard]] std::vector<KernelUse> kernels() const;   // longest first
};

// Throws InputError where a dump has no kernels. `steps`: how many each dump holds, where the user
// says it; 0 else.
[[nodiscard]] ReplayReport replay_report(std::vector<GpuTrace> traces,
                                         const KernelClassTable& table,
                                         std::uint64_t steps = 0);

// One screen of 80 columns; the answer first.
[[nodiscard]] std::string replay_text(const ReplayReport& report);

// epsim.replay/1.
[[nodiscard]] std::string replay_json(const ReplayReport& report);

}  // namespace epsim
