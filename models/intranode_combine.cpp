#include <array>
#include <vector>

#include "models/intranode.hpp"
#include "models/intranode_channels.hpp"
#include "models/rank_rates.hpp"
#include "sim/base/check.hpp"

namespace epsim {
namespace {

constexpr std::int64_t kCombineUnroll = 4;
constexpr std::int64_t kReduceStepBytes = 512;                 // 32 lanes x 16 bytes
constexpr std::uint32_t kReducingWarps = kIntranodeWarps - 1;  // one warp moves the heads

// The way back of a dispatch: rows flow from the ranks that host experts to the token's home, which
// adds up one row of each.
class IntranodeCombineWriter {
 public:
  IntranodeCombineWriter(const Workload& workload,
                         const ConstantSet& hardware,
                         const ConstantSet& family)
      : workload_(workload),
        row_(combine_message(workload.hidden, CombineFormat::bf16)),
        shape_(combine_ring(workload.rank_count())),
        start_(hardware.duration("kernel_start")),
        finish_(hardware.duration("kernel_finish")),
        pace_{.wait_local = family.duration("local_head_read"),
              .wait_peer = family.duration("head_read"),
              .scan = {},
              .row = copy_trips(row_.count, kCombineUnroll) * family.duration("combine_trip"),
              .release = family.duration("combine_release"),
              .start = family.duration("channel_start")},
        reduce_step_(family.duration("reduce_step")),
        reduce_source_(family.duration("reduce_source")),
        plan_("intranode combine",
              workload.rank_count(),
              static_cast<std::uint32_t>(workload.topology->gpu_spec().sm_count),
              rates(hardware, family)) {}

  Plan write() {
    if (workload_.record_accesses) plan_.record_accesses();
    for (std::uint32_t r = 0; r < workload_.rank_count(); ++r) {
      plan_.set_rank_start(RankId{r}, workload_.rank_start[r]);
      make_home(RankId{r});
    }
    for (std::uint32_t r = 0; r < workload_.rank_count(); ++r) write_rank(RankId{r});
    return plan_.take();
  }

 private:
  RankRates rates(const ConstantSet& hardware, const ConstantSet& family) const {
    RankRates rates = hardware_rates(hardware, workload_);
    rates.link_efficiency *= family.ratio("combine_link_share");
    rates.put_chunk = kPiece;
    rates.put_window = kPiecesUnderWay;
    rates.serve_traffic = 1.0;
    return rates;
  }

  // The tokens of one home rank in one channel, and the rings that bring their rows.
  struct Home {
    TokenFanout fanout;
    std::vector<Ring> rings;  // by source of the rows
  };

  void make_home(RankId home) {
    for (std::uint32_t c = 0; c < channel_count(workload_); ++c) {
      const TokenRange range = channel_range({.tokens = workload_.routing->token_count(home),
                                              .channel = c,
                                              .channels = channel_count(workload_)});
      Home entry{TokenFanout(*workload_.routing, *workload_.placement, home, range), {}};
      for (std::uint32_t s = 0; s < workload_.rank_count(); ++s)
        entry.rings.push_back(
            {.source = RankId{s},
             .target = home,
             .shape = shape_,
             .tail = plan_.add_flag(home),
             .head = plan_.add_step_flag(RankId{s}),
             .rows = static_cast<std::uint32_t>(entry.fanout.tokens_to(RankId{s}).size()),
             .tokens_scanned = 0,
             .slots = plan_.add_memory("slot of a ring", home, shape_.queue)});
      homes_.push_back(std::move(entry));
    }
  }

  [[nodiscard]] const Home& home(RankId rank, std::uint32_t channel) const {
    return homes_[rank.index() * channel_count(workload_) + channel];
  }

  void write_rank(RankId rank) {
    plan_.begin_kernel(
        {.rank = rank, .name = "combine", .start_overhead = start_, .finish_overhead = finish_});
    for (std::uint32_t c = 0; c < channel_count(workload_); ++c) {
      plan_.begin_cta();
      for (std::uint32_t t = 0; t < workload_.rank_count(); ++t)
        write_ring_sender(
            plan_, home(RankId{t}, c).rings[rank.index()], row_, pace_, warps_per_rank(workload_));
      plan_.begin_cta();
      write_reduction(home(rank, c));
    }
  }

  // Warps take the channel's tokens in turn; each waits for the row of every source, then adds them
  // up.
  void write_reduction(const Home& home) {
    const TokenRange range = home.fanout.range();
    const std::int64_t steps = (row_.count + kReduceStepBytes - 1) / kReduceStepBytes;
    std::vector<std::vector<std::uint32_t>> rows_before(workload_.rank_count());
    std::vector<std::uint32_t> count(workload_.rank_count());
    for (std::uint32_t t = range.begin; t < range.end; ++t)
      for (std::uint32_t s = 0; s < workload_.rank_count(); ++s) {
        if (home.fanout.token_goes_to(t, RankId{s})) ++count[s];
        rows_before[s].push_back(count[s]);
      }
    for (std::uint32_t w = 0; w < kReducingWarps; ++w) {
      plan_.begin_agent(Role::receiver);
      for (std::uint32_t t = range.begin + w; t < range.end; t += kReducingWarps) {
        const auto sources = home.fanout.targets(t);
        for (const RankId s : sources)
          plan_.wait(
              Phase::wait, home.rings[s.index()].tail, rows_before[s.index()][t - range.begin]);
        if (sources.empty()) continue;
        const auto extra = static_cast<std::int64_t>(sources.size()) - 1;
        plan_.serve(Phase::reduce,
                    Bytes{row_.count * (extra + 2)},
                    steps * (reduce_step_ + extra * reduce_source_));
        const auto step = [&](RankId s) { return rows_before[s.index()][t - range.begin] - 1; };
        for (const RankId s : sources)
          touch_ring(
              plan_, home.rings[s.index()], step(s), 1, AccessKind::read, AccessWay::non_coherent);
        // A head moves when all warps are past a row: whoever waits for it waits for the first
        // rows.
        for (const RankId s : sources) {
          plan_.signal(Phase::reduce, home.rings[s.index()].head);
          plan_.completes_step(step(s));
          plan_.releases_nothing();
        }
      }
    }
  }

  const Workload& workload_;
  Bytes row_;
  RingShape shape_;
  Duration start_, finish_;
  ChunkPace pace_;
  Duration reduce_step_, reduce_source_;
  PlanBuilder plan_;
  std::vector<Home> homes_;  // rank, channel
};

}  // namespace

Plan plan_intranode_combine(const Workload& workload,
                            const ConstantSet& hardware,
                            const ConstantSet& family) {
  return IntranodeCombineWriter(workload, hardware, family).write();
}

}  // namespace epsim
