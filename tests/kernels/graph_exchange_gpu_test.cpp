#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "calibrate/experiments/captured_graph.hpp"
#include "kernels/graph/exchange.hpp"
#include "kernels/graph/exchange_oracle.hpp"
#include "kernels/graph/peer_memory.hpp"
#include "sim/base/rng.hpp"
#include "tests/kernels/gpu_tests.hpp"

using namespace epsim;
using namespace epsim::kernels;

namespace {

constexpr int kExpertsPerRank = 4;

// Rows of 528 bytes: 33 vectors, so that no piece of a copy ends where a warp would like it to.
ExchangeCall call_of(int ranks, int tokens, int top_k, CopyKernel kernel) {
  const int rows = tokens * top_k;
  return {.token_count = tokens,
          .top_k = top_k,
          .expert_count = ranks * kExpertsPerRank,
          .row_bytes = 528,
          .received_rows = rows * ranks,
          .copy_kernel = kernel,
          .copy_ctas = 8};
}

ExchangeLimits limits_of(const ExchangeCall& call) {
  return {.token_count = call.token_count,
          .row_count = call.token_count * call.top_k,
          .received_rows = call.received_rows,
          .row_bytes = call.row_bytes};
}

// Experts below `bound` (all of them: the call's expert_count); every eighth choice is masked.
std::vector<std::vector<int>> draw_experts(int ranks,
                                           const ExchangeCall& call,
                                           int bound,
                                           std::uint64_t seed) {
  Rng rng(seed);
  std::vector<std::vector<int>> experts(static_cast<std::size_t>(ranks));
  for (std::vector<int>& of_rank : experts)
    for (int row = 0; row < call.token_count * call.top_k; ++row)
      of_rank.push_back(rng.below(8) == 0 ? -1 : static_cast<int>(rng.below(std::uint64_t(bound))));
  return experts;
}

using Run = std::function<void(GraphExchange&, const ExchangeCall&, bool is_dispatch)>;

// All ranks' work is queued before anything is waited for.
Run in_streams(const GpuSet& gpus) {
  return [&gpus](GraphExchange& exchange, const ExchangeCall& call, bool is_dispatch) {
    for (int rank = 0; rank < exchange.rank_count(); ++rank)
      if (is_dispatch)
        exchange.enqueue_dispatch(rank, call, gpus.stream(rank));
      else
        exchange.enqueue_combine(rank, call, gpus.stream(rank));
    gpus.synchronize();
  };
}

Run with_cpu() {
  return [](GraphExchange& exchange, const ExchangeCall& call, bool is_dispatch) {
    if (is_dispatch)
      exchange.dispatch_cpu_synchronised(call);
    else
      exchange.combine_cpu_synchronised(call);
  };
}

void check_there_and_back(GraphExchange& exchange,
                          const ExchangeCall& call,
                          const std::vector<std::vector<int>>& experts,
                          std::uint32_t stamp,
                          const Run& run) {
  ExchangeOracle oracle(exchange, call, experts, stamp);
  oracle.fill();
  run(exchange, call, true);
  CHECK(oracle.fault_of_dispatch() == "");
  oracle.work_as_experts();
  run(exchange, call, false);
  CHECK(oracle.fault_of_combine() == "");
}

// The same with new buffers.
void check_call(const GpuSet& gpus, const ExchangeCall& call, int bound, const Run& run) {
  GraphExchange exchange(gpus, gpus.count(), limits_of(call));
  check_there_and_back(exchange, call, draw_experts(gpus.count(), call, bound, 1), 1, run);
  check_there_and_back(exchange, call, draw_experts(gpus.count(), call, bound, 2), 2, run);
}

// A graph of each rank's dispatch and combine, replayed with other tokens and other experts in the
// same buffers.
void check_replays(const GpuSet& gpus, const ExchangeCall& call, int replays) {
  GraphExchange exchange(gpus, gpus.count(), limits_of(call));
  std::vector<std::unique_ptr<CapturedGraph>> dispatches, combines;
  for (int rank = 0; rank < gpus.count(); ++rank) {
    cuda_check(cudaSetDevice(rank));
    const cudaStream_t stream = gpus.stream(rank);
    dispatches.push_back(std::make_unique<CapturedGraph>(
        stream, [&] { exchange.enqueue_dispatch(rank, call, stream); }));
    combines.push_back(std::make_unique<CapturedGraph>(
        stream, [&] { exchange.enqueue_combine(rank, call, stream); }));
  }
  const Run replay = [&](GraphExchange&, const ExchangeCall&, bool is_dispatch) {
    for (int rank = 0; rank < gpus.count(); ++rank) {
      cuda_check(cudaSetDevice(rank));
      (is_dispatch ? dispatches : combines)[static_cast<std::size_t>(rank)]->launch();
    }
    gpus.synchronize();
  };
  for (int i = 0; i < replays; ++i) {
    CAPTURE(i);
    const auto seed = static_cast<std::uint32_t>(i);
    check_there_and_back(
        exchange, call, draw_experts(gpus.count(), call, call.expert_count, seed), seed, replay);
  }
}

}  // namespace

