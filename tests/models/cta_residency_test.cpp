#include "models/cta_residency.hpp"

#include <doctest/doctest.h>

using namespace epsim;

namespace {

GpuActivity kernel(std::uint32_t threads, std::uint16_t registers, std::uint32_t shared_memory) {
  GpuActivity activity;
  activity.block = {threads, 1, 1};
  activity.registers = registers;
  activity.shared_memory = shared_memory;
  return activity;
}

}  // namespace

TEST_CASE("cta residency: registers, warps, shared memory and a limit of blocks each bound it") {
  // 12 warps of 168 registers: a warp takes 168 * 32 = 5376 = 21 lots of 256; a quarter of an SM
  // has 16 384 and holds 3 such warps, the SM 12: one block.
  CHECK(ctas_per_sm(kernel(384, 168, 0)) == 1);
  // 4 warps of 20 registers: 640 round up to 768 a warp, room for 84 warps; 64 / 4 = 16 by warps.
  CHECK(ctas_per_sm(kernel(128, 20, 0)) == 16);
  // 20 warps of 96 registers: 3072 a warp, 5 to a quarter: 1. By shared memory 233 472 / 104 832
  // = 2.
  CHECK(ctas_per_sm(kernel(640, 96, 103'808)) == 1);
  // 2 warps of 104 registers: 3328 a warp, 4 to a quarter, 16 / 2 = 8. (All registers in one would
  // be 65 536 / 3328 = 19 warps, 9 blocks.)
  CHECK(ctas_per_sm(kernel(64, 104, 0)) == 8);
  // One warp of few registers: 32 blocks are the limit though 64 warps would fit.
  CHECK(ctas_per_sm(kernel(32, 16, 0)) == 32);
  // 96 KiB and the 1 KiB kept: 233 472 / 99 328 = 2.
  CHECK(ctas_per_sm(kernel(128, 32, 96 * 1024)) == 2);
  // 227 KiB is the most that a block may have; a dump that tells more still has one block run.
  CHECK(ctas_per_sm(kernel(128, 32, 232'448)) == 1);
  CHECK(ctas_per_sm(kernel(128, 32, 400'000)) == 1);
}

TEST_CASE("cta residency: what a dump does not tell bounds nothing") {
  CHECK(ctas_per_sm(GpuActivity{}) == 32);
}

TEST_CASE("cta residency: cluster sizes are read from the names of GEMMs and attention") {
  CHECK(cluster_size("nvjet_sm90_tst_256x128_64x4_1x2_h_bz_coopA_NNT", 132) == 2);
  CHECK(cluster_size("nvjet_sm90_tst_64x64_64x13_4x1_v_bz_NNT", 112) == 4);
  // A grid that four does not divide was not launched in fours.
  CHECK(cluster_size("nvjet_sm90_tst_64x64_64x13_4x1_v_bz_NNT", 114) == 1);
  CHECK(cluster_size("cutlass3x_sm90_tensorop_s64x128x16gemm_bf16_128x128x64_2x1x1_0_tnn", 64) ==
        2);
  CHECK(cluster_size("cutlass_80_tensorop_bf16_s16816gemm_128x64_64x3_tn", 64) == 1);
  CHECK(cluster_size("cudnn_generated_fort_native_sdpa_sm90_64x128x128_4x1x1_cga1x1x1_k", 132) ==
        1);
  CHECK(cluster_size("void at::native::elementwise_kernel<128, 4>(int)", 64) == 1);
  CHECK(cluster_size("", 0) == 1);
}

TEST_CASE("cta residency: DeepEP launches at once, in pairs when its blocks are even") {
  CHECK(starts_whole("void deep_ep::internode_ll::combine<false, 7168, 11, 4>(void*)"));
  CHECK_FALSE(starts_whole("ncclDevKernel_SendRecv(ncclDevKernelArgsStorage<4096ul>)"));
  CHECK(cluster_size("void deep_ep::intranode::dispatch<4, 768, 8192>(int4*)", 24) == 2);
  CHECK(cluster_size("void deep_ep::intranode::cached_notify_combine<4>(void**)", 13) == 1);
}
