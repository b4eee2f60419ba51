#include "models/plan_builder.hpp"

#include <limits>

namespace epsim {
namespace {

constexpr Duration kLongestOperation{std::numeric_limits<std::uint32_t>::max()};

std::uint32_t narrow_time(Duration time) {
  check(time >= Duration{}, "an operation takes no negative time");
  check(time <= kLongestOperation, "one operation takes at most 4.29 ms; work may take longer");
  return static_cast<std::uint32_t>(time.count());
}

std::uint32_t narrow_size(Bytes size) {
  check(size.count >= 0, "a transfer has no negative size");
  check(size.count <= std::numeric_limits<std::uint32_t>::max(), "one transfer is below 4 GiB");
  return static_cast<std::uint32_t>(size.count);
}

template <typename T>
std::uint32_t next_index(const std::vector<T>& values) {
  check(values.size() < std::numeric_limits<std::uint32_t>::max(), "a plan fits 32-bit indices");
  return static_cast<std::uint32_t>(values.size());
}

}  // namespace

PlanBuilder::PlanBuilder(std::string_view name,
                         std::uint32_t rank_count,
                         std::uint32_t sm_count,
                         RankRates rates) {
  plan_.name = name;
  plan_.rank_count = rank_count;
  plan_.sm_count = sm_count;
  plan_.rates = rates;
  plan_.rank_start.resize(rank_count);
  plan_.rate_caps.push_back(Bandwidth{std::numeric_limits<double>::infinity()});
}

KernelId PlanBuilder::begin_kernel(const Launch& launch) {
  check(launch.rank.value < plan_.rank_count, "a kernel runs on a rank of the plan");
  const KernelId id{next_index(plan_.kernels)};
  check(launch.after < static_cast<std::int64_t>(id.value), "a kernel follows an earlier one");
  check((launch.crowded_ctas <= launch.persistent_ctas || launch.crowded_ctas == kCrowdedByTable) &&
            (launch.crowded_ctas > 0) == (launch.persistent_ctas > 0),
        "some of a persistent kernel's CTAs find room, and all of them when it is alone");
  plan_.kernels.push_back({.rank = launch.rank,
                           .first_cta = next_index(plan_.ctas),
                           .cta_count = 0,
                           .after = launch.after,
                           .delay = launch.delay,
                           .not_before = launch.not_before,
                           .start_overhead = launch.start_overhead,
                           .finish_overhead = launch.finish_overhead,
                           .ctas_per_sm = launch.ctas_per_sm,
                           .name = launch.name,
                           .persistent_ctas = launch.persistent_ctas,
                           .crowded_ctas = launch.crowded_ctas,
                           .own_first_tiles = launch.own_first_tiles,
                           .flushes_links = launch.flushes_links,
                           .starts_whole = launch.starts_whole,
                           .is_urgent = launch.is_urgent});
  return id;
}

void PlanBuilder::wait_for_kernel(KernelId earlier, Duration delay) {
  check(!plan_.kernels.empty(), "a kernel waits");
  const KernelId later{next_index(plan_.kernels) - 1};
  check(earlier.value < later.value, "a kernel follows an earlier one");
  plan_.kernel_edges.push_back({earlier, later, delay});
}

CtaId PlanBuilder::begin_cta() {
  check(!plan_.kernels.empty(), "a CTA belongs to a kernel");
  const CtaId id{next_index(plan_.ctas)};
  ++plan_.kernels.back().cta_count;
  plan_.ctas.push_back({.kernel = KernelId{next_index(plan_.kernels) - 1},
                        .first_agent = next_index(plan_.agents),
                        .agent_count = 0});
  return id;
}

AgentId PlanBuilder::begin_agent(Role role) {
  check(!plan_.kernels.empty() && plan_.kernels.back().cta_count > 0, "an agent belongs to a CTA");
  const AgentId id{next_index(plan_.agents)};
  ++plan_.ctas.back().agent_count;
  plan_.agents.push_back({.first_operation = next_index(plan_.operations),
                          .operation_count = 0,
                          .cta = CtaId{next_index(plan_.ctas) - 1},
                          .role = role});
  return id;
}

FlagId PlanBuilder::add_flags(RankId home, std::uint32_t count) {
  check(home.value < plan_.rank_count, "a flag lives on a rank of the plan");
  const FlagId first{next_index(plan_.flags)};
  plan_.flags.insert(plan_.flags.end(), count, Flag{home, false});
  return first;
}

FlagId PlanBuilder::add_step_flag(RankId home) {
  const FlagId flag = add_flag(home);
  plan_.flags.back().in_steps = true;
  return flag;
}

BarrierId PlanBuilder::add_barrier(std::uint32_t members) {
  check(members > 0, "a barrier has members");
  const BarrierId id{next_index(plan_.barriers)};
  plan_.barriers.push_back({members});
  return id;
}

std::uint16_t PlanBuilder::rate_cap(Bandwidth cap) {
  for (std::size_t i = 0; i < plan_.rate_caps.size(); ++i)
    if (plan_.rate_caps[i] == cap) return static_cast<std::uint16_t>(i);
  check(plan_.rate_caps.size() < 65'535, "a plan has few different rate caps");
  plan_.rate_caps.push_back(cap);
  return static_cast<std::uint16_t>(plan_.rate_caps.size() - 1);
}

void PlanBuilder::append(Operation operation) {
  check(!plan_.agents.empty(), "an operation belongs to an agent");
  ++plan_.agents.back().operation_count;
  plan_.operations.push_back(operation);
}

QueuePairId PlanBuilder::add_queue_pairs(RankId source, RankId target, std::uint32_t count) {
  check(source.value < plan_.rank_count && target.value < plan_.rank_count,
        "a queue pair joins ranks of the plan");
  const QueuePairId first{next_index(plan_.queue_pairs)};
  plan_.queue_pairs.insert(plan_.queue_pairs.end(), count, QueuePair{source, target});
  return first;
}

void PlanBuilder::work(Phase phase, Duration time) {
  for (; time > kLongestOperation; time -= kLongestOperation)
    append({OpKind::work, phase, 0, 0, 0, narrow_time(kLongestOperation)});
  append({OpKind::work, phase, 0, 0, 0, narrow_time(time)});
}

void PlanBuilder::serve(Phase phase, Bytes size, Duration least, std::uint16_t cap) {
  append({OpKind::serve, phase, cap, 0, narrow_size(size), narrow_time(least)});
}

void PlanBuilder::load(Phase phase, Bytes size, FlagId landed, Duration least, std::uint16_t cap) {
  append({OpKind::load, phase, cap, landed.value, narrow_size(size), narrow_time(least)});
}

void PlanBuilder::put(Phase phase, RankId target, Bytes size, Duration least) {
  check(target.value < plan_.rank_count, "a put goes to a rank of the plan");
  append({OpKind::put, phase, 0, target.value, narrow_size(size), narrow_time(least)});
}

void PlanBuilder::drain(Phase phase, Duration least) {
  append({OpKind::drain, phase, 0, 0, 0, narrow_time(least)});
}

void PlanBuilder::signal(
    Phase phase, FlagId flag, std::uint32_t increment, Duration least, Scope scope) {
  append({OpKind::signal,
          phase,
          static_cast<std::uint16_t>(scope),
          flag.value,
          increment,
          narrow_time(least)});
}

void PlanBuilder::wait(Phase phase, FlagId flag, std::uint32_t count, Duration least) {
  append({OpKind::wait, phase, 0, flag.value, count, narrow_time(least)});
}

void PlanBuilder::sleep(Phase phase, FlagId flag, std::uint32_t count, Duration wake) {
  append({OpKind::wait, phase, kWakes, flag.value, count, narrow_time(wake)});
}

void PlanBuilder::fence(Phase phase, FenceKind kind, Duration cost, std::uint32_t warps) {
  check(warps > 0, "somebody executes a fence");
  append({OpKind::fence, phase, static_cast<std::uint16_t>(kind), 0, warps, narrow_time(cost)});
}

void PlanBuilder::barrier(Phase phase, BarrierId group, Duration cost) {
  append({OpKind::barrier, phase, 0, group.value, 0, narrow_time(cost)});
}

void PlanBuilder::post(
    Phase phase, QueuePairId queue, Bytes size, Duration least, std::uint16_t detail) {
  check(queue.index() < plan_.queue_pairs.size(), "a post names a queue pair of the plan");
  append({OpKind::post, phase, detail, queue.value, narrow_size(size), narrow_time(least)});
}

void PlanBuilder::post_signal(Phase phase,
                              QueuePairId queue,
                              FlagId flag,
                              std::uint32_t increment,
                              Duration least,
                              std::uint16_t detail) {
  check(queue.index() < plan_.queue_pairs.size(), "a post names a queue pair of the plan");
  check(plan_.flags[flag.index()].home == plan_.queue_pairs[queue.index()].target,
        "an atomic goes to a flag of its queue pair's target");
  check(increment < (1U << (16 - kIncrementShift)), "the increment of an atomic fits its bits");
  append({OpKind::post_signal,
          phase,
          static_cast<std::uint16_t>(detail | increment << kIncrementShift),
          flag.value,
          queue.value,
          narrow_time(least)});
}

std::uint32_t PlanBuilder::add_memory(std::string_view name, RankId rank, std::uint32_t count) {
  const std::uint32_t first = plan_.location_count;
  if (!records_accesses_) return first;
  check(count <= std::numeric_limits<std::uint32_t>::max() - first, "locations fit 32 bits");
  if (count > 0) plan_.memory.push_back({name, rank, false, first});
  plan_.location_count += count;
  return first;
}

std::uint32_t PlanBuilder::add_shared_memory(std::string_view name,
                                             RankId rank,
                                             std::uint32_t count) {
  const std::uint32_t first = add_memory(name, rank, count);
  if (records_accesses_ && count > 0) plan_.memory.back().is_shared = true;
  return first;
}

void PlanBuilder::add_access(AccessKind kind,
                             AccessWay way,
                             std::uint32_t location,
                             std::uint32_t count) {
  if (!records_accesses_ || count == 0) return;
  check(!plan_.operations.empty(), "an access belongs to an operation");
  plan_.accesses.push_back({next_index(plan_.operations) - 1, location, count, kind, way});
}

void PlanBuilder::reads(std::uint32_t location, AccessWay way, std::uint32_t count) {
  add_access(AccessKind::read, way, location, count);
}

void PlanBuilder::writes(std::uint32_t location, AccessWay way, std::uint32_t count) {
  add_access(AccessKind::write, way, location, count);
}

void PlanBuilder::completes_step(std::uint32_t step) {
  add_access(AccessKind::step, AccessWay::generic, step, 1);
}

void PlanBuilder::releases_nothing() {
  check(plan_.operations.back().kind == OpKind::signal, "a signal is relaxed");
  plan_.operations.back().detail = kRelaxed;
}

void PlanBuilder::awaits_flush() {
  check(plan_.operations.back().kind == OpKind::wait && plan_.operations.back().detail == 0,
        "a wait that does not sleep may need a flush");
  plan_.operations.back().detail = kUnflushed;
}

void PlanBuilder::reserve(std::size_t operations, std::size_t agents) {
  plan_.operations.reserve(plan_.operations.size() + operations);
  plan_.agents.reserve(plan_.agents.size() + agents);
}

}  // namespace epsim
