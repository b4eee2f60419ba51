#include "models/gemm_tiles.hpp"

#include <string>
#include <string_view>

#include <doctest/doctest.h>

#include "tests/support/hand_made_step.hpp"

using namespace epsim;

namespace {

constexpr const char* kGemmName = "nvjet_sm90_tst_128x256_64x4_2x1_v_bz_coopA_NNT";
constexpr const char* kVectorised =
    "void at::native::vectorized_elementwise_kernel<4, at::native::silu_kernel(int)>(int)";
constexpr const char* kProduct =
    "void at::native::elementwise_kernel<128, 4, at::native::MulFunctor<float> >(int)";

StepTask& gemm(HandMadeStep& made, double us) {
  StepTask& task = made.gemm(0, us, 0);
  task.name = kGemmName;
  return task;
}
StepTask& elementwise(HandMadeStep& made, const std::string& name, std::uint32_t ctas) {
  StepTask& task = made.elementwise(0, 10);
  task.name = name;
  task.cta_count = ctas;
  return task;
}

}  // namespace

TEST_CASE("gemm tiles: a kernel's name tells its tile, not its cluster") {
  CHECK(tile_elements("nvjet_sm90_tst_128x256_64x4_2x1_v_bz_coopA_NNT") == 128 * 256);
  CHECK(tile_elements("nvjet_sm90_tst_2x1_64x8_192x128_64x5_h") == 192 * 128);
  CHECK(tile_elements("cutlass_80_tensorop_s16816gemm_bf16_256x64_32x4_tn_align8") == 256 * 64);
  CHECK_FALSE(tile_elements("void cutlass::Kernel<cutlass::gemm>").has_value());
  CHECK_FALSE(tile_elements("gemm_2x1_v").has_value());
  CHECK_FALSE(tile_elements("gemm_4096x4096_h").has_value());  // a shape
  CHECK_FALSE(tile_elements("gemm_128x").has_value());
  CHECK_FALSE(tile_elements("gemm_99999999999999999999999x128_").has_value());
  CHECK_FALSE(tile_elements("").has_value());
}

TEST_CASE("gemm tiles: an elementwise kernel writes its CTAs' threads times their elements") {
  // 128 threads.
  CHECK(elementwise_elements(kVectorised, 10) == 10 * 128 * 4);
  CHECK(elementwise_elements(kProduct, 3) == 3 * 128 * 4);
  CHECK(elementwise_elements("vectorized_elementwise_kernel<8, x>", 1'000'000) ==
        std::uint64_t{1'000'000} * 128 * 8);
  CHECK_FALSE(elementwise_elements("elementwise_kernel<256, 4, x>", 1).has_value());
  CHECK_FALSE(elementwise_elements("vectorized_elementwise_kernel<", 1).has_value());
  CHECK_FALSE(elementwise_elements("reduce_kernel<512, 1>", 1).has_value());
}

TEST_CASE("gemm tiles: the elementwise kernel behind a GEMM tells its tiles") {
  HandMadeStep made;
  gemm(made, 40);
  made.copy(0, 1);  // is looked past
  // 2000 * 512 elements / 32768 = 31.25 tiles.
  elementwise(made, kVectorised, 2000);
  const TileEvidence evidence = find_tiles(made.step());
  CHECK(evidence.told == 1);
  CHECK(evidence.alike == 0);
  CHECK(evidence.unknown == 0);
  CHECK(made.step().tasks[0].tile_count == 32);
}

TEST_CASE("gemm tiles: an activation and a product follow a GEMM that wrote both halves") {
  HandMadeStep made;
  gemm(made, 40);
  elementwise(made, kVectorised, 2000);
  elementwise(made, kProduct, 2000);
  (void)find_tiles(made.step());
  CHECK(made.step().tasks[0].tile_count == 63);  // 62.5
  // Another launch is another tensor's.
  made.step().tasks[2].cta_count = 1000;
  made.step().tasks[0].tile_count = 0;
  (void)find_tiles(made.step());
  CHECK(made.step().tasks[0].tile_count == 32);
}

TEST_CASE("gemm tiles: a GEMM that nothing follows is told by its likes") {
  HandMadeStep made;
  gemm(made, 40);  // 32 tiles on 8 SMs: 4 rounds of 10 us
  elementwise(made, kVectorised, 2048);
  made.add("scan", KernelClass::compute, "other", 0, 5);
  gemm(made, 72);  // 7 rounds of 10 us, of which 128 / 132 are used: ceil(7 * 8 * 0.97) = 55
  made.add("scan", KernelClass::compute, "other", 0, 5);
  const TileEvidence evidence = find_tiles(made.step());
  CHECK(evidence.told == 1);
  CHECK(evidence.alike == 1);
  CHECK(made.step().tasks[0].tile_count == 32);
  CHECK(made.step().tasks[3].tile_count == 55);
}

TEST_CASE("gemm tiles: a GEMM without evidence and kernels that are no GEMM stay as they are") {
  HandMadeStep made;
  gemm(made, 40);
  made.gemm(0, 40, 0).name = "a name without a tile";
  made.exchange(0, 10);
  elementwise(made, kVectorised, 2048);
  const TileEvidence evidence = find_tiles(made.step());
  CHECK(evidence.told == 0);
  CHECK(evidence.alike == 0);
  CHECK(evidence.unknown == 1);
  for (const StepTask& task : made.step().tasks) CHECK(task.tile_count == 0);
}
