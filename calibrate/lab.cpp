#include "calibrate/lab.hpp"

#include <algorithm>
#include <atomic>

#include "kernels/micro/clock_ratio.cuh"
#include "kernels/rank_barrier.cuh"
#include "sim/base/check.hpp"

namespace epsim {
namespace {

// Calls queued behind one closed gate. A driver queues about a thousand launches and then blocks
// the host, which would never open the gate.
constexpr std::size_t kCallsBehindGate = 24;
constexpr std::int64_t kClockToleranceNs = 2000;
constexpr std::string_view kBarrierKernel = "rank_barrier_kernel";
constexpr std::size_t kClockSamples = 5;

}  // namespace

Lab::Lab(int gpu_count)
    : gpus_(gpu_count),
      barrier_slots_(gpus_, std::size_t{kernels::kMostRanks} * kernels::kBarrierSlotInts),
      gate_(1) {
  barrier_slots_.fill(0);
  // Every GPU loads the module before any kernel of it spins.
  meet(gpu_count);
  gpus_.synchronize();
  (void)cupti_.collect();
}

void Lab::meet(int ranks, bool gated) {
  check(ranks >= 1 && ranks <= gpu_count(), "ranks that meet are in the lab");
  ++epoch_;
  if (gated && !std::exchange(gate_pending_, true)) ++gate_value_;
  for (int rank = 0; rank < ranks; ++rank) {
    kernels::cuda_check(cudaSetDevice(rank));
    kernels::launch_rank_barrier({.slots = barrier_slots_.peers(),
                                  .rank = rank,
                                  .rank_count = ranks,
                                  .epoch = epoch_,
                                  .gate = gated ? gate_.data() : nullptr,
                                  .gate_value = gate_value_},
                                 gpus_.stream(rank));
  }
}

void Lab::open_gate() {
  std::atomic_ref<int>(gate_[0]).store(gate_value_, std::memory_order_release);
  gate_pending_ = false;
}

std::vector<GpuRecord> Lab::record_calls(int ranks,
                                         const std::function<void(int rank, int iteration)>& launch,
                                         std::size_t calls) {
  gpus_.synchronize();
  (void)cupti_.collect();
  for (std::size_t done = 0; done < calls;) {
    const std::size_t batch = std::min(kCallsBehindGate, calls - done);
    for (std::size_t i = 0; i < batch; ++i) {
      meet(ranks, i == 0);
      for (int rank = 0; rank < ranks; ++rank) {
        kernels::cuda_check(cudaSetDevice(rank));
        launch(rank, static_cast<int>(done + i));
      }
    }
    open_gate();
    gpus_.synchronize();
    done += batch;
  }
  std::vector<GpuRecord> records = cupti_.collect();
  check_clocks_agree(launches_of(records, kBarrierKernel, ranks, calls), kClockToleranceNs);
  return records;
}

std::vector<double> Lab::aligned_latency(int ranks,
                                         std::string_view kernel,
                                         const std::function<void(int rank, int iteration)>& launch,
                                         std::size_t samples,
                                         std::size_t warmups,
                                         std::size_t per_launch) {
  const std::size_t calls = warmups + samples;
  const auto records = record_calls(ranks, launch, calls);
  std::vector<double> latencies =
      aligned_latency_ns(launches_of(records, kernel, ranks, calls * per_launch), per_launch);
  latencies.erase(latencies.begin(), latencies.begin() + static_cast<std::ptrdiff_t>(warmups));
  return latencies;
}

double Lab::cycles_per_ns(int gpu) {
  kernels::cuda_check(cudaSetDevice(gpu));
  kernels::DeviceArray<std::uint64_t> out(gpu, 2);
  std::vector<double> ratios;
  for (std::size_t i = 0; i < kClockSamples; ++i) {
    kernels::launch_clock_ratio({.elapsed = out.data()}, gpus_.stream(gpu));
    gpus_.synchronize();
    const std::vector<std::uint64_t> elapsed = out.download();
    ratios.push_back(static_cast<double>(elapsed[0]) / static_cast<double>(elapsed[1]));
  }
  std::nth_element(ratios.begin(), ratios.begin() + kClockSamples / 2, ratios.end());
  return ratios[kClockSamples / 2];
}

}  // namespace epsim
