// launch_records: activity records sorted out by GPU and launch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "calibrate/gpu_record.hpp"

namespace epsim {

// Kernel records whose name contains `kernel`: result[gpu][i] is the i-th in order of start. Throws
// DeviceError unless each of the first `gpu_count` GPUs shows exactly `launches` of them.
[[nodiscard]] std::vector<std::vector<GpuRecord>> launches_of(const std::vector<GpuRecord>& records,
                                                              std::string_view kernel,
                                                              int gpu_count,
                                                              std::size_t launches);

// Aligned latency of call i, ns: from the last GPU's first start to the last GPU's last end, where
// each call launched `per_call` kernels on each GPU.
[[nodiscard]] std::vector<double> aligned_latency_ns(
    const std::vector<std::vector<GpuRecord>>& by_gpu, std::size_t per_call = 1);

// Ranks that met in a barrier kernel cannot have left before the last one came. Throws DeviceError
// when the records say otherwise by more than `tolerance_ns`: then the clocks of two GPUs differ,
// and nothing that compares them holds.
void check_clocks_agree(const std::vector<std::vector<GpuRecord>>& barriers,
                        std::int64_t tolerance_ns);

}  // namespace epsim
