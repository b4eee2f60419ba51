#include "models/formatted_gemm.hpp"

#include <array>
#include <vector>

#include <doctest/doctest.h>

#include "tests/support/round_constants.hpp"
#include "tests/support/round_overlap.hpp"

using namespace epsim;

namespace {

// 100 SMs of 4096 * 1980 operations a us, half of which a GEMM reaches; memory of 1000 GB/s.
struct RoundMachine {
  ConstantSet overlap = round_overlap();
  ConstantSet hardware = round_hardware();
  StepMachine machine{.overlap = overlap, .hardware = hardware, .sm_count = 100};
};

constexpr GemmFormat kFp8{.dtype = StepDtype::fp8, .weight_bits = 8};
constexpr std::array<std::int64_t, 1> kRows = {128};
constexpr BlockScaledTimes kTimes;

double us_of(const StepMachine& machine, const GemmFormat& format = kFp8) {
  return to_us(formatted_gemm_time(kRows, 12'800, 126'720, format, machine).time);
}

}  // namespace

TEST_CASE("formatted_gemm: block-scaled FP8 pays for its sums on CUDA cores") {
  RoundMachine round;
  round.machine.stream_rate = Bandwidth{100e12};
  // 100 tiles of 128 x 128, one for each SM. Of 126 720 = 990 * 128 numbers of depth: tensor cores
  // 128 * 128 * 126 720 / (4096 * 1980) = 256 us, sums 128 * 128 * 990 / (128 * 1980) = 64 us, both
  // at half of the rate. Read 12 928 * 126 720 bytes = 16.3823616 us, written 2 * 128 * 12 800
  // bytes = 0.032768 us; a quarter of that is exposed.
  const double rest = kTimes.fixed_us + 0.25 * (16.3823616 + 0.032768);
  CHECK(us_of(round.machine) == doctest::Approx(rest + 640));
  // Tensor cores of half the rate: 512 us, and the same sums.
  round.machine.tensor_ratio = 0.5;
  CHECK(us_of(round.machine) == doctest::Approx(rest + 1152));
  round.machine.tensor_ratio = 1;
  round.machine.scales_in_tensor_cores = true;
  CHECK(us_of(round.machine) == doctest::Approx(rest + 512));
}

TEST_CASE("formatted_gemm: each block of depth takes its latency, however small the tile") {
  RoundMachine round;
  round.machine.stream_rate = Bandwidth{100e12};
  // 64 x 800 in 50 tiles of 64 x 16. Of 126 720 = 990 * 128 numbers of depth: tensor cores
  // 64 * 16 * 126 720 / (4096 * 1980) = 16 us at half of the rate, and 990 latencies of 0.2 us; the
  // sums alone would take 64 * 16 * 990 / (128 * 1980) = 4 us at half of the rate.
  // Read 864 * 126 720 bytes = 1.0948608 us, written 2 * 64 * 800 bytes = 0.001024 us.
  const std::array<std::int64_t, 1> rows = {64};
  const auto us = [&](double block_us) {
    return to_us(formatted_gemm_time(
                     rows, 800, 126'720, kFp8, round.machine, {.fixed_us = 5, .block_us = block_us})
                     .time);
  };
  CHECK(us(0.2) == doctest::Approx(5 + 32 + 198 + 0.25 * 1.0958848));
  CHECK(us(0) == doctest::Approx(5 + 32 + 8 + 0.25 * 1.0958848));
}

TEST_CASE("formatted_gemm: where memory takes longer, part of the arithmetic is not hidden") {
  const RoundMachine round;
  // 1638.23616 us read and 3.2768 us written; of the arithmetic's 640 us a quarter.
  CHECK(us_of(round.machine) == doctest::Approx(kTimes.fixed_us + 1638.23616 + 3.2768 + 160));
}

TEST_CASE("formatted_gemm: rounds are whole, and tiles are chosen by them") {
  // README of DeepGEMM: of M = 256, N = 7168, tiles of 112 columns use 128 of 132 SMs.
  const std::array<std::int64_t, 1> rows = {256};
  const BlockTiles tiles = block_tiles(rows, 7168, 132);
  CHECK(tiles.columns == 112);
  CHECK(tiles.tiles == 128);
  CHECK(tiles.rounds == 1);
  // Groups of up to 64 rows have tiles of 64: 3 of them, of 4096 / 96 = 43 columns' tiles each.
  const std::array<std::int64_t, 4> groups = {64, 1, 0, 57};
  const BlockTiles small = block_tiles(groups, 4096, 132);
  CHECK(small.rows == 64);
  CHECK(small.columns == 96);
  CHECK(small.tiles == 129);
  // Tiles are chosen for 512 rows a group, 2 * 4 * 32 = 256 of them in two rounds. 640 and 384 rows
  // are as many; 600 and 424 are 5 and 4 tiles of rows, 288 tiles and a third round.
  const std::array<std::int64_t, 2> even = {512, 512}, uneven = {640, 384};
  CHECK(block_tiles(even, 4096, 132).columns == 128);
  CHECK(block_tiles(even, 4096, 132).rounds == 2);
  CHECK(block_tiles(uneven, 4096, 132).tiles == 256);
  const std::array<std::int64_t, 2> spread = {600, 424};
  CHECK(block_tiles(spread, 4096, 132).tiles == 288);
  CHECK(block_tiles(spread, 4096, 132).rounds == 3);
}

TEST_CASE("formatted_gemm: weights of four bits are read in a quarter of BF16's bytes") {
  const RoundMachine round;
  const std::array<std::int64_t, 1> one = {1};
  // The matrix of 4096 x 100 000 is 204.8 MB and takes 204.8 us, the row 0.2 us, its result
  // 0.008192 us. 64 rows' arithmetic, 2 * 64 * 409 600 000 / 405 504 000 = 129.3 us, is less.
  CHECK(to_us(formatted_gemm_time(one, 4096, 100'000, {.weight_bits = 4}, round.machine).time) ==
        doctest::Approx(2 + 204.8 + 0.2 + 0.008192));
}

TEST_CASE("formatted_gemm: rows of no expert cost nothing, an empty expert no matrix") {
  const RoundMachine round;
  const std::array<std::int64_t, 2> none = {0, 0};
  CHECK(formatted_gemm_time(none, 4096, 7168, kFp8, round.machine).time == Duration{});
  const std::array<std::int64_t, 2> half = {128, 0};
  CHECK(formatted_gemm_time(half, 12'800, 126'720, kFp8, round.machine).time ==
        formatted_gemm_time(kRows, 12'800, 126'720, kFp8, round.machine).time);
}
