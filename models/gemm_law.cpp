#include "models/gemm_law.hpp"

#include <algorithm>
#include <cmath>

#include "models/measured_curve.hpp"
#include "sim/base/check.hpp"

namespace epsim {
namespace {

constexpr std::int64_t kTileRows = 128;
constexpr std::int64_t kTileColumns = 256;

std::uint32_t rounded_up(std::int64_t a, std::int64_t b) {
  return static_cast<std::uint32_t>((a + b - 1) / b);
}

}  // namespace

double gemm_time_us(const GemmWork& gemm,
                    std::uint32_t sm_count,
                    std::uint32_t reserved_sms,
                    const ConstantSet& constants,
                    double tensor_ratio) {
  check(reserved_sms < sm_count, "a GEMM has SMs");
  const double efficiency =
      measured_curve(constants, "gemm_efficiency", {0, 4, 8, 16, 20, 32, 64}, reserved_sms);
  const double arithmetic =
      gemm_operations(gemm) /
      ((sm_count - reserved_sms) * kSmOperationsPerUs * efficiency * tensor_ratio);
  const double memory =
      1e6 * gemm_bytes(gemm) / constants.bandwidth("memory_rate").bytes_per_second;
  return to_us(constants.duration("gemm_fixed")) + arithmetic +
         constants.ratio("gemm_memory_exposed") * memory;
}

GemmShape gemm_shape(const GemmWork& gemm,
                     std::uint32_t sm_count,
                     std::uint32_t reserved_sms,
                     std::uint32_t communication_ctas,
                     const ConstantSet& constants) {
  GemmShape shape;
  const std::uint32_t tiles = rounded_up(gemm.m, kTileRows) * rounded_up(gemm.n, kTileColumns);
  shape.slots = sm_count - reserved_sms;
  const std::uint32_t waves = rounded_up(tiles, shape.slots);
  // Beyond one wave the tiles of a GEMM without target stay what they are; else they fit the SMs.
  shape.tiles = reserved_sms == 0 && waves > 1 ? tiles : waves * shape.slots;
  const double share =
      reserved_sms == 0
          ? measured_curve(constants, "crowded_share_unsplit", {8, 32}, communication_ctas)
          : measured_curve(constants, "crowded_share", {4, 8, 16, 20, 32, 64}, communication_ctas);
  // Clusters of two come whole.
  shape.crowded_slots =
      std::clamp(2 * static_cast<std::uint32_t>(std::lround(share * shape.slots / 2)),
                 std::min(2U, shape.slots),
                 shape.slots);
  const double time = gemm_time_us(gemm, sm_count, reserved_sms, constants);
  shape.fixed = constants.duration("gemm_fixed");
  shape.tile_time = from_us((time - to_us(shape.fixed)) / waves);
  const double traffic = constants.ratio("gemm_memory_share") * to_us(shape.tile_time) * 1e-6 *
                         constants.bandwidth("memory_rate").bytes_per_second / shape.slots;
  shape.tile_traffic = Bytes{std::llround(traffic)};
  return shape;
}

}  // namespace epsim
