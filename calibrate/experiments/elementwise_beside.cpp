// M25: an elementwise kernel, bound by memory, beside what takes SMs from it, and beside copies
// that take memory or links too.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "calibrate/device_error.hpp"
#include "calibrate/experiments/copy_partner.hpp"
#include "calibrate/experiments/elementwise_check.hpp"
#include "calibrate/experiments/experiments.hpp"
#include "calibrate/experiments/gated_calls.hpp"
#include "calibrate/experiments/gemm_operands.hpp"
#include "kernels/cuda_check.hpp"
#include "kernels/overlap/crowded_gpu.cuh"
#include "kernels/overlap/elementwise.cuh"
#include "kernels/overlap/fill_matrix.cuh"

namespace epsim::elementwise_beside {
namespace {

using kernels::cuda_check;
using kernels::Elementwise;
using kernels::ElementwiseOp;

constexpr std::array kOps = {"silu_multiply", "add"};
constexpr std::array kMebiElements = {4, 16, 30};
constexpr std::array kPartnerCtas = {8, 24, 32};
constexpr std::int64_t kMebi = std::int64_t{1} << 20;

// Launches work their way round this buffer, so that L2 keeps nothing from one to the next.
constexpr std::int64_t kBufferElements = 120 * kMebi;

constexpr std::size_t kWindows = 15;
constexpr std::size_t kWarmupWindows = 3;
constexpr double kWindowNs = 2e6;
constexpr std::chrono::milliseconds kRest{2};
constexpr std::int64_t kFewestKernels = 8;
constexpr std::int64_t kMostKernels = 64;
constexpr double kRoughBytesPerNs = 4e3;  // for choosing a window's length only
// A copy that was not told to stop ends here: 64 GiB, at least 15 ms.
constexpr std::int64_t kMostBytes = std::int64_t{1} << 36;

class BesideBench {
 public:
  explicit BesideBench(Lab& lab);
  ~BesideBench() { cudaEventDestroy(begun_); }
  BesideBench(const BesideBench&) = delete;
  BesideBench& operator=(const BesideBench&) = delete;

  PointResult measure(const Point& point);

 private:
  struct Partner {
    std::string kind;  // "none", "holder", or a copy
    CopyPartner::Place place;
    int cta_count;
    [[nodiscard]] bool copies() const { return kind != "none" && kind != "holder"; }
    // The kernel that a window's kernels must lie within.
    [[nodiscard]] const char* kernel() const {
      return copies() ? "stream_copy_kernel" : "whole_sm_holder_kernel";
    }
  };
  [[nodiscard]] Elementwise next(ElementwiseOp op, std::int64_t count);
  void verify(ElementwiseOp op);
  void start(const Partner& partner);
  void stop(const Partner& partner);
  [[nodiscard]] PointResult result(const std::vector<GpuRecord>& records,
                                   std::size_t per_window,
                                   const Partner& partner,
                                   const std::vector<double>& bytes) const;

