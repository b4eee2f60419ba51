#include "calibrate/experiments/gated_calls.hpp"

#include <algorithm>

#include "kernels/cuda_check.hpp"
#include "sim/base/check.hpp"

namespace epsim {

std::vector<GpuRecord> run_gated(Lab& lab,
                                 std::size_t calls,
                                 std::size_t calls_per_gate,
                                 const std::function<void(std::size_t call)>& launch) {
  check(calls_per_gate > 0, "a gate opens for at least one call");
  lab.gpus().synchronize();
  (void)lab.cupti().collect();
  for (std::size_t first = 0; first < calls; first += calls_per_gate) {
    lab.meet(1, true);
    for (std::size_t call = first; call < std::min(calls, first + calls_per_gate); ++call) {
      kernels::cuda_check(cudaSetDevice(0));
      launch(call);
    }
    lab.open_gate();
    lab.gpus().synchronize();
  }
  return lab.cupti().collect();
}

double duration_ns(const GpuRecord& record) {
  return static_cast<double>(record.end_ns - record.start_ns);
}

double gap_ns(const GpuRecord& before, const GpuRecord& after) {
  return static_cast<double>(after.start_ns - before.end_ns);
}

double mean_gap_ns(std::span<const GpuRecord> records) {
  check(records.size() >= 2, "a gap lies between two kernels");
  double sum = 0;
  for (std::size_t i = 1; i < records.size(); ++i) sum += gap_ns(records[i - 1], records[i]);
  return sum / static_cast<double>(records.size() - 1);
}

std::vector<double> without_warmups(std::vector<double> samples, std::size_t warmups) {
  check(samples.size() > warmups, "samples remain after the warm-ups");
  samples.erase(samples.begin(), samples.begin() + static_cast<std::ptrdiff_t>(warmups));
  return samples;
}

PointResult unsupported_point() {
  return PointResult{}.add("unsupported_points", {1.0});
}

}  // namespace epsim
