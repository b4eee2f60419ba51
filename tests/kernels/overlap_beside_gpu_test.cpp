#include <cstddef>
#include <cstdint>
#include <set>
#include <span>
#include <vector>

#include <doctest/doctest.h>

#include "calibrate/device_error.hpp"
#include "calibrate/experiments/elementwise_check.hpp"
#include "kernels/cuda_check.hpp"
#include "kernels/gpu_set.hpp"
#include "kernels/overlap/crowded_gpu.cuh"
#include "kernels/overlap/elementwise.cuh"
#include "kernels/overlap/fill_matrix.cuh"
#include "kernels/overlap/matrix_value.hpp"
#include "tests/kernels/gpu_tests.hpp"

using namespace epsim;
using namespace epsim::kernels;

TEST_CASE("Normal matrix: the GPU writes what the CPU says, to the end and no further") {
  if (!enough_gpus(1)) return;
  const GpuSet gpus(1);
  constexpr std::size_t kCount = 5000;
  DeviceArray<std::uint16_t> matrix(0, kCount + 1);
  matrix.fill(0xff);
  launch_fill_normal_matrix(matrix.data(), kCount, 7, gpus.stream(0));
  gpus.synchronize();
  const std::vector<std::uint16_t> found = matrix.download();
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < kCount; ++i) wrong += found[i] == normal_value(i, 7) ? 0U : 1U;
  CHECK(wrong == 0);
  CHECK(found.back() == 0xffff);
}

TEST_CASE("Elementwise kernels: every element is its reference, and none behind is touched") {
  if (!enough_gpus(1)) return;
  const GpuSet gpus(1);
  constexpr std::int64_t kCount = 5 * 1024;
  const auto room = static_cast<std::size_t>(kCount) + 1024;
  DeviceArray<std::uint16_t> x(0, room), y(0, room), z(0, room);
  const auto all = static_cast<std::int64_t>(room);
  launch_fill_normal_matrix(x.data(), all, kElementwiseSeedX, gpus.stream(0));
  launch_fill_normal_matrix(y.data(), all, kElementwiseSeedY, gpus.stream(0));
  gpus.synchronize();
  for (const ElementwiseOp op : {ElementwiseOp::silu_multiply, ElementwiseOp::add}) {
    z.fill(0xff);
    launch_elementwise({op, x.data(), y.data(), z.data(), kCount}, gpus.stream(0));
    gpus.synchronize();
    const std::vector<std::uint16_t> found = z.download();
    CHECK_NOTHROW(check_elementwise(op, std::span(found).first(std::size_t(kCount)), 0));
    CHECK_THROWS_AS(check_elementwise(op, std::span(found).first(std::size_t(kCount)), 1),
                    DeviceError);
    for (std::size_t i = std::size_t(kCount); i < room; ++i) REQUIRE(found[i] == 0xffff);
  }
}

TEST_CASE("Sleep kernel: it lasts as long as it is asked to") {
  if (!enough_gpus(1)) return;
  const GpuSet gpus(1);
  cudaEvent_t begin = nullptr;
  cudaEvent_t end = nullptr;
  cuda_check(cudaEventCreate(&begin));
  cuda_check(cudaEventCreate(&end));
  launch_sleep(1000, gpus.stream(0));  // loads its code
  cuda_check(cudaEventRecord(begin, gpus.stream(0)));
  launch_sleep(3'000'000, gpus.stream(0));
  cuda_check(cudaEventRecord(end, gpus.stream(0)));
  gpus.synchronize();
  float ms = 0;
  cuda_check(cudaEventElapsedTime(&ms, begin, end));
  CHECK(ms > 2.9F);
  CHECK(ms < 4.0F);
  cudaEventDestroy(begin);
  cudaEventDestroy(end);
}

TEST_CASE("Holders and newcomer: SMs of holders without room have no newcomer before they end") {
  if (!enough_gpus(1)) return;
  const GpuSet gpus(1);
  constexpr int kHolders = 16;
  const int sm_count = gpus.sm_count();
  DeviceArray<HolderWords> words(0, 1);
  DeviceArray<int> sms(0, kHolders);
  DeviceArray<SmStamp> stamps(0, std::size_t(sm_count));
  words.fill(0);
  prepare_newcomer();
  launch_stop_holders(words.data(), 1, gpus.stream(0));
  int generation = 1;
  int started = 0;
  for (const bool whole_sms : {false, true}) {
    CAPTURE(whole_sms);
    const int shared_bytes = whole_sms ? 0 : 160 * 1024;
    prepare_holders(shared_bytes, false);
    Holders holders{.words = words.data(),
                    .sms = sms.data(),
                    .generation = generation,  // told to stop before it begins: loads its code
                    .cta_count = kHolders,
                    .cluster_size = whole_sms ? 1 : 2,
                    .shared_bytes = shared_bytes,
                    .whole_sms = whole_sms};
    launch_holders(holders, gpus.stream(0));
    started += kHolders;
    launch_await_holders(words.data(), started, gpus.stream(0));
    launch_newcomer({stamps.data(), sm_count, 1}, gpus.stream(0));
    gpus.synchronize();

    holders.generation = ++generation;
    stamps.fill(0);
    started += kHolders;
    launch_holders(holders, gpus.side_stream(0));
    launch_await_holders(words.data(), started, gpus.stream(0));
    launch_newcomer({stamps.data(), sm_count, 1}, gpus.stream(0));
    launch_stop_holders(words.data(), generation, gpus.stream(0));
    gpus.synchronize();
    const HolderWords after = words.download().front();
    CHECK(after.started == started);
    CHECK(after.timed_out == 0);
    const std::vector<int> at = sms.download();
    const std::set<int> held(at.begin(), at.end());
    CHECK(held.size() == kHolders);
    // The newcomer ends before the holders are told to: no CTA of it was ever on a holder's SM.
    for (const SmStamp& stamp : stamps.download()) {
      CHECK(stamp.first > 0);
      CHECK_FALSE(held.contains(static_cast<int>(stamp.sm)));
    }
  }
}
