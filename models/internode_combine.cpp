#include <algorithm>
#include <vector>

#include "models/internode_channels.hpp"
#include "models/intranode_channels.hpp"
#include "models/network_constants.hpp"
#include "models/rank_rates.hpp"
#include "sim/base/check.hpp"

namespace epsim {
namespace {

constexpr std::int64_t kCombineUnroll = 4;
constexpr std::int64_t kReduceStepBytes = 512;  // 32 lanes x 16 bytes
constexpr std::uint32_t kForwardingWarps = 24;  // of all home hosts together
constexpr std::uint32_t kReceivingWarps = 16;   // 24, less one for each local rank it sends to

// Rows of one channel from a local rank to the forwarder of their home's place, for one home host.
struct LocalRing {
  FlagId tail;  // at the forwarder
  FlagId head;  // at the sender
};
// Sums of one channel from a forwarder to the home.
struct RailRing {
  FlagId tail;    // at the home
  FlagId head;    // at the forwarder
  FlagId summed;  // at the home: rows that its receivers have read
};

// The way back of a dispatch: rows go to the local GPU of their home's place, which adds up one row
// of each local rank; the sums go to the home, which adds up one of each host.
class InternodeCombineWriter {
 public:
  InternodeCombineWriter(const Workload& workload,
                         const ConstantSet& hardware,
                         const ConstantSet& family)
      : workload_(workload),
        layout_(host_layout(workload)),
        channels_(channel_count(workload)),
        rings_(internode_combine_rings(workload.rank_count())),
        local_queue_(std::max(2U, rings_.nvlink.queue / layout_.hosts)),
        // A ring must hold the rows of a block that its sender fills while another is read.
        blocks_(workload,
                layout_,
                {.rows = rings_.rdma.chunk, .most = std::min(kMostBlockTokens, local_queue_ / 2)}),
        row_(combine_message(workload.hidden, CombineFormat::bf16)),
        steps_((row_.count + kReduceStepBytes - 1) / kReduceStepBytes),
        hardware_(hardware),
        family_(family),
        post_(hardware.duration("post_write")),
        release_(family.duration("combine_release")),
        row_time_(copy_trips(row_.count, kCombineUnroll) * family.duration("combine_trip")),
        plan_("internode combine",
              workload.rank_count(),
              static_cast<std::uint32_t>(workload.topology->gpu_spec().sm_count),
              rates()),
        queues_(plan_, layout_, channels_) {
    plan_.set_nic(nic_rates(hardware));
  }

  Plan write() {
    for (std::uint32_t r = 0; r < workload_.rank_count(); ++r)
      plan_.set_rank_start(RankId{r}, workload_.rank_start[r]);
    make_rings();
    for (std::uint32_t r = 0; r < workload_.rank_count(); ++r) write_rank(r);
    return plan_.take();
  }

 private:
  static constexpr std::uint32_t kMostBlockTokens = 32;  // a quarter of the RDMA ring

  RankRates rates() const {
    RankRates rates = hardware_rates(hardware_, workload_);
    rates.link_efficiency *= family_.ratio("combine_link_share");
    rates.put_chunk = kInternodePiece;
    rates.put_window = kPiecesUnderWay;
    rates.serve_traffic = 1.0;
    return rates;
  }

  void make_rings() {
    for (std::uint32_t c = 0; c < channels_; ++c)
      for (std::uint32_t home = 0; home < workload_.rank_count(); ++home) {
        for (std::uint32_t h = 0; h < layout_.hosts; ++h)
          rail_rings_.push_back({.tail = plan_.add_flag(RankId{home}),
                                 .head = plan_.add_flag(RankId{layout_.rail_peer(home, h)}),
                                 .summed = plan_.add_flag(RankId{home})});
        for (std::uint32_t r = 0; r < workload_.rank_count(); ++r) {
          const std::uint32_t forwarder = layout_.rail_peer(home, layout_.host_of(r));
          local_rings_.push_back(
              {.tail = plan_.add_flag(RankId{forwarder}), .head = plan_.add_flag(RankId{r})});
        }
      }
  }

