#include <algorithm>
#include <cmath>
#include <vector>

#include "models/combine_times.hpp"
#include "models/fence_sites.hpp"
#include "models/low_latency.hpp"
#include "models/low_latency_paths.hpp"
#include "models/plan_builder.hpp"
#include "models/rank_rates.hpp"
#include "sim/base/check.hpp"

namespace epsim {
namespace {

constexpr std::uint32_t kPiecesUnderWay = 3;  // bulk stores of one warp not yet complete
constexpr std::uint32_t kRingStages = 3;      // rows in flight of one load warp
constexpr std::uint32_t kWarpsPerCta = 32;
constexpr std::int64_t kChannelsPerWarp = 512;       // that a decode warp reduces
constexpr std::int64_t kGenericTripBytes = 32 * 16;  // P6: one 16-byte load by each lane

// Writes the plan of all ranks. Flags: `flags` stand at the token's home rank, one an expert.
class CombineWriter {
 public:
  CombineWriter(const Workload& workload,
                const ConstantSet& hardware,
                const ConstantSet& family,
                LowLatencyReach reach)
      : workload_(workload),
        hardware_(hardware),
        paths_(workload, reach),
        times_(combine_times(workload, hardware, family)),
        sites_(fence_sites(workload.fence, workload.fence_form)),
        row_(combine_message(workload.hidden, workload.combine_format)),
        sm_count_(static_cast<std::uint32_t>(workload.topology->gpu_spec().sm_count)),
        plan_("low-latency combine", workload.planned_ranks(), sm_count_, rates(hardware, family)) {
  }

  Plan write() {
    if (workload_.record_accesses) add_memory();
    paths_.add_queue_pairs(hardware_, plan_);
    for (std::uint32_t r = 0; r < workload_.planned_ranks(); ++r) {
      flags_.push_back(plan_.add_flags(RankId{r}, workload_.expert_count()));
      plan_.set_rank_start(RankId{r}, workload_.rank_start[r]);
    }
    for (std::uint32_t r = 0; r < workload_.planned_ranks(); ++r) write_rank(RankId{r});
    return plan_.take();
  }

 private:
  RankRates rates(const ConstantSet& hardware, const ConstantSet& family) const {
    RankRates rates = hardware_rates(hardware, workload_);
    rates.put_window = kPiecesUnderWay;
    // One source fills a receiver's port better than many that meet there; the loss saturates.
    const double sources = std::max(1U, paths_.nvlink_peers());
    const double crowd = family.ratio("combine_link_crowd");
    rates.link_efficiency *= family.ratio("combine_link_share") * (crowd + (1 - crowd) / sources);
    // The SM's copy engine passes a row block by block, each loaded and stored.
    const std::int64_t blocks = combine_blocks(workload_);
    const double seconds = to_us(family.duration("combine_sm_block")) * 1e-6;
    rates.put_path = {
        {}, Bandwidth{static_cast<double>(row_.count) / (static_cast<double>(blocks) * seconds)}};
    rates.local_put_path = rates.put_path;
    rates.memory =
        read_rate(hardware, workload_.topology->gpu_spec(), combine_footprint(workload_));
    rates.serve_traffic = 1.0;  // a generic copy reads memory and writes shared memory
    rates.load_path.rate = hardware.bandwidth("sm_bulk_load");
    return rates;
  }

  // Rows in the buffers of their home ranks, by expert and then by token.
  void add_memory() {
    check(workload_.fold.planned == 0, "a checker sees every rank");
    plan_.record_accesses();
    for (std::uint32_t r = 0; r < workload_.rank_count(); ++r) {
      first_row_.emplace_back();
      std::uint32_t rows = 0;
      for (std::uint32_t slot = 0; slot < workload_.expert_count(); ++slot) {
        first_row_.back().push_back(rows);
        rows += workload_.traffic->tokens(RankId{r}, workload_.expert_at(slot));
      }
      const std::uint32_t first = plan_.add_memory("row of the combine buffer", RankId{r}, rows);
      for (std::uint32_t& row : first_row_.back()) row += first;
    }
  }

