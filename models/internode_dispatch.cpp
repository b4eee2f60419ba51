#include <algorithm>
#include <vector>

#include "models/internode_channels.hpp"
#include "models/intranode_channels.hpp"
#include "models/network_constants.hpp"
#include "models/rank_rates.hpp"

namespace epsim {
namespace {

constexpr std::uint32_t kPackingWarps = 7;
constexpr std::uint32_t kMostBlockTokens = 32;  // a quarter of the RDMA ring
constexpr std::uint32_t kNotifyBarriers = 2;

// Rows of one channel from a rank to the GPU of its place on one host, its own host included.
struct RailRing {
  FlagId packed;               // at the source: rows in its send ring
  FlagId tail;                 // at the target: rows that have arrived
  FlagId head;                 // at the source: rows that all forwarders are past
  std::vector<FlagId> passed;  // at the target: rows that one forwarder is past, by local rank
};
// Rows of one channel from a forwarding rank to a local one.
struct LocalRing {
  FlagId tail;  // at the receiver
  FlagId head;  // at the forwarder
};

class InternodeDispatchWriter {
 public:
  InternodeDispatchWriter(const Workload& workload,
                          const ConstantSet& hardware,
                          const ConstantSet& family)
      : workload_(workload),
        layout_(host_layout(workload)),
        channels_(channel_count(workload)),
        rings_(internode_dispatch_rings(workload.rank_count())),
        blocks_(workload, layout_, {.rows = rings_.rdma.chunk, .most = kMostBlockTokens}),
        row_(dispatch_message(workload.hidden, workload.dispatch_format)),
        hardware_(hardware),
        family_(family),
        post_(hardware.duration("post_write")),
        release_(family.duration("chunk_release")),
        scan_(family.duration("relay_scan")),
        relay_(family.duration("relay_row")),
        plan_("internode dispatch",
              workload.rank_count(),
              static_cast<std::uint32_t>(workload.topology->gpu_spec().sm_count),
              rates()),
        queues_(plan_, layout_, channels_) {
    plan_.set_nic(nic_rates(hardware));
  }

  Plan write() {
    const std::uint32_t ranks = workload_.rank_count();
    for (std::uint32_t r = 0; r < ranks; ++r)
      plan_.set_rank_start(RankId{r}, workload_.rank_start[r]);
    std::vector<KernelId> notified;
    if (workload_.counted) notified = write_notify();
    make_rings();
    for (std::uint32_t r = 0; r < ranks; ++r)
      write_rank(r, workload_.counted ? notified[r].value : std::int64_t{-1});
    return plan_.take();
  }

 private:
  RankRates rates() const {
    RankRates rates = hardware_rates(hardware_, workload_);
    rates.link_efficiency *= family_.ratio("dispatch_link_share");
    rates.put_chunk = kInternodePiece;
    rates.put_window = kPiecesUnderWay;
    rates.serve_traffic = 1.0;
    return rates;
  }

  [[nodiscard]] PlanBuilder::Launch launch(std::uint32_t rank, std::string_view name) const {
    return {.rank = RankId{rank},
            .name = name,
            .start_overhead = hardware_.duration("kernel_start"),
            .finish_overhead = hardware_.duration("kernel_finish")};
  }

  // Counts go by network to the GPU of the same place on every host, and on to all local ranks,
  // with a barrier of the host before and after; the CPU then reads them and launches.
  std::vector<KernelId> write_notify() {
    const std::uint32_t ranks = workload_.rank_count();
    std::vector<FlagId> first_barrier;
    std::vector<FlagId> counted;
    for (std::uint32_t r = 0; r < ranks; ++r) {
      first_barrier.push_back(plan_.add_flags(RankId{r}, kNotifyBarriers));
      counted.push_back(plan_.add_flag(RankId{r}));
    }
    const Bytes counts{4 * (workload_.experts_per_rank() + 1) * layout_.locals};
    std::vector<KernelId> kernels;
    for (std::uint32_t r = 0; r < ranks; ++r) {
      kernels.push_back(plan_.begin_kernel(launch(r, "notify")));
      plan_.begin_cta();
      plan_.begin_agent(Role::count_poster);
      for (std::uint32_t round = 0; round < kNotifyBarriers; ++round) {
        if (round == 1) {
          for (std::uint32_t h = 0; h < layout_.hosts; ++h) {
            if (h == layout_.host_of(r)) continue;
            const QueuePairId queue = queues_.queue(r, h, 0);
            plan_.post(Phase::signal, queue, counts, post_);
            plan_.post_signal(Phase::signal, queue, counted[layout_.rail_peer(r, h)], 1, post_);
          }
          plan_.wait(Phase::wait, counted[r], layout_.hosts - 1);
        }
        plan_.work(Phase::signal, hardware_.duration("release_sys"));
        for (std::uint32_t p = 0; p < layout_.locals; ++p) {
          const std::uint32_t peer = layout_.rank_at(layout_.host_of(r), p);
          plan_.signal(Phase::signal, FlagId{first_barrier[peer].value + round});
        }
        plan_.wait(Phase::wait, FlagId{first_barrier[r].value + round}, layout_.locals);
      }
    }
    return kernels;
  }

