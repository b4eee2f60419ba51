#include <algorithm>
#include <vector>

#include "models/calibration.hpp"
#include "models/fence_sites.hpp"
#include "models/intranode.hpp"
#include "models/intranode_channels.hpp"
#include "models/rank_rates.hpp"
#include "sim/base/check.hpp"

namespace epsim {
namespace {

constexpr std::int64_t kDispatchUnroll = 5;

class IntranodeDispatchWriter {
 public:
  IntranodeDispatchWriter(const Workload& workload,
                          const ConstantSet& hardware,
                          const ConstantSet& family)
      : workload_(workload),
        hardware_(hardware),
        sites_(fence_sites(workload.dispatch_fence.placement, workload.dispatch_fence.form)),
        row_(dispatch_message(workload.hidden, workload.dispatch_format)),
        shape_(dispatch_ring(workload.rank_count())),
        start_(hardware.duration("kernel_start")),
        finish_(hardware.duration("kernel_finish")),
        release_(hardware.duration("release_sys")),
        receive_row_(family.duration("receive_row")),
        receive_step_(family.duration("receive_step")),
        notify_host_(family.duration("notify_host")),
        pace_{.wait_local = family.duration("local_head_read"),
              .wait_peer = family.duration("head_read"),
              .scan = family.duration("token_scan"),
              .row = copy_trips(row_.count, kDispatchUnroll) * family.duration("send_trip"),
              .release = family.duration("chunk_release"),
              .start = family.duration("channel_start")},
        plan_("intranode dispatch",
              workload.rank_count(),
              static_cast<std::uint32_t>(workload.topology->gpu_spec().sm_count),
              rates(hardware, family)) {}

  Plan write() {
    const std::uint32_t ranks = workload_.rank_count();
    std::vector<KernelId> notified;
    for (std::uint32_t r = 0; r < ranks; ++r)
      plan_.set_rank_start(RankId{r}, workload_.rank_start[r]);
    if (workload_.counted) {
      arrived_.assign(ranks, {});
      for (std::uint32_t r = 0; r < ranks; ++r)
        for (std::uint32_t round = 0; round < kNotifyBarriers; ++round)
          arrived_[r].push_back(plan_.add_flag(RankId{r}));
      for (std::uint32_t r = 0; r < ranks; ++r) notified.push_back(write_notify(RankId{r}));
    }
    if (workload_.record_accesses) plan_.record_accesses();
    make_rings();
    for (std::uint32_t r = 0; r < ranks; ++r)
      write_rank(RankId{r}, workload_.counted ? notified[r].value : std::int64_t{-1});
    return plan_.take();
  }

 private:
  static constexpr std::uint32_t kNotifyBarriers = 3;

  RankRates rates(const ConstantSet& hardware, const ConstantSet& family) const {
    RankRates rates = hardware_rates(hardware, workload_);
    rates.link_efficiency *= family.ratio("dispatch_link_share");
    rates.put_chunk = kPiece;
    rates.put_window = kPiecesUnderWay;
    return rates;
  }

  // Counts go to all peers between system-wide barriers; the host then reads them and launches.
  KernelId write_notify(RankId rank) {
    const KernelId kernel = plan_.begin_kernel(
        {.rank = rank, .name = "notify", .start_overhead = start_, .finish_overhead = finish_});
    plan_.begin_cta();
    plan_.begin_agent(Role::count_poster);
    for (std::uint32_t round = 0; round < kNotifyBarriers; ++round) {
      plan_.work(Phase::signal, release_);
      for (std::uint32_t peer = 0; peer < workload_.rank_count(); ++peer)
        plan_.signal(Phase::signal, arrived_[peer][round]);
      plan_.wait(Phase::wait, arrived_[rank.index()][round], workload_.rank_count());
    }
    return kernel;
  }

