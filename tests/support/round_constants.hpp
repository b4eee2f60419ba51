// Round constants: hardware, kernel families, fabrics and workloads in numbers that a person can
// add up. Tests that derive a time by hand use these, so that a calibration may change without
// touching a test.
//
// Every time is 1 us (100 ns where a table counts in ns), every rate 100 GB/s (10 ps a byte), every
// ratio 1. A link is taken 10 ps a byte and 1 ps more, because the engine rounds up.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "models/calibration.hpp"
#include "models/intranode.hpp"
#include "models/low_latency.hpp"
#include "models/plan.hpp"
#include "models/workload.hpp"
#include "topologies/topology.hpp"

namespace epsim {

inline ConstantSet round_constants(std::span<const ConstantSpec> table) {
  std::vector<Constant> constants;
  for (const ConstantSpec& spec : table) {
    const double wanted = spec.unit == "us" || spec.unit == "1" ? 1.0 : 100.0;
    const double value = std::clamp(wanted, spec.low, spec.high);
    constants.push_back({.name = std::string(spec.name),
                         .unit = std::string(spec.unit),
                         .value = value,
                         .low = value,
                         .high = value,
                         .source = "round"});
  }
  return ConstantSet(std::move(constants));
}
inline ConstantSet round_hardware() {
  return round_constants(hardware_constants());
}
inline ConstantSet round_low_latency() {
  return round_constants(low_latency_constants());
}
inline ConstantSet round_intranode() {
  return round_constants(intranode_constants());
}

struct RoundFabric {
  std::uint32_t gpus = 2;
  int sms = 132;
  Bandwidth bandwidth{100e9};
  Duration latency = std::chrono::nanoseconds{100};
};

// GPUs on one switch. Link 2g leads up from GPU g, link 2g + 1 down to it.
inline std::shared_ptr<const Topology> round_topology(const RoundFabric& fabric = {}) {
  TopologyParts parts;
  parts.file = "round topology";
  parts.name = "round";
  parts.gpu = {.model = "round",
               .sm_count = fabric.sms,
               .hbm_bandwidth = Bandwidth{100e9},
               .hbm_capacity = Bytes{1'000'000'000},
               .l2_size = Bytes{1'000'000'000}};
  for (std::uint32_t g = 0; g < fabric.gpus; ++g)
    parts.nodes.push_back({"gpu" + std::to_string(g), NodeKind::gpu});
  parts.nodes.push_back({"switch", NodeKind::nvswitch});
  for (std::uint32_t g = 0; g < fabric.gpus; ++g) {
    const auto cable = [&](std::uint32_t source, std::uint32_t target) {
      parts.links.push_back({.source = NodeId{source},
                             .target = NodeId{target},
                             .bandwidth = fabric.bandwidth,
                             .latency = fabric.latency});
    };
    cable(g, fabric.gpus);
    cable(fabric.gpus, g);
  }
  return std::make_shared<const Topology>(std::move(parts));
}

// What a hand-made plan runs on. A signal needs 1 us to a peer (two hops of 100 ns and 800 ns) and
// 100 ns at home; a put is visible 100 ns after its last hop and acknowledged 100 ns later. Pieces
// of 1000 B take 10.001 ns of a link. SM copy paths have no limit until a test sets one.
inline RankRates round_rates() {
  using std::chrono::nanoseconds;
  RankRates rates{};
  rates.memory = Bandwidth{100e9};
  rates.local_put_traffic = 2.0;
  rates.serve_traffic = 1.0;
  rates.put_chunk = Bytes{1000};
  rates.put_window = 100;
  rates.link_efficiency = 1.0;
  rates.put_latency = nanoseconds{100};
  rates.local_latency = nanoseconds{100};
  rates.acknowledge = nanoseconds{100};
  rates.signal_latency = nanoseconds{800};
  rates.local_signal = nanoseconds{100};
  return rates;
}

using TokenChoices = std::vector<ExpertChoice>;

// A routing written out: tokens[rank][token][k]. Expert e lives on rank e / (experts / ranks).
struct SmallRouting {
  std::uint32_t experts = 0;
  std::uint32_t top_k = 0;
  std::vector<std::vector<TokenChoices>> tokens;
};

inline Workload round_workload(const SmallRouting& small, int sms = 132) {
  const auto ranks = static_cast<std::uint32_t>(small.tokens.size());
  std::vector<std::uint32_t> tokens_of_rank;
  TokenChoices choices;
  for (const auto& tokens : small.tokens) {
    tokens_of_rank.push_back(static_cast<std::uint32_t>(tokens.size()));
    for (const TokenChoices& token : tokens)
      choices.insert(choices.end(), token.begin(), token.end());
  }
  Workload workload;
  workload.routing = std::make_shared<const Routing>(
      RoutingShape{.ranks = ranks, .experts = small.experts, .top_k = small.top_k},
      tokens_of_rank,
      std::move(choices));
  workload.placement = std::make_shared<const ExpertPlacement>(
      ExpertPlacement::contiguous({.ranks = ranks, .experts = small.experts}));
  workload.traffic = std::make_shared<const TrafficMatrix>(*workload.routing, *workload.placement);
  workload.topology = round_topology({.gpus = ranks, .sms = sms});
  workload.hidden = 1024;
  workload.sms = 2;
  workload.rank_start.resize(ranks);
  return workload;
}

// `count` tokens that all choose the same experts.
inline std::vector<TokenChoices> same_tokens(std::size_t count, const TokenChoices& choices) {
  return std::vector<TokenChoices>(count, choices);
}

}  // namespace epsim
