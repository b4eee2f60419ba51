// gpu_board: what the board says of itself: names, clocks, limits. From NVML, which comes with the
// driver and is looked for at run time.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "calibrate/measurement.hpp"

namespace epsim {

class GpuBoards {
 public:
  // Of the first `gpu_count` GPUs that CUDA sees. Throws DeviceError without a driver.
  explicit GpuBoards(int gpu_count);
  ~GpuBoards();
  GpuBoards(const GpuBoards&) = delete;
  GpuBoards& operator=(const GpuBoards&) = delete;

  [[nodiscard]] std::vector<GpuProvenance> provenance() const;
  [[nodiscard]] std::string driver_version() const;
  [[nodiscard]] ClockReading clocks() const;  // the slowest GPU's
  // Of the first GPU, now: its SM clock alone, and what the board draws.
  [[nodiscard]] double sm_clock_mhz() const;
  [[nodiscard]] double power_w() const;
  // A GPU runs below 95 % of its highest SM clock, or says that heat or power braking slows it.
  [[nodiscard]] bool throttled() const;

 private:
  struct Nvml;
  std::unique_ptr<Nvml> nvml_;
  std::vector<void*> devices_;
};

}  // namespace epsim
