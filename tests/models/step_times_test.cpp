#include "models/step_times.hpp"

#include <array>

#include <doctest/doctest.h>

#include "tests/support/round_constants.hpp"
#include "tests/support/round_overlap.hpp"

using namespace epsim;

namespace {

// 100 SMs of 4096 * 1980 operations a us, half of which a GEMM reaches: 405 504 000 a us.
struct RoundMachine {
  ConstantSet overlap = round_overlap();
  ConstantSet hardware = round_hardware();
  StepMachine machine{.overlap = overlap, .hardware = hardware, .sm_count = 100};
};

}  // namespace

TEST_CASE("step_times: a GEMM takes its fixed part, its arithmetic and the memory time exposed") {
  const RoundMachine round;
  // 2 * 1024 * 1024 * 19800 operations / 405 504 000 = 102.4 us. Bytes: 2 * (2 * 1024 * 19800 +
  // 1024 * 1024) = 83 197 952, at 1000 GB/s 83.197952 us, a quarter of it exposed: 20.799488 us.
  const ComputeTime time = gemm_compute_time({1024, 1024, 19'800}, round.machine);
  CHECK(to_us(time.time) == doctest::Approx(2 + 102.4 + 20.799488));
  CHECK(time.memory_share == doctest::Approx(83.197952 / 125.199488));
  CHECK(time.tiles == 8 * 4);  // of 128 x 256
  CHECK(time.ctas == 100);
}

TEST_CASE("step_times: FP8 operands halve a GEMM's arithmetic and their bytes") {
  RoundMachine round;
  round.machine.dtype = StepDtype::fp8;
  // 51.2 us; 2 * (2 * 1024 * 9900 + 1024 * 1024) = 42 647 552 bytes, a quarter is 10.661888 us.
  CHECK(to_us(gemm_compute_time({1024, 1024, 19'800}, round.machine).time) ==
        doctest::Approx(2 + 51.2 + 10.661888));
}

TEST_CASE("step_times: a GEMM is not faster than the memory lets it") {
  const RoundMachine round;
  // The matrix of 4096 x 100 000 is 819.2 MB and takes 819.2 us, one row 0.2 us more, its result of
  // 4096 numbers 0.008192 us.
  CHECK(to_us(gemm_compute_time({1, 4096, 100'000}, round.machine).time) ==
        doctest::Approx(819.2 + 0.2 + 0.008192));
}

TEST_CASE("step_times: grouped GEMMs fill tiles of 128 rows and read a matrix for each group") {
  const RoundMachine round;
  // 1 and 129 rows become 128 and 256: 384 rows. An empty group costs nothing.
  // 2 * 384 * 1024 * 19800 / 405 504 000 = 38.4 us. Two matrices of 1024 x 19800 and rows and
  // results once are 97.1 MB, which takes longer than 2 + 38.4 us and a quarter of it.
  const std::array<std::int64_t, 3> rows = {1, 0, 129};
  const double bytes = 2.0 * (384 * 19'800.0 + 2 * 1024 * 19'800.0 + 384 * 1024.0);
  CHECK(to_us(grouped_gemm_time(rows, 1024, 19'800, round.machine).time) ==
        doctest::Approx(1e-6 * bytes));
  CHECK(grouped_gemm_time({}, 1024, 19'800, round.machine).time == Duration{});
}

TEST_CASE("step_times: the attention core takes the longer of arithmetic and memory") {
  const RoundMachine round;
  const Duration empty = round.hardware.duration("empty_kernel");
  AttentionCore core{.tokens = 1000,
                     .heads = 10,
                     .key_size = 64,
                     .value_size = 64,
                     .key_heads = 1,
                     .attended = 99'000,
                     .cached_tokens = 0,
                     .efficiency = 0.5};
  // 2 * 1000 * 10 * 99 000 * 128 operations / 405 504 000 = 625 us.
  CHECK(to_us(attention_core_time(core, round.machine).time - empty) == doctest::Approx(625));
  // Queries and results 2 * 128 * 10 000 bytes = 2.56 us, 4 million keys and values 1024 us.
  core.cached_tokens = 4'000'000;
  CHECK(to_us(attention_core_time(core, round.machine).time - empty) ==
        doctest::Approx(1024 + 2.56));
}

TEST_CASE("step_times: a cached row is read once, and queries may be read before the first key") {
  const RoundMachine round;
  const Duration empty = round.hardware.duration("empty_kernel");
  AttentionCore core{.tokens = 1000,
                     .heads = 10,
                     .key_size = 80,
                     .value_size = 48,
                     .key_heads = 1,
                     .attended = 99'000,
                     .cached_tokens = 4'000'000,
                     .efficiency = 0.5,
                     .cached_bytes = 100};
  // 625 us of arithmetic; 400 MB and 2.56 MB of queries and results are 402.56 us.
  CHECK(to_us(attention_core_time(core, round.machine).time - empty) == doctest::Approx(625));
  core.exposes_queries = true;
  CHECK(to_us(attention_core_time(core, round.machine).time - empty) ==
        doctest::Approx(625 + 2.56));
  core.cached_bytes = 200;
  CHECK(to_us(attention_core_time(core, round.machine).time - empty) ==
        doctest::Approx(800 + 2.56));
}

TEST_CASE("step_times: tensor cores of half the rate lengthen their own part of attention") {
  RoundMachine round;
  round.machine.tensor_ratio = 0.5;
  const Duration empty = round.hardware.duration("empty_kernel");
  const AttentionCore core{.tokens = 1000,
                           .heads = 10,
                           .key_size = 64,
                           .value_size = 64,
                           .key_heads = 1,
                           .attended = 99'000,
                           .cached_tokens = 0,
                           .efficiency = 0.5};
  // Of 625 us half are the tensor cores': 312.5 us become 625, the others stay.
  CHECK(to_us(attention_core_time(core, round.machine).time - empty) == doctest::Approx(937.5));
  // A GEMM of 2 + 102.4 + 20.799488 us waits for them all the time.
  CHECK(to_us(gemm_compute_time({1024, 1024, 19'800}, round.machine).time) ==
        doctest::Approx(2 + 204.8 + 20.799488));
}

TEST_CASE("step_times: exchanges are bound by their CTAs, then by the link") {
  const RoundMachine round;
  // 4 CTAs of 10 GB/s: 4 MB take 100 us; 20 CTAs could do 200 GB/s, of which the link passes 100.
  CHECK(to_us(link_time(Bytes{4'000'000}, 4, round.machine)) == doctest::Approx(5 + 100));
  CHECK(to_us(link_time(Bytes{4'000'000}, 20, round.machine)) == doctest::Approx(5 + 40));
}

TEST_CASE("step_times: elementwise kernels move their bytes at the memory's rate") {
  const RoundMachine round;
  const ComputeTime time = elementwise_time(Bytes{3'000'000}, 1000, round.machine);
  CHECK(time.time == round.hardware.duration("empty_kernel") + from_us(3));
  CHECK(time.ctas == 1000);
}
