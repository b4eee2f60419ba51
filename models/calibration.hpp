// Calibration: measured parameters of one system, with their provenance. Hardware constants belong
// to the GPU and its fabric and come from microbenchmarks; a family holds what one kernel
// implementation adds, fitted on end-to-end observations. The two are never mixed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "models/constants.hpp"
#include "models/plan.hpp"

namespace epsim {

// Which shapes a fit has seen. A prediction outside says so.
struct CalibratedRange {
  std::int64_t tokens_min = 0, tokens_max = 0;
  std::int64_t hidden_min = 0, hidden_max = 0;
  std::int64_t experts_min = 0, experts_max = 0;
  std::int64_t top_k_min = 0, top_k_max = 0;
  std::int64_t ranks_min = 0, ranks_max = 0;
};

struct FitResidual {
  std::string id;
  double error_pct = 0;
  bool fitted = false;  // false: held out, checked only
};

// What a fit leaves behind, so that a prediction can carry an interval.
struct FitRecord {
  std::string command;
  std::string observations;
  double residual_sigma = 0;                    // relative, degrees of freedom taken into account
  std::vector<std::string> fitted;              // names, in the order of the covariance
  std::vector<std::vector<double>> covariance;  // of the logarithms of the fitted constants
  std::vector<FitResidual> residuals;
};

struct KernelFamily {
  std::string name;  // "deepep-ll-1.2.1"
  ConstantSet constants;
  CalibratedRange range;
  FitRecord fit;
};

struct Calibration {
  std::string system;    // "hgx-h200"
  std::string topology;  // preset that it was measured on
  ConstantSet hardware;  // and network_constants(), where the system has a network
  std::vector<KernelFamily> families;
  // Of GEMMs and exchanges that share a GPU (two_batch_constants()); empty where none was measured.
  ConstantSet overlap{};

  // Throws InputError that names the families there are.
  [[nodiscard]] const KernelFamily& family(std::string_view name) const;
};

// What is known before a fit: hardware constants and, for each family, a reading of every constant
// with the interval in which it may lie.
struct Readings {
  std::string system;
  std::string topology;
  ConstantSet hardware;
  std::vector<std::pair<std::string, ConstantSet>> families;
};

[[nodiscard]] std::span<const ConstantSpec> hardware_constants();
[[nodiscard]] Duration fence_cost(const ConstantSet& hardware, FenceKind kind);

// `name_or_path`: a name of the embedded table ("hgx-h200") or a file.
[[nodiscard]] Calibration load_calibration(std::string_view name_or_path);
[[nodiscard]] bool has_calibration(std::string_view name);
[[nodiscard]] std::vector<std::string> calibration_names();
// `name_or_path` as above, of epsim.readings/1.
[[nodiscard]] Readings load_readings(std::string_view name_or_path);
[[nodiscard]] std::string calibration_text(const Calibration& calibration);  // as a file
[[nodiscard]] std::string readings_text(const Readings& readings);           // as a file

}  // namespace epsim
