// Sweep: measures the points of experiments, one after the other, into a file that grows. What is
// finished stays, whatever happens next; a second run goes on where the first one stopped.
#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "calibrate/experiment.hpp"
#include "calibrate/measurement.hpp"

namespace epsim {

struct SweepOptions {
  std::vector<std::string> only;  // experiment ids; empty: all
  int gpus = 0;                   // 0: all that are visible
  std::optional<std::chrono::seconds> budget;
  std::filesystem::path out;
  std::filesystem::path recording;  // of everything that the GPUs did; empty: none is written
  std::string command_line;
  std::string commit;
  bool dirty = false;
};

struct SweepProgress {
  std::size_t done = 0;  // points of this file, earlier runs included
  std::size_t total = 0;
  std::string now;  // experiment and point being measured
};

struct SweepOutcome {
  std::size_t measured = 0;          // by this run
  std::size_t kept = 0;              // by earlier ones
  std::size_t left = 0;              // the budget ended before them
  std::vector<std::string> failed;   // one sentence a point
  std::vector<std::string> skipped;  // experiments that need more GPUs
};

// Experiments by id, in the table's order. Throws InputError that names those there are.
[[nodiscard]] std::vector<const Experiment*> chosen_experiments(
    const std::vector<std::string>& only);

// Throws InputError when `out` holds a measurement of other GPUs or another commit, DeviceError or
// CudaError when the GPUs do not do what is asked. A point whose output is wrong is not recorded,
// counts as failed, and the sweep goes on.
SweepOutcome run_sweep(const SweepOptions& options,
                       const std::function<void(const SweepProgress&)>& progress);

}  // namespace epsim
