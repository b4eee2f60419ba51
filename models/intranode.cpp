#include "models/intranode.hpp"

#include <array>

namespace epsim {
namespace {

constexpr std::array kIntranode = {
    ConstantSpec{"channel_start", "us", 0, 50, "launch of a channel to its first row"},
    ConstantSpec{"head_read", "us", 0, 20, "read of a ring's head at the peer before a chunk"},
    ConstantSpec{"local_head_read", "us", 0, 20, "the same on the own rank"},
    ConstantSpec{"token_scan", "us", 0, 10, "decide whether a token goes to a rank"},
    ConstantSpec{"send_trip", "us", 0, 20, "dispatch: a warp copies 5 x 512 B of a row, or a rest"},
    ConstantSpec{"chunk_release", "us", 0, 20, "dispatch: named barrier and release of the tail"},
    ConstantSpec{"dispatch_link_share", "1", 0.2, 1, "of the link's payload rate, dispatch"},
    ConstantSpec{"receive_row", "us", 0, 20, "dispatch: a warp moves a row out of the ring"},
    ConstantSpec{"receive_step", "us", 0, 20, "dispatch: tail seen, barriers, head moved"},
    ConstantSpec{
        "combine_trip", "us", 0, 20, "combine: a warp copies 4 x 512 B of a row, or a rest"},
    ConstantSpec{"combine_release", "us", 0, 20, "combine: named barrier and release of the tail"},
    ConstantSpec{"combine_link_share", "1", 0.2, 1, "of the link's payload rate, combine"},
    ConstantSpec{"reduce_step", "us", 0, 10, "combine: 512 B of a token reduced from one source"},
    ConstantSpec{"reduce_source", "us", 0, 10, "combine: the same, a further source"},
    ConstantSpec{"notify_host", "us", 0, 1000, "counts in host memory to the data kernel's launch"},
};

}  // namespace

RingShape dispatch_ring(std::uint32_t ranks) {
  if (ranks < 4) return {.chunk = 24, .queue = 256};
  return {.chunk = 6, .queue = 256};
}

RingShape combine_ring(std::uint32_t ranks) {
  if (ranks < 4) return {.chunk = 10, .queue = 256};
  if (ranks < 8) return {.chunk = 9, .queue = 256};
  return {.chunk = 4, .queue = 256};
}

std::span<const ConstantSpec> intranode_constants() {
  return kIntranode;
}

}  // namespace epsim