  void make_rings() {
    for (std::uint32_t c = 0; c < channels_; ++c)
      for (std::uint32_t r = 0; r < workload_.rank_count(); ++r) {
        const RankId rank{r};
        for (std::uint32_t h = 0; h < layout_.hosts; ++h) {
          const RankId target{layout_.rail_peer(r, h)};
          RailRing ring{.packed = plan_.add_flag(rank),
                        .tail = plan_.add_flag(target),
                        .head = plan_.add_flag(rank),
                        .passed = {}};
          for (std::uint32_t p = 0; p < layout_.locals; ++p)
            ring.passed.push_back(plan_.add_flag(target));
          rail_rings_.push_back(std::move(ring));
        }
        for (std::uint32_t p = 0; p < layout_.locals; ++p)
          local_rings_.push_back(
              {.tail = plan_.add_flag(RankId{layout_.rank_at(layout_.host_of(r), p)}),
               .head = plan_.add_flag(rank)});
      }
  }

  // From a rank to the GPU of its place on a host.
  [[nodiscard]] const RailRing& rail(std::uint32_t c,
                                     std::uint32_t rank,
                                     std::uint32_t host) const {
    return rail_rings_[(c * workload_.rank_count() + rank) * layout_.hosts + host];
  }
  // From a forwarding rank to the local rank at a place of its host.
  [[nodiscard]] const LocalRing& local(std::uint32_t c, std::uint32_t rank, std::uint32_t p) const {
    return local_rings_[(c * workload_.rank_count() + rank) * layout_.locals + p];
  }

  void write_rank(std::uint32_t rank, std::int64_t after) {
    PlanBuilder::Launch kernel = launch(rank, "dispatch");
    kernel.after = after;
    if (after >= 0) kernel.delay = family_.duration("notify_host");
    plan_.begin_kernel(kernel);
    for (std::uint32_t c = 0; c < channels_; ++c) {
      plan_.begin_cta();
      write_packers(rank, c);
      for (std::uint32_t h = 0; h < layout_.hosts; ++h) write_coordinator(rank, c, h);
      for (std::uint32_t p = 0; p < layout_.locals; ++p) write_receiver(rank, c, p);
      plan_.begin_cta();
      for (std::uint32_t p = 0; p < layout_.locals; ++p) write_forwarder(rank, c, p);
      for (std::uint32_t h = 0; h < layout_.hosts; ++h) write_credit(rank, c, h);
    }
  }

  // Warps take tokens in turn and copy each once for every host that it goes to.
  void write_packers(std::uint32_t rank, std::uint32_t c) {
    plan_.begin_agent(Role::sender);
    plan_.work(Phase::launch, family_.duration("channel_start"));
    const Duration token = family_.duration("pack_token");
    std::vector<std::uint32_t> packed(layout_.hosts);
    for (std::uint32_t b = 0; b < blocks_.block_count(); ++b) {
      const std::uint32_t tokens = blocks_.tokens(rank, c, b);
      if (tokens == 0) break;
      std::uint32_t copies = 0;
      for (std::uint32_t h = 0; h < layout_.hosts; ++h) {
        const std::uint32_t rows = blocks_.to_host(rank, c, b, h);
        packed[h] += rows;
        copies += rows;
        if (rows > 0 && packed[h] > rings_.rdma.queue)
          plan_.wait(Phase::wait, rail(c, rank, h).head, packed[h] - rings_.rdma.queue);
      }
      const std::int64_t rounds = (tokens + kPackingWarps - 1) / kPackingWarps;
      plan_.serve(Phase::send, Bytes{row_.count * (tokens + copies)}, rounds * token);
      for (std::uint32_t h = 0; h < layout_.hosts; ++h)
        if (const std::uint32_t rows = blocks_.to_host(rank, c, b, h); rows > 0)
          plan_.signal(Phase::send, rail(c, rank, h).packed, rows, {}, Scope::cta);
    }
  }

  // The coordinator's part for one host: sends what is packed, a block at a time. One warp does it
  // for all hosts; here each has its own, so that none waits for rows of another.
  void write_coordinator(std::uint32_t rank, std::uint32_t c, std::uint32_t host) {
    plan_.begin_agent(Role::sender);
    const RailRing& ring = rail(c, rank, host);
    std::uint32_t sent = 0;
    for (std::uint32_t b = 0; b < blocks_.block_count(); ++b) {
      const std::uint32_t rows = blocks_.to_host(rank, c, b, host);
      if (rows == 0) continue;
      sent += rows;
      plan_.wait(Phase::wait, ring.packed, sent, family_.duration("coordinator_poll"));
      if (host == layout_.host_of(rank)) {
        plan_.signal(Phase::signal, ring.tail, rows, release_);
      } else {
        const QueuePairId queue = queues_.queue(rank, host, c);
        plan_.post(Phase::send, queue, Bytes{row_.count * rows}, post_);
        plan_.post_signal(Phase::signal, queue, ring.tail, rows, post_);
      }
    }
  }

