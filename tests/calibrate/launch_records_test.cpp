#include "calibrate/launch_records.hpp"

#include <doctest/doctest.h>

#include "calibrate/device_error.hpp"

using namespace epsim;

namespace {

GpuRecord kernel(int gpu,
                 std::int64_t start_ns,
                 std::int64_t end_ns,
                 const char* name = "combine") {
  return {.activity = GpuRecordKind::kernel,
          .gpu = gpu,
          .start_ns = start_ns,
          .end_ns = end_ns,
          .name = name};
}

}  // namespace

TEST_CASE("aligned latency: from the last start to the last end over the GPUs") {
  // Call 0: GPU 0 runs 100..160, GPU 1 runs 110..150. Last start 110, last end 160: 50 ns.
  // Call 1: 200..230 and 190..240: last start 200, last end 240: 40 ns.
  const auto by_gpu = launches_of(
      {kernel(0, 100, 160), kernel(1, 110, 150), kernel(1, 190, 240), kernel(0, 200, 230)},
      "combine",
      2,
      2);
  const auto latency = aligned_latency_ns(by_gpu);
  REQUIRE(latency.size() == 2);
  CHECK(latency[0] == 50);
  CHECK(latency[1] == 40);
}

TEST_CASE("aligned latency: a call of two kernels starts with its first and ends with its last") {
  // GPU 0: send 100..120, receive 130..170. GPU 1: send 105..115, receive 140..165. 170 - 105 = 65.
  const auto by_gpu = launches_of(
      {kernel(0, 100, 120), kernel(1, 105, 115), kernel(0, 130, 170), kernel(1, 140, 165)},
      "combine",
      2,
      2);
  const auto latency = aligned_latency_ns(by_gpu, 2);
  REQUIRE(latency.size() == 1);
  CHECK(latency[0] == 65);
}

TEST_CASE("launches: a missing record is an error, never a shorter list") {
  CHECK_THROWS_WITH_AS((void)launches_of({kernel(0, 1, 2)}, "combine", 2, 1),
                       "expected 1 records of combine on each GPU, found 0",
                       DeviceError);
  CHECK_THROWS_AS((void)launches_of({kernel(0, 1, 2), kernel(0, 3, 4)}, "combine", 1, 1),
                  DeviceError);
}

TEST_CASE("launches: other kernels do not count") {
  const auto by_gpu = launches_of({kernel(0, 1, 2), kernel(0, 3, 4, "dispatch")}, "combine", 1, 1);
  CHECK(by_gpu.front().size() == 1);
}

TEST_CASE("clocks: a rank cannot leave a barrier before another came") {
  // GPU 0 is in the barrier 100..200. GPU 1 comes at 150: fine. At 5000: its clock is off.
  CHECK_NOTHROW(check_clocks_agree({{kernel(0, 100, 200)}, {kernel(1, 150, 210)}}, 2000));
  CHECK_NOTHROW(check_clocks_agree({{kernel(0, 100, 200)}, {kernel(1, 1200, 1300)}}, 2000));
  CHECK_THROWS_WITH_AS(
      check_clocks_agree({{kernel(0, 100, 200)}, {kernel(1, 5000, 5100)}}, 2000),
      "the clocks of two GPUs differ by at least 4800 ns: one left a barrier before another came",
      DeviceError);
}
