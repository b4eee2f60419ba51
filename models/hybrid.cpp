#include "models/hybrid.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "models/internode_channels.hpp"
#include "models/network_constants.hpp"
#include "models/plan_builder.hpp"
#include "models/rank_rates.hpp"
#include "models/token_pieces.hpp"
#include "sim/base/check.hpp"

namespace epsim {
namespace {

constexpr std::array kHybrid = {
    ConstantSpec{"dispatch_overhead", "us", 0, 50, "dispatch: launch and prologue"},
    ConstantSpec{"dispatch_row", "us", 0, 10, "dispatch: an SM copies a row to a GPU, fixed part"},
    ConstantSpec{"dispatch_sm_rate", "GB/s", 1, 1000, "dispatch: rate at which an SM copies rows"},
    ConstantSpec{"dispatch_link_share", "1", 0.2, 1, "of the link's payload rate, dispatch"},
    ConstantSpec{"combine_overhead", "us", 0, 50, "combine: launch and prologue"},
    ConstantSpec{"combine_sm_rate", "GB/s", 1, 1000, "combine: rate at which an SM adds up rows"},
    ConstantSpec{"combine_link_share", "1", 0.2, 1, "of the link's payload rate, combine"},
    ConstantSpec{"chunk_release", "us", 0, 20, "a chunk's flag set behind its rows"},
};

constexpr Bytes kHybridPiece{65'536};  // in which the rows of a chunk cross NVLink

// What both plans share: chunks of all ranks, and the queue pairs between GPUs of the same place.
class HybridWriter {
 public:
  HybridWriter(std::string_view name,
               const Workload& workload,
               const ConstantSet& hardware,
               double link_share,
               Bandwidth sum_rate = {})
      : workload_(workload),
        hardware_(hardware),
        layout_(host_layout(workload)),
        ranks_(workload.rank_count()),
        blocks_(static_cast<std::uint32_t>(workload.sms)),
        post_(layout_.hosts > 1 ? hardware.duration("post_write") : Duration{}),
        plan_(name,
              ranks_,
              static_cast<std::uint32_t>(workload.topology->gpu_spec().sm_count),
              rates(workload, hardware, link_share, sum_rate)) {
    check(workload.sms > 0, "an exchange has SMs");
    if (layout_.hosts > 1) plan_.set_nic(nic_rates(hardware));
    for (std::uint32_t r = 0; r < ranks_; ++r) {
      const RankId rank{r};
      plan_.set_rank_start(rank, workload.rank_start[r]);
      const std::uint32_t tokens = workload.routing->token_count(rank);
      const std::uint32_t chunks = (tokens + kHybridChunk - 1) / kHybridChunk;
      to_rank_.emplace_back(workload, rank, chunks);
      to_host_.emplace_back(workload, rank, chunks, layout_.locals);
      met_.push_back(plan_.add_flag(rank));
      queues_.push_back(QueuePairId{});
      for (std::uint32_t step = 1; step < layout_.hosts; ++step) {
        const QueuePairId first =
            plan_.add_queue_pairs(rank, RankId{layout_.rail_peer(r, host_after(r, step))}, blocks_);
        if (step == 1) queues_.back() = first;
      }
    }
  }

 protected:
  static RankRates rates(const Workload& workload,
                         const ConstantSet& hardware,
                         double link_share,
                         Bandwidth sum_rate) {
    RankRates rates = hardware_rates(hardware, workload);
    rates.link_efficiency *= link_share;
    rates.put_path = rates.local_put_path = {};  // a chunk's rows take their time of the SM at once
    rates.put_chunk = kHybridPiece;
    rates.serve_path.rate = sum_rate;  // of an SM, for its own rank's rows and for other hosts'
    rates.serve_traffic = 1.0;         // read once; the sum stays in shared memory till it leaves
    rates.put_window = 4;              // stages of the shared-memory pipeline
    return rates;
  }

  // Hosts in an order that starts behind the own one, so that not all send to the same.
  [[nodiscard]] std::uint32_t host_after(std::uint32_t rank, std::uint32_t step) const {
    return (layout_.host_of(rank) + step) % layout_.hosts;
  }
  // One for each block, in the order of host_after().
  [[nodiscard]] QueuePairId queue(std::uint32_t rank,
                                  std::uint32_t step,
                                  std::uint32_t block) const {
    return QueuePairId{queues_[rank].value + (step - 1) * blocks_ + block};
  }
  [[nodiscard]] std::uint32_t most_chunks() const {
    std::uint32_t most = 0;
    for (const TokenPieces& pieces : to_rank_) most = std::max(most, pieces.count());
    return most;
  }
  // A flag for each chunk and each host, at every rank.
  [[nodiscard]] std::vector<FlagId> chunk_flags() {
    std::vector<FlagId> flags;
    for (std::uint32_t r = 0; r < ranks_; ++r)
      flags.push_back(plan_.add_flags(RankId{r}, most_chunks() * layout_.hosts));
    return flags;
  }
  [[nodiscard]] FlagId of_chunk(const std::vector<FlagId>& flags,
                                std::uint32_t rank,
                                std::uint32_t chunk,
                                std::uint32_t host) const {
    return FlagId{flags[rank].value + chunk * layout_.hosts + host};
  }

  void begin_kernel(std::uint32_t rank, std::string_view name) {
    plan_.begin_kernel({.rank = RankId{rank},
                        .name = name,
                        .start_overhead = hardware_.duration("kernel_start"),
                        .finish_overhead = hardware_.duration("kernel_finish")});
  }
  // All ranks of the host are here, or done.
  void meet(std::uint32_t rank) {
    plan_.work(Phase::signal, hardware_.duration("release_sys"));
    for (std::uint32_t p = 0; p < layout_.locals; ++p)
      plan_.signal(Phase::signal, met_[layout_.rank_at(layout_.host_of(rank), p)]);
  }
  void wait_for_host(std::uint32_t rank) { plan_.wait(Phase::wait, met_[rank], layout_.locals); }

  // The rows of a chunk leave as one message. In the kernel each is a request of its own that one
  // lane of a warp writes, with one doorbell for the chunk; at 7 KB and more a row, the time that
  // the NIC takes for a request is hidden behind its bytes.
  void post_rows(QueuePairId queue, std::uint32_t rows, Bytes row, FlagId flag) {
    if (rows > 0) plan_.post(Phase::send, queue, Bytes{row.count * rows}, {}, 0);
    plan_.post_signal(Phase::signal, queue, flag, 1, post_);
  }

  const Workload& workload_;
  const ConstantSet& hardware_;
  HostLayout layout_;
  std::uint32_t ranks_;
  std::uint32_t blocks_;
  Duration post_;
  PlanBuilder plan_;
  std::vector<TokenPieces> to_rank_;  // by source: rows of each chunk to each rank
  std::vector<TokenPieces> to_host_;  // by source: rows of each chunk to each host
  std::vector<FlagId> met_;           // by rank: ranks of its host that have come
  std::vector<QueuePairId> queues_;   // by rank, the first
};

class HybridDispatchWriter : private HybridWriter {
 public:
  HybridDispatchWriter(const Workload& workload,
                       const ConstantSet& hardware,
                       const ConstantSet& family)
      : HybridWriter("hybrid dispatch", workload, hardware, family.ratio("dispatch_link_share")),
        // Probabilities go along, one for each expert of a host.
        row_{dispatch_message(workload.hidden, workload.dispatch_format).count +
             4 * std::int64_t{workload.experts_per_rank()} * layout_.locals},
        overhead_(family.duration("dispatch_overhead")),
        of_row_(family.duration("dispatch_row") + row_ / family.bandwidth("dispatch_sm_rate")),
        release_(family.duration("chunk_release")) {}

  Plan write() {
    arrived_ = chunk_flags();
    for (std::uint32_t r = 0; r < ranks_; ++r) write_rank(r);
    return plan_.take();
  }

 private:
  void write_rank(std::uint32_t rank) {
    const FlagId copied = plan_.add_flag(RankId{rank});
    begin_kernel(rank, "dispatch");
    for (std::uint32_t block = 0; block < blocks_; ++block) {
      plan_.begin_cta();
      if (layout_.hosts > 1) write_network(rank, block);
      write_copies(rank, block, copied);
    }
    plan_.begin_agent(Role::flag_poster);
    plan_.wait(Phase::wait, copied, blocks_);
    meet(rank);
    wait_for_host(rank);
  }

  void write_network(std::uint32_t rank, std::uint32_t block) {
    plan_.begin_agent(Role::sender);
    plan_.work(Phase::launch, overhead_);
    for (std::uint32_t chunk = block; chunk < to_rank_[rank].count(); chunk += blocks_)
      for (std::uint32_t step = 1; step < layout_.hosts; ++step) {
        const std::uint32_t host = host_after(rank, step);
        post_rows(queue(rank, step, block),
                  to_host_[rank].rows(chunk, host),
                  row_,
                  of_chunk(arrived_, layout_.rail_peer(rank, host), chunk, layout_.host_of(rank)));
      }
  }

  // Own chunks, and those of the same number that come from other hosts.
  void write_copies(std::uint32_t rank, std::uint32_t block, FlagId copied) {
    plan_.begin_agent(Role::receiver);
    plan_.work(Phase::launch, overhead_);
    for (std::uint32_t chunk = block; chunk < most_chunks(); chunk += blocks_)
      for (std::uint32_t step = 0; step < layout_.hosts; ++step) {
        // Who sends to me first is who begins behind himself: hosts in descending order.
        const std::uint32_t host = host_after(rank, (layout_.hosts - step) % layout_.hosts);
        const std::uint32_t source = layout_.rail_peer(rank, host);
        if (chunk >= to_rank_[source].count()) continue;
        if (step > 0) plan_.wait(Phase::wait, of_chunk(arrived_, rank, chunk, host), 1);
        copy_chunk(rank, source, chunk);
      }
    plan_.drain(Phase::wire);
    plan_.signal(Phase::signal, copied, 1, release_, Scope::gpu);
  }

  void copy_chunk(std::uint32_t rank, std::uint32_t source, std::uint32_t chunk) {
    for (std::uint32_t p = 0; p < layout_.locals; ++p) {
      const std::uint32_t place = (layout_.local_of(rank) + p) % layout_.locals;
      const std::uint32_t target = layout_.rank_at(layout_.host_of(rank), place);
      const std::uint32_t rows = to_rank_[source].rows(chunk, target);
      if (rows > 0)
        plan_.put(Phase::send, RankId{target}, Bytes{row_.count * rows}, of_row_ * rows);
    }
  }

  Bytes row_;
  Duration overhead_, of_row_, release_;
  std::vector<FlagId> arrived_;  // from the network, by chunk and host it came from
};

// Each rank adds up what its host has for the ranks of its own place, itself last.
class HybridCombineWriter : private HybridWriter {
 public:
  HybridCombineWriter(const Workload& workload,
                      const ConstantSet& hardware,
                      const ConstantSet& family)
      : HybridWriter("hybrid combine",
                     workload,
                     hardware,
                     family.ratio("combine_link_share"),
                     family.bandwidth("combine_sm_rate")),
        row_(combine_message(workload.hidden, workload.combine_format)),
        overhead_(family.duration("combine_overhead")),
        release_(family.duration("chunk_release")) {}

  Plan write() {
    landed_ = chunk_flags();
    arrived_ = chunk_flags();
    for (std::uint32_t r = 0; r < ranks_; ++r) write_rank(r);
    return plan_.take();
  }

 private:
  void write_rank(std::uint32_t rank) {
    begin_kernel(rank, "combine");
    for (std::uint32_t block = 0; block < blocks_; ++block) {
      plan_.begin_cta();
      if (block == 0) {
        plan_.begin_agent(Role::flag_poster);
        plan_.work(Phase::launch, overhead_);
        meet(rank);
      }
      write_rows(rank, block);
      if (layout_.hosts > 1) write_partial_sums(rank, block);
      write_sums(rank, block);
    }
  }

  // Loads of local peers take rows out of this rank's memory. A plan has no remote loads, so that
  // the owner puts them, chunk by chunk in the order in which its peers ask.
  void write_rows(std::uint32_t rank, std::uint32_t block) {
    plan_.begin_agent(Role::sender);
    plan_.work(Phase::launch, overhead_);
    wait_for_host(rank);
    for (std::uint32_t chunk = block; chunk < most_chunks(); chunk += blocks_)
      for (std::uint32_t step = 1; step <= layout_.hosts; ++step) {
        const std::uint32_t host = host_after(rank, step);
        for (std::uint32_t p = 0; p < layout_.locals; ++p) {
          const std::uint32_t place = (layout_.local_of(rank) + p) % layout_.locals;
          const std::uint32_t rows = rows_of(layout_.rank_at(host, place), chunk, rank);
          const RankId reducer{layout_.rank_at(layout_.host_of(rank), place)};
          if (rows > 0) plan_.put(Phase::wire, reducer, Bytes{row_.count * rows}, {});
        }
        plan_.drain(Phase::wire);
        for (std::uint32_t p = 0; p < layout_.locals; ++p) {
          if (rows_of(layout_.rank_at(host, p), chunk, rank) == 0) continue;
          const std::uint32_t reducer = layout_.rank_at(layout_.host_of(rank), p);
          // The rows' arrival itself, which takes no time of its own.
          plan_.signal(Phase::wire, of_chunk(landed_, reducer, chunk, host), 1, {}, Scope::cta);
        }
      }
  }

  // For the ranks of this place on other hosts.
  void write_partial_sums(std::uint32_t rank, std::uint32_t block) {
    plan_.begin_agent(Role::decode_warps);
    plan_.work(Phase::launch, overhead_);
    for (std::uint32_t chunk = block; chunk < most_chunks(); chunk += blocks_)
      for (std::uint32_t step = 1; step < layout_.hosts; ++step) {
        const std::uint32_t host = host_after(rank, step);
        const std::uint32_t home = layout_.rail_peer(rank, host);
        if (chunk >= to_rank_[home].count()) continue;
        add_up(rank, home, chunk, 0);
        post_rows(queue(rank, step, block),
                  to_host_[home].rows(chunk, layout_.host_of(rank)),
                  row_,
                  of_chunk(arrived_, home, chunk, layout_.host_of(rank)));
      }
  }

  // For the own tokens: local rows, and the sums that other hosts have sent.
  void write_sums(std::uint32_t rank, std::uint32_t block) {
    plan_.begin_agent(Role::decode_warps);
    plan_.work(Phase::launch, overhead_);
    for (std::uint32_t chunk = block; chunk < to_rank_[rank].count(); chunk += blocks_) {
      std::uint32_t sums = 0;
      for (std::uint32_t step = 1; step < layout_.hosts; ++step) {
        const std::uint32_t host = host_after(rank, step);
        plan_.wait(Phase::wait, of_chunk(arrived_, rank, chunk, host), 1);
        sums += to_host_[rank].rows(chunk, host);
      }
      add_up(rank, rank, chunk, sums);
    }
  }

  void add_up(std::uint32_t rank, std::uint32_t home, std::uint32_t chunk, std::uint32_t more) {
    std::uint32_t owners = 0;
    std::uint32_t rows = more;
    for (std::uint32_t p = 0; p < layout_.locals; ++p) {
      const std::uint32_t of_owner =
          rows_of(home, chunk, layout_.rank_at(layout_.host_of(rank), p));
      owners += of_owner > 0 ? 1U : 0U;
      rows += of_owner;
    }
    plan_.wait(Phase::wait, of_chunk(landed_, rank, chunk, layout_.host_of(home)), owners);
    plan_.serve(Phase::reduce, Bytes{row_.count * rows}, release_);
  }

  [[nodiscard]] std::uint32_t rows_of(std::uint32_t home,
                                      std::uint32_t chunk,
                                      std::uint32_t owner) const {
    return chunk < to_rank_[home].count() ? to_rank_[home].rows(chunk, owner) : 0;
  }

  Bytes row_;
  Duration overhead_;
  Duration release_;
  std::vector<FlagId> landed_;   // rows of local ranks, by chunk and host they go to
  std::vector<FlagId> arrived_;  // sums from the network, by chunk and host they come from
};

}  // namespace

std::span<const ConstantSpec> hybrid_constants() {
  return kHybrid;
}

Plan plan_hybrid_dispatch(const Workload& workload,
                          const ConstantSet& hardware,
                          const ConstantSet& family) {
  return HybridDispatchWriter(workload, hardware, family).write();
}

Plan plan_hybrid_combine(const Workload& workload,
                         const ConstantSet& hardware,
                         const ConstantSet& family) {
  return HybridCombineWriter(workload, hardware, family).write();
}

}  // namespace epsim
