#include "sim/litmus/litmus_barriers.hpp"

#include <algorithm>
#include <map>
#include <tuple>

namespace epsim {
namespace {

// Where a barrier is one: in a CTA, or in what else its scope says.
std::uint32_t domain_of(Scope scope, const Place& place) {
  switch (scope) {
    case Scope::cta:
      return place.cta;
    case Scope::cluster:
      return place.cluster;
    case Scope::gpu:
      return place.gpu;
    case Scope::sys:
      return 0;
  }
  return 0;
}

struct Use {
  LitmusMeeting meeting;
  std::size_t quorum = 0;
  bool needs_all = false;
};

// A barrier without a quorum waits for every place of the program where it stands. A place whose
// name for it is in a register that was never looked at may mean another one.
bool is_reached_everywhere(const LitmusTest& test,
                           const std::vector<LitmusEvent>& events,
                           const LitmusEvent& arrival) {
  const LitmusOp& op = test.threads[arrival.thread].ops[arrival.op];
  const std::uint32_t domain = domain_of(op.scope, test.threads[arrival.thread].place);
  for (std::uint32_t thread = 0; thread < test.threads.size(); ++thread)
    for (std::uint32_t i = 0; i < test.threads[thread].ops.size(); ++i) {
      const LitmusOp& other = test.threads[thread].ops[i];
      if (other.kind != LitmusOpKind::barrier || other.instance != op.instance ||
          other.scope != op.scope || domain_of(op.scope, test.threads[thread].place) != domain ||
          other.barrier_id.has_value() != op.barrier_id.has_value())
        continue;
      if (other.barrier_id &&
          (other.barrier_id->is_register || other.barrier_id->value != *arrival.barrier_id))
        continue;
      const bool is_reached = std::any_of(events.begin(), events.end(), [&](const auto& event) {
        return event.kind == LitmusEventKind::barrier && event.thread == thread && event.op == i;
      });
      if (!is_reached) return false;
    }
  return true;
}

}  // namespace

std::optional<std::vector<LitmusMeeting>> litmus_meetings(const LitmusTest& test,
                                                          const std::vector<LitmusEvent>& events) {
  using Key = std::tuple<Scope, std::uint32_t, std::int64_t, bool, std::int64_t, std::uint32_t>;
  std::map<Key, Use> uses;
  for (std::uint32_t i = 0; i < events.size(); ++i) {
    const LitmusEvent& event = events[i];
    if (event.kind != LitmusEventKind::barrier) continue;
    const LitmusOp& op = test.threads[event.thread].ops[event.op];
    Use& use = uses[{op.scope,
                     domain_of(op.scope, test.threads[event.thread].place),
                     op.instance,
                     event.barrier_id.has_value(),
                     event.barrier_id.value_or(0),
                     event.visit}];
    use.meeting.arrivals.push_back(i);
    if (op.quorum) use.quorum = std::max(use.quorum, static_cast<std::size_t>(*op.quorum));
    if (op.quorum) continue;
    use.needs_all = true;
    if (!is_reached_everywhere(test, events, event)) return std::nullopt;
  }
  std::vector<LitmusMeeting> meetings;
  for (auto& [key, use] : uses) {
    if (use.quorum > use.meeting.arrivals.size()) return std::nullopt;
    use.meeting.openers = use.needs_all ? use.meeting.arrivals.size() : use.quorum;
    meetings.push_back(std::move(use.meeting));
  }
  return meetings;
}

void add_meeting_edges(const LitmusTest& test,
                       const std::vector<LitmusEvent>& events,
                       const LitmusMeeting& meeting,
                       const std::vector<std::uint32_t>& openers,
                       std::vector<LitmusEdge>& edges) {
  for (const std::uint32_t from : openers)
    for (const std::uint32_t to : meeting.arrivals)
      if (from != to && !test.threads[events[to].thread].ops[events[to].op].is_arrive)
        edges.push_back({from, to});
}

}  // namespace epsim