  // Location of the first row that an expert slot sends to its home, if locations are recorded.
  [[nodiscard]] std::uint32_t first_row(RankId home, std::uint32_t slot) const {
    return first_row_.empty() ? 0 : first_row_[home.index()][slot];
  }

  // Of each token and choice of a rank, in order: where its row lies.
  void locate_rows(RankId rank) {
    row_of_choice_.clear();
    if (first_row_.empty()) return;
    std::vector<std::uint32_t> next = first_row_[rank.index()];
    for (std::uint32_t t = 0; t < workload_.routing->token_count(rank); ++t)
      for (const ExpertChoice choice : workload_.routing->choices(rank, t))
        row_of_choice_.push_back(choice == kMasked ? 0
                                                   : next[workload_.slot_of(expert_of(choice))]++);
  }

  void write_rank(RankId rank) {
    locate_rows(rank);
    drain_share_ = hears_peers(rank) ? 1 : times_.home_drains;
    const std::uint32_t tokens = workload_.routing->token_count(rank);
    const LowLatencyLaunch launch = combine_launch(workload_.expert_count(), sm_count_, tokens);
    const Reduction reduction = reduction_of(rank, launch);
    // Send, poll, reduce: cut behind the send where the launch is split, and before the reduction
    // where a kernel boundary stands for the fence. Within one kernel a grid sync lies between.
    const bool split = workload_.split.split;
    const bool reduces_apart = sites_.second_kernel;
    begin_kernel(rank, split || reduces_apart ? "combine send" : "combine", -1);
    write_ctas(launch, Role::combine_warp, [&](std::uint32_t c) {
      write_send(rank, launch, c);
      if (!split) write_pollers(rank, launch, c, reduction);
      if (!split && !reduces_apart) write_token_groups(rank, launch, c, reduction);
    });
    if (split) {
      begin_kernel(rank, reduces_apart ? "combine poll" : "combine receive", last_kernel_);
      write_ctas(launch, Role::load_warp, [&](std::uint32_t c) {
        write_pollers(rank, launch, c, reduction);
        if (!reduces_apart) write_token_groups(rank, launch, c, reduction);
      });
    }
    if (!reduces_apart) return;
    begin_kernel(rank, "combine receive", last_kernel_);
    write_ctas(launch, Role::load_warp, [&](std::uint32_t c) {
      write_token_groups(rank, launch, c, reduction);
    });
  }

  // Whether a row of the rank's tokens comes from another rank.
  [[nodiscard]] bool hears_peers(RankId rank) const {
    const auto choices = workload_.routing->choices(rank);
    return std::any_of(choices.begin(), choices.end(), [&](ExpertChoice choice) {
      return choice != kMasked && workload_.placement->rank_of(expert_of(choice)) != rank;
    });
  }

  void begin_kernel(RankId rank, std::string_view name, std::int64_t after) {
    const KernelId kernel =
        plan_.begin_kernel({.rank = rank,
                            .name = name,
                            .after = after,
                            .delay = after < 0 ? Duration{} : workload_.split.gap,
                            .start_overhead = times_.start,
                            .finish_overhead = times_.finish});
    last_kernel_ = kernel.value;
  }

  // Every CTA is launched; one that has nothing to do holds an agent of role `idle`.
  template <typename Write>
  void write_ctas(const LowLatencyLaunch& launch, Role idle, Write write) {
    for (std::uint32_t c = 0; c < launch.cta_count; ++c) {
      plan_.begin_cta();
      write(c);
      if (plan_.cta_is_empty()) plan_.begin_agent(idle);
    }
  }

