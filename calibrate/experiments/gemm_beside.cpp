// M26: a GEMM that is told nothing of the SMs which another kernel holds: how much longer it takes,
// by the holders' count and clusters. Holders only spin, so that no memory is shared: what is left
// is how the GEMM's tiles find room.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "calibrate/device_error.hpp"
#include "calibrate/experiments/experiments.hpp"
#include "calibrate/experiments/gemm_operands.hpp"
#include "kernels/cuda_check.hpp"
#include "kernels/overlap/crowded_gpu.cuh"
#include "kernels/overlap/gemm.hpp"

namespace epsim::gemm_beside {
namespace {

using kernels::cuda_check;
using kernels::GemmShape;

// One to fourteen rounds of 256 x 128 tiles on 132 SMs.
constexpr std::array kShapes = {GemmShape{1024, 4096, 7168},
                                GemmShape{2048, 4096, 7168},
                                GemmShape{2048, 7168, 4096},
                                GemmShape{4096, 4096, 7168},
                                GemmShape{4096, 7168, 4096},
                                GemmShape{4096, 7168, 2048},
                                GemmShape{8192, 7168, 2048}};
constexpr std::array kHolderCtas = {4, 8, 12, 16, 20, 24, 28, 32, 40, 48, 64};
constexpr std::array kHolderClusters = {1, 2, 4};
constexpr int kHolderShared = 160 * 1024;  // no GEMM fits beside one
constexpr std::size_t kGemms = 6;          // of a window, about 2 ms
constexpr std::size_t kWindows = 6;
constexpr std::size_t kWarmupWindows = 1;

class GemmBesideBench {
 public:
  explicit GemmBesideBench(Lab& lab)
      : lab_(lab), operands_(0, kShapes), words_(0, 1), sms_(0, std::size_t(kHolderCtas.back())) {
    words_.fill(0);
    cuda_check(cudaSetDevice(0));
    cuda_check(cudaEventCreateWithFlags(&begun_, cudaEventDisableTiming));
    kernels::prepare_holders(kHolderShared, false);
    // Each kernel once, before one of them waits for another.
    const cudaStream_t stream = lab.gpus().stream(0);
    kernels::launch_stop_holders(words_.data(), ++generation_, stream);
    kernels::launch_holders(
        {.words = words_.data(), .sms = sms_.data(), .generation = generation_, .cta_count = 1},
        stream);
    kernels::launch_await_holders(words_.data(), ++started_, stream);
    lab.gpus().synchronize();
  }
  ~GemmBesideBench() { cudaEventDestroy(begun_); }
  GemmBesideBench(const GemmBesideBench&) = delete;
  GemmBesideBench& operator=(const GemmBesideBench&) = delete;

  PointResult measure(const Point& point);

 private:
  void run_window(kernels::Gemm& gemm, const Point& point);

  Lab& lab_;
  GemmOperands operands_;
  kernels::DeviceArray<kernels::HolderWords> words_;
  kernels::DeviceArray<int> sms_;
  cudaEvent_t begun_ = nullptr;
  int started_ = 0;
  int generation_ = 0;
};

void GemmBesideBench::run_window(kernels::Gemm& gemm, const Point& point) {
  const cudaStream_t stream = lab_.gpus().stream(0);
  const cudaStream_t side = lab_.gpus().side_stream(0);
  const auto ctas = static_cast<int>(point.integer("holder_ctas"));
  lab_.meet(1, true);
  cuda_check(cudaSetDevice(0));
  if (ctas > 0) {
    cuda_check(cudaEventRecord(begun_, stream));
    cuda_check(cudaStreamWaitEvent(side, begun_, 0));
    kernels::launch_holders({.words = words_.data(),
                             .sms = sms_.data(),
                             .generation = ++generation_,
                             .cta_count = ctas,
                             .cluster_size = static_cast<int>(point.integer("holder_cluster")),
                             .shared_bytes = kHolderShared},
                            side);
    started_ += ctas;
    kernels::launch_await_holders(words_.data(), started_, stream);
  }
  for (std::size_t i = 0; i < kGemms; ++i) operands_.enqueue(gemm, stream);
  if (ctas > 0) kernels::launch_stop_holders(words_.data(), generation_, stream);
  lab_.open_gate();
  lab_.gpus().synchronize();
  if (words_.download().front().timed_out != 0)
    throw DeviceError("a holder ended before the GEMMs beside it did");
}

PointResult GemmBesideBench::measure(const Point& point) {
  const GemmShape shape{point.integer("gemm_m"), point.integer("gemm_n"), point.integer("gemm_k")};
  kernels::Gemm gemm(0, shape, 0);
  operands_.verify(gemm, lab_.gpus().stream(0));
  lab_.gpus().synchronize();
  (void)lab_.cupti().collect();
  for (std::size_t window = 0; window < kWindows; ++window) run_window(gemm, point);
  const std::vector<GpuRecord> gemms = gemm_launches(lab_.cupti().collect(), 0, kWindows * kGemms);
  std::vector<double> gemm_ns;
  for (std::size_t i = kWarmupWindows * kGemms; i < gemms.size(); ++i)
    gemm_ns.push_back(static_cast<double>(gemms[i].end_ns - gemms[i].start_ns));
  PointResult result;
  result.add("gemm_ns", std::move(gemm_ns));
  result.bytes_moved = kernels::bytes_moved(shape);
  return result;
}

Point point_of(const GemmShape& shape, int ctas, int cluster) {
  return Point()
      .with("gemm_m", shape.m)
      .with("gemm_n", shape.n)
      .with("gemm_k", shape.k)
      .with("holder_ctas", ctas)
      .with("holder_cluster", cluster);
}

}  // namespace

std::vector<Point> points(int) {
  std::vector<Point> found;
  for (const GemmShape& shape : kShapes) {
    found.push_back(point_of(shape, 0, 1));
    for (const int cluster : kHolderClusters)
      for (const int ctas : kHolderCtas) found.push_back(point_of(shape, ctas, cluster));
  }
  return found;
}

Bench open(Lab& lab) {
  require_gemm_library();
  const auto bench = std::make_shared<GemmBesideBench>(lab);
  return [bench](const Point& point) { return bench->measure(point); };
}

}  // namespace epsim::gemm_beside