TEST_CASE("Graph exchange: a single rank sends to itself, and needs no signal") {
  if (!enough_gpus(1)) return;
  const GpuSet gpus(1);
  const ExchangeCall call = call_of(1, 70, 2, CopyKernel::vectors);
  check_call(gpus, call, call.expert_count, in_streams(gpus));
}

TEST_CASE("Graph exchange: two ranks exchange and get back what they sent, by either copy kernel") {
  if (!enough_gpus(2)) return;
  const GpuSet gpus(2);
  for (const CopyKernel kernel : {CopyKernel::bytes, CopyKernel::vectors}) {
    CAPTURE(static_cast<int>(kernel));
    const ExchangeCall call = call_of(2, 129, 1, kernel);
    check_call(gpus, call, call.expert_count, in_streams(gpus));
  }
}

TEST_CASE("Graph exchange: four ranks exchange eight copies of each token") {
  if (!enough_gpus(4)) return;
  const GpuSet gpus(4);
  const ExchangeCall call = call_of(4, 50, 8, CopyKernel::vectors);
  check_call(gpus, call, call.expert_count, in_streams(gpus));
}

TEST_CASE("Graph exchange: all rows may go to one rank") {
  if (!enough_gpus(2)) return;
  const GpuSet gpus(2);
  check_call(gpus, call_of(2, 200, 1, CopyKernel::vectors), 1, in_streams(gpus));
}

TEST_CASE("Graph exchange: waits that flush remote writes bring the same rows") {
  if (!enough_gpus(2)) return;
  const GpuSet gpus(2);
  ExchangeCall call = call_of(2, 64, 1, CopyKernel::vectors);
  call.flush = true;  // falls back to plain waits where a GPU cannot
  check_call(gpus, call, call.expert_count, in_streams(gpus));
}

TEST_CASE("Graph exchange: the CPU in the path changes no row") {
  if (!enough_gpus(2)) return;
  const GpuSet gpus(2);
  for (const CopyKernel kernel : {CopyKernel::bytes, CopyKernel::vectors}) {
    ExchangeCall call = call_of(2, 100, 2, kernel);
    check_call(gpus, call, call.expert_count, with_cpu());
    call.received_rows = 150;
    check_call(gpus, call, call.expert_count, with_cpu());
  }
}

TEST_CASE("Graph exchange: two ranks replay their graphs 60 times, each time with other tokens") {
  if (!enough_gpus(2)) return;
  const GpuSet gpus(2);
  check_replays(gpus, call_of(2, 48, 1, CopyKernel::vectors), 60);
  check_replays(gpus, call_of(2, 48, 1, CopyKernel::bytes), 10);
}

TEST_CASE("Graph exchange: four ranks replay their graphs 50 times") {
  if (!enough_gpus(4)) return;
  const GpuSet gpus(4);
  check_replays(gpus, call_of(4, 32, 2, CopyKernel::vectors), 50);
}

