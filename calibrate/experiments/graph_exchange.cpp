// M19: dispatch and combine by the graph-capturable protocol.
//
// "latency_ns" runs from the end of a meeting of all ranks to the end of the last wait, marked by
// two empty kernels, since the recorder does not show stream memory operations; in the modes
// "stream" and "graph" all work of a call is queued before any of it runs, so that this is the
// GPUs' part alone. "host_ns" is the host's part: of one rank where nothing is waited for, of the
// whole call in mode "cpu_sync". "wall_ns" is what a caller with idle GPUs sees when one thread
// serves all ranks and waits for them.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "calibrate/device_error.hpp"
#include "calibrate/experiments/captured_graph.hpp"
#include "calibrate/experiments/experiments.hpp"
#include "calibrate/experiments/gated_calls.hpp"
#include "kernels/graph/exchange.hpp"
#include "kernels/graph/exchange_oracle.hpp"
#include "sim/base/rng.hpp"
#include "traces/routing_generators.hpp"

namespace epsim::graph_exchange {
namespace {

constexpr int kExpertsPerRank = 32;
constexpr std::size_t kCallSamples = 100;
constexpr std::size_t kWallSamples = 30;
constexpr int kHidden = 7168;
constexpr int kDefaultCtas = 32;
constexpr std::int64_t kSeed = 19;
// As the lab's: barriers of two GPUs may seem to miss each other by a tick of a clock or two.
constexpr std::int64_t kClockToleranceNs = 2000;

struct Place {
  const char* op = "dispatch";
  const char* mode = "graph";
  const char* copy = "persistent";
  int ranks = 2;
  int tokens = 128;
  int top_k = 1;
  int hidden = kHidden;
  int ctas = kDefaultCtas;  // of the persistent kernel; 0 with the byte kernel
  const char* capacity = "worst";
};

Point point_of(const Place& place) {
  const bool is_persistent = std::string_view(place.copy) == "persistent";
  return Point{}
      .with("op", place.op)
      .with("mode", place.mode)
      .with("copy", place.copy)
      .with("ranks", place.ranks)
      .with("tokens", place.tokens)
      .with("top_k", place.top_k)
      .with("hidden", place.hidden)
      .with("ctas", is_persistent ? place.ctas : 0)
      .with("capacity", place.capacity)
      .with("seed", kSeed);
}

// Modes and copy kernels over tokens: the main sweep.
void add_modes(std::vector<Point>& points, const char* op, int ranks) {
  for (const char* mode : {"stream", "graph", "cpu_sync"})
    for (const char* copy : {"byte", "persistent"})
      for (const int tokens : {16, 128, 256, 512, 1024})
        points.push_back(
            point_of({.op = op, .mode = mode, .copy = copy, .ranks = ranks, .tokens = tokens}));
}

// What else moves the time, by graph and persistent kernel.
void add_variations(std::vector<Point>& points, const char* op, int ranks) {
  for (const int tokens : {128, 1024}) {
    for (const int ctas : {8, 16, 20, 64, 132})
      points.push_back(point_of({.op = op, .ranks = ranks, .tokens = tokens, .ctas = ctas}));
    for (const char* capacity : {"1.0", "2.0"})
      points.push_back(
          point_of({.op = op, .ranks = ranks, .tokens = tokens, .capacity = capacity}));
  }
  for (const int tokens : {128, 512})
    for (const int top_k : {2, 8})
      points.push_back(point_of({.op = op, .ranks = ranks, .tokens = tokens, .top_k = top_k}));
  for (const char* copy : {"byte", "persistent"})
    points.push_back(
        point_of({.op = op, .copy = copy, .ranks = ranks, .tokens = 1024, .hidden = 2048}));
}

int argument(const Point& point, std::string_view name) {
  return static_cast<int>(point.integer(name));
}

kernels::ExchangeCall call_of(const Point& point) {
  const int ranks = argument(point, "ranks");
  const int rows = argument(point, "tokens") * argument(point, "top_k");
  const std::string& capacity = point.text("capacity");
  const double factor = capacity == "worst" ? ranks : std::stod(capacity);
  return {.token_count = argument(point, "tokens"),
          .top_k = argument(point, "top_k"),
          .expert_count = ranks * kExpertsPerRank,
          .row_bytes = argument(point, "hidden") * 2,  // BF16
          .received_rows = kernels::capacity_rows(rows, ranks, factor),
          .copy_kernel = point.text("copy") == "byte" ? kernels::CopyKernel::bytes
                                                      : kernels::CopyKernel::vectors,
          .copy_ctas = std::max(1, argument(point, "ctas")),
          .marked = true};
}

std::vector<std::vector<int>> draw_experts(const Point& point) {
  const auto ranks = static_cast<std::uint32_t>(point.integer("ranks"));
  const Routing routing =
      make_routing({.shape = {.ranks = ranks,
                              .experts = ranks * kExpertsPerRank,
                              .top_k = static_cast<std::uint32_t>(point.integer("top_k"))},
                    .tokens_per_rank = static_cast<std::uint32_t>(point.integer("tokens"))},
                   Rng(static_cast<std::uint64_t>(point.integer("seed"))));
  std::vector<std::vector<int>> experts;
  for (std::uint32_t rank = 0; rank < ranks; ++rank) {
    const auto choices = routing.choices(RankId{rank});
    experts.emplace_back(choices.begin(), choices.end());
  }
  return experts;
}

// One call of all ranks, in the mode of a point.
class Caller {
 public:
  Caller(Lab& lab, kernels::GraphExchange& exchange, const Point& point)
      : lab_(lab), exchange_(exchange), call_(call_of(point)), mode_(point.text("mode")) {
    if (mode_ != "graph") return;
    for (int rank = 0; rank < exchange.rank_count(); ++rank)
      for (const bool is_dispatch : {true, false}) {
        kernels::cuda_check(cudaSetDevice(rank));
        graphs_[is_dispatch].push_back(std::make_unique<CapturedGraph>(
            lab.gpus().stream(rank), [&] { enqueue(rank, is_dispatch); }));
      }
  }

