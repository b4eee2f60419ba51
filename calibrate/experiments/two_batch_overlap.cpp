// M20: a step of two micro-batches, serial and in ping-pong: how much of the communication hides
// under the GEMMs, and what hinders it.
#include <algorithm>
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
#include "calibrate/experiments/two_batch_schedule.hpp"
#include "kernels/cuda_check.hpp"
#include "kernels/overlap/exchange_channel.hpp"
#include "kernels/overlap/gemm.hpp"
#include "kernels/overlap/row_stamps.cuh"

namespace epsim::two_batch_overlap {
namespace {

using kernels::cuda_check;
using kernels::GemmShape;

constexpr std::size_t kStepSamples = 30;
constexpr std::size_t kStepWarmups = 5;
// GEMMs without a pause draw more power than a GPU may, whose clocks then fall. Resting about as
// long as working keeps them.
constexpr std::chrono::milliseconds kRest{3};
// Of a meeting, from CUPTI's translation of each GPU's clock.
constexpr std::int64_t kClockToleranceNs = 2000;

GemmShape attention_of(const Point& point) {
  return {point.integer("attention_m"), point.integer("attention_n"), point.integer("attention_k")};
}
GemmShape experts_of(const Point& point) {
  return {point.integer("experts_m"), point.integer("experts_n"), point.integer("experts_k")};
}

// Of one rank, for as long as a point lasts.
struct RankGemms {
  kernels::Gemm attention, experts;
};

class TwoBatchBench {
 public:
  explicit TwoBatchBench(Lab& lab);
  ~TwoBatchBench();
  TwoBatchBench(const TwoBatchBench&) = delete;
  TwoBatchBench& operator=(const TwoBatchBench&) = delete;

  PointResult measure(const Point& point);

 private:
  // What a kind of exchange shares over a point.
  struct Exchange {
    std::int64_t vectors_per_pair;
    kernels::Symmetric<uint4>& receive;
    kernels::ExchangeChannel& channel;
  };

  void prepare(const Point& point);
  void check_receive(const Exchange& exchange, std::string_view name);
  void verify();
  [[nodiscard]] Exchange exchange_of(StepOpKind kind);
  void launch(const StepOp& op, int rank, cudaStream_t stream);
  void enqueue_step(int rank);
  void run_step();
  [[nodiscard]] PointResult result(const std::vector<GpuRecord>& records) const;

  Lab& lab_;
  std::int64_t pair_stride_ = 0;  // vectors
  std::vector<GemmOperands> operands_;
  kernels::Symmetric<uint4> send_, dispatched_, combined_, collected_;
  std::vector<std::vector<cudaEvent_t>> events_;  // by rank and operation; the last: step begun

