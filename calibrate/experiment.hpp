// Experiment: one microbenchmark or kernel sweep. What it is, where it samples, and how it opens.
// The table says all there are; adding one is a file with two functions and a row.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "calibrate/lab.hpp"
#include "calibrate/measurement.hpp"
#include "calibrate/point.hpp"

namespace epsim {

// Measures one point; holds what its experiment keeps between points (buffers, handles). It
// verifies a kernel's output against its reference before it times it, and throws when that fails.
using Bench = std::function<PointResult(const Point&)>;

struct Experiment {
  std::string_view id;          // "M4"
  std::string_view name;        // "flag ping-pong"
  std::string_view identifies;  // what a model learns from it
  int gpus_min;
  std::vector<Point> (*points)(int gpu_count);  // in the order they are measured
  Bench (*open)(Lab& lab);                      // allocates; the lab outlives the bench
  // Asks what clocks do under load: a try whose clocks fell is what it came for.
  bool clocks_may_fall = false;
};

[[nodiscard]] std::span<const Experiment> experiments();

}  // namespace epsim
