// PlanBuilder: writes a Plan front to back, one kernel, CTA and agent at a time, so that a model
// reads like the kernel it describes.
#pragma once

#include <utility>

#include "models/plan.hpp"
#include "sim/base/check.hpp"

namespace epsim {

class PlanBuilder {
 public:
  PlanBuilder(std::string_view name,
              std::uint32_t rank_count,
              std::uint32_t sm_count,
              RankRates rates);

  struct Launch {
    RankId rank;
    std::string_view name;
    std::int64_t after = -1;
    Duration delay{};
    Duration not_before{};
    Duration start_overhead{};
    Duration finish_overhead{};
    std::uint16_t ctas_per_sm = 1;
    std::uint32_t persistent_ctas = 0;
    std::uint32_t crowded_ctas = 0;  // at most persistent_ctas, and not 0 with them
    bool own_first_tiles = false;
    bool flushes_links = false;
    bool starts_whole = false;
    bool is_urgent = false;
  };
  KernelId begin_kernel(const Launch& launch);
  // The kernel begun last waits for `earlier` too, whatever its rank.
  void wait_for_kernel(KernelId earlier, Duration delay);
  CtaId begin_cta();
  AgentId begin_agent(Role role);
  [[nodiscard]] bool cta_is_empty() const { return plan_.ctas.back().agent_count == 0; }

  FlagId add_flag(RankId home) { return add_flags(home, 1); }
  // `count` flags with consecutive ids; the first is returned.
  FlagId add_flags(RankId home, std::uint32_t count);
  // A flag whose waits ask for steps in order (Flag::in_steps).
  FlagId add_step_flag(RankId home);
  BarrierId add_barrier(std::uint32_t members);
  // `count` queue pairs with consecutive ids; the first is returned. The target may be the source
  // where a plan folds many ranks into few (Workload::fold).
  QueuePairId add_queue_pairs(RankId source, RankId target, std::uint32_t count);
  void set_nic(const NicRates& nic) { plan_.nic = nic; }
  // A rate cap for serve and load operations; equal caps share one index.
  std::uint16_t rate_cap(Bandwidth cap);

  // Operations of the agent begun last, in program order. Work of any length; other operations take
  // 4.29 ms at most of their own.
  void work(Phase phase, Duration time);
  void serve(Phase phase, Bytes size, Duration least, std::uint16_t cap = 0);
  void load(Phase phase, Bytes size, FlagId landed, Duration least, std::uint16_t cap = 0);
  void put(Phase phase, RankId target, Bytes size, Duration least);
  void drain(Phase phase, Duration least = {});
  // A signal of cta scope is seen at once; others after the latency of their flag.
  void signal(Phase phase,
              FlagId flag,
              std::uint32_t increment = 1,
              Duration least = {},
              Scope scope = Scope::sys);
  void wait(Phase phase, FlagId flag, std::uint32_t count, Duration least = {});
  // The same for one that sleeps: `wake` is spent only where the flag was not set yet.
  void sleep(Phase phase, FlagId flag, std::uint32_t count, Duration wake);
  // `warps` of the agent execute it, side by side.
  void fence(Phase phase, FenceKind kind, Duration cost, std::uint32_t warps = 1);
  void barrier(Phase phase, BarrierId group, Duration cost = {});
  // Handed to a queue pair over `least`; the NIC does the rest. `detail`: kRings, kAcknowledged.
  void post(
      Phase phase, QueuePairId queue, Bytes size, Duration least, std::uint16_t detail = kRings);
  // An atomic behind it all, to a flag of the queue pair's target.
  void post_signal(Phase phase,
                   QueuePairId queue,
                   FlagId flag,
                   std::uint32_t increment,
                   Duration least,
                   std::uint16_t detail = kRings);

  // What the operations touch is kept from here on; until then, or without it, the calls below do
  // nothing.
  void record_accesses() { records_accesses_ = true; }
  [[nodiscard]] bool records_accesses() const { return records_accesses_; }
  // `count` locations, of which the first is returned.
  std::uint32_t add_memory(std::string_view name, RankId rank, std::uint32_t count);
  std::uint32_t add_shared_memory(std::string_view name, RankId rank, std::uint32_t count);
  // Of the operation written last.
  void reads(std::uint32_t location, AccessWay way, std::uint32_t count = 1);
  void writes(std::uint32_t location, AccessWay way, std::uint32_t count = 1);
  void completes_step(std::uint32_t step);
  void releases_nothing();  // a signal: its order is relaxed
  void awaits_flush();      // a stream's wait for what others wrote here: no flush is behind it

  // One entry for each number of SMs that others may hold, 0 to all.
  void set_crowded_slots(std::vector<std::uint32_t> slots) {
    plan_.crowded_slots = std::move(slots);
  }
  void reserve(std::size_t operations, std::size_t agents);
  void set_rank_start(RankId rank, Duration start) { plan_.rank_start[rank.index()] = start; }
  [[nodiscard]] Plan take() { return std::move(plan_); }

 private:
  void append(Operation operation);
  void add_access(AccessKind kind, AccessWay way, std::uint32_t location, std::uint32_t count);

  Plan plan_;
  bool records_accesses_ = false;
};

}  // namespace epsim
