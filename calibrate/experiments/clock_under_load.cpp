// M24: what the power limit does to clocks. GEMMs for a share of the time and something lighter for
// the rest, or a copy beside them, until the clocks have settled.
#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "calibrate/device_error.hpp"
#include "calibrate/experiments/copy_partner.hpp"
#include "calibrate/experiments/elementwise_check.hpp"
#include "calibrate/experiments/experiments.hpp"
#include "calibrate/experiments/gated_calls.hpp"
#include "calibrate/experiments/gemm_operands.hpp"
#include "calibrate/gpu_board.hpp"
#include "kernels/cuda_check.hpp"
#include "kernels/overlap/elementwise.cuh"
#include "kernels/overlap/fill_matrix.cuh"
#include "kernels/overlap/gemm.hpp"

namespace epsim::clock_under_load {
namespace {

using Clock = std::chrono::steady_clock;
using kernels::cuda_check;

constexpr std::array kShape = {kernels::GemmShape{4096, 4096, 7168}};
constexpr std::array kGemmPercents = {20, 40, 50, 60, 70, 80, 90};
constexpr std::array kFillers = {"sleep", "copy", "elementwise"};
constexpr int kFillerCopyCtas = 32;
constexpr int kBesideCopyCtas = 24;

constexpr double kPeriodNs = 8e6;
constexpr double kRunNs = 1.2e9;                  // at the clock that a rested GPU has
constexpr std::int64_t kSettledNs = 300'000'000;  // the end of a run, which counts
constexpr std::int64_t kTrendNs = 50'000'000;     // a mean over each such piece of the run
// The board cools, and what it averages its power over is past.
constexpr std::chrono::seconds kRest{1};
constexpr std::chrono::milliseconds kBoardEvery{4};

constexpr std::int64_t kElements = std::int64_t{120} << 20;  // about 0.2 ms
constexpr std::int64_t kRateBytes = std::int64_t{1} << 30;
// A copy beside GEMMs that was not told to stop ends here: after 3 s at the least.
constexpr std::int64_t kMostBytes = std::int64_t{1} << 43;
constexpr std::size_t kRateCalls = 6;
constexpr std::size_t kCheckedElements = 1024;  // at the beginning, in the middle, at the end

// What the board says from time to time while a run goes on, by a thread of its own.
class BoardSampler {
 public:
  explicit BoardSampler(const GpuBoards& boards) : boards_(boards), thread_([this] { sample(); }) {}
  ~BoardSampler() { join(); }
  BoardSampler(const BoardSampler&) = delete;
  BoardSampler& operator=(const BoardSampler&) = delete;

  // Ends sampling and adds the samples since `begin`. Throws what NVML said.
  void finish(Clock::time_point begin, PointResult& result) {
    join();
    if (error_) std::rethrow_exception(error_);
    std::vector<double> clocks, powers;
    for (const Sample& sample : samples_)
      if (sample.at >= begin) {
        clocks.push_back(sample.sm_clock_mhz);
        powers.push_back(sample.power_w);
      }
    if (clocks.empty()) throw DeviceError("the board said nothing while the clocks were settled");
    result.add("sm_clock_mhz", std::move(clocks));
    result.add("power_w", std::move(powers));
  }

 private:
  struct Sample {
    Clock::time_point at;
    double sm_clock_mhz, power_w;
  };
  void sample() {
    try {
      while (!over_) {
        samples_.push_back({Clock::now(), boards_.sm_clock_mhz(), boards_.power_w()});
        std::this_thread::sleep_for(kBoardEvery);
      }
    } catch (...) {
      error_ = std::current_exception();
    }
  }
  void join() {
    over_ = true;
    if (thread_.joinable()) thread_.join();
  }

  const GpuBoards& boards_;
  std::atomic<bool> over_ = false;
  std::vector<Sample> samples_;  // the thread's until it is joined
  std::exception_ptr error_;
  std::thread thread_;  // last: it uses the others
};

class ClockBench {
 public:
  explicit ClockBench(Lab& lab);
  PointResult measure(const Point& point);

 private:
  // One period: so many GEMMs, then the filler for so long.
  struct Plan {
    std::size_t periods, gemms;
    std::string filler;
    double filler_ns;
  };
  [[nodiscard]] Plan plan_of(const Point& point) const;
  void enqueue_filler(const Plan& plan);
  // Durations when rested, ns: medians of a few.
  [[nodiscard]] double rested_ns(const char* kernel, const std::function<void()>& launch);
  void verify_elementwise();
  [[nodiscard]] kernels::Elementwise elementwise() const {
    return {kernels::ElementwiseOp::add, x_.data(), y_.data(), z_.data(), kElements};
  }

