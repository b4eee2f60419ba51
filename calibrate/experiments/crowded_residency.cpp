// M23: how many CTAs of a kernel that wants every SM find one at once, when another kernel holds
// some already: by the holders' count, clusters and shared memory, and by the newcomer's clusters.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <numeric>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "calibrate/device_error.hpp"
#include "calibrate/experiments/experiments.hpp"
#include "kernels/cuda_check.hpp"
#include "kernels/overlap/crowded_gpu.cuh"

namespace epsim::crowded_residency {
namespace {

using kernels::cuda_check;
using kernels::SmStamp;

constexpr std::array kHolderCtas = {4, 8, 12, 16, 20, 24, 28, 32, 40, 48, 64};
constexpr std::array kHolderClusters = {1, 2, 4};
constexpr std::array kNewcomerClusters = {1, 2};
constexpr std::int64_t kKib = 1024;

// What holders ask of an SM's memory. With 160 KiB no newcomer fits beside one. Without any, one
// does, if the SM is set up for as much shared memory: the driver chooses, or the holder asks.
struct HolderMemory {
  std::int64_t shared_kib;
  const char* carveout;
};
constexpr std::array kMemories = {
    HolderMemory{160, "default"}, HolderMemory{0, "default"}, HolderMemory{0, "most_shared"}};

constexpr std::size_t kTrials = 25;
constexpr std::size_t kWarmupTrials = 3;
constexpr std::uint64_t kFirstWaveNs = 25'000;  // half of what a newcomer's CTA lasts
// What clusters of the newcomer tell of GPCs: a cluster never spans two.
constexpr int kMostCluster = 8;
constexpr int kRoundsOfSizes = 4;

// SMs that some cluster had together, with all that such clusters connect: GPCs, as far as seen.
class SmGroups {
 public:
  explicit SmGroups(int sm_count) : parent_(std::size_t(sm_count)) {
    std::iota(parent_.begin(), parent_.end(), std::size_t{0});
  }
  void join(std::size_t a, std::size_t b) { parent_.at(root(a)) = root(b); }
  [[nodiscard]] std::size_t root(std::size_t sm) const {
    while (parent_.at(sm) != sm) sm = parent_.at(sm);
    return sm;
  }
  [[nodiscard]] std::vector<double> sizes() const {
    std::vector<double> counts(parent_.size(), 0);
    for (std::size_t sm = 0; sm < parent_.size(); ++sm) ++counts[root(sm)];
    std::erase(counts, 0.0);
    std::sort(counts.begin(), counts.end());
    return counts;
  }

 private:
  std::vector<std::size_t> parent_;
};

class CrowdBench {
 public:
  explicit CrowdBench(Lab& lab);
  ~CrowdBench() { cudaEventDestroy(begun_); }
  CrowdBench(const CrowdBench&) = delete;
  CrowdBench& operator=(const CrowdBench&) = delete;

  PointResult measure(const Point& point);

 private:
  // Of one trial: the newcomers' first wave, and the holders.
  struct Trial {
    double resident_ctas, resident_beside_holders, start_spread_ns;
    double holder_sms, holder_gpcs;
  };
  void find_groups();
  [[nodiscard]] std::vector<SmStamp> run_alone(int cluster_size);
  [[nodiscard]] Trial run_trial(kernels::Holders holders, const kernels::Newcomer& newcomer);
  [[nodiscard]] int newcomer_ctas(int cluster_size) const {
    return sm_count_ / cluster_size * cluster_size;
  }

