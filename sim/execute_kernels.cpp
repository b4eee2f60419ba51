// Launches and ends of kernels, and which CTA runs where.
#include <algorithm>

#include "sim/execution.hpp"

namespace epsim {

// One of the things that a kernel waits for has come; it cannot launch before `at`.
void Execution::release_kernel(std::uint32_t k, Instant at) {
  KernelState& state = kernels_[k];
  state.ready = std::max(state.ready, at);
  if (--state.waits == 0) schedule(state.ready, Event::Kind::launch, k);
}

void Execution::launch(std::uint32_t k) {
  const Kernel& kernel = plan_.kernels[k];
  check(kernel.cta_count > 0, "a kernel has CTAs");
  RankKernels& rank = rank_kernels_[kernel.rank.index()];
  SmPool::Request request{.cta = kernel.first_cta,
                          .ctas_per_sm = kernel.ctas_per_sm,
                          .count = kernel.starts_whole ? kernel.cta_count : 1,
                          .is_urgent = kernel.is_urgent};
  if (kernel.persistent_ctas > 0)
    rank.crowded.push_back(k);
  else
    for (; request.cta < kernel.first_cta + kernel.cta_count; request.cta += request.count)
      sm_pools_[kernel.rank.index()].enqueue(request);
  ++rank.running;
  enqueue_slots(kernel.rank.value);
  place_ctas(kernel.rank.value);
}

// Asks for the slots of persistent kernels: for those that fit beside others while there are
// others, for the rest when there are none. Where CTAs have tiles of their own, one that found no
// room also comes when another one of its kernel has left.
void Execution::enqueue_slots(std::uint32_t rank) {
  std::vector<std::uint32_t>& crowded = rank_kernels_[rank].crowded;
  const bool alone = rank_kernels_[rank].running == 1;
  for (const std::uint32_t k : crowded) {
    const Kernel& kernel = plan_.kernels[k];
    KernelState& state = kernels_[k];
    const std::uint32_t most = alone ? kernel.persistent_ctas : crowded_slots(k);
    const std::uint32_t all = std::min(kernel.persistent_ctas, kernel.cta_count);
    for (; state.slots < all && state.slots - state.left < most; ++state.slots)
      sm_pools_[rank].enqueue({.cta = slot_of(k), .ctas_per_sm = kernel.ctas_per_sm});
  }
  if (alone) crowded.clear();
}

// How many slots a persistent kernel finds beside what others hold now.
std::uint32_t Execution::crowded_slots(std::uint32_t k) const {
  const Kernel& kernel = plan_.kernels[k];
  if (kernel.crowded_ctas != kCrowdedByTable) return kernel.crowded_ctas;
  const std::uint32_t in_use = sm_pools_[kernel.rank.index()].sms_in_use();
  const std::uint32_t own = (kernels_[k].held + kernel.ctas_per_sm - 1) / kernel.ctas_per_sm;
  const std::uint32_t others = in_use > own ? in_use - own : 0;
  check(others < plan_.crowded_slots.size(), "the table of crowded slots has every SM count");
  return std::min(kernel.persistent_ctas, plan_.crowded_slots[others] * kernel.ctas_per_sm);
}

void Execution::place_ctas(std::uint32_t rank) {
  sm_pools_[rank].place([&](std::uint32_t cta) {
    if (cta < plan_.ctas.size())
      start_cta(cta);
    else
      take_slot(cta - static_cast<std::uint32_t>(plan_.ctas.size()));
  });
}

void Execution::take_slot(std::uint32_t k) {
  const Kernel& kernel = plan_.kernels[k];
  KernelState& state = kernels_[k];
  ++state.held;
  if (kernel.own_first_tiles)
    start_cta(kernel.first_cta + state.taken++);
  else
    start_tile(k);
}

// A slot of a persistent kernel takes the next tile, or goes back to the pool.
void Execution::start_tile(std::uint32_t k) {
  const Kernel& kernel = plan_.kernels[k];
  KernelState& state = kernels_[k];
  // Tiles that CTAs have of their own come first in the kernel, and nobody else takes them.
  const std::uint32_t own = kernel.own_first_tiles ? kernel.persistent_ctas : 0;
  if (own + state.next_tile < kernel.cta_count)
    return start_cta(kernel.first_cta + own + state.next_tile++);
  --state.held;
  ++state.left;
  sm_pools_[kernel.rank.index()].leave(kernel.ctas_per_sm);
  if (kernel.own_first_tiles) enqueue_slots(kernel.rank.value);
}

void Execution::start_cta(std::uint32_t c) {
  const Cta& cta = plan_.ctas[c];
  check(cta.agent_count > 0, "a CTA has agents");
  // A profiler's start: a kernel that waits for SMs has not begun.
  Instant& kernel_start = timeline_.kernel_start[cta.kernel.index()];
  if (kernel_start == Timeline::kNever) kernel_start = now();
  const Kernel& kernel = plan_.kernels[cta.kernel.index()];
  const bool is_first =
      kernel.persistent_ctas == 0 || c < kernel.first_cta + kernels_[cta.kernel.index()].slots;
  const Instant first = now() + (is_first ? kernel.start_overhead : Duration{});
  for (std::uint32_t a = cta.first_agent; a < cta.first_agent + cta.agent_count; ++a) {
    timeline_.agent_start[a] = first;
    schedule(first, Event::Kind::proceed, a);
  }
}

void Execution::finish_agent(std::uint32_t agent) {
  const std::uint32_t c = agents_[agent].cta;
  if (--cta_agents_left_[c] > 0) return;
  const std::uint32_t k = plan_.ctas[c].kernel.value;
  const Kernel& kernel = plan_.kernels[k];
  if (kernel.persistent_ctas > 0)
    start_tile(k);
  else
    sm_pools_[kernel.rank.index()].leave(kernel.ctas_per_sm);
  if (--kernel_ctas_left_[k] == 0) end_kernel(k);
  place_ctas(kernel.rank.value);
}

void Execution::end_kernel(std::uint32_t k) {
  const Kernel& kernel = plan_.kernels[k];
  const Instant flushed = kernel.flushes_links ? fabric_.queued_until(kernel.rank.value) : now();
  timeline_.kernel_end[k] = std::max(now(), flushed) + kernel.finish_overhead;
  for (const KernelState::Follower& follower : kernels_[k].followers)
    release_kernel(follower.kernel, timeline_.kernel_end[k] + follower.delay);
  RankKernels& rank = rank_kernels_[kernel.rank.index()];
  --rank.running;
  std::erase(rank.crowded, k);
  enqueue_slots(kernel.rank.value);
}

}  // namespace epsim