  [[nodiscard]] const RailRing& rail(std::uint32_t c,
                                     std::uint32_t home,
                                     std::uint32_t host) const {
    return rail_rings_[(c * workload_.rank_count() + home) * layout_.hosts + host];
  }
  // Rows of `home` from rank `sender`.
  [[nodiscard]] const LocalRing& local(std::uint32_t c,
                                       std::uint32_t home,
                                       std::uint32_t sender) const {
    return local_rings_[(c * workload_.rank_count() + home) * workload_.rank_count() + sender];
  }

  void write_rank(std::uint32_t rank) {
    plan_.begin_kernel({.rank = RankId{rank},
                        .name = "combine",
                        .start_overhead = hardware_.duration("kernel_start"),
                        .finish_overhead = hardware_.duration("kernel_finish")});
    for (std::uint32_t c = 0; c < channels_; ++c) {
      plan_.begin_cta();
      for (std::uint32_t p = 0; p < layout_.locals; ++p) write_sender(rank, c, p);
      write_receivers(rank, c);
      for (std::uint32_t h = 0; h < layout_.hosts; ++h) write_credit(rank, c, h);
      plan_.begin_cta();
      for (std::uint32_t h = 0; h < layout_.hosts; ++h) write_forwarders(rank, c, h);
    }
  }

  // One warp for each local rank: the rows of all homes of its place, host by host in each block.
  void write_sender(std::uint32_t rank, std::uint32_t c, std::uint32_t p) {
    plan_.begin_agent(Role::sender);
    plan_.work(Phase::launch, family_.duration("channel_start"));
    const std::uint32_t own = layout_.host_of(rank);
    const std::uint32_t forwarder = layout_.rank_at(own, p);
    std::vector<std::uint32_t> sent(layout_.hosts);
    for (std::uint32_t b = 0; b < blocks_.block_count(); ++b)
      for (std::uint32_t i = 0; i < layout_.hosts; ++i) {
        const std::uint32_t h = (own + i) % layout_.hosts;
        const std::uint32_t home = layout_.rank_at(h, p);
        const LocalRing& ring = local(c, home, rank);
        const std::uint32_t rows = blocks_.to_rank(home, c, b, rank);
        for (std::uint32_t done = 0; done < rows; done += rings_.nvlink.chunk) {
          const std::uint32_t chunk = std::min(rings_.nvlink.chunk, rows - done);
          sent[h] += chunk;
          if (sent[h] > local_queue_) plan_.wait(Phase::wait, ring.head, sent[h] - local_queue_);
          plan_.put(Phase::send,
                    RankId{forwarder},
                    Bytes{row_.count * chunk},
                    std::int64_t{chunk} * row_time_);
          plan_.drain(Phase::wire);
          plan_.signal(Phase::signal, ring.tail, chunk, release_);
        }
      }
  }

  // Time of `warps` that take `rows` sums of `sources` rows in all.
  [[nodiscard]] Duration reduce_time(std::uint32_t rows,
                                     std::uint32_t sources,
                                     std::uint32_t warps) const {
    const std::int64_t rounds = (rows + warps - 1) / warps;
    const std::int64_t extra = sources - rows;  // rows beyond the first of a sum, over all sums
    return rounds * steps_ * family_.duration("reduce_step") +
           rounds * steps_ * extra * family_.duration("reduce_source") / rows;
  }