  void make_rings() {
    for (std::uint32_t c = 0; c < channel_count(workload_); ++c) {
      for (std::uint32_t s = 0; s < workload_.rank_count(); ++s) {
        const RankId source{s};
        const TokenRange range = channel_range({.tokens = workload_.routing->token_count(source),
                                                .channel = c,
                                                .channels = channel_count(workload_)});
        const TokenFanout fanout(*workload_.routing, *workload_.placement, source, range);
        for (std::uint32_t t = 0; t < workload_.rank_count(); ++t) {
          const RankId target{t};
          rings_.push_back({.source = source,
                            .target = target,
                            .shape = shape_,
                            .tail = plan_.add_flag(target),
                            .head = plan_.add_flag(source),
                            .rows = static_cast<std::uint32_t>(fanout.tokens_to(target).size()),
                            .tokens_scanned = range.size(),
                            .slots = plan_.add_memory("slot of a ring", target, shape_.queue)});
        }
      }
    }
  }

  [[nodiscard]] const Ring& ring(std::uint32_t channel,
                                 std::uint32_t source,
                                 std::uint32_t target) const {
    return rings_[(channel * workload_.rank_count() + source) * workload_.rank_count() + target];
  }

  void write_rank(RankId rank, std::int64_t after) {
    plan_.begin_kernel({.rank = rank,
                        .name = "dispatch",
                        .after = after,
                        .delay = after >= 0 ? notify_host_ : Duration{},
                        .start_overhead = start_,
                        .finish_overhead = finish_});
    const std::uint32_t warps = warps_per_rank(workload_);
    for (std::uint32_t c = 0; c < channel_count(workload_); ++c) {
      plan_.begin_cta();
      for (std::uint32_t t = 0; t < workload_.rank_count(); ++t)
        write_ring_sender(plan_, ring(c, rank.value, t), row_, pace_, warps);
      plan_.begin_cta();
      for (std::uint32_t s = 0; s < workload_.rank_count(); ++s)
        write_receiver(ring(c, s, rank.value), warps);
    }
  }

  // Takes what the tail offers, a chunk at a time, and gives the room back.
  void write_receiver(const Ring& ring, std::uint32_t warps) {
    plan_.begin_agent(Role::receiver);
    for (std::uint32_t read = 0; read < ring.rows;) {
      const std::uint32_t rows = std::min(ring.shape.chunk, ring.rows - read);
      read += rows;
      plan_.wait(Phase::wait, ring.tail, read);
      const std::int64_t rounds = (rows + warps - 1) / warps;
      write_fences(rows, warps);
      plan_.serve(Phase::receive, Bytes{row_.count * rows}, rounds * receive_row_ + receive_step_);
      touch_ring(plan_, ring, read - rows, rows, AccessKind::read, AccessWay::bulk);
      plan_.signal(Phase::receive, ring.head, rows);
      plan_.releases_nothing();  // st.relaxed.sys
    }
  }

  // The tail is acquired by one thread, with ordinary loads; each warp's elected lane then brings
  // its rows in with bulk copies. A fence stands before a warp's first row of the chunk, or before
  // each, and warps do theirs side by side.
  void write_fences(std::uint32_t rows, std::uint32_t warps) {
    const auto fence = [&](FenceKind kind, std::uint32_t executing) {
      if (kind != FenceKind::none)
        plan_.fence(Phase::receive, kind, fence_cost(hardware_, kind), executing);
    };
    fence(sites_.poller, 1);
    fence(sites_.after_grid_sync, std::min(rows, warps));
    for (std::uint32_t row = 0; row < rows; row += warps)
      fence(sites_.load, std::min(rows - row, warps));
  }

  const Workload& workload_;
  const ConstantSet& hardware_;
  FenceSites sites_;
  Bytes row_;
  RingShape shape_;
  Duration start_, finish_, release_, receive_row_, receive_step_, notify_host_;
  ChunkPace pace_;
  PlanBuilder plan_;
  std::vector<Ring> rings_;                   // channel, source, target
  std::vector<std::vector<FlagId>> arrived_;  // rank, notify barrier
};

}  // namespace

Plan plan_intranode_dispatch(const Workload& workload,
                             const ConstantSet& hardware,
                             const ConstantSet& family) {
  return IntranodeDispatchWriter(workload, hardware, family).write();
}

}  // namespace epsim
