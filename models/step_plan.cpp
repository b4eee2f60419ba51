#include "models/step_plan.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string_view>
#include <vector>

#include "models/plan_builder.hpp"
#include "sim/base/check.hpp"
#include "sim/base/rng.hpp"

namespace epsim {
namespace {

// Shares of a memory whose whole rate is this: only ratios count.
constexpr double kWholeMemory = 1e12;
// Pieces in which an exchange's CTA takes its share.
constexpr std::uint32_t kPieces = 4;
// Of an exchange's CTA: senders and receivers.
constexpr std::uint32_t kWarpGroups = 2;
// A small kernel that needs no SM of its own: copies, fills, and whatever runs as recorded.
constexpr std::uint16_t kFewPerSm = 32;

RankRates rates_of(const ConstantSet& constants) {
  RankRates rates{};
  rates.memory = Bandwidth{kWholeMemory};
  rates.serve_traffic = 1.0;
  rates.local_put_traffic = 1.0;
  rates.put_chunk = Bytes{1};
  rates.put_window = 1;
  rates.link_efficiency = 1.0;
  rates.signal_latency = constants.duration("rank_signal");
  return rates;
}

// Streams beside which compute may run on another one.
std::set<std::uint32_t> streams_beside_compute(const GpuStep& step) {
  std::set<std::uint32_t> computing, beside;
  for (const StepTask& task : step.tasks)
    if (task.kernel_class == KernelClass::compute) computing.insert(task.stream);
  for (const StepTask& task : step.tasks)
    if (computing.size() > (computing.contains(task.stream) ? 1U : 0U)) beside.insert(task.stream);
  return beside;
}

class StepPlan {
 public:
  StepPlan(const GpuStep& step, const ConstantSet& constants, const StepConditions& conditions)
      : step_(step),
        constants_(constants),
        conditions_(conditions),
        ranks_(planned_ranks(step)),
        sms_(std::max(step.sm_count, 1U)),
        builder_("step", ranks_, sms_, rates_of(constants)),
        delays_(Rng(conditions.seed).stream("step launches")),
        event_hop_(constants.duration("event_hop")),
        exchange_hop_(constants.duration("exchange_hop")) {
    Rng spread = Rng(conditions.seed).stream("step ranks");
    // A power limit pulls one GPU's clock down further than another's.
    const double width = constants.ratio("rank_spread") +
                         constants.ratio("clock_spread") * (1.0 - conditions.top_clock);
    // Rank 0 is the one whose times we have.
    for (std::uint32_t r = 0; r < ranks_; ++r)
      pace_.push_back(r == 0 ? 1.0 : 1.0 + width * (2.0 * spread.uniform() - 1.0));
    crowded_slots();
    if (conditions.runs_beside) beside_compute_ = streams_beside_compute(step);
  }

  Plan take() {
    for (std::uint32_t i = 0; i < step_.tasks.size(); ++i) {
      const StepTask& task = step_.tasks[i];
      const bool meets = task.kernel_class == KernelClass::communication && ranks_ > 1;
      const FlagId come = meets ? meeting() : FlagId{0};
      const FlagId gone = meets ? meeting() : FlagId{0};
      for (std::uint32_t r = 0; r < ranks_; ++r) {
        rank_ = RankId{r};
        if (task.cta_count == 0 || step_.as_recorded)
          simple(i);
        else if (task.kernel_class == KernelClass::communication)
          communication(i, come, gone);
        else if (task.is_persistent)
          persistent(i);
        else
          waves(i);
      }
      remember(i);
    }
    return builder_.take();
  }

 private:
  // Clusters leave whole neighbourhoods free; single CTAs split some.
  void crowded_slots() {
    bool splits = false;
    for (const StepTask& task : step_.tasks)
      splits = splits || (task.kernel_class == KernelClass::communication &&
                          task.cluster_size < 2 && task.memory_share > 0);
    const double room = splits ? constants_.ratio("cluster_room") : 1.0;
    std::vector<std::uint32_t> slots = {sms_};
    for (std::uint32_t n = 1; n <= sms_; ++n)
      slots.push_back(static_cast<std::uint32_t>(std::floor(room * (sms_ - n) / 2.0)) * 2);
    slots.back() = std::max(slots.back(), 1U);
    builder_.set_crowded_slots(std::move(slots));
  }

  // One flag a rank.
  FlagId meeting() {
    const FlagId first = builder_.add_flag(RankId{0});
    for (std::uint32_t r = 1; r < ranks_; ++r) builder_.add_flag(RankId{r});
    return first;
  }

