#include "cli/explain_text.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "sim/base/quantity_text.hpp"

namespace epsim {
namespace {

// By Role.
constexpr std::array<std::string_view, kRoleNames.size()> kRoleTexts = {
    "cast a token together, then send one message of it each",
    "counts the tokens of the CTA's experts; the first one also clears signals",
    "publishes how many tokens an expert gets, once all have been sent",
    "copy an expert's messages out of the receive buffer once their count is there",
    "send an expert's output rows home through shared memory",
    "tells a rank that all rows of one expert have arrived",
    "wait for one expert's flag each, then for each other",
    "brings rows into the ring in shared memory, a few ahead",
    "reduce rows out of the ring and store each finished token",
    "feed one rank's ring of one channel, chunk by chunk",
    "empty one rank's ring of one channel and give its room back",
    "compute a tile of a GEMM each, as a CTA's slot comes to it",
    "push a slice of every rank's part; the last of an exchange waits for the peers",
    "meets the peers in stream memory operations and copies their counts",
    "sort rows by their rank, pack, store and unpack them",
    "launches for all ranks and waits for their counts and rows",
};

std::string counts_text(const RoleSummary& role) {
  std::string text;
  for (std::size_t kind = 0; kind < kOpKindNames.size(); ++kind)
    if (role.operations[kind] > 0)
      text += fmt::format(
          "{}{} {}", text.empty() ? "" : ", ", role.operations[kind], kOpKindNames[kind]);
  if (role.moved.count > 0) text += fmt::format("; moves {}", to_text(role.moved));
  return text;
}

std::string roles_text(const Plan& plan) {
  std::string text;
  std::string kernel;
  for (const RoleSummary& role : summarize_roles(plan)) {
    if (role.kernel != kernel) {
      kernel = role.kernel;
      std::size_t launches = 0;
      std::size_t ctas = 0;
      for (const Kernel& k : plan.kernels)
        if (k.name == kernel) {
          ++launches;
          ctas += k.cta_count;
        }
      text += fmt::format("  kernel \"{}\": {} launches, {} CTAs in all, {} SMs a rank\n",
                          kernel,
                          launches,
                          ctas,
                          plan.sm_count);
    }
    const auto index = static_cast<std::size_t>(role.role);
    text += fmt::format("    {:>7} {:<14} {}\n", role.agents, kRoleNames[index], kRoleTexts[index]);
    text += fmt::format("    {:>7} {:<14}   {}\n", "", "", counts_text(role));
  }
  return text;
}

std::string bounds_text(const Bounds& bounds, const Plan& plan, const Topology& topology) {
  std::string text = "  It cannot be faster than\n";
  std::vector<Bound> sorted(bounds.of_kind.begin(), bounds.of_kind.end());
  std::stable_sort(sorted.begin(), sorted.end(), [](const Bound& a, const Bound& b) {
    return a.latency > b.latency;
  });
  for (const Bound& bound : sorted) {
    if (bound.latency == Duration{}) continue;
    std::string why = "its own operations one after the other";
    if (bound.kind != BoundKind::agent)
      why = fmt::format("{} need {} at its rate", to_text(bound.bytes), to_text(bound.busy));
    text += fmt::format(
        "    {:>8}  {}: {}\n", to_text(bound.latency), name_of(bound, plan, topology), why);
  }
  return text;
}

std::string verdict_text(const Prediction& prediction,
                         const Bounds& bounds,
                         const Topology& topology) {
  const CriticalPath path = critical_path(prediction.plan, prediction.timeline, topology);
  const auto longest = std::max_element(path.by_phase.begin(), path.by_phase.end());
  const double latency = to_us(prediction.latency);
  const double bound = to_us(bounds.tightest().latency);
  return fmt::format(
      "  Simulated it takes {}, {:.2f} times that bound. What its end waits for is {:.0f} % {}.\n",
      to_text(prediction.latency),
      bound > 0 ? latency / bound : 1.0,
      latency > 0 ? 100 * to_us(*longest) / latency : 0.0,
      kPhaseNames[static_cast<std::size_t>(longest - path.by_phase.begin())]);
}

}  // namespace

std::vector<RoleSummary> summarize_roles(const Plan& plan) {
  std::vector<RoleSummary> roles;
  for (const Agent& agent : plan.agents) {
    const Kernel& kernel = plan.kernels[plan.ctas[agent.cta.index()].kernel.index()];
    auto found = std::find_if(roles.begin(), roles.end(), [&](const RoleSummary& role) {
      return role.role == agent.role && role.kernel == kernel.name;
    });
    if (found == roles.end())
      found = roles.insert(roles.end(), {.kernel = std::string(kernel.name), .role = agent.role});
    ++found->agents;
    for (const Operation& operation : plan.operations_of(agent)) {
      ++found->operations[static_cast<std::size_t>(operation.kind)];
      const bool moves = operation.kind == OpKind::put || operation.kind == OpKind::post ||
                         operation.kind == OpKind::serve || operation.kind == OpKind::load;
      if (moves) found->moved.count += operation.count;
    }
  }
  std::stable_sort(roles.begin(), roles.end(), [&](const RoleSummary& a, const RoleSummary& b) {
    const auto position = [&](const RoleSummary& role) {
      return std::find_if(plan.kernels.begin(),
                          plan.kernels.end(),
                          [&](const Kernel& kernel) { return kernel.name == role.kernel; }) -
             plan.kernels.begin();
    };
    return position(a) < position(b);
  });
  return roles;
}

std::string explain_text(const Prediction& prediction, const Topology& topology) {
  const Bounds bounds = bounds_of(prediction.plan, topology);
  return fmt::format("{}, {} operations of {} agents on {} ranks\n{}\n{}{}",
                     prediction.plan.name,
                     prediction.plan.operations.size(),
                     prediction.plan.agents.size(),
                     prediction.plan.rank_count,
                     roles_text(prediction.plan),
                     bounds_text(bounds, prediction.plan, topology),
                     verdict_text(prediction, bounds, topology));
}

void write_explanation(const Prediction& prediction, const Topology& topology, JsonWriter& writer) {
  const Plan& plan = prediction.plan;
  const Bounds bounds = bounds_of(plan, topology);
  writer.begin_object().field("plan", plan.name).field("rank_count", plan.rank_count);
  writer.key("roles").begin_array();
  for (const RoleSummary& role : summarize_roles(plan)) {
    const auto index = static_cast<std::size_t>(role.role);
    writer.begin_object().field("kernel", role.kernel).field("role", kRoleNames[index]);
    writer.field("does", kRoleTexts[index]).field("agent_count", role.agents);
    writer.key("operation_counts").begin_object();
    for (std::size_t kind = 0; kind < kOpKindNames.size(); ++kind)
      if (role.operations[kind] > 0) writer.field(kOpKindNames[kind], role.operations[kind]);
    writer.end_object().field("moved_bytes", role.moved.count).end_object();
  }
  writer.end_array().key("bounds").begin_array();
  for (const Bound& bound : bounds.of_kind) {
    if (bound.latency == Duration{}) continue;
    writer.begin_object().field("name", name_of(bound, plan, topology));
    writer.field("bound_us", to_us(bound.latency)).field("busy_us", to_us(bound.busy));
    writer.field("size_bytes", bound.bytes.count).end_object();
  }
  writer.end_array().field("latency_us", to_us(prediction.latency)).end_object();
}

}  // namespace epsim
