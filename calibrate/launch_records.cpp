#include "calibrate/launch_records.hpp"

#include <algorithm>
#include <string>

#include "calibrate/device_error.hpp"
#include "sim/base/check.hpp"

namespace epsim {

std::vector<std::vector<GpuRecord>> launches_of(const std::vector<GpuRecord>& records,
                                                std::string_view kernel,
                                                int gpu_count,
                                                std::size_t launches) {
  std::vector<std::vector<GpuRecord>> by_gpu(static_cast<std::size_t>(gpu_count));
  for (const GpuRecord& record : records)
    if (record.activity == GpuRecordKind::kernel && record.gpu < gpu_count &&
        record.name.find(kernel) != std::string::npos)
      by_gpu[static_cast<std::size_t>(record.gpu)].push_back(record);
  for (const auto& found : by_gpu)
    if (found.size() != launches)
      throw DeviceError("expected " + std::to_string(launches) + " records of " +
                        std::string(kernel) + " on each GPU, found " +
                        std::to_string(found.size()));
  return by_gpu;
}

std::vector<double> aligned_latency_ns(const std::vector<std::vector<GpuRecord>>& by_gpu,
                                       std::size_t per_call) {
  check(!by_gpu.empty() && per_call > 0, "aligned latency has GPUs and launches");
  std::vector<double> latencies;
  for (std::size_t call = 0; call < by_gpu.front().size() / per_call; ++call) {
    std::int64_t last_start = by_gpu.front()[call * per_call].start_ns;
    std::int64_t last_end = 0;
    for (const auto& launches : by_gpu) {
      last_start = std::max(last_start, launches[call * per_call].start_ns);
      for (std::size_t i = 0; i < per_call; ++i)
        last_end = std::max(last_end, launches[call * per_call + i].end_ns);
    }
    latencies.push_back(static_cast<double>(last_end - last_start));
  }
  return latencies;
}

void check_clocks_agree(const std::vector<std::vector<GpuRecord>>& barriers,
                        std::int64_t tolerance_ns) {
  check(!barriers.empty(), "clocks of GPUs are compared");
  for (std::size_t i = 0; i < barriers.front().size(); ++i) {
    std::int64_t last_start = barriers.front()[i].start_ns;
    std::int64_t first_end = barriers.front()[i].end_ns;
    for (const auto& launches : barriers) {
      last_start = std::max(last_start, launches[i].start_ns);
      first_end = std::min(first_end, launches[i].end_ns);
    }
    if (first_end + tolerance_ns < last_start)
      throw DeviceError("the clocks of two GPUs differ by at least " +
                        std::to_string(last_start - first_end) +
                        " ns: one left a barrier before another came");
  }
}

}  // namespace epsim
