// Fit cases: the observations of one kernel family on one system as workloads, and which of them a
// fit may see. The others are predicted afterwards, as residuals of shapes it has not seen.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "calibrate/observation.hpp"
#include "models/calibration.hpp"
#include "models/kernel_families.hpp"
#include "models/workload.hpp"

namespace epsim {

struct FitSelection {
  std::string system;
  std::string kernel;
  bool all_routings = false;         // else only "random"
  bool fence_deltas = false;         // fit what fences add, where a twin without is fitted too
  std::vector<std::uint32_t> ranks;  // only records of these; empty: of any
  std::uint32_t most_tokens = 0;     // only records of at most so many; 0: of any
};

// One observation of the family, ready to be predicted again and again.
struct FitCase {
  const Observation* observation;
  Workload workload;
  bool fitted;
  const FitCase* twin = nullptr;  // without fences, where the difference of the two is fitted
};

// Throws InputError when none of them may be fitted.
[[nodiscard]] std::vector<FitCase> fit_cases(const ObservationSet& set,
                                             const FitSelection& selection,
                                             const FamilyKind& kind,
                                             const std::string& topology);

// Shapes of the cases that were fitted.
[[nodiscard]] CalibratedRange fitted_range(const std::vector<FitCase>& cases);

// What a fit starts from and what it leaves alone. Hardware and network are the readings', or what
// earlier fits left in the file `base`, unless that is empty; every other family is that of `base`,
// or else of `out`, which need not exist. Throws InputError for a file of another system.
[[nodiscard]] Calibration calibration_before(const Readings& readings,
                                             const std::string& kernel,
                                             const std::string& base,
                                             const std::string& out);

// The selection as options of a command line, each with a blank in front.
[[nodiscard]] std::string options_text(const FitSelection& selection);

}  // namespace epsim