  Lab& lab_;
  GpuBoards boards_;
  GemmOperands operands_;
  kernels::Gemm all_sms_, some_sms_;
  CopyPartner copies_;
  kernels::DeviceArray<std::uint16_t> x_, y_, z_;
  double gemm_ns_ = 0;
  double copy_ns_per_byte_ = 0;
  double elementwise_ns_ = 0;
};

ClockBench::ClockBench(Lab& lab)
    : lab_(lab),
      boards_(1),
      operands_(0, kShape, MatrixNumbers::normal),
      all_sms_(0, kShape.front(), 0),
      some_sms_(0, kShape.front(), lab.gpus().sm_count() - kBesideCopyCtas),
      copies_(lab),
      x_(0, std::size_t(kElements)),
      y_(0, std::size_t(kElements)),
      z_(0, std::size_t(kElements)) {
  const cudaStream_t stream = lab.gpus().stream(0);
  operands_.verify(all_sms_, stream);
  operands_.verify(some_sms_, stream);
  kernels::launch_fill_normal_matrix(x_.data(), kElements, kElementwiseSeedX, stream);
  kernels::launch_fill_normal_matrix(y_.data(), kElements, kElementwiseSeedY, stream);
  kernels::launch_sleep(1000, stream);
  verify_elementwise();
  gemm_ns_ = rested_ns("", [&] { operands_.enqueue(all_sms_, stream); });
  elementwise_ns_ =
      rested_ns("add_kernel", [&] { kernels::launch_elementwise(elementwise(), stream); });
  const double copy_ns = rested_ns("stream_copy_kernel", [&] {
    copies_.copy({0, 0}, kFillerCopyCtas, kRateBytes, stream);
  });
  copy_ns_per_byte_ = copy_ns / static_cast<double>(kRateBytes);
}

void ClockBench::verify_elementwise() {
  z_.fill(0xff);
  kernels::launch_elementwise(elementwise(), lab_.gpus().stream(0));
  lab_.gpus().synchronize();
  const auto count = static_cast<std::size_t>(kElements);
  for (const std::size_t first : {std::size_t{0}, count / 2, count - kCheckedElements})
    check_elementwise(kernels::ElementwiseOp::add,
                      z_.download(first, kCheckedElements),
                      static_cast<std::int64_t>(first));
}

double ClockBench::rested_ns(const char* kernel, const std::function<void()>& launch) {
  std::vector<double> durations;
  const auto records = run_gated(lab_, kRateCalls, 1, [&](std::size_t) { launch(); });
  for (const GpuRecord& record : kernels_in_launch_order(records, 0))
    if (record.name.find(kernel) != std::string::npos) durations.push_back(duration_ns(record));
  if (durations.size() != kRateCalls)
    throw DeviceError(std::string("expected ") + std::to_string(kRateCalls) + " kernels, found " +
                      std::to_string(durations.size()));
  std::sort(durations.begin(), durations.end());
  return durations[kRateCalls / 2];
}

ClockBench::Plan ClockBench::plan_of(const Point& point) const {
  const double share = static_cast<double>(point.integer("gemm_percent")) / 100;
  const double gemms = std::max(1.0, std::round(share * kPeriodNs / gemm_ns_));
  const double busy_ns = gemms * gemm_ns_;
  return {.periods = static_cast<std::size_t>(std::ceil(kRunNs * share / busy_ns)),
          .gemms = static_cast<std::size_t>(gemms),
          .filler = point.text("filler"),
          .filler_ns = busy_ns * (1 - share) / share};
}

void ClockBench::enqueue_filler(const Plan& plan) {
  const cudaStream_t stream = lab_.gpus().stream(0);
  if (plan.filler == "sleep") {
    kernels::launch_sleep(static_cast<std::int64_t>(plan.filler_ns), stream);
  } else if (plan.filler == "copy") {
    const double bytes = plan.filler_ns / copy_ns_per_byte_;
    copies_.copy({0, 0}, kFillerCopyCtas, static_cast<std::int64_t>(bytes), stream);
  } else if (plan.filler == "elementwise") {
    const double calls = std::max(1.0, std::round(plan.filler_ns / elementwise_ns_));
    for (int i = 0; i < static_cast<int>(calls); ++i)
      kernels::launch_elementwise(elementwise(), stream);
  }
}

// What the recorder says of GEMMs, `per_period` at a time: their times and the share of the periods
// that they took, once clocks have settled, and their mean times from the beginning on.
void add_gemms(const std::vector<GpuRecord>& gemms, std::size_t per_period, PointResult& result) {
  const std::int64_t begin = gemms.front().start_ns;
  const std::int64_t settled = gemms.back().end_ns - kSettledNs;
  std::vector<double> gemm_ns, shares, trend;
  double trend_sum = 0;
  double trend_count = 0;
  for (const GpuRecord& gemm : gemms) {
    if (gemm.start_ns >= settled) gemm_ns.push_back(duration_ns(gemm));
    const auto piece = static_cast<std::size_t>((gemm.start_ns - begin) / kTrendNs);
    if (piece > trend.size() && trend_count > 0) {
      trend.push_back(trend_sum / trend_count);
      trend_sum = trend_count = 0;
    }
    trend_sum += duration_ns(gemm);
    ++trend_count;
  }
  for (std::size_t i = 0; i + per_period < gemms.size(); i += per_period) {
    if (gemms[i].start_ns < settled) continue;
    double busy = 0;
    for (std::size_t j = i; j < i + per_period; ++j) busy += duration_ns(gemms[j]);
    shares.push_back(busy /
                     static_cast<double>(gemms[i + per_period].start_ns - gemms[i].start_ns));
  }
  if (gemm_ns.empty() || shares.empty() || trend.empty())
    throw DeviceError("a run ended before its clocks settled");
  result.add("gemm_ns", std::move(gemm_ns));
  result.add("period_busy_share", std::move(shares));
  result.add("trend_gemm_ns", std::move(trend));
}

PointResult ClockBench::measure(const Point& point) {
  const cudaStream_t stream = lab_.gpus().stream(0);
  const Plan plan = plan_of(point);
  const auto beside_ctas = static_cast<int>(point.integer("beside_ctas"));
  kernels::Gemm& gemm = point.integer("reserved_sms") > 0 ? some_sms_ : all_sms_;
  lab_.gpus().synchronize();
  (void)lab_.cupti().collect();
  const double copied = copies_.bytes_copied(0);
  std::this_thread::sleep_for(kRest);

  BoardSampler sampler(boards_);
  // Not behind a gate: there is more than a stream queues, and the host is far ahead of the GPU.
  if (beside_ctas > 0) copies_.start({0, 0}, beside_ctas, kMostBytes);
  cuda_check(cudaSetDevice(0));
  for (std::size_t period = 0; period < plan.periods; ++period) {
    for (std::size_t i = 0; i < plan.gemms; ++i) operands_.enqueue(gemm, stream);
    enqueue_filler(plan);
  }
  if (beside_ctas > 0) copies_.stop({0, 0});
  lab_.gpus().synchronize();
  const Clock::time_point end = Clock::now();

  PointResult result;
  sampler.finish(end - std::chrono::nanoseconds(kSettledNs), result);
  const std::vector<GpuRecord> records = lab_.cupti().collect();
  const std::vector<GpuRecord> gemms = gemm_launches(records, 0, plan.periods * plan.gemms);
  add_gemms(gemms, plan.gemms, result);
  if (beside_ctas > 0) {
    const GpuRecord beside = copies_of(records, 0, 1).front();
    if (beside.end_ns < gemms.back().end_ns)
      throw DeviceError("the copy ended before the GEMMs beside it");
    result.add("partner_rate_gb_per_s", {(copies_.bytes_copied(0) - copied) / duration_ns(beside)});
  }
  return result;
}

Point point_of(int gemm_percent, const char* filler, int beside_ctas, int reserved_sms) {
  return Point()
      .with("gemm_percent", gemm_percent)
      .with("filler", filler)
      .with("beside_ctas", beside_ctas)
      .with("reserved_sms", reserved_sms);
}

}  // namespace

std::vector<Point> points(int) {
  std::vector<Point> found;
  for (const char* filler : kFillers)
    for (const int percent : kGemmPercents) found.push_back(point_of(percent, filler, 0, 0));
  found.push_back(point_of(100, "none", 0, 0));
  found.push_back(point_of(100, "none", kBesideCopyCtas, kBesideCopyCtas));
  found.push_back(point_of(100, "none", kBesideCopyCtas, 0));
  return found;
}

Bench open(Lab& lab) {
  require_gemm_library();
  const auto bench = std::make_shared<ClockBench>(lab);
  return [bench](const Point& point) { return bench->measure(point); };
}

}  // namespace epsim::clock_under_load