  // Of the point that is being measured.
  int ranks_ = 0;
  int cta_count_ = 0;
  std::int64_t dispatch_vectors_ = 0, combine_vectors_ = 0, collective_vectors_ = 0;
  std::vector<StepOp> ops_;
  std::vector<bool> is_awaited_;  // by operation: whether one of the other lane waits for it
  std::vector<RankGemms> gemms_;
  std::unique_ptr<kernels::ExchangeChannel> channel_, collective_channel_;
};

TwoBatchBench::TwoBatchBench(Lab& lab) : lab_(lab) {
  std::vector<GemmShape> shapes;
  std::size_t most_ops = 0;
  std::int64_t most_bytes = 0;
  for (const Point& point : points(lab.gpu_count())) {
    shapes.push_back(attention_of(point));
    shapes.push_back(experts_of(point));
    most_bytes = std::max({most_bytes,
                           point.integer("combine_bytes_per_pair"),
                           point.integer("collective_bytes_per_pair")});
    most_ops = std::max(
        most_ops,
        two_batch_step(point.text("schedule"), static_cast<int>(point.integer("layers"))).size());
  }
  pair_stride_ = most_bytes / 16;
  const int gpus = lab.gpu_count();
  const std::size_t vectors = std::size_t(gpus) * std::size_t(pair_stride_);
  for (auto* buffer : {&send_, &dispatched_, &combined_, &collected_})
    *buffer = kernels::Symmetric<uint4>(lab.gpus(), vectors);
  for (int rank = 0; rank < gpus; ++rank) {
    operands_.emplace_back(rank, shapes);
    cuda_check(cudaSetDevice(rank));
    kernels::launch_stamp_rows({send_.on(rank).data(), rank, gpus, pair_stride_, pair_stride_},
                               lab.gpus().stream(rank));
    events_.emplace_back(most_ops + 1);
    for (cudaEvent_t& event : events_.back())
      cuda_check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
  }
  lab.gpus().synchronize();
}

TwoBatchBench::~TwoBatchBench() {
  for (const std::vector<cudaEvent_t>& of_rank : events_)
    for (cudaEvent_t event : of_rank) cudaEventDestroy(event);
}

void TwoBatchBench::prepare(const Point& point) {
  ranks_ = static_cast<int>(point.integer("ranks"));
  cta_count_ = static_cast<int>(point.integer("communication_ctas"));
  dispatch_vectors_ = point.integer("dispatch_bytes_per_pair") / 16;
  combine_vectors_ = point.integer("combine_bytes_per_pair") / 16;
  collective_vectors_ = point.integer("collective_bytes_per_pair") / 16;
  ops_ = two_batch_step(point.text("schedule"), static_cast<int>(point.integer("layers")));
  is_awaited_.assign(ops_.size(), false);
  for (const StepOp& op : ops_)
    for (const std::size_t earlier : op.after) is_awaited_[earlier] = true;
  channel_ = std::make_unique<kernels::ExchangeChannel>(ranks_);
  collective_channel_ = std::make_unique<kernels::ExchangeChannel>(ranks_);

  const auto reserved = static_cast<int>(point.integer("reserved_sms"));
  const int sms = reserved > 0 ? lab_.gpus().sm_count() - reserved : 0;
  if (reserved > 0 && sms < 1) throw DeviceError("a GPU with fewer SMs than the exchanges take");
  gemms_.clear();
  for (int rank = 0; rank < ranks_; ++rank) {
    gemms_.push_back({kernels::Gemm(rank, attention_of(point), sms),
                      kernels::Gemm(rank, experts_of(point), sms)});
    GemmOperands& operands = operands_.at(std::size_t(rank));
    operands.verify(gemms_.back().attention, lab_.gpus().stream(rank));
    operands.verify(gemms_.back().experts, lab_.gpus().stream(rank));
  }
}

TwoBatchBench::Exchange TwoBatchBench::exchange_of(StepOpKind kind) {
  if (kind == StepOpKind::dispatch) return {dispatch_vectors_, dispatched_, *channel_};
  if (kind == StepOpKind::combine) return {combine_vectors_, combined_, *channel_};
  return {collective_vectors_, collected_, *collective_channel_};
}

void TwoBatchBench::launch(const StepOp& op, int rank, cudaStream_t stream) {
  RankGemms& gemms = gemms_.at(std::size_t(rank));
  if (!is_communication(op.kind)) {
    kernels::Gemm& gemm = op.kind == StepOpKind::attention ? gemms.attention : gemms.experts;
    operands_.at(std::size_t(rank)).enqueue(gemm, stream);
    return;
  }
  const Exchange exchange = exchange_of(op.kind);
  kernels::ExchangeRows work = exchange.channel.next(rank, cta_count_);
  work.send = send_.on(rank).data();
  work.receive = exchange.receive.peers();
  work.pair_stride = pair_stride_;
  work.vectors_per_pair = exchange.vectors_per_pair;
  work.in_line = op.kind == StepOpKind::collective;
  kernels::launch_exchange_rows(work, stream);
}

// Everything of one rank, behind the meeting on its main stream.
void TwoBatchBench::enqueue_step(int rank) {
  const std::vector<cudaEvent_t>& events = events_.at(std::size_t(rank));
  const cudaStream_t compute = lab_.gpus().stream(rank);
  const cudaStream_t communication = lab_.gpus().side_stream(rank);
  cuda_check(cudaSetDevice(rank));
  cuda_check(cudaEventRecord(events.back(), compute));
  cuda_check(cudaStreamWaitEvent(communication, events.back(), 0));
  for (std::size_t i = 0; i < ops_.size(); ++i) {
    const cudaStream_t stream = ops_[i].lane == Lane::compute ? compute : communication;
    for (const std::size_t earlier : ops_[i].after)
      cuda_check(cudaStreamWaitEvent(stream, events[earlier], 0));
    launch(ops_[i], rank, stream);
    if (is_awaited_[i]) cuda_check(cudaEventRecord(events[i], stream));
  }
}

void TwoBatchBench::run_step() {
  lab_.meet(ranks_, true);
  for (int rank = 0; rank < ranks_; ++rank) enqueue_step(rank);
  lab_.open_gate();
  lab_.gpus().synchronize();
  std::this_thread::sleep_for(kRest);
}

void TwoBatchBench::check_receive(const Exchange& exchange, std::string_view name) {
  for (int rank = 0; rank < ranks_; ++rank) {
    kernels::DeviceArray<unsigned long long> wrong(rank, 1);
    wrong.fill(0);
    kernels::launch_count_wrong_rows(
        {exchange.receive.on(rank).data(), rank, ranks_, pair_stride_, exchange.vectors_per_pair},
        wrong.data(),
        lab_.gpus().stream(rank));
    lab_.gpus().synchronize();
    if (const unsigned long long count = wrong.download().front(); count != 0)
      throw DeviceError("exchange_rows: " + std::string(name) + " left " + std::to_string(count) +
                        " vectors wrong on rank " + std::to_string(rank));
  }
}

// One step as it will be timed, into poisoned buffers.
void TwoBatchBench::verify() {
  for (auto* buffer : {&dispatched_, &combined_, &collected_}) buffer->fill(0xff);
  run_step();
  check_receive(exchange_of(StepOpKind::dispatch), "a dispatch");
  check_receive(exchange_of(StepOpKind::combine), "a combine");
  check_receive(exchange_of(StepOpKind::collective), "a collective");
}

bool has_kind(const GpuRecord& record, StepOpKind kind) {
  if (!is_communication(kind)) return is_gemm(record);
  const char* name =
      kind == StepOpKind::collective ? "in_line_exchange_kernel" : "::exchange_rows_kernel";
  return record.name.find(name) != std::string::npos;
}

// result[step][rank][operation].
std::vector<std::vector<std::vector<Interval>>> steps_of(const std::vector<GpuRecord>& records,
                                                         const std::vector<StepOp>& ops,
                                                         int ranks) {
  constexpr std::size_t kSteps = kStepWarmups + kStepSamples;
  check_clocks_agree(launches_of(records, "rank_barrier_kernel", ranks, kSteps), kClockToleranceNs);
  std::vector<std::vector<std::vector<Interval>>> steps(kSteps);
  for (int rank = 0; rank < ranks; ++rank) {
    const std::vector<GpuRecord> launched = kernels_in_launch_order(records, rank);
    if (launched.size() != kSteps * ops.size())
      throw DeviceError("GPU " + std::to_string(rank) + " shows " +
                        std::to_string(launched.size()) + " kernels instead of " +
                        std::to_string(kSteps * ops.size()));
    for (std::size_t step = 0; step < kSteps; ++step) {
      std::vector<Interval>& times = steps[step].emplace_back();
      for (std::size_t i = 0; i < ops.size(); ++i) {
        const GpuRecord& record = launched[step * ops.size() + i];
        if (!has_kind(record, ops[i].kind))
          throw DeviceError("a step's kernels are not in their order: " + record.name);
        times.push_back({record.start_ns, record.end_ns});
      }
    }
  }
  return steps;
}

PointResult TwoBatchBench::result(const std::vector<GpuRecord>& records) const {
  const auto steps = steps_of(records, ops_, ranks_);
  std::vector<StepTimes> sampled;
  for (std::size_t step = kStepWarmups; step < steps.size(); ++step)
    sampled.push_back(step_times(ops_, steps[step]));
  PointResult found;
  const auto add = [&](const char* name, const auto& value_of) {
    std::vector<double> samples;
    for (const StepTimes& times : sampled) samples.push_back(value_of(times));
    found.add(name, std::move(samples));
  };
  add("step_ns", [](const StepTimes& t) { return t.step_ns; });
  add("communication_ns", [](const StepTimes& t) { return t.communication_ns; });
  add("compute_ns", [](const StepTimes& t) { return t.compute_ns; });
  add("overlap_pct", [](const StepTimes& t) { return t.overlap_percent; });
  add("exchange_overlap_pct", [](const StepTimes& t) { return t.exchange_overlap_percent; });
  add("a_ns", [](const StepTimes& t) { return t.attention.own_ns; });
  add("d_ns", [](const StepTimes& t) { return t.dispatch.own_ns; });
  add("d_aligned_ns", [](const StepTimes& t) { return t.dispatch.aligned_ns; });
  add("e_ns", [](const StepTimes& t) { return t.experts.own_ns; });
  add("c_ns", [](const StepTimes& t) { return t.combine.own_ns; });
  add("c_aligned_ns", [](const StepTimes& t) { return t.combine.aligned_ns; });
  if (collective_vectors_ > 0) {
    add("r_ns", [](const StepTimes& t) { return t.collective.own_ns; });
    add("r_aligned_ns", [](const StepTimes& t) { return t.collective.aligned_ns; });
  }
  return found;
}

PointResult TwoBatchBench::measure(const Point& point) {
  prepare(point);
  verify();
  (void)lab_.cupti().collect();
  for (std::size_t step = 0; step < kStepWarmups + kStepSamples; ++step) run_step();
  PointResult found = result(lab_.cupti().collect());
  // What a rank sends in a step, its own part included.
  const std::int64_t per_layer = dispatch_vectors_ + combine_vectors_ + collective_vectors_;
  found.bytes_moved = 2 * point.integer("layers") * ranks_ * 16 * per_layer;
  return found;
}

}  // namespace

Bench open(Lab& lab) {
  require_gemm_library();
  const auto bench = std::make_shared<TwoBatchBench>(lab);
  return [bench](const Point& point) { return bench->measure(point); };
}

}  // namespace epsim::two_batch_overlap