  Lab& lab_;
  int sm_count_;
  SmGroups groups_;
  kernels::DeviceArray<kernels::HolderWords> words_;
  kernels::DeviceArray<int> holder_sms_;
  kernels::DeviceArray<SmStamp> stamps_;
  cudaEvent_t begun_ = nullptr;
  int started_ = 0;
  int generation_ = 0;
};

CrowdBench::CrowdBench(Lab& lab)
    : lab_(lab),
      sm_count_(lab.gpus().sm_count()),
      groups_(sm_count_),
      words_(0, 1),
      holder_sms_(0, std::size_t(kHolderCtas.back())),
      stamps_(0, std::size_t(sm_count_)) {
  words_.fill(0);
  cuda_check(cudaSetDevice(0));
  cuda_check(cudaEventCreateWithFlags(&begun_, cudaEventDisableTiming));
  kernels::prepare_newcomer();
  kernels::prepare_holders(0, false);
  find_groups();
  // Each kernel once, before one of them waits for another.
  const cudaStream_t stream = lab.gpus().stream(0);
  kernels::launch_stop_holders(words_.data(), ++generation_, stream);
  kernels::launch_holders(
      {.words = words_.data(), .sms = nullptr, .generation = generation_, .cta_count = 1}, stream);
  kernels::launch_await_holders(words_.data(), ++started_, stream);
  lab.gpus().synchronize();
}

// Throws DeviceError when a CTA left no stamp, or two were on an SM that has room for one.
std::vector<SmStamp> CrowdBench::run_alone(int cluster_size) {
  const kernels::Newcomer work{stamps_.data(), newcomer_ctas(cluster_size), cluster_size};
  stamps_.fill(0);
  kernels::launch_newcomer(work, lab_.gpus().stream(0));
  lab_.gpus().synchronize();
  std::vector<SmStamp> stamps = stamps_.download(0, std::size_t(work.cta_count));
  for (std::size_t i = 0; i < stamps.size(); ++i) {
    if (stamps[i].first == 0 || stamps[i].sm >= std::size_t(sm_count_))
      throw DeviceError("a CTA of the newcomer left no stamp");
    for (std::size_t j = 0; j < i; ++j) {
      const auto [early, late] = std::minmax(stamps[i].first, stamps[j].first);
      if (stamps[i].sm == stamps[j].sm && late - early < kernels::kNewcomerNs)
        throw DeviceError("two CTAs of the newcomer were on one SM at a time");
    }
  }
  return stamps;
}

void CrowdBench::find_groups() {
  for (int round = 0; round < kRoundsOfSizes; ++round)
    for (int size = kMostCluster; size >= 2; --size) {
      if (!kernels::can_launch_newcomer({stamps_.data(), newcomer_ctas(size), size})) continue;
      std::vector<SmStamp> stamps;
      try {
        stamps = run_alone(size);
      } catch (const kernels::CudaError&) {
        (void)cudaGetLastError();  // this size does not launch after all: others tell enough
        continue;
      }
      for (std::size_t i = 0; i < stamps.size(); ++i)
        groups_.join(stamps[i].sm, stamps[i - i % std::size_t(size)].sm);
    }
}

CrowdBench::Trial CrowdBench::run_trial(kernels::Holders holders,
                                        const kernels::Newcomer& newcomer) {
  const cudaStream_t stream = lab_.gpus().stream(0);
  const cudaStream_t side = lab_.gpus().side_stream(0);
  stamps_.fill(0);
  holders.generation = ++generation_;
  started_ += holders.cta_count;
  lab_.meet(1, true);
  cuda_check(cudaSetDevice(0));
  cuda_check(cudaEventRecord(begun_, stream));
  cuda_check(cudaStreamWaitEvent(side, begun_, 0));
  kernels::launch_holders(holders, side);
  kernels::launch_await_holders(words_.data(), started_, stream);
  kernels::launch_newcomer(newcomer, stream);
  kernels::launch_stop_holders(words_.data(), generation_, stream);
  lab_.open_gate();
  lab_.gpus().synchronize();
  if (words_.download().front().timed_out != 0)
    throw DeviceError("a holder ended before the kernel beside it did");

  const std::vector<SmStamp> stamps = stamps_.download(0, std::size_t(newcomer.cta_count));
  const std::vector<int> sms = holder_sms_.download(0, std::size_t(holders.cta_count));
  const std::set<int> held(sms.begin(), sms.end());
  std::set<std::size_t> gpcs;
  for (const int sm : held) gpcs.insert(groups_.root(static_cast<std::size_t>(sm)));
  std::uint64_t first = std::numeric_limits<std::uint64_t>::max();
  for (const SmStamp& stamp : stamps) first = std::min(first, stamp.first);
  if (first == 0) throw DeviceError("a CTA of the newcomer left no stamp");
  Trial trial{0, 0, 0, static_cast<double>(held.size()), static_cast<double>(gpcs.size())};
  for (const SmStamp& stamp : stamps) {
    if (stamp.first - first > kFirstWaveNs) continue;
    ++trial.resident_ctas;
    if (held.contains(static_cast<int>(stamp.sm))) ++trial.resident_beside_holders;
    trial.start_spread_ns =
        std::max(trial.start_spread_ns, static_cast<double>(stamp.first - first));
  }
  return trial;
}

PointResult CrowdBench::measure(const Point& point) {
  const std::int64_t shared_bytes = point.integer("holder_shared_kib") * kKib;
  const kernels::Holders holders{
      .words = words_.data(),
      .sms = holder_sms_.data(),
      .generation = 0,
      .cta_count = static_cast<int>(point.integer("holder_ctas")),
      .cluster_size = static_cast<int>(point.integer("holder_cluster")),
      .shared_bytes = static_cast<int>(shared_bytes),
  };
  const auto cluster = static_cast<int>(point.integer("newcomer_cluster"));
  const kernels::Newcomer newcomer{stamps_.data(), newcomer_ctas(cluster), cluster};
  cuda_check(cudaSetDevice(0));
  kernels::prepare_holders(holders.shared_bytes, point.text("holder_carveout") == "most_shared");
  std::vector<double> resident, beside, spread, sms, gpcs;
  for (std::size_t i = 0; i < kWarmupTrials + kTrials; ++i) {
    const Trial trial = run_trial(holders, newcomer);
    if (i < kWarmupTrials) continue;
    resident.push_back(trial.resident_ctas);
    beside.push_back(trial.resident_beside_holders);
    spread.push_back(trial.start_spread_ns);
    sms.push_back(trial.holder_sms);
    gpcs.push_back(trial.holder_gpcs);
  }
  (void)lab_.cupti().collect();
  PointResult result;
  result.add("resident_ctas", std::move(resident));
  result.add("resident_beside_holder_ctas", std::move(beside));
  result.add("start_spread_ns", std::move(spread));
  result.add("holder_sms", std::move(sms));
  result.add("holder_gpcs", std::move(gpcs));
  result.add("gpc_sms", groups_.sizes());
  return result;
}

}  // namespace

std::vector<Point> points(int) {
  std::vector<Point> found;
  for (const HolderMemory& memory : kMemories)
    for (const int newcomer_cluster : kNewcomerClusters)
      for (const int holder_cluster : kHolderClusters)
        for (const int ctas : kHolderCtas)
          found.push_back(Point()
                              .with("holder_ctas", ctas)
                              .with("holder_cluster", holder_cluster)
                              .with("holder_shared_kib", memory.shared_kib)
                              .with("holder_carveout", memory.carveout)
                              .with("newcomer_cluster", newcomer_cluster));
  return found;
}

Bench open(Lab& lab) {
  const auto bench = std::make_shared<CrowdBench>(lab);
  return [bench](const Point& point) { return bench->measure(point); };
}

}  // namespace epsim::crowded_residency
