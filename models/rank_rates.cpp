#include "models/rank_rates.hpp"

#include <algorithm>

namespace epsim {
namespace {

// Pieces small enough that warps share a link evenly, and the block of the combine's pipeline.
// Twice the size raised the rms error of combines at 128 tokens from 4.3 to 6.9 % against a rebuilt
// kernel; smaller pieces were not tried.
constexpr Bytes kPutPiece{2048};

}  // namespace

namespace {

// Harmonic mean: the part of a streamed working set that L2 holds at its rate, the rest at HBM's.
Bandwidth mixed_rate(double held, Bandwidth l2, Bandwidth hbm) {
  return Bandwidth{1.0 / (held / l2.bytes_per_second + (1.0 - held) / hbm.bytes_per_second)};
}

}  // namespace

double l2_part(const ConstantSet& hardware, const GpuSpec& gpu, Bytes footprint) {
  const double held = static_cast<double>(gpu.l2_size.count) * hardware.ratio("l2_share");
  return std::min(1.0, held / static_cast<double>(std::max<std::int64_t>(1, footprint.count)));
}

Bandwidth memory_rate(const ConstantSet& hardware, const GpuSpec& gpu, Bytes footprint) {
  return mixed_rate(l2_part(hardware, gpu, footprint),
                    hardware.bandwidth("l2_rate"),
                    hardware.bandwidth("hbm_rate"));
}

Bandwidth read_rate(const ConstantSet& hardware, const GpuSpec& gpu, Bytes footprint) {
  return mixed_rate(l2_part(hardware, gpu, footprint),
                    hardware.bandwidth("l2_read_rate"),
                    hardware.bandwidth("hbm_read_rate"));
}

RankRates hardware_rates(const ConstantSet& hardware, const Workload& workload) {
  // The flag latency of the calibration is end to end between NVLink neighbours; the topology's
  // hops are part of it.
  Duration hops{};
  for (std::uint32_t peer = 1; peer < workload.planned_ranks() && hops == Duration{}; ++peer)
    if (workload.share_nvlink(0, peer))
      hops = workload.topology->route_latency(GpuId{0}, GpuId{peer});
  RankRates rates{};
  rates.memory = hardware.bandwidth("hbm_rate");
  rates.local_put_traffic = 2.0;  // read and written
  rates.serve_traffic = 2.0;
  rates.put_path.rate = hardware.bandwidth("sm_peer_store");
  rates.local_put_path.rate = hardware.bandwidth("sm_local_store");
  rates.put_chunk = kPutPiece;
  rates.put_window = 4;
  rates.link_efficiency = hardware.ratio("link_efficiency");
  rates.local_latency = hardware.duration("release_gpu");
  rates.signal_latency = std::max(Duration{}, hardware.duration("flag_latency") - hops);
  rates.local_signal = hardware.duration("local_flag_latency");
  return rates;
}

}  // namespace epsim