  // A warp group sends the rows of one (home rank, local expert) pair back.
  void write_send(RankId rank, const LowLatencyLaunch& launch, std::uint32_t cta) {
    const std::uint32_t first = std::min(cta * launch.groups_per_cta, workload_.expert_count());
    const std::uint32_t last = std::min(first + launch.groups_per_cta, workload_.expert_count());
    for (std::uint32_t x = first; x < last; ++x) {
      const Errand errand = errand_of(rank, x);
      const std::uint32_t warps = std::min(errand.rows, launch.warps_per_group);
      const BarrierId group = plan_.add_barrier(warps + 1);
      const std::uint32_t staged = errand.is_remote ? add_send_rows(rank, errand.rows) : 0;
      for (std::uint32_t w = 0; w < warps; ++w) {
        plan_.begin_agent(Role::combine_warp);
        for (std::uint32_t i = w; i < errand.rows; i += warps)
          errand.is_remote ? post_row(rank, errand, i, staged + i) : put_row(errand, i);
        if (!errand.is_remote) plan_.drain(Phase::wire);
        plan_.barrier(Phase::send, group, times_.cta_barrier);
      }
      plan_.begin_agent(Role::flag_poster);
      plan_.barrier(Phase::send, group, times_.cta_barrier);
      const FlagId flag{flags_[errand.home.index()].value + errand.slot};
      if (errand.is_remote)
        plan_.post_signal(Phase::signal, errand.queue, flag, 1, paths_.post());
      else
        plan_.signal(Phase::signal, flag, 1, times_.publish);
    }
  }

  // What a warp group of a rank does: rows of one of its experts, to the rank whose tokens they
  // are.
  struct Errand {
    RankId home;         // or the planned rank that stands for it
    std::uint32_t slot;  // the expert's, as `home` counts them
    std::uint32_t rows;
    bool is_remote;
    QueuePairId queue{};
  };

  Errand errand_of(RankId rank, std::uint32_t x) const {
    const std::uint32_t home = x / workload_.experts_per_rank();
    const std::uint32_t local = x % workload_.experts_per_rank();
    const std::uint32_t slot =
        workload_.image_of(rank.value, home) * workload_.experts_per_rank() + local;
    Errand errand{
        .home = workload_.site_of(home),
        .slot = slot,
        .rows = workload_.traffic->tokens(workload_.site_of(home), workload_.expert_at(slot)),
        .is_remote = paths_.is_remote(rank, home)};
    if (errand.is_remote) errand.queue = paths_.queue(rank, home, local);
    return errand;
  }

  // Rows of a send buffer, if locations are recorded.
  std::uint32_t add_send_rows(RankId rank, std::uint32_t rows) {
    return first_row_.empty() ? 0 : plan_.add_memory("row of the send buffer", rank, rows);
  }

  void put_row(const Errand& errand, std::uint32_t row) {
    plan_.put(Phase::send, errand.home, row_, times_.row);
    plan_.writes(first_row(errand.home, errand.slot) + row, AccessWay::bulk);
  }

  // The pipeline ends in a buffer of the own rank, whole before the NIC hears of it.
  void post_row(RankId rank, const Errand& errand, std::uint32_t row, std::uint32_t staged) {
    plan_.put(Phase::send, rank, row_, times_.row);
    plan_.writes(staged, AccessWay::bulk);
    plan_.drain(Phase::send);
    plan_.post(Phase::send, errand.queue, row_, paths_.post());
    plan_.reads(staged, AccessWay::generic);
    plan_.writes(first_row(errand.home, errand.slot) + row, AccessWay::bulk);
  }

  // Of a token group; each reduces its share of every row.
  [[nodiscard]] std::uint32_t decode_warps() const {
    return static_cast<std::uint32_t>((workload_.hidden + kChannelsPerWarp - 1) / kChannelsPerWarp);
  }

  // Tokens that one load warp and its decode warps reduce, and how the two meet.
  struct TokenGroup {
    std::vector<std::uint32_t> rows;       // valid choices of each token
    std::vector<std::uint32_t> locations;  // of each row, if locations are recorded
    FlagId landed{}, emptied{};
    std::uint32_t ring = 0;  // location of the first stage