  [[nodiscard]] bool waits() const { return mode_ == "cpu_sync"; }

  void call(bool is_dispatch) {
    if (waits()) {
      if (is_dispatch)
        exchange_.dispatch_cpu_synchronised(call_);
      else
        exchange_.combine_cpu_synchronised(call_);
      return;
    }
    for (int rank = 0; rank < exchange_.rank_count(); ++rank) {
      if (mode_ == "graph") {
        kernels::cuda_check(cudaSetDevice(rank));
        graphs_[is_dispatch][static_cast<std::size_t>(rank)]->launch();
      } else {
        enqueue(rank, is_dispatch);
      }
    }
  }

 private:
  void enqueue(int rank, bool is_dispatch) {
    const cudaStream_t stream = lab_.gpus().stream(rank);
    if (is_dispatch)
      exchange_.enqueue_dispatch(rank, call_, stream);
    else
      exchange_.enqueue_combine(rank, call_, stream);
  }

  Lab& lab_;
  kernels::GraphExchange& exchange_;
  kernels::ExchangeCall call_;
  std::string mode_;
  std::map<bool, std::vector<std::unique_ptr<CapturedGraph>>> graphs_;
};

void require_sound(const std::string& fault, const Point& point) {
  if (!fault.empty()) throw DeviceError("graph exchange, " + point.label() + ": " + fault);
}

// Leaves a valid dispatch behind, which combines can repeat.
void verify(Lab& lab, Caller& caller, kernels::ExchangeOracle& oracle, const Point& point) {
  lab.gpus().synchronize();
  oracle.fill();
  caller.call(true);
  lab.gpus().synchronize();
  require_sound(oracle.fault_of_dispatch(), point);
  oracle.work_as_experts();
  caller.call(false);
  lab.gpus().synchronize();
  require_sound(oracle.fault_of_combine(), point);
}

double nanoseconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - begin).count();
}

// Times of the host for each call; what the GPUs did is left with the recorder.
std::vector<double> run_calls(Lab& lab, Caller& caller, bool is_dispatch, int ranks) {
  std::vector<double> host_ns;
  for (std::size_t i = 0; i < kWarmups + kCallSamples; ++i) {
    // One call behind each gate: a call is dozens of operations, and a full queue blocks the host.
    lab.meet(ranks, !caller.waits());
    const auto begin = std::chrono::steady_clock::now();
    caller.call(is_dispatch);
    const double elapsed = nanoseconds_since(begin);
    if (!caller.waits()) lab.open_gate();
    lab.gpus().synchronize();
    host_ns.push_back(caller.waits() ? elapsed : elapsed / ranks);
  }
  return host_ns;
}