TEST_CASE("Graph exchange: many calls may be under way without a wait of the host between them") {
  if (!enough_gpus(2)) return;
  const GpuSet gpus(2);
  const ExchangeCall call = call_of(2, 40, 1, CopyKernel::vectors);
  GraphExchange exchange(gpus, 2, limits_of(call));
  ExchangeOracle oracle(exchange, call, draw_experts(2, call, call.expert_count, 5), 5);
  oracle.fill();
  for (int i = 0; i < 30; ++i) {
    for (int rank = 0; rank < 2; ++rank) exchange.enqueue_dispatch(rank, call, gpus.stream(rank));
    for (int rank = 0; rank < 2; ++rank) exchange.enqueue_combine(rank, call, gpus.stream(rank));
  }
  gpus.synchronize();
  CHECK(oracle.fault_of_dispatch() == "");
}

TEST_CASE("Graph exchange: rows above the capacity are dropped, counted and never written") {
  if (!enough_gpus(2)) return;
  const GpuSet gpus(2);
  for (const CopyKernel kernel : {CopyKernel::bytes, CopyKernel::vectors}) {
    ExchangeCall call = call_of(2, 100, 1, kernel);
    const ExchangeLimits roomy = limits_of(call);
    call.received_rows = 60;  // of about 87 for each rank, or 175 for one
    for (const int bound : {call.expert_count, kExpertsPerRank}) {
      GraphExchange exchange(gpus, 2, roomy);
      const auto experts = draw_experts(2, call, bound, 7);
      check_there_and_back(exchange, call, experts, 7, in_streams(gpus));
      CHECK(exchange.status(0).dropped_rows > 0);
    }
  }
}

TEST_CASE("Graph exchange: an expert that no rank has is reported and goes nowhere") {
  if (!enough_gpus(2)) return;
  const GpuSet gpus(2);
  const ExchangeCall call = call_of(2, 40, 1, CopyKernel::vectors);
  GraphExchange exchange(gpus, 2, limits_of(call));
  auto experts = draw_experts(2, call, call.expert_count, 3);
  experts[1][17] = call.expert_count;
  experts[1][18] = -7;
  check_there_and_back(exchange, call, experts, 3, in_streams(gpus));
  CHECK(exchange.status(0).error == 0);
  CHECK(exchange.status(1).error == kExpertOutOfRange);
}

TEST_CASE("Graph exchange: it refuses to grow, and calls that make no sense") {
  if (!enough_gpus(1)) return;
  const GpuSet gpus(1);
  const ExchangeCall call = call_of(1, 16, 1, CopyKernel::vectors);
  GraphExchange exchange(gpus, 1, limits_of(call));
  CHECK_NOTHROW(exchange.reserve(limits_of(call)));
  ExchangeCall larger = call;
  larger.token_count = 17;
  CHECK_THROWS_AS(exchange.enqueue_dispatch(0, larger, gpus.stream(0)), std::length_error);
  ExchangeCall odd = call;
  odd.row_bytes = 24;
  CHECK_THROWS_AS(exchange.enqueue_dispatch(0, odd, gpus.stream(0)), std::invalid_argument);
  CHECK_THROWS_AS(exchange.enqueue_dispatch(1, call, gpus.stream(0)), std::invalid_argument);
}

TEST_CASE("Peer memory: host memory and too little of a GPU's memory are no table entries") {
  if (!enough_gpus(1)) return;
  const DeviceArray<int> words(0, 8);
  CHECK_NOTHROW(check_peer_memory(words.data(), 0, words.bytes(), "words"));
  CHECK_NOTHROW(check_peer_memory(words.data() + 4, 0, 16, "words"));
  // Allocations are rounded up by the driver at most to a few MiB.
  CHECK_THROWS_AS(check_peer_memory(words.data(), 0, std::size_t{1} << 40U, "words"), CudaError);
  const PinnedArray<int> pinned(8);
  CHECK_THROWS_AS(check_peer_memory(pinned.data(), 0, 32, "pinned"), CudaError);
  CHECK_THROWS_AS(check_peer_memory(nullptr, 0, 32, "nothing"), CudaError);
}

TEST_CASE("Peer memory: memory of another GPU is no table entry") {
  if (!enough_gpus(2)) return;
  const DeviceArray<int> words(1, 8);
  CHECK_NOTHROW(check_peer_memory(words.data(), 1, words.bytes(), "words"));
  CHECK_THROWS_AS(check_peer_memory(words.data(), 0, words.bytes(), "words"), CudaError);
}
