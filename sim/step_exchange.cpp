#include "sim/step_exchange.hpp"

#include <algorithm>
#include <vector>

namespace epsim {
namespace {

// Bytes that the rank with the most of them sends to others, over NVLink and by its NIC.
struct SentBytes {
  double by_links = 0, by_nic = 0;
};

SentBytes sent_to_others(const Plan& plan) {
  std::vector<SentBytes> sent(plan.rank_count);
  for (const Agent& agent : plan.agents) {
    const RankId rank = plan.rank_of(agent);
    for (const Operation& operation : plan.operations_of(agent))
      if (operation.kind == OpKind::put && operation.target != rank.value)
        sent[rank.index()].by_links += static_cast<double>(operation.count);
      else if (operation.kind == OpKind::post)
        sent[rank.index()].by_nic += static_cast<double>(operation.count);
  }
  SentBytes most;
  for (const SentBytes& one : sent)
    if (one.by_links + one.by_nic > most.by_links + most.by_nic) most = one;
  return most;
}

}  // namespace

Bandwidth link_of(const Topology& topology) {
  if (topology.gpu_count() < 2) return {};
  return topology.link(topology.route(GpuId{0}, GpuId{1}).front()).bandwidth;
}

StepExchange step_exchange(const Prediction& prediction,
                           std::string_view family,
                           Bandwidth link,
                           const StepMachine& machine) {
  StepExchange exchange;
  exchange.time = prediction.latency;
  exchange.family = family;
  for (const Kernel& kernel : prediction.plan.kernels)
    exchange.ctas = std::max(exchange.ctas, static_cast<std::uint32_t>(kernel.cta_count));
  exchange.ctas = std::min(exchange.ctas, machine.sm_count);
  const SentBytes sent = sent_to_others(prediction.plan);
  const double per_second = 1e6 / std::max(to_us(exchange.time), 1e-6);
  exchange.link_share =
      link.bytes_per_second > 0 ? sent.by_links * per_second / link.bytes_per_second : 0;
  // What is sent is read here; as much arrives and is written.
  exchange.memory_share = 2 * (sent.by_links + sent.by_nic) * per_second /
                          machine.overlap.bandwidth("memory_rate").bytes_per_second;
  return exchange;
}

}  // namespace epsim
