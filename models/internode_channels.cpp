#include "models/internode_channels.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "models/intranode_channels.hpp"
#include "models/network_constants.hpp"
#include "sim/base/check.hpp"
#include "sim/base/input_error.hpp"
#include "traces/token_fanout.hpp"

namespace epsim {
namespace {

// Part of all (token, host) pairs in which the token goes to the host.
double host_density(const std::vector<TokenFanout>& fanouts, const HostLayout& layout) {
  std::uint64_t tokens = 0;
  std::uint64_t visits = 0;
  for (const TokenFanout& fanout : fanouts) {
    tokens += fanout.range().size();
    for (std::uint32_t t = fanout.range().begin; t < fanout.range().end; ++t) {
      std::uint32_t last = layout.hosts;
      for (const RankId target : fanout.targets(t)) {  // in rising order, so host by host
        const std::uint32_t host = layout.host_of(target.value);
        if (host != last) ++visits;
        last = host;
      }
    }
  }
  if (visits == 0) return 1;
  return static_cast<double>(visits) / (static_cast<double>(tokens) * layout.hosts);
}

}  // namespace

HostLayout host_layout(const Workload& workload) {
  const std::uint32_t ranks = workload.rank_count();
  const auto fail = [&](std::string_view found) {
    throw InputError(workload.topology->name(),
                     "",
                     fmt::format("internode kernels need ranks host by host, equally many on each; "
                                 "found {}",
                                 found));
  };
  std::uint32_t locals = 1;
  while (locals < ranks && workload.share_nvlink(0, locals)) ++locals;
  if (ranks % locals != 0)
    fail(fmt::format("{} ranks, of which the first host has {}", ranks, locals));
  for (std::uint32_t one = 0; one < ranks; ++one) {
    const std::uint32_t first = one / locals * locals;
    if (!workload.share_nvlink(first, one) || (first > 0 && workload.share_nvlink(first - 1, one)))
      fail(fmt::format("rank {} on another host than {} in a row have", one, locals));
  }
  return {.hosts = ranks / locals, .locals = locals};
}

ChannelBlocks::ChannelBlocks(const Workload& workload, const HostLayout& layout, Size size)
    : layout_(layout),
      channels_(channel_count(workload)),
      stride_(1 + layout.hosts + workload.rank_count()) {
  std::vector<TokenFanout> fanouts;  // rank, channel
  std::uint32_t longest = 0;
  for (std::uint32_t r = 0; r < workload.rank_count(); ++r)
    for (std::uint32_t c = 0; c < channels_; ++c) {
      const TokenRange range = channel_range({.tokens = workload.routing->token_count(RankId{r}),
                                              .channel = c,
                                              .channels = channels_});
      fanouts.emplace_back(*workload.routing, *workload.placement, RankId{r}, range);
      longest = std::max(longest, range.size());
    }
  check(size.rows > 0 && size.most > 0 && size.most < 65'536, "a block has tokens, and few");
  const double wanted = std::round(size.rows / host_density(fanouts, layout));
  const auto block_tokens = static_cast<std::uint32_t>(std::clamp(wanted, 1.0, 1.0 * size.most));
  block_count_ = (longest + block_tokens - 1) / block_tokens;
  counts_.resize(fanouts.size() * block_count_ * stride_);
  for (std::uint32_t f = 0; f < fanouts.size(); ++f) {
    const TokenRange range = fanouts[f].range();
    for (std::uint32_t t = range.begin; t < range.end; ++t) {
      const std::uint32_t block = (t - range.begin) / block_tokens;
      std::uint16_t* const counts = &counts_[first(f / channels_, f % channels_, block)];
      ++counts[0];
      std::uint32_t last = layout.hosts;
      for (const RankId target : fanouts[f].targets(t)) {
        const std::uint32_t host = layout.host_of(target.value);
        if (host != last) ++counts[1 + host];
        last = host;
        ++counts[1 + layout.hosts + target.value];
      }
    }
  }
}

std::uint32_t ChannelBlocks::copies_on_host(std::uint32_t rank,
                                            std::uint32_t channel,
                                            std::uint32_t block,
                                            std::uint32_t host) const {
  std::uint32_t copies = 0;
  for (std::uint32_t p = 0; p < layout_.locals; ++p)
    copies += to_rank(rank, channel, block, layout_.rank_at(host, p));
  return copies;
}

RailQueues::RailQueues(PlanBuilder& plan, const HostLayout& layout, std::uint32_t channels)
    : hosts_(layout.hosts), first_(std::size_t{layout.hosts} * layout.locals * layout.hosts) {
  for (std::uint32_t rank = 0; rank < layout.hosts * layout.locals; ++rank)
    for (std::uint32_t host = 0; host < layout.hosts; ++host)
      if (host != layout.host_of(rank))
        first_[rank * hosts_ + host] =
            plan.add_queue_pairs(RankId{rank}, RankId{layout.rail_peer(rank, host)}, channels)
                .value;
}

void check_internode(const Workload& workload, const ConstantSet& hardware) {
  const std::string& system = workload.topology->name();
  if (!has_network(hardware))
    throw InputError(
        system, "", "ranks lie on several hosts: expected network constants, found none");
  if (workload.record_accesses)
    throw InputError(
        system, "", "accesses of internode kernels are not modelled: expected ranks of one host");
  check(workload.fold.planned == 0, "normal kernels are not folded");
}

}  // namespace epsim