  // The warps of one home host add up what local ranks bring and send the sums home.
  void write_forwarders(std::uint32_t rank, std::uint32_t c, std::uint32_t home_host) {
    plan_.begin_agent(Role::sender);
    const std::uint32_t own = layout_.host_of(rank);
    const std::uint32_t home = layout_.rail_peer(rank, home_host);
    const std::uint32_t warps = std::max(1U, kForwardingWarps / layout_.hosts);
    const RailRing& ring = rail(c, home, own);
    std::vector<std::uint32_t> read(layout_.locals);
    std::uint32_t sent = 0;
    for (std::uint32_t b = 0; b < blocks_.block_count(); ++b) {
      const std::uint32_t rows = blocks_.to_host(home, c, b, own);
      if (rows == 0) continue;
      sent += rows;
      if (sent > rings_.rdma.queue) plan_.wait(Phase::wait, ring.head, sent - rings_.rdma.queue);
      const auto brought = [&](std::uint32_t p) {
        return blocks_.to_rank(home, c, b, layout_.rank_at(own, p));
      };
      std::uint32_t sources = 0;
      for (std::uint32_t p = 0; p < layout_.locals; ++p) {
        if (brought(p) == 0) continue;
        sources += brought(p);
        read[p] += brought(p);
        plan_.wait(Phase::wait, local(c, home, layout_.rank_at(own, p)).tail, read[p]);
      }
      plan_.serve(
          Phase::reduce, Bytes{row_.count * (sources + rows)}, reduce_time(rows, sources, warps));
      for (std::uint32_t p = 0; p < layout_.locals; ++p) {
        if (brought(p) == 0) continue;
        plan_.signal(Phase::reduce, local(c, home, layout_.rank_at(own, p)).head, brought(p));
        plan_.releases_nothing();
      }
      if (home == rank) {
        plan_.signal(Phase::signal, ring.tail, rows, release_);
      } else {
        const QueuePairId queue = queues_.queue(rank, home_host, c);
        plan_.post(Phase::send, queue, Bytes{row_.count * rows}, post_);
        plan_.post_signal(Phase::signal, queue, ring.tail, rows, post_);
      }
    }
  }

  // All receiving warps of a channel: add up one sum of each host and store the token.
  void write_receivers(std::uint32_t rank, std::uint32_t c) {
    plan_.begin_agent(Role::receiver);
    std::vector<std::uint32_t> read(layout_.hosts);
    for (std::uint32_t b = 0; b < blocks_.block_count(); ++b) {
      std::uint32_t sums = 0;
      for (std::uint32_t h = 0; h < layout_.hosts; ++h) {
        const std::uint32_t rows = blocks_.to_host(rank, c, b, h);
        if (rows == 0) continue;
        read[h] += rows;
        sums += rows;
        plan_.wait(Phase::wait, rail(c, rank, h).tail, read[h]);
      }
      // Tokens that went nowhere have no sum; that there are any is not kept by the block.
      const std::uint32_t tokens = std::min(blocks_.tokens(rank, c, b), sums);
      if (tokens == 0) continue;
      plan_.serve(Phase::reduce,
                  Bytes{row_.count * (sums + tokens)},
                  reduce_time(tokens, sums, kReceivingWarps));
      for (std::uint32_t h = 0; h < layout_.hosts; ++h)
        if (const std::uint32_t rows = blocks_.to_host(rank, c, b, h); rows > 0)
          plan_.signal(Phase::reduce, rail(c, rank, h).summed, rows, {}, Scope::cta);
    }
  }

  // The receivers' coordinator: gives the room in the RDMA rings back.
  void write_credit(std::uint32_t rank, std::uint32_t c, std::uint32_t host) {
    plan_.begin_agent(Role::receiver);
    const RailRing& ring = rail(c, rank, host);
    std::uint32_t summed = 0;
    for (std::uint32_t b = 0; b < blocks_.block_count(); ++b) {
      const std::uint32_t rows = blocks_.to_host(rank, c, b, host);
      if (rows == 0) continue;
      summed += rows;
      plan_.wait(Phase::wait, ring.summed, summed, family_.duration("coordinator_poll"));
      if (host == layout_.host_of(rank))
        plan_.signal(Phase::receive, ring.head, rows);
      else
        plan_.post_signal(Phase::receive, queues_.queue(rank, host, c), ring.head, rows, post_);
    }
  }

  const Workload& workload_;
  HostLayout layout_;
  std::uint32_t channels_;
  InternodeRings rings_;
  std::uint32_t local_queue_;  // rows that an NVLink ring holds for one home host
  ChannelBlocks blocks_;
  Bytes row_;
  std::int64_t steps_;  // of a warp that adds up one row
  const ConstantSet& hardware_;
  const ConstantSet& family_;
  Duration post_, release_, row_time_;
  PlanBuilder plan_;
  RailQueues queues_;
  std::vector<RailRing> rail_rings_;    // channel, home, host of the forwarder
  std::vector<LocalRing> local_rings_;  // channel, home, sender
};

}  // namespace

Plan plan_internode_combine(const Workload& workload,
                            const ConstantSet& hardware,
                            const ConstantSet& family) {
  return InternodeCombineWriter(workload, hardware, family).write();
}

}  // namespace epsim