  [[nodiscard]] KernelId id_of(std::uint32_t task) const {
    return KernelId{task * ranks_ + rank_.value};
  }

  // Launches task `i` behind what it waits for; as recorded, not before the host had queued it.
  void launch(std::uint32_t i, PlanBuilder::Launch launch) {
    const StepTask& task = step_.tasks[i];
    launch.rank = rank_;
    launch.name = task.name;
    const bool exchanges = task.kernel_class == KernelClass::communication;
    // What waits for an event is looked at again when it comes, and an exchange is a large launch.
    const Duration jitter =
        jitter_of(exchanges && !task.after.empty() ? "exchange_jitter" : "launch_jitter");
    const Duration delay = std::max(Duration{}, task.gap) + jitter;
    const auto before = last_of_stream_.find(task.stream);
    if (before != last_of_stream_.end()) {
      launch.after = id_of(before->second).value;
      launch.delay = delay;
    } else if (task.after.empty()) {
      launch.delay = delay;
    }
    if (step_.as_recorded) launch.not_before = task.launch + delay;
    builder_.begin_kernel(launch);
    const Duration hop = exchanges ? exchange_hop_ : event_hop_;
    for (const std::uint32_t earlier : task.after)
      builder_.wait_for_kernel(id_of(earlier), step_.as_recorded ? delay : hop + jitter);
    if (const auto* last = last_of_communicator(task))
      builder_.wait_for_kernel(id_of(*last), Duration{});
    if (const auto* last = last_of_queue(task)) builder_.wait_for_kernel(id_of(*last), Duration{});
  }

  [[nodiscard]] Duration jitter_of(std::string_view constant) {
    if (ranks_ == 1) return {};
    return from_us(to_us(constants_.duration(constant)) * delays_.uniform());
  }

  [[nodiscard]] const std::uint32_t* last_of_communicator(const StepTask& task) const {
    const auto found = last_of_communicator_.find(task.communicator);
    return task.communicator == kNoCommunicator || found == last_of_communicator_.end()
               ? nullptr
               : &found->second;
  }
  [[nodiscard]] const std::uint32_t* last_of_queue(const StepTask& task) const {
    if (step_.hardware_queues == 0) return nullptr;
    const auto found = last_of_queue_.find(task.stream % step_.hardware_queues);
    return found == last_of_queue_.end() ? nullptr : &found->second;
  }
  void remember(std::uint32_t i) {
    const StepTask& task = step_.tasks[i];
    last_of_stream_[task.stream] = i;
    if (task.communicator != kNoCommunicator) last_of_communicator_[task.communicator] = i;
    if (step_.hardware_queues > 0) last_of_queue_[task.stream % step_.hardware_queues] = i;
  }

  // Alone, at the clock and pace of this rank.
  [[nodiscard]] Duration time_of(const StepTask& task) const {
    if (step_.as_recorded) return task.time;
    const double clock = 1.0 + task.clock_share * (1.0 / conditions_.clock - 1.0);
    return from_us(to_us(task.time) * clock * pace_[rank_.index()]);
  }

  void simple(std::uint32_t i) {
    launch(i, {.rank = rank_, .name = {}, .ctas_per_sm = kFewPerSm});
    builder_.begin_cta();
    builder_.begin_agent(Role::stream);
    builder_.work(Phase::reduce, time_of(step_.tasks[i]));
  }

  // A share of the memory's rate for `time`, if nobody takes from it; time alone if it is none.
  void busy(Phase phase, Duration time, double share, std::uint32_t pieces) {
    if (share <= 0) return builder_.work(phase, time);
    const Bandwidth rate{kWholeMemory * share};
    const std::uint16_t cap = builder_.rate_cap(rate);
    for (std::uint32_t p = 0; p < pieces; ++p)
      builder_.serve(
          phase, Bytes{std::llround(rate.bytes_per_second * 1e-6 * to_us(time) / pieces)}, {}, cap);
  }