  Lab& lab_;
  CopyPartner copies_;
  kernels::DeviceArray<std::uint16_t> x_, y_, z_;
  kernels::DeviceArray<kernels::HolderWords> words_;
  std::int64_t place_ = 0;  // in the buffers
  int started_ = 0;         // CTAs of holders
  int generation_ = 0;
  cudaEvent_t begun_ = nullptr;
};

BesideBench::BesideBench(Lab& lab)
    : lab_(lab),
      copies_(lab),
      x_(0, std::size_t(kBufferElements)),
      y_(0, std::size_t(kBufferElements)),
      z_(0, std::size_t(kBufferElements)),
      words_(0, 1) {
  words_.fill(0);
  cuda_check(cudaSetDevice(0));
  cuda_check(cudaEventCreateWithFlags(&begun_, cudaEventDisableTiming));
  const cudaStream_t stream = lab.gpus().stream(0);
  kernels::launch_fill_normal_matrix(x_.data(), kBufferElements, kElementwiseSeedX, stream);
  kernels::launch_fill_normal_matrix(y_.data(), kBufferElements, kElementwiseSeedY, stream);
  for (const ElementwiseOp op : {ElementwiseOp::silu_multiply, ElementwiseOp::add}) verify(op);
  // Each kernel of the holders once, before one of them waits for another.
  start({"holder", {0, 0}, 1});
  stop({"holder", {0, 0}, 1});
  lab.gpus().synchronize();
}

Elementwise BesideBench::next(ElementwiseOp op, std::int64_t count) {
  if (place_ + count > kBufferElements) place_ = 0;
  const Elementwise work{op, x_.data() + place_, y_.data() + place_, z_.data() + place_, count};
  place_ += count;
  return work;
}

// All elements of a size that is not asked for, which ends in the middle of nothing.
void BesideBench::verify(ElementwiseOp op) {
  z_.fill(0xff);
  place_ = 0;
  kernels::launch_elementwise(next(op, kMebi + 1024), lab_.gpus().stream(0));
  lab_.gpus().synchronize();
  const std::size_t count = std::size_t(kMebi) + 1024;
  const std::vector<std::uint16_t> found = z_.download(0, count + 1);
  check_elementwise(op, std::span(found).first(count), 0);
  if (found.back() != 0xffff) throw DeviceError("an elementwise kernel wrote behind its output");
}

void BesideBench::start(const Partner& partner) {
  if (partner.copies()) copies_.start(partner.place, partner.cta_count, kMostBytes);
  if (partner.kind != "holder") return;
  const cudaStream_t stream = lab_.gpus().stream(0);
  const cudaStream_t side = lab_.gpus().side_stream(0);
  cuda_check(cudaEventRecord(begun_, stream));
  cuda_check(cudaStreamWaitEvent(side, begun_, 0));
  started_ += partner.cta_count;
  kernels::launch_holders({.words = words_.data(),
                           .sms = nullptr,
                           .generation = ++generation_,
                           .cta_count = partner.cta_count,
                           .whole_sms = true},
                          side);
  kernels::launch_await_holders(words_.data(), started_, stream);
}

void BesideBench::stop(const Partner& partner) {
  if (partner.copies()) copies_.stop(partner.place);
  if (partner.kind == "holder")
    kernels::launch_stop_holders(words_.data(), generation_, lab_.gpus().stream(0));
}

PointResult BesideBench::result(const std::vector<GpuRecord>& records,
                                std::size_t per_window,
                                const Partner& partner,
                                const std::vector<double>& bytes) const {
  const auto named = [&](int gpu, std::string_view name) {
    std::vector<GpuRecord> found = kernels_in_launch_order(records, gpu);
    std::erase_if(found, [&](const GpuRecord& record) {
      return record.name.find(name) == std::string::npos;
    });
    return found;
  };
  std::vector<GpuRecord> launches = kernels_in_launch_order(records, 0);
  std::erase_if(launches, [](const GpuRecord& record) {
    return record.name.find("silu_multiply_kernel") == std::string::npos &&
           record.name.find("add_kernel") == std::string::npos;
  });
  const std::vector<GpuRecord> partners = named(partner.place.gpu, partner.kernel());
  if (launches.size() != kWindows * per_window ||
      partners.size() != (partner.cta_count > 0 ? kWindows : 0))
    throw DeviceError("a window shows other kernels than it should");
  std::vector<double> kernel_ns, rates;
  for (std::size_t window = kWarmupWindows; window < kWindows; ++window) {
    const std::size_t before = kernel_ns.size();
    for (std::size_t i = window * per_window; i < (window + 1) * per_window; ++i)
      if (partners.empty() || (launches[i].start_ns >= partners[window].start_ns &&
                               launches[i].end_ns <= partners[window].end_ns))
        kernel_ns.push_back(duration_ns(launches[i]));
    if (kernel_ns.size() == before)
      throw DeviceError("no kernel of a window ran inside its partner");
    if (partner.copies()) rates.push_back(bytes[window] / duration_ns(partners[window]));
  }
  PointResult result;
  result.add("kernel_ns", std::move(kernel_ns));
  if (!rates.empty()) result.add("partner_rate_gb_per_s", std::move(rates));
  return result;
}

PointResult BesideBench::measure(const Point& point) {
  const ElementwiseOp op =
      point.text("op") == "add" ? ElementwiseOp::add : ElementwiseOp::silu_multiply;
  const std::int64_t count = point.integer("mebi_elements") * kMebi;
  const Partner partner{point.text("partner"),
                        CopyPartner::place_of(point.text("partner")),
                        static_cast<int>(point.integer("partner_ctas"))};
  const std::int64_t moved =
      kernels::bytes_moved(Elementwise{op, nullptr, nullptr, nullptr, count});
  const std::int64_t per_window =
      std::clamp(static_cast<std::int64_t>(kWindowNs * kRoughBytesPerNs) / moved,
                 kFewestKernels,
                 kMostKernels);
  lab_.gpus().synchronize();
  (void)lab_.cupti().collect();
  std::vector<double> bytes;
  double copied = copies_.bytes_copied(partner.place.gpu);
  for (std::size_t window = 0; window < kWindows; ++window) {
    lab_.meet(1, true);
    cuda_check(cudaSetDevice(0));
    start(partner);
    for (std::int64_t i = 0; i < per_window; ++i)
      kernels::launch_elementwise(next(op, count), lab_.gpus().stream(0));
    stop(partner);
    lab_.open_gate();
    lab_.gpus().synchronize();
    const double now = copies_.bytes_copied(partner.place.gpu);
    bytes.push_back(now - copied);
    copied = now;
    std::this_thread::sleep_for(kRest);
  }
  if (words_.download().front().timed_out != 0)
    throw DeviceError("a holder ended before the kernels beside it did");
  PointResult found =
      result(lab_.cupti().collect(), static_cast<std::size_t>(per_window), partner, bytes);
  found.bytes_moved = moved;
  return found;
}

}  // namespace

std::vector<Point> points(int gpus) {
  std::vector<const char*> partners = {"holder", "hbm_copy"};
  if (gpus >= 2) partners.insert(partners.end(), {"peer_send", "peer_receive"});
  std::vector<Point> found;
  const auto add = [&](const char* op, int mebi_elements, const char* partner, int ctas) {
    found.push_back(Point()
                        .with("op", op)
                        .with("mebi_elements", mebi_elements)
                        .with("partner", partner)
                        .with("partner_ctas", ctas));
  };
  for (const char* op : kOps)
    for (const int mebi_elements : kMebiElements) {
      add(op, mebi_elements, "none", 0);
      for (const char* partner : partners)
        for (const int ctas : kPartnerCtas) add(op, mebi_elements, partner, ctas);
    }
  return found;
}

Bench open(Lab& lab) {
  const auto bench = std::make_shared<BesideBench>(lab);
  return [bench](const Point& point) { return bench->measure(point); };
}

}  // namespace epsim::elementwise_beside