    [[nodiscard]] std::uint32_t stage(std::uint32_t row) const { return ring + row % kRingStages; }
  };

  // How a rank's tokens are cut over token groups: one load warp and its decode warps each.
  struct Reduction {
    std::uint32_t groups_per_cta;
    BarrierId grid;
  };

  Reduction reduction_of(RankId rank, const LowLatencyLaunch& launch) {
    const std::uint32_t warps =
        std::min(kWarpsPerCta, launch.groups_per_cta * launch.warps_per_group);
    const std::uint32_t groups = std::clamp(warps / (decode_warps() + 1), 1U, 2U);
    std::uint32_t members = workload_.expert_count();
    const std::uint32_t tokens = workload_.routing->token_count(rank);
    for (std::uint32_t c = 0; c < launch.cta_count; ++c)
      for (std::uint32_t q = 0; q < groups; ++q)
        if (c + launch.cta_count * q < tokens) ++members;
    return {groups, plan_.add_barrier(members)};
  }

  void write_pollers(RankId rank,
                     const LowLatencyLaunch& launch,
                     std::uint32_t cta,
                     const Reduction& reduction) {
    const std::uint32_t first = std::min(cta * launch.groups_per_cta, workload_.expert_count());
    const std::uint32_t last = std::min(first + launch.groups_per_cta, workload_.expert_count());
    for (std::uint32_t x = first; x < last; ++x) {
      plan_.begin_agent(Role::flag_poller);
      plan_.wait(Phase::wait, FlagId{flags_[rank.index()].value + x}, 1);
      fence(Phase::wait, sites_.poller);
      if (!sites_.second_kernel) plan_.barrier(Phase::wait, reduction.grid, times_.grid_sync);
    }
  }

  void write_token_groups(RankId rank,
                          const LowLatencyLaunch& launch,
                          std::uint32_t cta,
                          const Reduction& reduction) {
    const std::uint32_t tokens = workload_.routing->token_count(rank);
    for (std::uint32_t q = 0; q < reduction.groups_per_cta; ++q) {
      TokenGroup group;
      for (std::uint32_t t = cta + launch.cta_count * q; t < tokens;
           t += launch.cta_count * reduction.groups_per_cta) {
        const auto choices = workload_.routing->choices(rank, t);
        group.rows.push_back(static_cast<std::uint32_t>(std::count_if(
            choices.begin(), choices.end(), [](ExpertChoice c) { return c != kMasked; })));
        for (std::size_t k = 0; k < choices.size() && plan_.records_accesses(); ++k)
          if (choices[k] != kMasked)
            group.locations.push_back(row_of_choice_[t * workload_.top_k() + k]);
      }
      if (!group.rows.empty()) write_token_group(rank, group, reduction.grid);
    }
  }

  void write_token_group(RankId rank, TokenGroup& group, BarrierId grid) {
    group.landed = plan_.add_step_flag(rank);
    group.emptied = plan_.add_step_flag(rank);
    group.ring = plan_.add_shared_memory("stage of the ring", rank, kRingStages);
    write_load_warp(group, grid);
    plan_.begin_agent(Role::decode_warps);
    std::uint32_t row = 0;
    for (const std::uint32_t token_rows : group.rows) {
      for (std::uint32_t k = 0; k < token_rows; ++k) {
        plan_.wait(Phase::receive, group.landed, ++row);
        plan_.work(Phase::reduce, times_.decode);
        plan_.reads(group.stage(row - 1), AccessWay::generic);
        fence(Phase::reduce, sites_.stage_release, decode_warps());
        plan_.signal(Phase::reduce, group.emptied, 1, {}, Scope::cta);
      }
      plan_.work(Phase::store, times_.store);
    }
  }