  void persistent(std::uint32_t i) {
    const StepTask& task = step_.tasks[i];
    const std::uint32_t slots = std::min(task.cta_count, sms_ * task.ctas_per_sm);
    const std::uint32_t known =
        task.tile_count == 0 ? conditions_.most_waves * slots : task.tile_count;
    const std::uint32_t rounds = std::min((known + slots - 1) / slots, conditions_.most_rounds);
    const std::uint32_t tiles = std::min(known, conditions_.most_rounds * slots);
    check(tiles > 0, "a persistent kernel has tiles");
    launch(i,
           {.rank = rank_,
            .name = {},
            .ctas_per_sm = task.ctas_per_sm,
            .persistent_ctas = slots,
            .crowded_ctas = kCrowdedByTable,
            .own_first_tiles = true});
    const Duration tile = time_of(task) / rounds;
    for (std::uint32_t t = 0; t < tiles; ++t) {
      builder_.begin_cta();
      builder_.begin_agent(Role::gemm_tile);
      busy(Phase::reduce, tile, task.memory_share / slots, 1);
    }
  }

  void waves(std::uint32_t i) {
    const StepTask& task = step_.tasks[i];
    const std::uint32_t slots = sms_ * task.ctas_per_sm;
    // A plan's CTA is what an SM hosts of them at once.
    const std::uint32_t on_sms =
        (std::min(task.cta_count, slots) + task.ctas_per_sm - 1) / task.ctas_per_sm;
    const std::uint32_t waves =
        std::clamp((task.cta_count + slots / 2) / slots, 1U, conditions_.most_waves);
    launch(i, {.rank = rank_, .name = {}});
    const Duration part = time_of(task) / waves;
    for (std::uint32_t c = 0; c < waves * on_sms; ++c) {
      builder_.begin_cta();
      builder_.begin_agent(Role::row_warps);
      busy(Phase::reduce, part, task.memory_share / on_sms, 1);
    }
  }

  void communication(std::uint32_t i, FlagId come, FlagId gone) {
    const StepTask& task = step_.tasks[i];
    const std::uint32_t ctas = std::min(task.cta_count, sms_);
    launch(i, {.rank = rank_, .name = {}, .starts_whole = task.starts_whole, .is_urgent = true});
    // Pace is the rank's own; the exchange is everybody's.
    const double clock = 1.0 + task.clock_share * (1.0 / conditions_.clock - 1.0);
    const Duration time = from_us(to_us(task.time) * clock * beside(task));
    const FlagId moved = builder_.add_flags(rank_, ctas);
    for (std::uint32_t c = 0; c < ctas; ++c) {
      // Some of a CTA's warps send while the others receive; the first also meets the peers.
      const FlagId done{moved.value + c};
      builder_.begin_cta();
      for (std::uint32_t w = 0; w < kWarpGroups; ++w) {
        builder_.begin_agent(Role::exchanger);
        if (ranks_ > 1) meet(come, w == 0 ? 1 : 0, ctas);
        busy(Phase::wire, time, task.memory_share / ctas / kWarpGroups, kPieces);
        builder_.signal(Phase::signal, done, 1, {}, Scope::cta);
        if (w > 0) continue;
        builder_.wait(Phase::wait, done, kWarpGroups);
        if (ranks_ > 1) meet(gone, 1, ctas);
      }
    }
  }

  // What an exchange pays for compute that runs meanwhile, in memory and on the chip's own network.
  [[nodiscard]] double beside(const StepTask& task) const {
    if (!beside_compute_.contains(task.stream) || task.memory_share <= 0) return 1.0;
    return constants_.ratio(task.phase == CommunicationPhase::combine ? "combine_beside"
                                                                      : "exchange_beside");
  }

  // Every CTA tells every rank, and waits for all CTAs of all ranks.
  void meet(FlagId first, std::uint32_t says, std::uint32_t ctas) {
    for (std::uint32_t r = 0; says > 0 && r < ranks_; ++r)
      builder_.signal(Phase::signal, FlagId{first.value + r});
    builder_.wait(Phase::wait, FlagId{first.value + rank_.value}, ctas * ranks_);
  }

  const GpuStep& step_;
  const ConstantSet& constants_;
  StepConditions conditions_;
  std::uint32_t ranks_, sms_;
  PlanBuilder builder_;
  Rng delays_;
  Duration event_hop_, exchange_hop_;
  RankId rank_{0};
  std::set<std::uint32_t> beside_compute_;
  std::vector<double> pace_;
  std::map<std::uint32_t, std::uint32_t> last_of_stream_, last_of_communicator_, last_of_queue_;
};

}  // namespace

std::uint32_t planned_ranks(const GpuStep& step) {
  return step.as_recorded ? 1 : std::clamp(step.rank_count, 1U, kMostStepRanks);
}

Plan plan_step(const GpuStep& step,
               const ConstantSet& constants,
               const StepConditions& conditions) {
  return StepPlan(step, constants, conditions).take();
}

}  // namespace epsim
