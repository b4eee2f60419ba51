#include "models/internode.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "models/internode_channels.hpp"

namespace epsim {
namespace {

constexpr std::array kInternode = {
    ConstantSpec{"pack_token", "us", 0, 20, "a warp copies a token into the RDMA rings"},
    ConstantSpec{"coordinator_poll", "us", 0, 5, "coordinator: rows ready to rows seen"},
    ConstantSpec{"relay_scan", "us", 0, 10, "forwarder: whether a row goes to a local GPU"},
    ConstantSpec{"relay_row", "us", 0, 20, "forwarder: a warp moves a row to an NVLink ring"},
};

struct RingsOfRanks {
  std::uint32_t ranks;
  InternodeRings rings;
};

constexpr std::uint32_t kRdmaQueue = 128;

constexpr std::array kDispatchRings = {
    RingsOfRanks{16, {{36, 288}, {20, kRdmaQueue}}},
    RingsOfRanks{24, {{32, 288}, {8, kRdmaQueue}}},
    RingsOfRanks{96, {{20, 480}, {12, kRdmaQueue}}},
    RingsOfRanks{128, {{20, 560}, {12, kRdmaQueue}}},
    RingsOfRanks{144, {{32, 720}, {12, kRdmaQueue}}},
    RingsOfRanks{160, {{28, 720}, {12, kRdmaQueue}}},
};
constexpr std::array kCombineRings = {
    RingsOfRanks{16, {{4, 288}, {12, kRdmaQueue}}},
    RingsOfRanks{24, {{1, 288}, {8, kRdmaQueue}}},
    RingsOfRanks{96, {{1, 480}, {8, kRdmaQueue}}},
    RingsOfRanks{128, {{1, 560}, {8, kRdmaQueue}}},
    RingsOfRanks{144, {{2, 720}, {8, kRdmaQueue}}},
};

InternodeRings rings_of(std::span<const RingsOfRanks> table, std::uint32_t ranks) {
  InternodeRings rings = table.front().rings;
  for (const RingsOfRanks& row : table)
    if (row.ranks <= ranks) rings = row.rings;
  return rings;
}

bool is_one_domain(const Workload& workload) {
  for (std::uint32_t r = 1; r < workload.rank_count(); ++r)
    if (!workload.share_nvlink(0, r)) return false;
  return true;
}

}  // namespace

InternodeRings internode_dispatch_rings(std::uint32_t ranks) {
  return rings_of(kDispatchRings, ranks);
}

InternodeRings internode_combine_rings(std::uint32_t ranks) {
  return rings_of(kCombineRings, ranks);
}

std::span<const ConstantSpec> normal_constants() {
  static const std::vector<ConstantSpec> specs = [] {
    std::vector<ConstantSpec> all(intranode_constants().begin(), intranode_constants().end());
    all.insert(all.end(), kInternode.begin(), kInternode.end());
    return all;
  }();
  return specs;
}

Plan plan_normal_dispatch(const Workload& workload,
                          const ConstantSet& hardware,
                          const ConstantSet& family) {
  if (is_one_domain(workload)) return plan_intranode_dispatch(workload, hardware, family);
  check_internode(workload, hardware);
  return plan_internode_dispatch(workload, hardware, family);
}

Plan plan_normal_combine(const Workload& workload,
                         const ConstantSet& hardware,
                         const ConstantSet& family) {
  if (is_one_domain(workload)) return plan_intranode_combine(workload, hardware, family);
  check_internode(workload, hardware);
  return plan_internode_combine(workload, hardware, family);
}

}  // namespace epsim
