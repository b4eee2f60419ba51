// The order of a call, as a stream runs it, and as a host thread that waits runs it.
#include <algorithm>

#include "models/graph_exchange_kernels.hpp"

namespace epsim {
namespace {

// A stream of each rank, queued before any of it runs: live or as a graph.
class StreamCall {
 public:
  StreamCall(ExchangeKernels& kernels,
             ExchangeMode mode,
             const ConstantSet& hardware,
             const ConstantSet& family)
      : kernels_(kernels),
        plan_(kernels.plan()),
        ranks_(kernels.rows().ranks),
        gap_(hardware.duration(mode == ExchangeMode::graph ? "graph_gap" : "stream_gap")),
        turn_(hardware.duration("memop_turn") / 2),
        peer_write_(hardware.duration("memop_peer_write")),
        batch_(std::max(Duration{}, hardware.duration("memop_batch") - peer_write_)),
        write_(hardware.duration("memop_write")),
        wait_(hardware.duration("memop_wait")),
        own_copy_(gap_ + kernels.empty_kernel()),
        peer_copy_(gap_ + family.duration("counts_copy")),
        wake_(hardware.at("memop_wake")),
        wake_known_(turn_ + kernels.empty_kernel() / 2 + hardware.duration("local_flag_latency")) {}

  void write() {
    for (std::uint32_t r = 0; r < ranks_; ++r) {
      counted_.push_back(plan_.add_flag(RankId{r}));
      stored_.push_back(plan_.add_flag(RankId{r}));
    }
    for (std::uint32_t r = 0; r < ranks_; ++r) write_rank(r);
  }

 private:
  void write_rank(std::uint32_t rank) {
    const std::uint32_t most = kernels_.rows().most_a_pair;
    kernels_.marker(rank, kExchangeBegin, {});
    kernels_.plan_rows(rank, gap_);
    kernels_.pack_rows(rank, gap_);
    kernels_.stream_agent(rank, "counts meeting", turn_);
    signal_peers(rank, counted_);
    // All have planned the same shape: who began together finds the words set.
    if (ranks_ > 1) plan_.sleep(Phase::wait, counted_[rank], ranks_ - 1, wake_up(rank));
    for (std::uint32_t source = 0; source < ranks_; ++source) {
      plan_.work(Phase::receive, source == rank ? own_copy_ : peer_copy_);
      kernels_.reads_counts(source);
    }
    reset();
    kernels_.place_rows(rank, turn_);
    kernels_.store_rows(rank, most, gap_);
    kernels_.store_labels(rank, most, gap_);
    kernels_.stream_agent(rank, "rows meeting", turn_);
    signal_peers(rank, stored_);
    // Copies of counts take the ranks apart, so that all but the last wait.
    if (ranks_ > 1) {
      plan_.wait(Phase::wait, stored_[rank], ranks_ - 1, wake_up(rank));
      plan_.awaits_flush();  // peers' stores, with no flush behind the word
    }
    reset();
    Duration delay = turn_;
    if (kernels_.is_combine()) {
      kernels_.clear_output(rank, turn_);
      kernels_.unpack_rows(rank, gap_);
      delay = gap_;
    }
    kernels_.marker(rank, "call end", delay);
    if (!kernels_.is_combine()) kernels_.reads_rows(rank);  // as whoever comes next
  }

  // A batch that writes the word of this rank at each peer, and a batch that waits for theirs.
  void signal_peers(std::uint32_t rank, const std::vector<FlagId>& words) {
    if (ranks_ == 1) return;
    plan_.work(Phase::signal, batch_);
    for (std::uint32_t peer = 0; peer < ranks_; ++peer) {
      if (peer == rank) continue;
      plan_.work(Phase::signal, peer_write_);
      plan_.signal(Phase::signal, words[peer], 1, {}, Scope::sys);
    }
    plan_.work(Phase::wait, batch_ + (ranks_ - 1) * wait_);
  }

  void reset() {
    if (ranks_ > 1) plan_.work(Phase::signal, batch_ + (ranks_ - 1) * write_);
  }

  // A stream that waits looks at its word now and then. From the store to the stream going on
  // takes between a least time and a period more, evenly spread; of R ranks the last finds its
  // word set, and the others, on average, divide the period into R equal parts.
  [[nodiscard]] Duration wake_up(std::uint32_t rank) const {
    constexpr double kTenToNinety = 0.8;  // of a uniform distribution's width
    const double period = (wake_.high - wake_.low) / kTenToNinety;
    const double place = static_cast<double>(rank % (ranks_ - 1) + 1) / ranks_;
    const Duration whole = from_us(std::max(0.0, wake_.value + period * (place - 0.5)));
    return std::max(Duration{}, whole - wake_known_);
  }

  ExchangeKernels& kernels_;
  PlanBuilder& plan_;
  std::uint32_t ranks_;
  Duration gap_, turn_, peer_write_, batch_, write_, wait_, own_copy_, peer_copy_;
  const Constant& wake_;
  Duration wake_known_;  // the part of a wake-up that the plan has elsewhere
  std::vector<FlagId> counted_, stored_;
};

// One thread that serves all ranks, and waits for all of them where their counts and their rows
// must be there. The call is timed from the last rank's first kernel, so the thread's operations
// begin there.
class HostCall {
 public:
  HostCall(ExchangeKernels& kernels, const ConstantSet& hardware, const ConstantSet& family)
      : kernels_(kernels),
        plan_(kernels.plan()),
        ranks_(kernels.rows().ranks),
        gap_(hardware.duration("stream_gap")),
        call_(hardware.duration("launch_call")),
        copy_(family.duration("host_copy")),
        sync_(hardware.duration("sync_return")),
        // The launch and the store's way to the host are part of what was measured.
        latency_(std::max(Duration{},
                          hardware.duration("launch_to_flag") - call_ -
                              hardware.duration("flag_latency") - kernels.empty_kernel() / 2)) {}

