#include "calibrate/experiments/fence_bench.hpp"

#include <algorithm>
#include <chrono>
#include <span>
#include <thread>
#include <utility>

#include "calibrate/device_error.hpp"
#include "calibrate/experiments/cycle_samples.hpp"
#include "calibrate/robust_stats.hpp"
#include "kernels/micro/peer_store.cuh"
#include "kernels/reference/stamp_reference.hpp"
#include "sim/base/check.hpp"

namespace epsim {
namespace {

constexpr int kMostWarps = kFencingCtaWarps;
constexpr std::size_t kWarpVectors = std::size_t{kernels::kMostFenceStores} * 32;
constexpr std::size_t kCalls = kWarmups + kSamples;
constexpr int kChain = 16;  // further fences, behind the first
constexpr std::size_t kCheckedSamples = 2;
constexpr std::uint8_t kPoison = 0xa5;
constexpr std::uint32_t kStamp = 0xfe9ce000;

// Inbound stores last about 20 ms at the rate of NVLink, several times as long as any run of
// fences; whether they did is checked.
constexpr int kInboundWarps = 8;  // of a CTA
constexpr int kInboundUnroll = 8;
constexpr int kInboundPasses = 60;
constexpr std::size_t kInboundVectors = std::size_t{8} << 20;
constexpr auto kInboundLead = std::chrono::microseconds(300);  // until they flow

constexpr int kLoadWarps = 2;

}  // namespace

void set_extent(FenceRun& run, std::string_view extent, int sm_count) {
  check(extent == "warp" || extent == "cta" || extent == "load_warps" || extent == "all_sms",
        "the extent is the sweep's");
  const bool everywhere = extent == "load_warps" || extent == "all_sms";
  run.ctas = everywhere ? sm_count : 1;
  run.warps = extent == "warp" ? 1 : extent == "load_warps" ? kLoadWarps : kFencingCtaWarps;
  run.fencing_warps = run.warps;
}

FenceBench::FenceBench(Lab& lab)
    : lab_(lab),
      targets_(std::min(2, lab.gpu_count()),
               static_cast<std::size_t>(lab.gpus().sm_count()) * kMostWarps * kWarpVectors),
      inbound_(0, lab.gpu_count() >= 2 ? kInboundVectors : 0),
      bulk_source_(0, kernels::kFenceBulkBytes / 16),
      cycles_(0, static_cast<std::size_t>(lab.gpus().sm_count()) * kMostWarps * kCalls),
      cycles_per_ns_(lab.cycles_per_ns()) {
  bulk_source_.fill(0);
}

kernels::FenceCost FenceBench::work_of(const FenceRun& run, std::size_t samples, int fences) {
  check(run.ctas <= lab_.gpus().sm_count(), "the buffers have room for every CTA");
  check(run.stores <= kernels::kMostFenceStores, "the buffers have room for every store");
  return {.target = targets_.on(run.to_peer ? 1 : 0).data(),
          .bulk_source = run.bulk_loads ? bulk_source_.data() : nullptr,
          .fence_cycles = cycles_.data(),
          .kind = run.kind,
          .fences = fences,
          .sample_count = static_cast<int>(samples),
          .cta_count = run.ctas,
          .warps_per_cta = run.warps,
          .fencing_warps = run.fencing_warps,
          .stores = run.stores,
          .neighbours_store = run.neighbours_store,
          .stamp = kStamp};
}

// Checks the first and the last CTA: their stores are there, and nothing else was written.
void FenceBench::verify(const FenceRun& run) {
  kernels::DeviceArray<uint4>& target = targets_.on(run.to_peer ? 1 : 0);
  target.fill(kPoison);
  kernels::cuda_check(cudaSetDevice(0));
  kernels::launch_fence_cost(work_of(run, kCheckedSamples), lab_.gpus().stream(0));
  lab_.gpus().synchronize();
  const std::size_t cta_vectors = static_cast<std::size_t>(run.warps) * kWarpVectors;
  const std::size_t stored_words = static_cast<std::size_t>(run.stores) * 32 * 4;
  for (const int cta : {0, run.ctas - 1}) {
    const std::size_t first = static_cast<std::size_t>(cta) * cta_vectors;
    const auto found = target.download(first, cta_vectors);
    const std::span<const std::uint32_t> words(&found.front().x, found.size() * 4);
    for (int warp = 0; warp < run.warps; ++warp) {
      const std::size_t begin = static_cast<std::size_t>(warp) * kWarpVectors;
      const auto of_warp = words.subspan(begin * 4, kWarpVectors * 4);
      const bool stores = (warp < run.fencing_warps) != run.neighbours_store;
      const std::size_t written = stores ? stored_words : 0;
      if (kernels::wrong_vectors(
              of_warp.first(written), kStamp, static_cast<std::uint32_t>(first + begin)) > 0 ||
          kernels::touched_vectors(of_warp.subspan(written), kPoison) > 0)
        throw DeviceError("fence cost: memory does not hold exactly the stores before the fences");
    }
  }
}

void FenceBench::launch_inbound_stores() {
  kernels::Peers<uint4> targets{};
  targets.at[0] = inbound_.data();
  const int ctas = lab_.gpus().sm_count();
  const std::size_t warps = static_cast<std::size_t>(ctas) * kInboundWarps;
  kernels::cuda_check(cudaSetDevice(1));
  kernels::launch_peer_store(
      {.targets = targets,
       .target_count = 1,
       .blocks_per_warp = static_cast<int>(kInboundVectors / (warps * 32 * kInboundUnroll)),
       .passes = kInboundPasses,
       .cta_count = ctas,
       .warps_per_cta = kInboundWarps,
       .unroll = kInboundUnroll,
       .stamp = kStamp},
      lab_.gpus().stream(1));
  std::this_thread::sleep_for(kInboundLead);
}

std::vector<double> FenceBench::sample(const FenceRun& run, int fences) {
  if (run.inbound_stores) launch_inbound_stores();
  kernels::cuda_check(cudaSetDevice(0));
  kernels::launch_fence_cost(work_of(run, kCalls, fences), lab_.gpus().stream(0));
  kernels::cuda_check(cudaStreamSynchronize(lab_.gpus().stream(0)));
  if (run.inbound_stores) {
    const cudaError_t status = cudaStreamQuery(lab_.gpus().stream(1));
    if (status == cudaSuccess)
      throw DeviceError("fence cost: the inbound stores ended before the fences did");
    if (status != cudaErrorNotReady) kernels::cuda_check(status);
    (void)cudaGetLastError();  // "not ready" stays behind and is no error of the next launch
  }
  lab_.gpus().synchronize();
  const std::size_t fencing = static_cast<std::size_t>(run.ctas * run.fencing_warps);
  const auto counts = cycles_.download(0, fencing * kCalls);
  return mean_over_units_ns({.counts = counts, .samples_per_unit = kCalls}, cycles_per_ns_);
}

PointResult FenceBench::measure(const FenceRun& run) {
  verify(run);
  FenceRun without = run;
  without.kind = kernels::FenceKind::none;
  const double overhead_ns = quantiles(sample(without)).median;
  PointResult result;
  const std::vector<double> single = sample(run);
  result.add("fence_ns", above_overhead(single, overhead_ns));
  if (run.stores == 0 && !run.bulk_loads && !run.inbound_stores) {
    std::vector<double> chained = above_overhead(sample(run, 1 + kChain), quantiles(single).median);
    for (double& nanoseconds : chained) nanoseconds /= kChain;
    result.add("chained_fence_ns", std::move(chained));
  }
  return result;
}

}  // namespace epsim
