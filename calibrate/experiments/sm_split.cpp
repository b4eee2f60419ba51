// M17: a GEMM on some SMs beside a copy on the others: what the split, HBM and links cost both.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "calibrate/device_error.hpp"
#include "calibrate/experiments/experiments.hpp"
#include "calibrate/experiments/gemm_operands.hpp"
#include "kernels/cuda_check.hpp"
#include "kernels/overlap/gemm.hpp"
#include "kernels/overlap/row_stamps.cuh"
#include "kernels/overlap/stream_copy.cuh"

namespace epsim::sm_split {
namespace {

using kernels::cuda_check;
using kernels::GemmShape;

// From bound by arithmetic (4096 tokens) to bound by reading the weights (128 tokens).
constexpr std::array kShapes = {GemmShape{4096, 4096, 7168},
                                GemmShape{4096, 7168, 2048},
                                GemmShape{1024, 4096, 7168},
                                GemmShape{512, 7168, 2048},
                                GemmShape{128, 4096, 7168}};
constexpr std::array kSplits = {4, 8, 16, 20, 32, 64};
constexpr std::array kUnsplitCtas = {8, 32};
constexpr std::array kReceivedCtas = {4, 8, 16, 32, 64};

constexpr std::size_t kWindows = 15;
constexpr std::size_t kWarmupWindows = 3;
// A window lasts about 2 ms, so that the copy's ends, about 10 us, do not count.
constexpr double kWindowNs = 2e6;
// GEMMs without a pause draw more power than a GPU may, whose clocks then fall. Resting about as
// long as working keeps them.
constexpr std::chrono::milliseconds kRest{2};
constexpr std::int64_t kFewestGemms = 4;
constexpr std::int64_t kMostGemms = 64;
// For choosing a window's length only: about what an H200 does.
constexpr double kRoughOperationsPerNs = 600e3;
constexpr double kRoughBytesPerNs = 4e3;

constexpr std::int64_t kBufferVectors = 1024 * kernels::kCopyChunkVectors;  // 256 MiB: beyond L2
constexpr std::int64_t kChunkBytes = 16 * kernels::kCopyChunkVectors;
constexpr std::int64_t kBytesAlone = std::int64_t{1} << 30;
// A copy that was not told to stop ends here: 64 GiB, at least 15 ms.
constexpr std::int64_t kMostBytes = std::int64_t{1} << 36;

std::int64_t gemms_per_window(const GemmShape& shape) {
  const double gemm_ns =
      std::max(static_cast<double>(kernels::operations(shape)) / kRoughOperationsPerNs,
               static_cast<double>(kernels::bytes_moved(shape)) / kRoughBytesPerNs);
  return std::clamp(static_cast<std::int64_t>(kWindowNs / gemm_ns), kFewestGemms, kMostGemms);
}

Point point_of(const GemmShape& shape, const char* partner, int partner_ctas, int reserved_sms) {
  return Point()
      .with("gemm_m", shape.m)
      .with("gemm_n", shape.n)
      .with("gemm_k", shape.k)
      .with("partner", partner)
      .with("partner_ctas", std::int64_t{partner_ctas})
      .with("reserved_sms", std::int64_t{reserved_sms});
}

class SmSplitBench {
 public:
  explicit SmSplitBench(Lab& lab);
  ~SmSplitBench() { cudaEventDestroy(begun_); }
  SmSplitBench(const SmSplitBench&) = delete;
  SmSplitBench& operator=(const SmSplitBench&) = delete;

  PointResult measure(const Point& point);

 private:
  struct Partner {
    int gpu;         // whose SMs copy
    int target_gpu;  // whose memory is written
    int cta_count;   // 0: no partner
  };
  [[nodiscard]] static Partner partner_of(const Point& point);
  [[nodiscard]] kernels::StreamCopy copy_of(const Partner& partner, std::int64_t most_bytes);
  void launch_copy(const kernels::StreamCopy& work, const Partner& partner, cudaStream_t stream);
  void verify_copy(const Partner& partner);
  [[nodiscard]] double bytes_copied(int gpu);
  // Queues a window, lets it run and waits for its end.
  void run_window(kernels::Gemm* gemm, std::int64_t gemm_count, const Partner& partner);
  [[nodiscard]] PointResult result(const std::vector<GpuRecord>& records,
                                   std::size_t gemm_count,
                                   const Partner& partner,
                                   const std::vector<double>& bytes) const;

