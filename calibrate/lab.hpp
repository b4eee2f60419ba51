// Lab: the GPUs, the recorder and the habits of measuring that all experiments share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "calibrate/cupti_session.hpp"
#include "calibrate/launch_records.hpp"
#include "calibrate/measurement.hpp"
#include "kernels/gpu_set.hpp"

namespace epsim {

inline constexpr std::size_t kWarmups = 20;
inline constexpr std::size_t kSamples = 200;

class Lab {
 public:
  explicit Lab(int gpu_count);

  [[nodiscard]] kernels::GpuSet& gpus() { return gpus_; }
  [[nodiscard]] int gpu_count() const { return gpus_.count(); }
  [[nodiscard]] CuptiSession& cupti() { return cupti_; }

  // Enqueues a meeting of `ranks` GPUs on their main streams. `gated`: they also wait for
  // open_gate(), so that the host can queue all work before any of it runs.
  void meet(int ranks, bool gated = false);
  void open_gate();

  // Queues `launch(rank, iteration)` on the main stream of each of the first `ranks` GPUs,
  // warmups + samples times, each time after a meeting, and returns the aligned latency of the
  // samples, ns: the last GPU's first start to the last GPU's last end among the kernels launched
  // by that call whose name contains `kernel`, of which there are `per_launch`.
  [[nodiscard]] std::vector<double> aligned_latency(
      int ranks,
      std::string_view kernel,
      const std::function<void(int rank, int iteration)>& launch,
      std::size_t samples = kSamples,
      std::size_t warmups = kWarmups,
      std::size_t per_launch = 1);

  // The same work, and the records of it: warmups + samples calls on each rank, all kernels.
  [[nodiscard]] std::vector<GpuRecord> record_calls(
      int ranks, const std::function<void(int rank, int iteration)>& launch, std::size_t calls);

  // Median ratio of SM cycles to nanoseconds of `gpu` under load, GHz: turns cycle counts to time.
  [[nodiscard]] double cycles_per_ns(int gpu = 0);

 private:
  kernels::GpuSet gpus_;
  CuptiSession cupti_;
  kernels::Symmetric<int> barrier_slots_;
  kernels::PinnedArray<int> gate_;
  int epoch_ = 0;
  int gate_value_ = 0;
  bool gate_pending_ = false;
};

}  // namespace epsim