  void write() {
    const RankId last{ranks_ - 1};
    counted_ = plan_.add_flag(last);
    stored_ = plan_.add_flag(last);
    for (std::uint32_t r = 0; r < ranks_; ++r) launched_.push_back(plan_.add_flag(RankId{r}));
    for (std::uint32_t r = 0; r < ranks_; ++r) write_stream(r);
    write_host(last);
  }

 private:
  // What of a launch call a kernel hides that is already running.
  [[nodiscard]] Duration after(Duration running) const { return std::max(gap_, call_ - running); }

  void wait_for_launch(std::uint32_t rank, std::uint32_t count) {
    plan_.wait(Phase::launch, launched_[rank], count, latency_);
  }

  void write_stream(std::uint32_t rank) {
    const Duration begin_calls = 3 * call_ + copy_;
    kernels_.marker(rank, kExchangeBegin, rank * begin_calls);
    kernels_.plan_rows(rank, after(kernels_.empty_kernel()));
    kernels_.pack_rows(rank, after(kernels_.empty_kernel() + kernels_.planning()));
    kernels_.stream_agent(rank, "counts to host", gap_);
    plan_.work(Phase::receive, kernels_.empty_kernel());
    plan_.signal(Phase::signal, counted_, 1, {}, Scope::cta);
    wait_for_launch(rank, 1);
    const std::uint32_t most = most_sent(rank);
    kernels_.store_rows(rank, most, {});
    kernels_.store_labels(rank, most, gap_);
    kernels_.stream_agent(rank, "rows are stored", {});
    plan_.signal(Phase::signal, stored_, 1, {}, Scope::cta);
    wait_for_launch(rank, 2);
    if (kernels_.is_combine()) {
      kernels_.clear_output(rank, {});
      kernels_.unpack_rows(rank, gap_);
      kernels_.stream_agent(rank, "end is launched", {});
      wait_for_launch(rank, 3);
    }
    kernels_.marker(rank, "call end", {});
    if (!kernels_.is_combine()) kernels_.reads_rows(rank);
  }

  // The host sizes the byte kernel's grid by what there is.
  [[nodiscard]] std::uint32_t most_sent(std::uint32_t rank) const {
    std::uint32_t most = 1;
    for (std::uint32_t target = 0; target < ranks_; ++target)
      most = std::max(most, kernels_.rows().between(rank, target));
    return most;
  }

  void write_host(RankId last) {
    plan_.begin_kernel({.rank = last,
                        .name = "host thread",
                        .delay = last.value * (3 * call_ + copy_),
                        .ctas_per_sm = 2});
    plan_.begin_cta();
    plan_.begin_agent(Role::host_thread);
    // Two launches and a copy are left when the last rank's first kernel begins.
    plan_.work(Phase::launch, std::max(Duration{}, 2 * call_ + copy_ - latency_));
    plan_.wait(Phase::wait, counted_, ranks_, sync_);
    for (std::uint32_t r = 0; r < ranks_; ++r) {
      plan_.work(Phase::launch, 3 * copy_ + call_);
      plan_.signal(Phase::launch, launched_[r], 1, {}, Scope::cta);
      plan_.work(Phase::launch, call_);
    }
    plan_.wait(Phase::wait, stored_, ranks_, sync_);
    for (std::uint32_t r = 0; r < ranks_; ++r) {
      plan_.work(Phase::launch, call_);
      plan_.signal(Phase::launch, launched_[r], 1, {}, Scope::cta);
      if (!kernels_.is_combine()) continue;
      plan_.work(Phase::launch, 2 * call_);
      plan_.signal(Phase::launch, launched_[r], 1, {}, Scope::cta);
    }
  }

  ExchangeKernels& kernels_;
  PlanBuilder& plan_;
  std::uint32_t ranks_;
  Duration gap_, call_, copy_, sync_, latency_;
  FlagId counted_{}, stored_{};
  std::vector<FlagId> launched_;  // by the host: rows and labels; the last part; its end
};

Plan plan_call(const Workload& workload,
               const ConstantSet& hardware,
               const ConstantSet& family,
               MoeOperation leg) {
  ExchangeKernels kernels(workload, hardware, family, leg);
  if (workload.exchange.mode == ExchangeMode::cpu_sync)
    HostCall(kernels, hardware, family).write();
  else
    StreamCall(kernels, workload.exchange.mode, hardware, family).write();
  return kernels.plan().take();
}

}  // namespace

Plan plan_graph_dispatch(const Workload& workload,
                         const ConstantSet& hardware,
                         const ConstantSet& family) {
  return plan_call(workload, hardware, family, MoeOperation::dispatch);
}

Plan plan_graph_combine(const Workload& workload,
                        const ConstantSet& hardware,
                        const ConstantSet& family) {
  return plan_call(workload, hardware, family, MoeOperation::combine);
}

}  // namespace epsim
