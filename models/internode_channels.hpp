// Internode channels: what the two internode plans share. Which rows of a channel cross which ring,
// block by block, and the queue pairs between GPUs of the same place.
//
// A channel's tokens are cut into blocks, and each ring carries the rows that a block has for it:
// the chunk in which RDMA messages leave. All agents take blocks in order, so that whoever waits
// for credit waits for an earlier block, and the earliest that waits never waits long.
#pragma once

#include <cstdint>
#include <vector>

#include "models/internode.hpp"
#include "models/plan_builder.hpp"
#include "models/workload.hpp"

namespace epsim {

// Pieces in which puts of whole chunks cross the fabric.
inline constexpr Bytes kInternodePiece{16'384};

// Ranks host by host, equally many on each.
struct HostLayout {
  std::uint32_t hosts;
  std::uint32_t locals;  // ranks of a host
  [[nodiscard]] std::uint32_t host_of(std::uint32_t rank) const { return rank / locals; }
  [[nodiscard]] std::uint32_t local_of(std::uint32_t rank) const { return rank % locals; }
  [[nodiscard]] std::uint32_t rank_at(std::uint32_t host, std::uint32_t local) const {
    return host * locals + local;
  }
  // The rank of another host with the same place.
  [[nodiscard]] std::uint32_t rail_peer(std::uint32_t rank, std::uint32_t host) const {
    return rank_at(host, local_of(rank));
  }
};

// Throws InputError where ranks do not lie so.
[[nodiscard]] HostLayout host_layout(const Workload& workload);

class ChannelBlocks {
 public:
  // Blocks that bring a host about `rows` rows, and have no more than `most` tokens.
  struct Size {
    std::uint32_t rows;
    std::uint32_t most;
  };
  ChannelBlocks(const Workload& workload, const HostLayout& layout, Size size);

  // Most blocks that any channel has.
  [[nodiscard]] std::uint32_t block_count() const { return block_count_; }
  // Tokens of a rank in a block of a channel: 0 where it has fewer blocks.
  [[nodiscard]] std::uint32_t tokens(std::uint32_t rank,
                                     std::uint32_t channel,
                                     std::uint32_t block) const {
    return counts_[first(rank, channel, block)];
  }
  // Those of them that go to any rank of a host, and those that go to a rank.
  [[nodiscard]] std::uint32_t to_host(std::uint32_t rank,
                                      std::uint32_t channel,
                                      std::uint32_t block,
                                      std::uint32_t host) const {
    return counts_[first(rank, channel, block) + 1 + host];
  }
  [[nodiscard]] std::uint32_t to_rank(std::uint32_t rank,
                                      std::uint32_t channel,
                                      std::uint32_t block,
                                      std::uint32_t target) const {
    return counts_[first(rank, channel, block) + 1 + layout_.hosts + target];
  }
  // Rows of a block that go to the ranks of a host, one for each rank.
  [[nodiscard]] std::uint32_t copies_on_host(std::uint32_t rank,
                                             std::uint32_t channel,
                                             std::uint32_t block,
                                             std::uint32_t host) const;

 private:
  [[nodiscard]] std::size_t first(std::uint32_t rank,
                                  std::uint32_t channel,
                                  std::uint32_t block) const {
    return ((std::size_t{rank} * channels_ + channel) * block_count_ + block) * stride_;
  }

  HostLayout layout_;
  std::uint32_t channels_;
  std::uint32_t stride_;
  std::uint32_t block_count_ = 0;
  std::vector<std::uint16_t> counts_;  // rank, channel, block; tokens, then by host, then by rank
};

// One queue pair for each rank, other host and channel.
class RailQueues {
 public:
  RailQueues(PlanBuilder& plan, const HostLayout& layout, std::uint32_t channels);
  // `rank` to the GPU of its place on `host`.
  [[nodiscard]] QueuePairId queue(std::uint32_t rank,
                                  std::uint32_t host,
                                  std::uint32_t channel) const {
    return QueuePairId{first_[rank * hosts_ + host] + channel};
  }

 private:
  std::uint32_t hosts_;
  std::vector<std::uint32_t> first_;  // by rank and host
};

// Throws InputError unless `workload` can be planned over a network with these constants.
void check_internode(const Workload& workload, const ConstantSet& hardware);

[[nodiscard]] Plan plan_internode_dispatch(const Workload& workload,
                                           const ConstantSet& hardware,
                                           const ConstantSet& family);
[[nodiscard]] Plan plan_internode_combine(const Workload& workload,
                                          const ConstantSet& hardware,
                                          const ConstantSet& family);

}  // namespace epsim
