#include "models/combine_times.hpp"

#include <algorithm>

#include "models/rank_rates.hpp"

namespace epsim {
namespace {

constexpr std::int64_t kBlockBytes = 2048;
constexpr std::int64_t kReferenceHidden = 7168;  // for which row_decode is given

// P6: a 16-byte load by each lane waits for L2, or for HBM where the rows do not fit.
Duration generic_trip(const Workload& workload,
                      const ConstantSet& hardware,
                      const ConstantSet& family) {
  const double held = l2_part(hardware, workload.topology->gpu_spec(), combine_footprint(workload));
  return from_ns(held * to_ns(family.duration("generic_trip")) +
                 (1 - held) * to_ns(family.duration("generic_trip_hbm")));
}

}  // namespace

std::int64_t combine_blocks(const Workload& workload) {
  return (2 * workload.hidden + kBlockBytes - 1) / kBlockBytes;
}

Bytes combine_footprint(const Workload& workload) {
  std::int64_t tokens = 0;
  for (std::uint32_t r = 0; r < workload.planned_ranks(); ++r)
    tokens = std::max<std::int64_t>(tokens, workload.routing->token_count(RankId{r}));
  const Bytes row = combine_message(workload.hidden, workload.combine_format);
  return Bytes{tokens * (workload.top_k() * row.count + 2 * workload.hidden)};
}

CombineTimes combine_times(const Workload& workload,
                           const ConstantSet& hardware,
                           const ConstantSet& family) {
  const std::int64_t blocks = combine_blocks(workload);
  const bool coded = workload.combine_format == CombineFormat::logfmt10;
  const Duration coding = coded ? blocks * family.duration("logfmt_block") : Duration{};
  const auto reference =
      static_cast<double>(workload.hidden) / static_cast<double>(kReferenceHidden);
  return {
      .start = hardware.duration("kernel_start") + family.duration("combine_overhead"),
      .finish = hardware.duration("kernel_finish"),
      .grid_sync = hardware.duration("grid_sync"),
      .cta_barrier = hardware.duration("cta_barrier"),
      .publish = family.duration("combine_publish"),
      .row = family.duration("combine_row") + blocks * family.duration("combine_block") + coding,
      .reduce_setup = family.duration("reduce_setup"),
      .load = hardware.duration("bulk_load_latency"),
      .decode = from_ns(to_ns(family.duration("row_decode")) * reference) + coding,
      .store = family.duration("token_store"),
      .generic_trip = generic_trip(workload, hardware, family),
      .home_drains = hardware.ratio("home_drain_share")};
}

}  // namespace epsim
