#include "sim/hazards/order_graph.hpp"

#include <algorithm>
#include <optional>
#include <utility>

namespace epsim {

OrderGraph::OrderGraph(const SyncProgram& program, const Schedule& schedule)
    : program_(program), schedule_(schedule), flags_(program.flags.size()) {
  // By barrier or communicator; looked up only.
  std::unordered_map<std::uint64_t, std::vector<Stop>> arrived;
  std::uint32_t open_meeting = kNone;
  std::uint64_t open_key = 0;
  for (const Step& step : schedule.steps) {
    const SyncOp& op = program.ops[step.op];
    const std::uint64_t key = std::uint64_t{op.kind == SyncOpKind::collective} << 32 | op.target;
    if (step.part == StepPart::leave) {
      if (open_meeting == kNone || open_key != key) {
        open_meeting = static_cast<std::uint32_t>(meetings_.size());
        open_key = key;
        meetings_.push_back(std::exchange(arrived[key], {}));
      }
      meeting_of_[step.op] = open_meeting;
      continue;
    }
    open_meeting = kNone;
    if (step.part == StepPart::arrive)
      arrived[key].push_back({step.agent, step.op});
    else
      add(step, op);
  }
}

void OrderGraph::add(const Step& step, const SyncOp& op) {
  switch (op.kind) {
    case SyncOpKind::signal:
      return add_arrival(
          op.target, op.position, step.agent, {{step.agent, step.op}, op.count, false});
    case SyncOpKind::issue: {
      const EngineOp& engine = program_.engine_ops[op.target];
      const auto writer = static_cast<std::uint32_t>(program_.agents.size()) + op.target;
      if (engine.landed != kNone)
        add_arrival(engine.landed, engine.position, writer, {{step.agent, step.op}, 1, true});
      return;
    }
    case SyncOpKind::wait:
      return add_wait(step, op);
    case SyncOpKind::wait_group:
      return add_group(step, op);
    case SyncOpKind::reset: {
      const std::size_t resets = flags_[op.target].resets + 1;
      flags_[op.target] = {};
      flags_[op.target].resets = resets;
      return;
    }
    default:
      return;
  }
}

void OrderGraph::add_arrival(std::uint32_t f,
                             std::uint32_t position,
                             std::uint32_t writer,
                             Arrival arrival) {
  FlagState& flag = flags_[f];
  if (program_.flags[f].order == FlagOrder::progress) {
    if (flag.steps.size() <= position) flag.steps.resize(position + 1);
    flag.steps[position].push_back(arrival);
    return;
  }
  std::vector<Arrival>& mine = flag.by_writer[writer];
  if (!mine.empty()) arrival.reached += mine.back().reached;
  mine.push_back(arrival);
}

void OrderGraph::add_group(const Step& step, const SyncOp& op) {
  std::vector<Stop> stores;
  for (std::uint32_t o = program_.agents[step.agent].first_op; o < step.op; ++o)
    if (program_.ops[o].kind == SyncOpKind::issue &&
        program_.engine_ops[program_.ops[o].target].landed == kNone)
      stores.push_back({step.agent, o});
  for (std::size_t s = 0; s + op.count < stores.size(); ++s)
    incoming_[step.op].push_back({stores[s], true});
}

void OrderGraph::add_wait(const Step& step, const SyncOp& op) {
  const FlagState& flag = flags_[op.target];
  std::vector<Edge>& edges = incoming_[step.op];
  if (program_.flags[op.target].order == FlagOrder::counter) return add_counter(step, op);
  if (program_.flags[op.target].order == FlagOrder::progress) {
    std::uint32_t& joined = joined_[std::uint64_t{step.agent} << 32 | op.target];
    for (std::uint32_t p = joined; p < op.count && p < flag.steps.size(); ++p)
      for (const Arrival& arrival : flag.steps[p]) edges.push_back({arrival.at, arrival.by_engine});
    joined = std::max(joined, op.count);
    return;
  }
  const auto observed = schedule_.observed.find(step.op);
  if (observed == schedule_.observed.end() || observed->second == kNone) return;
  for (const auto& [writer, arrivals] : flag.by_writer)
    for (const Arrival& arrival : arrivals)
      if (arrival.at.op == observed->second) edges.push_back({arrival.at, false});
}

void OrderGraph::add_counter(const Step& step, const SyncOp& op) {
  const FlagState& flag = flags_[op.target];
  const FlagShares& shares = schedule_.shares[op.target][flag.resets];
  std::vector<Edge> edges;
  for (const auto& [writer, arrivals] : flag.by_writer) {
    const auto share = shares.by_writer.find(writer);
    if (share == shares.by_writer.end()) continue;
    const std::uint64_t others = shares.total - share->second;
    if (op.count <= others) continue;
    const auto last = std::find_if(arrivals.begin(), arrivals.end(), [&](const Arrival& arrival) {
      return arrival.reached >= op.count - others;
    });
    if (last != arrivals.end()) edges.push_back({last->at, last->by_engine});
  }
  std::sort(edges.begin(), edges.end(), [](const Edge& a, const Edge& b) {
    return a.from.op < b.from.op;
  });
  incoming_[step.op] = std::move(edges);
}

void OrderGraph::expand(std::uint32_t op, std::vector<Edge>& edges) const {
  if (const auto at = incoming_.find(op); at != incoming_.end())
    edges.insert(edges.end(), at->second.begin(), at->second.end());
  if (const auto at = meeting_of_.find(op); at != meeting_of_.end())
    for (const Stop& stop : meetings_[at->second])
      if (stop.op != op) edges.push_back({stop, false});
}

// Breadth first, backwards from `second`: whoever reaches an agent reaches all before it there.
std::vector<OrderGraph::Stop> OrderGraph::path(Stop first,
                                               Stop second,
                                               bool first_by_engine) const {
  std::vector<Found> found{{second, second, 0}};
  std::vector<std::uint32_t> visited(program_.agents.size());  // one past the newest operation
  std::optional<std::size_t> end;
  std::vector<Edge> edges;
  for (std::size_t i = 0; i < found.size() && !end; ++i) {
    const Stop at = found[i].at;
    if (!first_by_engine && at.agent == first.agent && at.op >= first.op) {
      end = i;
      break;
    }
    const std::uint32_t begin = std::max(visited[at.agent], program_.agents[at.agent].first_op);
    for (std::uint32_t op = at.op + 1; op-- > begin && !end;) {
      edges.clear();
      expand(op, edges);
      for (const Edge& edge : edges) {
        if (edge.from_engine) {
          if (!first_by_engine || edge.from.op != first.op) continue;
          found.push_back({edge.from, {at.agent, op}, i});
          end = found.size() - 1;
          break;
        }
        if (visited[edge.from.agent] > edge.from.op) continue;
        found.push_back({edge.from, {at.agent, op}, i});
      }
    }
    visited[at.agent] = std::max(visited[at.agent], at.op + 1);
  }
  if (!end) return {};
  std::vector<Stop> stops{first};
  const auto add = [&](Stop stop) {
    if (stops.back().op != stop.op) stops.push_back(stop);
  };
  for (std::size_t i = *end;; i = found[i].parent) {
    add(found[i].at);
    if (i == 0) break;
    const Stop landed = found[i].reached_from;
    add(landed);
    // Fences between the landing and where the chain leaves this agent again.
    for (std::uint32_t op = landed.op + 1; op < found[found[i].parent].at.op; ++op)
      if (program_.ops[op].kind == SyncOpKind::proxy_fence ||
          program_.ops[op].kind == SyncOpKind::fence)
        add({landed.agent, op});
  }
  return stops;
}

}  // namespace epsim
