#include "sim/fluid_network.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

namespace epsim {
namespace {

using Rate = std::int64_t;

constexpr Rate kNoCap = std::numeric_limits<Rate>::max();
constexpr Rate kNotFull = kNoCap;
constexpr Rate kInactive = std::numeric_limits<Rate>::min();  // slot without a flow
constexpr Rate kOutside = -2;                                 // flow is not in the solve
constexpr Rate kUnfrozen = -1;  // flow is in the solve and has no new rate yet
constexpr std::uint32_t kOwnCap = std::numeric_limits<std::uint32_t>::max();

Rate to_rate(Bandwidth bandwidth) {
  // Above 2^62 units (70 TB/s) sums could overflow.
  check(bandwidth.bytes_per_second * kRateUnits < 0x1p62, "a rate is below 70 TB/s");
  return static_cast<Rate>(bandwidth.bytes_per_second * kRateUnits);
}

// Levels this close are one level: whole units divide unevenly, by less than one unit a flow.
Rate tolerance(Rate level) {
  return (level >> 33) + 64;
}

// What may be left of a resource that is full: the tolerance of its level for each of its flows.
Rate slack(Rate capacity, std::size_t member_count) {
  return (capacity >> 32) + 64 * static_cast<Rate>(member_count);
}

double bytes_per_ps(Rate rate) {
  return static_cast<double>(rate) * (1e-12 / kRateUnits);
}

}  // namespace

FluidNetwork::FluidNetwork(std::span<const Bandwidth> capacities)
    : resources_(capacities.size()), shares_(capacities.size()) {
  for (std::size_t r = 0; r < capacities.size(); ++r) {
    resources_[r].capacity = to_rate(capacities[r]);
    check(resources_[r].capacity > 0, "a resource has a capacity");
  }
}

FlowId FluidNetwork::start(Instant now,
                           std::uint32_t client,
                           std::span<const ResourceId> path,
                           Bytes size,
                           Bandwidth cap) {
  check(size.count >= 0, "a flow has zero bytes or more");
  check(cap.bytes_per_second > 0, "the cap of a flow lets it finish");
  check(!path.empty(), "a flow crosses a resource");
  for (auto hop = path.begin(); hop != path.end(); ++hop) {
    check(hop->index() < resources_.size(), "a path names resources of the network");
    check(std::find(path.begin(), hop, *hop) == hop, "a path names no resource twice");
  }
  advance(now);
  const std::uint32_t flow = new_flow(path);
  flows_[flow] = {static_cast<double>(size.count), now, next_order_++, client};
  rates_[flow] = 0;
  Rate narrowest = kNoCap;
  for (const ResourceId r : path) narrowest = std::min(narrowest, resources_[r.index()].capacity);
  const bool has_cap = cap.bytes_per_second * kRateUnits < static_cast<double>(narrowest);
  caps_[flow] = has_cap ? to_rate(cap) : kNoCap;
  newcomers_.push_back(flow);
  ++active_count_;
  is_settled_ = false;
  return FlowId{flow};
}

void FluidNetwork::complete(Instant now, std::vector<std::uint32_t>& finished) {
  settle();
  advance(now);
  if (now != next_ || active_count_ == 0) return;
  leavers_.clear();
  for (std::size_t block = 0; block < block_finishes_.size(); ++block) {
    if (block_finishes_[block] != now) continue;
    const std::size_t end = std::min(flows_.size(), (block + 1) * kBlock);
    for (std::size_t flow = block * kBlock; flow < end; ++flow)
      if (finishes_[flow] == now)
        leavers_.emplace_back(flows_[flow].order, static_cast<std::uint32_t>(flow));
  }
  if (!std::is_sorted(leavers_.begin(), leavers_.end()))
    std::sort(leavers_.begin(), leavers_.end());
  for (const auto& [order, flow] : leavers_) finished.push_back(flows_[flow].client);
  // Youngest first: they stand at the end of the members, where removal moves nobody.
  for (std::size_t i = leavers_.size(); i > 0; --i) remove_flow(leavers_[i - 1].second);
  is_settled_ = false;
  next_ = Instant::max();  // even a next completion at this same instant is a new one
  ++version_;
}

// A slot for a flow, and its entries in the members of every resource on the path.
std::uint32_t FluidNetwork::new_flow(std::span<const ResourceId> path) {
  auto flow = static_cast<std::uint32_t>(flows_.size());
  if (free_flows_.empty()) {
    flows_.emplace_back();
    paths_.emplace_back();
    rates_.push_back(0);
    caps_.push_back(kNoCap);
    bottlenecks_.push_back(kOwnCap);
    new_rates_.push_back(kOutside);
    new_bottlenecks_.push_back(kOwnCap);
    finishes_.push_back(Instant::max());
    if (flow / kBlock == block_finishes_.size()) {
      block_finishes_.push_back(Instant::max());
      is_block_stale_.push_back(0);
    }
  } else {
    flow = free_flows_.back();
    free_flows_.pop_back();
  }

  if (free_hops_.size() <= path.size()) free_hops_.resize(path.size() + 1);
  auto& free_blocks = free_hops_[path.size()];
  auto hop = static_cast<std::uint32_t>(hops_.size());
  if (free_blocks.empty()) {
    hops_.resize(hops_.size() + path.size());
  } else {
    hop = free_blocks.back();
    free_blocks.pop_back();
  }
  paths_[flow] = {hop, static_cast<std::uint32_t>(path.size())};

  for (std::size_t i = 0; i < path.size(); ++i, ++hop) {
    Resource& resource = resources_[path[i].index()];
    hops_[hop] = {path[i].value, static_cast<std::uint32_t>(resource.members.size())};
    resource.members.push_back({flow, hop});
    if (!resource.is_changed) {
      resource.is_changed = true;
      changed_.push_back(path[i].value);
    }
  }
  bottlenecks_[flow] = kOwnCap;
  return flow;
}

void FluidNetwork::remove_flow(std::uint32_t flow) {
  const Flow& leaver = flows_[flow];
  // It held its rate for less than 1 ps too long.
  const double per_ps = bytes_per_ps(rates_[flow]);
  const double excess =
      per_ps * static_cast<double>((now_ - leaver.settled).count()) - leaver.bytes_left;
  const double noise = 2e-3 * per_ps + 1e-9 * leaver.bytes_left;
  check(excess >= -noise, "a flow delivers every byte");
  check(excess <= per_ps + noise, "a flow delivers no byte twice");

  if (bottlenecks_[flow] != kOwnCap) --resources_[bottlenecks_[flow]].bound_count;
  for (const Hop& hop : hops_of(flow)) {
    Resource& resource = resources_[hop.resource];
    resource.load -= rates_[flow];
    resource.members[hop.position] = resource.members.back();
    hops_[resource.members[hop.position].hop].position = hop.position;
    resource.members.pop_back();
    if (!resource.is_changed) {
      resource.is_changed = true;
      changed_.push_back(hop.resource);
    }
  }
  free_hops_[paths_[flow].length].push_back(paths_[flow].first);
  free_flows_.push_back(flow);
  floor_ = std::min(floor_, rates_[flow]);
  rates_[flow] = kInactive;
  set_finish(flow, Instant::max());
  --active_count_;
}

void FluidNetwork::settle() {
  if (is_settled_) return;
  is_settled_ = true;
  include_changed();
  // A solve that spreads may as well take in all that can change, and check nothing. Where one
  // has spread the next will too: only one in eight tries again to stay local.
  const bool tries_local = spread_expected_ == 0 && 8 * solved_.size() <= active_count_;
  if (spread_expected_ > 0) --spread_expected_;
  bool is_complete = !tries_local;
  do {
    is_complete = is_complete || 8 * solved_.size() > active_count_;
    if (is_complete) include_from_floor();
    fill();
    ++solve_count_;
    solved_flow_count_ += solved_.size();
  } while (!is_complete && include_violated());
  if (tries_local && is_complete) spread_expected_ = 7;
  commit();
  refresh_finishes();
}

void FluidNetwork::include(std::uint32_t flow) {
  if (new_rates_[flow] != kOutside) return;
  new_rates_[flow] = kUnfrozen;
  solved_.push_back(flow);
  if (caps_[flow] != kNoCap) capped_.push_back(flow);
  for (const Hop& hop : hops_of(flow)) {
    Share& share = shares_[hop.resource];
    const Resource& resource = resources_[hop.resource];
    if (share.solved_count == 0) {
      touched_.push_back(hop.resource);
      share.open = resource.capacity - resource.load;
      share.kept_bound_count = resource.bound_count;
    }
    ++share.solved_count;
    share.open += rates_[flow];
    if (bottlenecks_[flow] == hop.resource) --share.kept_bound_count;
  }
}

// Seeds of the solve: who has no rate yet, and who had the bottleneck where something changed. Also
// the floor: below it, filling goes as it went before. A flow that left takes no part from its own
// rate on; one that came makes no resource on its path fill below an equal share for all there.
void FluidNetwork::include_changed() {
  for (const std::uint32_t flow : newcomers_) {
    include(flow);
    floor_ = std::min(floor_, caps_[flow]);
  }
  for (const std::uint32_t r : changed_) {
    Resource& resource = resources_[r];
    resource.is_changed = false;
    if (!newcomers_.empty() && !resource.members.empty())
      floor_ = std::min(floor_, resource.capacity / static_cast<Rate>(resource.members.size()));
    if (resource.bound_count == 0) continue;
    for (const Member& member : resource.members)
      if (bottlenecks_[member.flow] == r) include(member.flow);
  }
  newcomers_.clear();
  changed_.clear();
}

void FluidNetwork::include_from_floor() {
  const Rate floor = floor_ - tolerance(floor_);
  for (std::uint32_t flow = 0; flow < rates_.size(); ++flow)
    if (rates_[flow] >= floor) include(flow);
}

// Progressive filling of the flows in the solve, in what the others leave.
void FluidNetwork::fill() {
  heap_.clear();
  for (const std::uint32_t r : touched_) {
    Share& share = shares_[r];
    share.left = share.open;
    share.left_count = share.solved_count;
    share.top = 0;
    share.level = kNotFull;
    heap_.emplace_back(share.left / share.left_count, r);
  }
  for (const std::uint32_t flow : solved_) new_rates_[flow] = kUnfrozen;
  std::make_heap(heap_.begin(), heap_.end(), std::greater<>());
  std::sort(capped_.begin(), capped_.end(), [this](std::uint32_t a, std::uint32_t b) {
    return std::pair(caps_[a], a) < std::pair(caps_[b], b);
  });

  auto next_capped = capped_.begin();
  Rate level = 0;
  while (!heap_.empty()) {
    const auto [stored, r] = heap_.front();
    const Share& share = shares_[r];
    // The least share is known once the one in front is up to date.
    if (share.left_count > 0 && share.left / share.left_count == stored) {
      while (next_capped != capped_.end() && new_rates_[*next_capped] != kUnfrozen) ++next_capped;
      if (next_capped != capped_.end() && caps_[*next_capped] <= stored) {
        freeze(*next_capped, caps_[*next_capped], kOwnCap);
      } else {
        if (level == 0 || stored > level + tolerance(level)) level = stored;
        shares_[r].level = level;
        for (const Member& member : resources_[r].members)
          if (new_rates_[member.flow] == kUnfrozen) freeze(member.flow, level, r);
      }
    }
    if (share.left_count > 0) {
      replace_front(share.left / share.left_count);
    } else {
      std::pop_heap(heap_.begin(), heap_.end(), std::greater<>());
      heap_.pop_back();
    }
  }
}

void FluidNetwork::freeze(std::uint32_t flow, Rate rate, std::uint32_t bottleneck) {
  new_rates_[flow] = rate;
  new_bottlenecks_[flow] = bottleneck;
  for (const Hop& hop : hops_of(flow)) {
    Share& share = shares_[hop.resource];
    share.left -= rate;
    share.top = std::max(share.top, rate);
    --share.left_count;
  }
}

// Takes flows into the solve that the new rates leave without a bottleneck. False when there are
// none, so that all rates are optimal.
bool FluidNetwork::include_violated() {
  const std::size_t before = solved_.size();
  const std::size_t touched_count = touched_.size();
  for (std::size_t i = 0; i < touched_count; ++i) {
    const std::uint32_t r = touched_[i];
    const Resource& resource = resources_[r];
    const Share& share = shares_[r];
    // Those bound here: the resource is not full any more, or another flow is faster.
    const bool is_full = share.left <= slack(resource.capacity, resource.members.size());
    const bool is_passed = share.top > resource.level + 2 * tolerance(resource.level);
    const bool frees_bound = share.kept_bound_count > 0 && (!is_full || is_passed);
    // Those that are faster than a flow in the solve which is bound here. No flow here was faster
    // than the old level, if there was one.
    const bool tops_old = resource.bound_count > 0 && share.level >= resource.level;
    const bool sinks_faster = share.level != kNotFull && !tops_old;
    if (!frees_bound && !sinks_faster) continue;
    const Rate fastest = sinks_faster ? share.level + 2 * tolerance(share.level) : kNoCap;
    for (const Member& member : resource.members)
      if (rates_[member.flow] > fastest || (frees_bound && bottlenecks_[member.flow] == r))
        include(member.flow);
  }
  return solved_.size() > before;
}

// The new rates become the rates; who has another rate than before gets another finish.
void FluidNetwork::commit() {
  for (const std::uint32_t flow : solved_) {
    const Rate rate = new_rates_[flow];
    const std::uint32_t bottleneck = new_bottlenecks_[flow];
    new_rates_[flow] = kOutside;
    if (bottlenecks_[flow] != kOwnCap) --resources_[bottlenecks_[flow]].bound_count;
    if (bottleneck != kOwnCap) {
      ++resources_[bottleneck].bound_count;
      resources_[bottleneck].level = rate;
    }
    bottlenecks_[flow] = bottleneck;
    if (rate == rates_[flow]) continue;
    check(rate > 0, "every flow gets a share");
    Flow& state = flows_[flow];
    const auto elapsed = static_cast<double>((now_ - state.settled).count());
    state.bytes_left = std::max(0.0, state.bytes_left - bytes_per_ps(rates_[flow]) * elapsed);
    if (finishes_[flow] <= now_) state.bytes_left = 0.0;  // due: what is left is noise
    state.settled = now_;
    rates_[flow] = rate;
    const Duration left = round_up_to_ps(state.bytes_left / bytes_per_ps(rate));
    set_finish(flow, now_ + std::max(Duration{0}, left));
  }
  for (const std::uint32_t r : touched_) {
    resources_[r].load = resources_[r].capacity - shares_[r].left;
    check(shares_[r].left >= 0, "no resource is above its capacity");
    shares_[r].solved_count = 0;
  }
  touched_.clear();
  solved_.clear();
  capped_.clear();
  floor_ = kNoCap;
}

void FluidNetwork::refresh_finishes() {
  for (const std::uint32_t block : stale_blocks_) {
    const std::size_t end = std::min(finishes_.size(), (block + 1) * kBlock);
    Instant least = Instant::max();
    for (std::size_t flow = block * kBlock; flow < end; ++flow)
      least = std::min(least, finishes_[flow]);
    block_finishes_[block] = least;
    is_block_stale_[block] = 0;
  }
  stale_blocks_.clear();
  Instant next = Instant::max();
  for (const Instant finish : block_finishes_) next = std::min(next, finish);
  if (next != next_) ++version_;
  next_ = next;
}

std::vector<Instant> simulate_flows(std::span<const Bandwidth> capacities,
                                    Duration latency,
                                    std::span<const FlowRequest> flows) {
  std::vector<std::uint32_t> order(flows.size());
  std::iota(order.begin(), order.end(), 0U);
  const auto starts_earlier = [&](std::uint32_t a, std::uint32_t b) {
    return flows[a].start < flows[b].start;
  };
  if (!std::is_sorted(order.begin(), order.end(), starts_earlier))
    std::stable_sort(order.begin(), order.end(), starts_earlier);

  FluidNetwork network(capacities);
  std::vector<Instant> finishes(flows.size());
  std::vector<std::uint32_t> finished;
  std::size_t next = 0;
  while (next < order.size() || network.active_count() > 0) {
    const Instant arrival =
        next < order.size() ? flows[order[next]].start + latency : Instant::max();
    const Instant now = std::min(arrival, network.next_completion().value_or(Instant::max()));
    finished.clear();
    network.complete(now, finished);
    for (const std::uint32_t flow : finished) finishes[flow] = now;
    for (; next < order.size() && flows[order[next]].start + latency == now; ++next) {
      const FlowRequest& flow = flows[order[next]];
      network.start(now, order[next], flow.path, flow.size, flow.cap);
    }
  }
  return finishes;
}

}  // namespace epsim