  // Hosts in the order in which a rank's forwarders look at them: its own first.
  template <typename Visit>
  void for_each_host(std::uint32_t rank, Visit visit) const {
    for (std::uint32_t i = 0; i < layout_.hosts; ++i)
      visit((layout_.host_of(rank) + i) % layout_.hosts);
  }

  // Chunks of a block's rows that go through a ring.
  template <typename Visit>
  void for_each_chunk(std::uint32_t rows, Visit visit) const {
    for (std::uint32_t done = 0; done < rows; done += rings_.nvlink.chunk)
      visit(std::min(rings_.nvlink.chunk, rows - done));
  }

  // One warp for each local rank: looks at all rows that arrive and copies those that go there.
  void write_forwarder(std::uint32_t rank, std::uint32_t c, std::uint32_t p) {
    plan_.begin_agent(Role::sender);
    plan_.work(Phase::launch, family_.duration("channel_start"));
    const LocalRing& ring = local(c, rank, p);
    const RankId target{layout_.rank_at(layout_.host_of(rank), p)};
    std::vector<std::uint32_t> seen(layout_.hosts);
    std::uint32_t sent = 0;
    for (std::uint32_t b = 0; b < blocks_.block_count(); ++b)
      for_each_host(rank, [&](std::uint32_t h) {
        const std::uint32_t source = layout_.rail_peer(rank, h);
        const std::uint32_t rows = blocks_.to_host(source, c, b, layout_.host_of(rank));
        if (rows == 0) return;
        seen[h] += rows;
        const RailRing& arrived = rail(c, source, layout_.host_of(rank));
        plan_.wait(Phase::wait, arrived.tail, seen[h]);
        plan_.work(Phase::receive, std::int64_t{rows} * scan_);
        for_each_chunk(blocks_.to_rank(source, c, b, target.value), [&](std::uint32_t chunk) {
          sent += chunk;
          if (sent > rings_.nvlink.queue)
            plan_.wait(Phase::wait, ring.head, sent - rings_.nvlink.queue);
          plan_.put(Phase::send, target, Bytes{row_.count * chunk}, std::int64_t{chunk} * relay_);
          plan_.drain(Phase::wire);
          plan_.signal(Phase::signal, ring.tail, chunk, release_);
        });
        plan_.signal(Phase::receive, arrived.passed[p], rows, {}, Scope::cta);
      });
  }

  // The forwarders' coordinator: gives back the room of rows that all forwarders are past.
  void write_credit(std::uint32_t rank, std::uint32_t c, std::uint32_t source_host) {
    plan_.begin_agent(Role::receiver);
    const std::uint32_t source = layout_.rail_peer(rank, source_host);
    const RailRing& ring = rail(c, source, layout_.host_of(rank));
    std::uint32_t passed = 0;
    for (std::uint32_t b = 0; b < blocks_.block_count(); ++b) {
      const std::uint32_t rows = blocks_.to_host(source, c, b, layout_.host_of(rank));
      if (rows == 0) continue;
      passed += rows;
      for (const FlagId forwarder : ring.passed) plan_.wait(Phase::wait, forwarder, passed);
      if (source == rank)
        plan_.signal(Phase::receive, ring.head, rows);
      else
        plan_.post_signal(
            Phase::receive, queues_.queue(rank, source_host, c), ring.head, rows, post_);
    }
  }

  // One warp for each forwarding rank of the host: empties its ring into the output.
  void write_receiver(std::uint32_t rank, std::uint32_t c, std::uint32_t p) {
    plan_.begin_agent(Role::receiver);
    const std::uint32_t forwarder = layout_.rank_at(layout_.host_of(rank), p);
    const LocalRing& ring = local(c, forwarder, layout_.local_of(rank));
    std::uint32_t read = 0;
    for (std::uint32_t b = 0; b < blocks_.block_count(); ++b)
      for_each_host(forwarder, [&](std::uint32_t h) {
        const std::uint32_t source = layout_.rail_peer(forwarder, h);
        for_each_chunk(blocks_.to_rank(source, c, b, rank), [&](std::uint32_t chunk) {
          read += chunk;
          plan_.wait(Phase::wait, ring.tail, read);
          plan_.serve(Phase::receive,
                      Bytes{2 * row_.count * chunk},
                      chunk * family_.duration("receive_row") + family_.duration("receive_step"));
          plan_.signal(Phase::receive, ring.head, chunk);
          plan_.releases_nothing();
        });
      });
  }

  const Workload& workload_;
  HostLayout layout_;
  std::uint32_t channels_;
  InternodeRings rings_;
  ChannelBlocks blocks_;
  Bytes row_;
  const ConstantSet& hardware_;
  const ConstantSet& family_;
  Duration post_, release_, scan_, relay_;
  PlanBuilder plan_;
  RailQueues queues_;
  std::vector<RailRing> rail_rings_;    // channel, source, host
  std::vector<LocalRing> local_rings_;  // channel, forwarder, place of the receiver
};

}  // namespace

Plan plan_internode_dispatch(const Workload& workload,
                             const ConstantSet& hardware,
                             const ConstantSet& family) {
  return InternodeDispatchWriter(workload, hardware, family).write();
}

}  // namespace epsim