std::vector<double> wall_times(Lab& lab, Caller& caller, bool is_dispatch) {
  std::vector<double> wall_ns;
  for (std::size_t i = 0; i < kWallSamples; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    caller.call(is_dispatch);
    lab.gpus().synchronize();
    wall_ns.push_back(nanoseconds_since(begin));
  }
  return wall_ns;
}

// From each begin marker to its end marker.
std::vector<double> call_latencies(const std::vector<GpuRecord>& records,
                                   int ranks,
                                   std::size_t calls) {
  auto spans = launches_of(records, "call_begin_kernel", ranks, calls);
  const auto ends = launches_of(records, "call_end_kernel", ranks, calls);
  for (std::size_t rank = 0; rank < spans.size(); ++rank)
    for (std::size_t i = 0; i < calls; ++i) spans[rank][i].end_ns = ends[rank][i].end_ns;
  return aligned_latency_ns(spans);
}

// Of the first of the two all-to-alls in a call: the rows'; the second is the labels'.
std::vector<double> copy_latencies(const std::vector<GpuRecord>& records,
                                   std::string_view kernel,
                                   int ranks,
                                   std::size_t calls) {
  auto launches = launches_of(records, kernel, ranks, 2 * calls);
  for (std::vector<GpuRecord>& of_rank : launches) {
    for (std::size_t i = 0; i < calls; ++i) of_rank[i] = of_rank[2 * i];
    of_rank.resize(calls);
  }
  return aligned_latency_ns(launches);
}

PointResult measure(Lab& lab, kernels::GraphExchange& exchange, const Point& point) {
  const int ranks = argument(point, "ranks");
  const bool is_dispatch = point.text("op") == "dispatch";
  kernels::ExchangeOracle oracle(exchange, call_of(point), draw_experts(point), 1);
  Caller caller(lab, exchange, point);
  verify(lab, caller, oracle, point);

  (void)lab.cupti().collect();
  std::vector<double> host_ns = run_calls(lab, caller, is_dispatch, ranks);
  const std::vector<GpuRecord> records = lab.cupti().collect();
  const std::size_t calls = kWarmups + kCallSamples;
  check_clocks_agree(launches_of(records, "rank_barrier_kernel", ranks, calls), kClockToleranceNs);
  const std::string_view kernel =
      point.text("copy") == "byte" ? "all_to_all_bytes_kernel" : "all_to_all_vectors_kernel";
  PointResult result;
  result.bytes_moved = 2 * oracle.rows_moved() * point.integer("hidden") * 2;
  result.add("latency_ns", without_warmups(call_latencies(records, ranks, calls)))
      .add("a2a_ns", without_warmups(copy_latencies(records, kernel, ranks, calls)))
      .add("host_ns", without_warmups(std::move(host_ns)))
      .add("wall_ns", wall_times(lab, caller, is_dispatch));
  return result;
}

// An exchange for each number of ranks, as large as the largest of its points.
using Exchanges = std::map<int, std::unique_ptr<kernels::GraphExchange>>;

std::shared_ptr<Exchanges> allocate(Lab& lab) {
  std::map<int, kernels::ExchangeLimits> limits;
  for (const Point& point : points(lab.gpu_count())) {
    const kernels::ExchangeCall call = call_of(point);
    kernels::ExchangeLimits& most = limits[argument(point, "ranks")];
    most.token_count = std::max(most.token_count, call.token_count);
    most.row_count = std::max(most.row_count, call.token_count * call.top_k);
    most.received_rows = std::max(most.received_rows, call.received_rows);
    most.row_bytes = std::max(most.row_bytes, call.row_bytes);
  }
  auto exchanges = std::make_shared<Exchanges>();
  for (const auto& [ranks, most] : limits)
    exchanges->emplace(ranks, std::make_unique<kernels::GraphExchange>(lab.gpus(), ranks, most));
  return exchanges;
}

}  // namespace

std::vector<Point> points(int gpus) {
  std::vector<int> rank_counts{2};
  if (gpus > 2) rank_counts.push_back(gpus);
  std::vector<Point> points;
  for (const int ranks : rank_counts)
    for (const char* op : {"dispatch", "combine"}) {
      add_modes(points, op, ranks);
      if (ranks == rank_counts.back()) add_variations(points, op, ranks);
    }
  return points;
}

Bench open(Lab& lab) {
  const std::shared_ptr<Exchanges> exchanges = allocate(lab);
  return [&lab, exchanges](const Point& point) {
    return measure(lab, *exchanges->at(argument(point, "ranks")), point);
  };
}

}  // namespace epsim::graph_exchange