  Lab& lab_;
  GemmOperands operands_;
  kernels::Symmetric<uint4> source_, target_;
  kernels::Symmetric<kernels::CopyWords> words_;
  std::vector<int> started_;     // CTAs of all copies so far, by GPU
  std::vector<int> generation_;  // of copies, by GPU
  cudaEvent_t begun_ = nullptr;
};

SmSplitBench::SmSplitBench(Lab& lab)
    : lab_(lab),
      operands_(0, kShapes),
      source_(std::min(lab.gpu_count(), 2), std::size_t(kBufferVectors)),
      target_(std::min(lab.gpu_count(), 2), std::size_t(kBufferVectors)),
      words_(std::min(lab.gpu_count(), 2), 1),
      started_(2, 0),
      generation_(2, 0) {
  words_.fill(0);
  cuda_check(cudaSetDevice(0));
  cuda_check(cudaEventCreateWithFlags(&begun_, cudaEventDisableTiming));
  const int gpu_count = std::min(lab.gpu_count(), 2);
  for (int gpu = 0; gpu < gpu_count; ++gpu) {
    cuda_check(cudaSetDevice(gpu));
    kernels::launch_stamp_rows({source_.on(gpu).data(), 0, 1, kBufferVectors, kBufferVectors},
                               lab.gpus().stream(gpu));
  }
  lab.gpus().synchronize();
  constexpr int kSomeCtas = 16;
  for (int from = 0; from < gpu_count; ++from)
    for (int to = 0; to < gpu_count; ++to) verify_copy({from, to, kSomeCtas});
}

SmSplitBench::Partner SmSplitBench::partner_of(const Point& point) {
  const std::string& kind = point.text("partner");
  const int ctas = static_cast<int>(point.integer("partner_ctas"));
  if (kind == "peer_send") return {0, 1, ctas};
  if (kind == "peer_receive") return {1, 0, ctas};
  return {0, 0, ctas};
}

kernels::StreamCopy SmSplitBench::copy_of(const Partner& partner, std::int64_t most_bytes) {
  return {source_.on(partner.gpu).data(),
          target_.on(partner.target_gpu).data(),
          kBufferVectors,
          std::max(most_bytes / kChunkBytes / partner.cta_count, std::int64_t{1}),
          words_.on(partner.gpu).data(),
          ++generation_.at(std::size_t(partner.gpu)),
          partner.cta_count};
}

void SmSplitBench::launch_copy(const kernels::StreamCopy& work,
                               const Partner& partner,
                               cudaStream_t stream) {
  cuda_check(cudaSetDevice(partner.gpu));
  kernels::launch_stream_copy(work, stream);
  started_.at(std::size_t(partner.gpu)) += partner.cta_count;
}

void SmSplitBench::verify_copy(const Partner& partner) {
  target_.on(partner.target_gpu).fill(0xff);
  launch_copy(copy_of(partner, 16 * kBufferVectors), partner, lab_.gpus().stream(partner.gpu));
  lab_.gpus().synchronize();
  kernels::DeviceArray<unsigned long long> wrong(partner.target_gpu, 1);
  wrong.fill(0);
  kernels::launch_count_wrong_rows(
      {target_.on(partner.target_gpu).data(), 0, 1, kBufferVectors, kBufferVectors},
      wrong.data(),
      lab_.gpus().stream(partner.target_gpu));
  lab_.gpus().synchronize();
  if (const unsigned long long count = wrong.download().front(); count != 0)
    throw DeviceError("stream_copy from GPU " + std::to_string(partner.gpu) + " to GPU " +
                      std::to_string(partner.target_gpu) + " left " + std::to_string(count) +
                      " vectors wrong");
}

double SmSplitBench::bytes_copied(int gpu) {
  return static_cast<double>(words_.on(gpu).download().front().moved);
}

// The copy begins first and the GEMMs when all its CTAs run; it ends when the GEMMs have ended.
void SmSplitBench::run_window(kernels::Gemm* gemm,
                              std::int64_t gemm_count,
                              const Partner& partner) {
  const cudaStream_t stream = lab_.gpus().stream(0);
  const bool both = gemm != nullptr && partner.cta_count > 0;
  lab_.meet(1, true);
  cuda_check(cudaSetDevice(0));
  if (partner.cta_count > 0) {
    const cudaStream_t side = lab_.gpus().side_stream(partner.gpu);
    cuda_check(cudaEventRecord(begun_, stream));
    cuda_check(cudaSetDevice(partner.gpu));
    cuda_check(cudaStreamWaitEvent(side, begun_, 0));
    launch_copy(copy_of(partner, both ? kMostBytes : kBytesAlone), partner, side);
    cuda_check(cudaSetDevice(0));
  }
  kernels::CopyWords* words = words_.on(partner.gpu).data();
  if (both) kernels::launch_await_copy(words, started_.at(std::size_t(partner.gpu)), stream);
  for (std::int64_t i = 0; gemm != nullptr && i < gemm_count; ++i) operands_.enqueue(*gemm, stream);
  if (both) kernels::launch_stop_copy(words, generation_.at(std::size_t(partner.gpu)), stream);
  lab_.open_gate();
  lab_.gpus().synchronize();
  std::this_thread::sleep_for(kRest);
}

PointResult SmSplitBench::result(const std::vector<GpuRecord>& records,
                                 std::size_t gemm_count,
                                 const Partner& partner,
                                 const std::vector<double>& bytes) const {
  std::vector<GpuRecord> copies = kernels_in_launch_order(records, partner.gpu);
  std::erase_if(copies, [](const GpuRecord& record) {
    return record.name.find("stream_copy_kernel") == std::string::npos;
  });
  if (copies.size() != (partner.cta_count > 0 ? kWindows : 0))
    throw DeviceError("a window shows no copy, or more than one");
  const std::vector<GpuRecord> gemms = gemm_launches(records, 0, kWindows * gemm_count);
  std::vector<double> gemm_ns;
  std::vector<double> rates;
  for (std::size_t window = kWarmupWindows; window < kWindows; ++window) {
    const std::size_t before = gemm_ns.size();
    for (std::size_t i = window * gemm_count; i < (window + 1) * gemm_count; ++i)
      if (copies.empty() || (gemms[i].start_ns >= copies[window].start_ns &&
                             gemms[i].end_ns <= copies[window].end_ns))
        gemm_ns.push_back(static_cast<double>(gemms[i].end_ns - gemms[i].start_ns));
    if (gemm_count > 0 && gemm_ns.size() == before)
      throw DeviceError("no GEMM of a window ran inside its copy");
    if (!copies.empty())
      rates.push_back(bytes[window] /
                      static_cast<double>(copies[window].end_ns - copies[window].start_ns));
  }
  PointResult result;
  if (!gemm_ns.empty()) result.add("gemm_ns", std::move(gemm_ns));
  if (!rates.empty()) result.add("partner_rate_gb_per_s", std::move(rates));
  return result;
}

PointResult SmSplitBench::measure(const Point& point) {
  const GemmShape shape{point.integer("gemm_m"), point.integer("gemm_n"), point.integer("gemm_k")};
  const Partner partner = partner_of(point);
  const auto reserved = static_cast<int>(point.integer("reserved_sms"));
  std::unique_ptr<kernels::Gemm> gemm;
  std::int64_t gemm_count = 0;
  if (shape.m > 0) {
    const int sms = reserved > 0 ? lab_.gpus().sm_count() - reserved : 0;
    if (reserved > 0 && sms < 1) throw DeviceError("a GPU with fewer SMs than the split reserves");
    gemm = std::make_unique<kernels::Gemm>(0, shape, sms);
    operands_.verify(*gemm, lab_.gpus().stream(0));
    gemm_count = gemms_per_window(shape);
  }
  lab_.gpus().synchronize();
  (void)lab_.cupti().collect();
  std::vector<double> bytes;
  double copied = bytes_copied(partner.gpu);
  for (std::size_t window = 0; window < kWindows; ++window) {
    run_window(gemm.get(), gemm_count, partner);
    const double now = bytes_copied(partner.gpu);
    bytes.push_back(now - copied);
    copied = now;
  }
  PointResult found =
      result(lab_.cupti().collect(), static_cast<std::size_t>(gemm_count), partner, bytes);
  found.bytes_moved = gemm ? kernels::bytes_moved(shape) : 0;
  return found;
}

}  // namespace

std::vector<Point> points(int gpus) {
  constexpr GemmShape kNoGemm{0, 0, 0};
  std::vector<const char*> on_own_sms = {"hbm_copy"};
  if (gpus >= 2) on_own_sms.push_back("peer_send");
  std::vector<Point> found;
  for (const char* partner : on_own_sms)
    for (const int ctas : kSplits) found.push_back(point_of(kNoGemm, partner, ctas, 0));
  if (gpus >= 2)
    for (const int ctas : kReceivedCtas)
      found.push_back(point_of(kNoGemm, "peer_receive", ctas, 0));
  for (const GemmShape& shape : kShapes) {
    found.push_back(point_of(shape, "none", 0, 0));
    for (const int ctas : kSplits) found.push_back(point_of(shape, "none", 0, ctas));
    for (const char* partner : on_own_sms) {
      for (const int ctas : kSplits) found.push_back(point_of(shape, partner, ctas, ctas));
      for (const int ctas : kUnsplitCtas) found.push_back(point_of(shape, partner, ctas, 0));
    }
    if (gpus >= 2)
      for (const int ctas : kReceivedCtas)
        found.push_back(point_of(shape, "peer_receive", ctas, 0));
  }
  return found;
}

Bench open(Lab& lab) {
  require_gemm_library();
  const auto bench = std::make_shared<SmSplitBench>(lab);
  return [bench](const Point& point) { return bench->measure(point); };
}

}  // namespace epsim::sm_split