  void write_load_warp(const TokenGroup& group, BarrierId grid) {
    plan_.begin_agent(Role::load_warp);
    if (!sites_.second_kernel) plan_.barrier(Phase::wait, grid, times_.grid_sync);
    plan_.work(Phase::receive, times_.reduce_setup);
    fence(Phase::receive, sites_.after_grid_sync);
    std::uint32_t row = 0;
    for (const std::uint32_t token_rows : group.rows) {
      for (std::uint32_t k = 0; k < token_rows; ++k, ++row) {
        if (row >= kRingStages) plan_.wait(Phase::receive, group.emptied, row + 1 - kRingStages);
        if (k == 0) fence_loads(sites_.token, group.landed, row);
        fence_loads(sites_.load, group.landed, row);
        if (sites_.generic_copy) {
          const std::int64_t trips = (row_.count + kGenericTripBytes - 1) / kGenericTripBytes;
          plan_.serve(Phase::receive, row_, trips * times_.generic_trip);
          touch_row(group, row, AccessWay::generic);
          plan_.signal(Phase::receive, group.landed, 1, {}, Scope::cta);
        } else {
          plan_.load(Phase::receive, row_, group.landed, times_.load);
          touch_row(group, row, AccessWay::bulk);
        }
      }
    }
  }

  void touch_row(const TokenGroup& group, std::uint32_t row, AccessWay way) {
    if (!plan_.records_accesses()) return;
    plan_.reads(group.locations[row], way);
    plan_.writes(group.stage(row), way);
  }

  // A fence that reaches further than its CTA waits for the thread's own bulk loads, and so empties
  // the ring: in M10 the period of a row grows from what memory and SM take to pass it to that, a
  // load's latency and the fence, whatever the depth of the ring. A fence of the system is long
  // enough to travel while the last row lands; those of gpu and cluster are taken to do the same.
  // Of a rank that hears no peer a share of the loads waits; see docs/fence_table.md.
  void fence_loads(FenceKind kind, FlagId landed, std::uint32_t loads) {
    const bool is_wide = kind == FenceKind::acq_rel_sys || kind == FenceKind::acq_rel_gpu ||
                         kind == FenceKind::acq_rel_cluster;
    const bool drains = kind == FenceKind::proxy_async || is_wide;
    if (!drains || loads == 0) return fence(Phase::receive, kind);
    if (std::floor(drain_share_ * loads) == std::floor(drain_share_ * (loads - 1)))
      return fence(Phase::receive, kind);
    plan_.wait(Phase::receive, landed, loads);
    const Duration whole = fence_cost(hardware_, kind);
    plan_.fence(Phase::receive, kind, is_wide ? std::max(Duration{}, whole - times_.load) : whole);
  }

  void fence(Phase phase, FenceKind kind, std::uint32_t warps = 1) {
    if (kind != FenceKind::none) plan_.fence(phase, kind, fence_cost(hardware_, kind), warps);
  }

  const Workload& workload_;
  const ConstantSet& hardware_;
  LowLatencyPaths paths_;
  CombineTimes times_;
  FenceSites sites_;
  Bytes row_;
  std::uint32_t sm_count_;
  PlanBuilder plan_;
  std::vector<FlagId> flags_;  // one block of flags a rank
  std::int64_t last_kernel_ = -1;
  double drain_share_ = 1;  // of the rank being written
  // Locations, if they are recorded.
  std::vector<std::vector<std::uint32_t>> first_row_;  // by home rank, expert slot
  std::vector<std::uint32_t> row_of_choice_;           // of the rank being written
};

}  // namespace

Plan plan_low_latency_combine(const Workload& workload,
                              const ConstantSet& hardware,
                              const ConstantSet& family) {
  return CombineWriter(workload, hardware, family, LowLatencyReach::nvlink_or_rdma).write();
}

Plan plan_rdma_low_latency_combine(const Workload& workload,
                                   const ConstantSet& hardware,
                                   const ConstantSet& family) {
  return CombineWriter(workload, hardware, family, LowLatencyReach::rdma_only).write();
}

}  // namespace epsim
