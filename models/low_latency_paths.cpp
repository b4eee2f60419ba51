#include "models/low_latency_paths.hpp"

#include <algorithm>

#include "models/network_constants.hpp"

namespace epsim {

LowLatencyPaths::LowLatencyPaths(const Workload& workload, LowLatencyReach reach)
    : workload_(workload), reach_(reach) {
  for (std::uint32_t source = 0; source < workload.planned_ranks(); ++source) {
    std::uint32_t peers = 0;
    for (std::uint32_t target = 0; target < workload.rank_count(); ++target) {
      if (is_remote(RankId{source}, target))
        has_remote_ = true;
      else if (source != target)
        ++peers;
    }
    nvlink_peers_ = std::max(nvlink_peers_, peers);
  }
}

void LowLatencyPaths::add_queue_pairs(const ConstantSet& hardware, PlanBuilder& plan) {
  if (!has_remote_) return;
  plan.set_nic(nic_rates(hardware));
  post_ = hardware.duration("post_write");
  const std::uint32_t ranks = workload_.rank_count();
  first_queue_.resize(std::size_t{workload_.planned_ranks()} * ranks);
  for (std::uint32_t source = 0; source < workload_.planned_ranks(); ++source)
    for (std::uint32_t target = 0; target < ranks; ++target) {
      if (!is_remote(RankId{source}, target)) continue;
      first_queue_[std::size_t{source} * ranks + target] =
          plan.add_queue_pairs(
                  RankId{source}, workload_.site_of(target), workload_.experts_per_rank())
              .value;
    }
}

}  // namespace epsim
