#include "calibrate/experiments/low_latency_bench.hpp"

#include <string>
#include <string_view>

#include "calibrate/device_error.hpp"
#include "calibrate/experiments/combine_fence_names.hpp"
#include "calibrate/launch_records.hpp"
#include "kernels/cuda_check.hpp"
#include "kernels/low_latency/stamp_oracle.cuh"
#include "sim/base/check.hpp"
#include "traces/routing_generators.hpp"

namespace epsim {

using kernels::CombineFence;
using kernels::kStampFaults;
using kernels::kStampPoisonByte;
using kernels::LaunchHalf;
using kernels::StampFault;

namespace {

constexpr std::size_t kExchangeSamples = 100;
constexpr std::size_t kExchangeWarmups = 10;
constexpr std::string_view kDispatchKernel = "low_latency_dispatch_kernel";
constexpr std::string_view kCombineKernel = "low_latency_combine_kernel";
constexpr std::string_view kBothKernels = "low_latency_";
constexpr const char* kFaultNames[kStampFaults] = {
    "row counts", "row ranges", "source tokens", "row elements", "untouched rows", "outputs"};

std::size_t size_of(int count) {
  return static_cast<std::size_t>(count);
}

// The draw that a simulator of the same point makes: cli/observation_workload.cpp has the stream.
Routing routing_of(const Point& point) {
  RoutingSpec spec;
  spec.name = parse_routing_name(point.text("routing"));
  spec.shape = {.ranks = static_cast<std::uint32_t>(point.integer("ranks")),
                .experts = static_cast<std::uint32_t>(point.integer("experts")),
                .top_k = static_cast<std::uint32_t>(point.integer("top_k"))};
  spec.tokens_per_rank = static_cast<std::uint32_t>(point.integer("tokens"));
  spec.where = "M18: " + point.label();
  return make_routing(spec,
                      Rng(static_cast<std::uint64_t>(point.integer("seed"))).stream("routing"));
}

// Any weights will do that differ from choice to choice and are exact in FP32.
std::vector<float> weights_of(std::size_t choices) {
  constexpr std::size_t kDifferent = 7;
  std::vector<float> weights(choices);
  for (std::size_t i = 0; i < choices; ++i)
    weights[i] = static_cast<float>(1 + i % kDifferent) / 16.0F;
  return weights;
}

std::vector<double> behind_warmups(std::vector<double> latencies) {
  latencies.erase(latencies.begin(),
                  latencies.begin() + static_cast<std::ptrdiff_t>(kExchangeWarmups));
  return latencies;
}

// Of two launches a call, the first ones (send) or the second ones (receive).
std::vector<std::vector<GpuRecord>> every_second(const std::vector<std::vector<GpuRecord>>& by_gpu,
                                                 std::size_t first) {
  std::vector<std::vector<GpuRecord>> picked;
  for (const auto& launches : by_gpu) {
    picked.emplace_back();
    for (std::size_t i = first; i < launches.size(); i += 2) picked.back().push_back(launches[i]);
  }
  return picked;
}

}  // namespace

LowLatencyBench::LowLatencyBench(Lab& lab, const LowLatencyLimits& limits) : lab_(lab) {
  const auto symmetric = [&]<typename T>(kernels::Symmetric<T>& array, std::size_t count) {
    array = kernels::Symmetric<T>(lab.gpus(), count);
  };
  const int hidden = static_cast<int>(limits.hidden);
  const std::size_t ids = limits.tokens * size_of(kernels::kMostTopK);
  // Rows of all sources at all of a rank's experts are as many as slots: E_l * R * T_max = E *
  // T_max.
  const std::size_t rows = limits.experts * limits.tokens;
  const auto message = size_of(kernels::dispatch_message_bytes(hidden, false));
  symmetric(tokens_, limits.tokens * limits.hidden);
  symmetric(expert_output_, rows * limits.hidden);
  symmetric(output_, (limits.tokens + 1) * limits.hidden);  // a guard row behind the last
  symmetric(ids_of_all_, size_of(lab.gpu_count()) * ids);
  symmetric(weights_, ids);
  symmetric(staging_, limits.tokens * message);
  symmetric(dispatch_receive_, rows * message);
  symmetric(combine_receive_, rows * size_of(kernels::combine_slot_bytes(hidden)));
  symmetric(rows_, rows * limits.hidden * sizeof(std::uint16_t));
  symmetric(scales_, rows * limits.hidden / kernels::kScaleGroup);
  symmetric(source_token_, rows);
  symmetric(source_range_, limits.experts);
  symmetric(counts_, limits.experts);
  symmetric(counters_, 3 * limits.experts);
  symmetric(flags_, limits.experts);
  symmetric(error_, 1);
  symmetric(faults_, size_of(kStampFaults));
  expert_output_.fill(0);  // never NaN, even where a timed combine reads what no check has stamped
}

LowLatencyBench::Setup LowLatencyBench::setup_of(const Point& point) {
  const auto number = [&](const char* name) { return static_cast<int>(point.integer(name)); };
  return {
      .ranks = number("ranks"),
      .tokens = number("tokens"),
      .top_k = number("top_k"),
      .experts = number("experts"),
      .hidden = number("hidden"),
      .format = point.text("format") == "fp8" ? kernels::RowFormat::fp8 : kernels::RowFormat::bf16,
      .fence = combine_fence(point.text("fence")),
      .pitch = point.text("pitch") == "aligned" ? kernels::StagePitch::aligned
                                                : kernels::StagePitch::packed,
      .split = point.text("launch") == "split"};
}

// Of call `call` of the running point. Words are zeroed at each point, so that a generation that
// starts over meets none of its own age.
int LowLatencyBench::generation(std::size_t call) const {
  return static_cast<int>((calls_ + call) % size_of(kernels::kMostGenerations)) + 1;
}

kernels::LowLatencyShape LowLatencyBench::shape(int rank) const {
  return {.rank = rank,
          .rank_count = setup_.ranks,
          .expert_count = setup_.experts,
          .token_count = setup_.tokens,
          .most_tokens = setup_.tokens,
          .top_k = setup_.top_k,
          .hidden = setup_.hidden};
}

kernels::ExpertInput LowLatencyBench::expert_input(int rank) const {
  return {.rows = rows_.on(rank).data(),
          .scales = scales_.on(rank).data(),
          .source_token = source_token_.on(rank).data(),
          .source_range = source_range_.on(rank).data()};
}

const std::int64_t* LowLatencyBench::own_ids(int rank) const {
  return ids_of_all_.on(rank).data() + rank * setup_.tokens * setup_.top_k;
}

kernels::LowLatencyDispatch LowLatencyBench::dispatch(int rank, int generation) const {
  return {.shape = shape(rank),
          .tokens = tokens_.on(rank).data(),
          .expert_ids = own_ids(rank),
          .staging = staging_.on(rank).data(),
          .receive = dispatch_receive_.peers(),
          .counts = counts_.peers(),
          .counters = counters_.on(rank).data(),
          .output = expert_input(rank),
          .error = error_.on(rank).data(),
          .generation = generation};
}

kernels::LowLatencyCombine LowLatencyBench::combine(int rank, int generation) const {
  return {.shape = shape(rank),
          .rows = reinterpret_cast<const std::uint8_t*>(expert_output_.on(rank).data()),
          .source = expert_input(rank),
          .expert_ids = own_ids(rank),
          .weights = weights_.on(rank).data(),
          .receive = combine_receive_.peers(),
          .flags = flags_.peers(),
          .output = output_.on(rank).data(),
          .generation = generation};
}

void LowLatencyBench::launch_dispatch(int rank, int generation, bool split) const {
  const kernels::LowLatencyDispatch work = dispatch(rank, generation);
  const cudaStream_t stream = lab_.gpus().stream(rank);
  if (!split) return launch_low_latency_dispatch(work, setup_.format, LaunchHalf::both, stream);
  launch_low_latency_dispatch(work, setup_.format, LaunchHalf::send, stream);
  launch_low_latency_dispatch(work, setup_.format, LaunchHalf::receive, stream);
}

void LowLatencyBench::launch_combine(int rank, int generation, bool split) const {
  const kernels::LowLatencyCombine work = combine(rank, generation);
  const cudaStream_t stream = lab_.gpus().stream(rank);
  if (!split)
    return launch_low_latency_combine(work, setup_.fence, setup_.pitch, LaunchHalf::both, stream);
  launch_low_latency_combine(work, setup_.fence, setup_.pitch, LaunchHalf::send, stream);
  launch_low_latency_combine(work, setup_.fence, setup_.pitch, LaunchHalf::receive, stream);
}

// Everything that an exchange or its check is to write, as far as this point uses it.
void LowLatencyBench::poison(int rank) {
  const cudaStream_t stream = lab_.gpus().stream(rank);
  const auto fill = [&](const auto& array, int byte, std::size_t bytes) {
    check(bytes <= array.on(rank).bytes(), "a point fits the buffers");
    kernels::cuda_check(cudaMemsetAsync(array.on(rank).data(), byte, bytes, stream));
  };
  const kernels::LowLatencyShape s = shape(rank);
  const bool fp8 = setup_.format == kernels::RowFormat::fp8;
  const std::size_t rows = size_of(s.expert_count) * size_of(s.most_tokens);
  const std::size_t hidden = size_of(s.hidden);
  fill(dispatch_receive_, kStampPoisonByte, dispatch_receive_bytes(s, fp8));
  fill(combine_receive_, kStampPoisonByte, combine_receive_bytes(s));
  fill(rows_, kStampPoisonByte, rows * hidden * (fp8 ? 1 : 2));
  fill(scales_, kStampPoisonByte, rows * hidden / kernels::kScaleGroup * sizeof(float));
  fill(source_token_, kStampPoisonByte, rows * sizeof(int));
  fill(source_range_, kStampPoisonByte, size_of(s.expert_count) * sizeof(int2));
  fill(output_, kStampPoisonByte, size_of(s.token_count + 1) * hidden * sizeof(std::uint16_t));
  fill(counts_, 0, counts_.on(rank).bytes());
  fill(counters_, 0, counters_.on(rank).bytes());
  fill(flags_, 0, flags_.on(rank).bytes());
  fill(error_, 0, error_.on(rank).bytes());
  fill(faults_, 0, faults_.on(rank).bytes());
}

// Leaves all GPUs ready for the first dispatch of the routing.
void LowLatencyBench::load(const Routing& routing) {
  std::vector<std::int64_t> ids;
  for (std::uint32_t rank = 0; rank < routing.rank_count(); ++rank)
    for (const ExpertChoice choice : routing.choices(RankId{rank})) ids.push_back(choice);
  const std::vector<float> weights = weights_of(size_of(setup_.tokens) * size_of(setup_.top_k));
  for (int rank = 0; rank < setup_.ranks; ++rank) {
    kernels::cuda_check(cudaSetDevice(rank));
    ids_of_all_.on(rank).upload(ids);
    weights_.on(rank).upload(weights);
    kernels::launch_stamp_tokens(shape(rank), tokens_.on(rank).data(), lab_.gpus().stream(rank));
    poison(rank);
  }
  // No rank may write to another before that one's buffers are poisoned.
  lab_.gpus().synchronize();
}

// The faults of all ranks so far.
std::vector<std::vector<int>> LowLatencyBench::faults() {
  lab_.gpus().synchronize();
  std::vector<std::vector<int>> all;
  for (int rank = 0; rank < setup_.ranks; ++rank) {
    all.push_back(faults_.on(rank).download());
    const int error = error_.on(rank).download()[0];
    if (error != 0)
      throw DeviceError("low-latency dispatch on GPU " + std::to_string(rank) +
                        " met an id that it cannot serve, error bits " + std::to_string(error));
  }
  return all;
}

// Compares what the last dispatch left with the stamps. Throws DeviceError where it is wrong.
void LowLatencyBench::check_dispatch(const Point& point) {
  for (int rank = 0; rank < setup_.ranks; ++rank) {
    kernels::cuda_check(cudaSetDevice(rank));
    kernels::launch_check_dispatch({.shape = shape(rank),
                                    .expert_ids = ids_of_all_.on(rank).data(),
                                    .input = expert_input(rank),
                                    .expert_output = expert_output_.on(rank).data(),
                                    .faults = faults_.on(rank).data()},
                                   setup_.format,
                                   lab_.gpus().stream(rank));
  }
  const std::vector<std::vector<int>> found = faults();
  for (std::size_t rank = 0; rank < found.size(); ++rank)
    for (std::size_t kind = 0; kind < size_of(static_cast<int>(StampFault::output_element)); ++kind)
      if (found[rank][kind] != 0)
        throw DeviceError("low-latency dispatch left " + std::to_string(found[rank][kind]) +
                          " wrong " + kFaultNames[kind] + " on GPU " + std::to_string(rank) +
                          " at " + point.label());
}

// One exchange from poison, checked. Returns how many combined elements are wrong, which is an
// error unless the fence leaves a race open.
std::int64_t LowLatencyBench::verify(const Point& point) {
  for (int rank = 0; rank < setup_.ranks; ++rank) {
    kernels::cuda_check(cudaSetDevice(rank));
    launch_dispatch(rank, generation(0), setup_.split);
  }
  check_dispatch(point);
  for (int rank = 0; rank < setup_.ranks; ++rank) {
    kernels::cuda_check(cudaSetDevice(rank));
    launch_combine(rank, generation(0), setup_.split);
    kernels::launch_check_combine({.shape = shape(rank),
                                   .expert_ids = own_ids(rank),
                                   .weights = weights_.on(rank).data(),
                                   .output = output_.on(rank).data(),
                                   .faults = faults_.on(rank).data()},
                                  lab_.gpus().stream(rank));
  }
  ++calls_;
  std::int64_t wrong = 0;
  for (const std::vector<int>& of_rank : faults()) {
    wrong += of_rank[static_cast<std::size_t>(StampFault::output_element)];
    if (of_rank[static_cast<std::size_t>(StampFault::poison)] != 0)
      throw DeviceError("low-latency combine wrote behind its output at " + point.label());
  }
  // A wrong element under a placement that leaves an edge open is a finding, not a broken kernel.
  if (wrong != 0 && closes_both_edges(setup_.fence))
    throw DeviceError("low-latency combine left " + std::to_string(wrong) + " wrong elements at " +
                      point.label());
  return wrong;
}

// A combine needs a dispatch before it, and the words of both need a call of the other between two
// of their own; so each iteration runs both, the timed one first, right behind the meeting.
PointResult LowLatencyBench::time(const Point& point) {
  const std::string& op = point.text("op");
  const bool combines = op == "combine";
  const auto launch = [&](int rank, int iteration) {
    const auto call = static_cast<std::size_t>(iteration);
    if (combines) {
      launch_combine(rank, generation(call), setup_.split);
      launch_dispatch(rank, generation(call + 1), false);
    } else {
      launch_dispatch(rank, generation(call), setup_.split);
      launch_combine(rank, generation(call), false);
    }
  };
  if (combines) {
    for (int rank = 0; rank < setup_.ranks; ++rank) {
      kernels::cuda_check(cudaSetDevice(rank));
      launch_dispatch(rank, generation(0), false);
    }
  }
  const bool both = op == "both";
  const std::string_view kernel = both ? kBothKernels : combines ? kCombineKernel : kDispatchKernel;
  const std::size_t per_call = both || setup_.split ? 2 : 1;
  const std::size_t calls = kExchangeWarmups + kExchangeSamples;
  const auto by_gpu = launches_of(
      lab_.record_calls(setup_.ranks, launch, calls), kernel, setup_.ranks, calls * per_call);
  calls_ += calls + 1;
  PointResult result;
  result.add("latency_ns", behind_warmups(aligned_latency_ns(by_gpu, per_call)));
  if (setup_.split) {
    result.add("send_ns", behind_warmups(aligned_latency_ns(every_second(by_gpu, 0))));
    result.add("receive_ns", behind_warmups(aligned_latency_ns(every_second(by_gpu, 1))));
  }
  return result;
}

// Least traffic of all ranks together. These routings mask nothing.
std::int64_t LowLatencyBench::moved(const Point& point) const {
  const std::int64_t rows = std::int64_t{setup_.tokens} * setup_.top_k;
  const std::string& op = point.text("op");
  std::int64_t bytes = 0;
  for (int rank = 0; rank < setup_.ranks; ++rank) {
    if (op != "combine") bytes += bytes_moved(dispatch(rank, 1), setup_.format, rows);
    if (op != "dispatch") bytes += bytes_moved(combine(rank, 1), rows);
  }
  return bytes;
}

PointResult LowLatencyBench::measure(const Point& point) {
  setup_ = setup_of(point);
  check(setup_.ranks <= lab_.gpu_count(), "a point's ranks are in the lab");
  check(!setup_.split || point.text("op") != "both", "a split launch times one operation");
  load(routing_of(point));
  const std::int64_t wrong = verify(point);
  PointResult result = time(point);
  check_dispatch(point);  // of the last timed call, too
  result.bytes_moved = moved(point);
  if (!closes_both_edges(setup_.fence)) result.add("wrong_elements", {static_cast<double>(wrong)});
  return result;
}

}  // namespace epsim
