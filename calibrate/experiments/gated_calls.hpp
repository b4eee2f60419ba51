// gated_calls: work that is queued as a whole before any of it runs, so that the pace of the host
// does not show in the times of the GPU.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "calibrate/cupti_session.hpp"
#include "calibrate/lab.hpp"
#include "calibrate/measurement.hpp"

namespace epsim {

// Calls launch(0) to launch(calls - 1), `calls_per_gate` at a time behind a gate on the main stream
// of GPU 0, which is current during each call. Returns what the recorder saw of them all. What is
// queued behind one gate must not wait for the host and stay well below a thousand operations.
[[nodiscard]] std::vector<GpuRecord> run_gated(Lab& lab,
                                               std::size_t calls,
                                               std::size_t calls_per_gate,
                                               const std::function<void(std::size_t call)>& launch);

[[nodiscard]] double duration_ns(const GpuRecord& record);
// End of one to start of the other; negative where they overlap.
[[nodiscard]] double gap_ns(const GpuRecord& before, const GpuRecord& after);
// Over neighbours in `records`: at least two.
[[nodiscard]] double mean_gap_ns(std::span<const GpuRecord> records);

[[nodiscard]] std::vector<double> without_warmups(std::vector<double> samples,
                                                  std::size_t warmups = kWarmups);

// For a point that this device cannot do: series "unsupported_points" with one sample, 1.
[[nodiscard]] PointResult unsupported_point();

}  // namespace epsim
