// Low-latency paths: how a rank's kernel reaches each other rank, by NVLink or by the NIC's queue
// pairs, and which flags meet where identical ranks are folded.
//
// In a fold a planned rank i sends to all ranks t, as the kernel does, and what it sends lands at
// the site of t. There the message takes the flag of rank image_of(i, t): it stands on host
// (hosts - host of t) mod hosts, at i's place, so that source - target is what it was. The receiver
// at a site j waits for every rank s, and expects what site_of(s) sends to image_of(j, s). The two
// agree, and every flag gets exactly one signal: (i, t) -> (site_of(t), image_of(i, t)) and
// (j, s) -> (site_of(s), image_of(j, s)) undo each other, since negating the host twice modulo
// hosts gives it back and neither touches a place within the host. Without a fold both are
// (i, t) -> (t, i).
#pragma once

#include <cstdint>
#include <vector>

#include "models/constants.hpp"
#include "models/plan_builder.hpp"
#include "models/workload.hpp"

namespace epsim {

enum class LowLatencyReach : std::uint8_t { nvlink_or_rdma, rdma_only };

class LowLatencyPaths {
 public:
  // Keeps a reference: the workload outlives it.
  LowLatencyPaths(const Workload& workload, LowLatencyReach reach);

  // `source` is a planned rank, `target` any.
  [[nodiscard]] bool is_remote(RankId source, std::uint32_t target) const {
    return source.value != target &&
           (reach_ == LowLatencyReach::rdma_only || !workload_.share_nvlink(source.value, target));
  }
  // Ranks that a planned rank reaches by NVLink, itself left out; the most of all.
  [[nodiscard]] std::uint32_t nvlink_peers() const { return nvlink_peers_; }

  // One for each planned rank, target that is remote to it, and expert of a rank. A plan without
  // remote targets gets none, and its NIC stays unset.
  void add_queue_pairs(const ConstantSet& hardware, PlanBuilder& plan);
  // The kernels post on the queue pair of the local expert's number.
  [[nodiscard]] QueuePairId queue(RankId source, std::uint32_t target, std::uint32_t local) const {
    return QueuePairId{first_queue_[source.index() * workload_.rank_count() + target] + local};
  }
  // What a warp spends on one post.
  [[nodiscard]] Duration post() const { return post_; }

 private:
  const Workload& workload_;
  LowLatencyReach reach_;
  bool has_remote_ = false;
  std::uint32_t nvlink_peers_ = 0;
  Duration post_{};
  std::vector<std::uint32_t> first_queue_;  // by planned rank and target
};

}  // namespace epsim
