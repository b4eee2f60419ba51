#include "sim/hazards/schedule.hpp"

#include <algorithm>
#include <queue>
#include <unordered_set>
#include <utility>

#include "sim/base/check.hpp"

namespace epsim {
namespace {

class Scheduler {
 public:
  Scheduler(const SyncProgram& program, const OperationDelay& delay, const WordChoice& choice)
      : program_(program),
        delay_(delay),
        choice_(choice),
        timed_(!program.takes.empty()),
        agents_(program.agents.size()),
        flags_(program.flags.size()),
        barriers_(program.barriers.size()),
        communicators_(program.communicators.size()) {
    check(!timed_ || program.takes.size() == program.ops.size(), "every operation has its time");
    for (std::size_t f = 0; f < flags_.size(); ++f) {
      if (program.flags[f].order == FlagOrder::word) flags_[f].value = program.flags[f].initial;
      schedule_.shares.emplace_back(1);
    }
    if (timed_) {
      schedule_.start.resize(program.ops.size());
      schedule_.end.resize(program.ops.size());
    }
    schedule_.steps.reserve(program.ops.size() + program.ops.size() / 8);
    for (std::uint32_t a = 0; a < agents_.size(); ++a) {
      agents_[a].next = program.agents[a].first_op;
      agents_[a].end = program.agents[a].first_op + program.agents[a].op_count;
      wake(a);
    }
  }

  Schedule run() {
    while (!ready_.empty()) {
      const std::uint32_t agent = ready_.top().agent;
      ready_.pop();
      advance(agent);
    }
    for (std::uint32_t a = 0; a < agents_.size(); ++a)
      if (agents_[a].next < agents_[a].end)
        schedule_.stuck.push_back({a, agents_[a].next, StepPart::whole, 0});
    return std::move(schedule_);
  }

 private:
  struct AgentState {
    std::uint32_t next = 0;
    std::uint32_t end = 0;
    Instant now{};
  };
  struct FlagState {
    std::uint64_t value = 0;
    std::vector<bool> steps_done;  // progress
    std::uint32_t last_signal = kNone;
    Instant changed{};
    // By value, with `takes`: a wait ends when its count was reached, whatever came after.
    std::vector<std::pair<std::uint64_t, Instant>> reached;
    std::vector<std::uint32_t> waiters;
  };
  struct Meeting {
    std::vector<std::uint32_t> waiting;  // agents that will leave
    std::uint32_t arrived = 0;
    Instant latest{};
    std::uint32_t id = 0;  // of a collective
  };
  // Each rank's collectives in the order it enters them; the k-th of all ranks meet.
  struct CommunicatorState {
    std::unordered_map<std::uint32_t, std::vector<std::uint32_t>> entered;  // by GPU: agents
    std::size_t opened = 0;
  };
  struct Ready {
    Instant time;
    std::uint64_t order;
    std::uint32_t agent;
    bool operator>(const Ready& other) const {
      return time != other.time ? time > other.time : order > other.order;
    }
  };

  void wake(std::uint32_t agent) { ready_.push({agents_[agent].now, order_++, agent}); }

  void step(std::uint32_t agent, std::uint32_t op, StepPart part = StepPart::whole) {
    schedule_.steps.push_back({agent, op, part, 0});
  }

  // Runs until the agent waits, ends, or has got ahead of another's time.
  void advance(std::uint32_t agent) {
    AgentState& state = agents_[agent];
    while (state.next < state.end) {
      if (!ready_.empty() && state.now > ready_.top().time) return wake(agent);
      const std::uint32_t op = state.next;
      if (op == delay_.op) {
        state.now += delay_.time;
        delay_.op = kNone;  // once
        continue;
      }
      if (timed_) schedule_.start[op] = state.now;
      if (!perform(agent, op)) return;
      finish(agent, op);
    }
  }

  void finish(std::uint32_t agent, std::uint32_t op) {
    AgentState& state = agents_[agent];
    if (timed_) {
      const Duration takes = program_.takes[op];
      schedule_.end[op] = state.now + takes;
      // The issuer of a copy goes on at once; the engine takes the time.
      if (program_.ops[op].kind != SyncOpKind::issue) state.now += takes;
    }
    ++state.next;
  }

  // True when the operation is over.
  bool perform(std::uint32_t agent, std::uint32_t index) {
    const SyncOp& op = program_.ops[index];
    switch (op.kind) {
      case SyncOpKind::wait:
        return try_wait(agent, index, op);
      case SyncOpKind::barrier:
      case SyncOpKind::arrive:
        return meet(agent, index, op);
      case SyncOpKind::collective:
        return enter_collective(agent, index, op);
      case SyncOpKind::signal:
        step(agent, index);
        signal(agent, index, op, agents_[agent].now + takes(index));
        return true;
      case SyncOpKind::reset:
        step(agent, index);
        reset(op);
        return true;
      case SyncOpKind::issue: {
        step(agent, index);
        const EngineOp& engine = program_.engine_ops[op.target];
        if (engine.landed != kNone)
          complete_step(engine.landed, engine.position, index, agents_[agent].now + takes(index));
        return true;
      }
      default:
        step(agent, index);
        return true;
    }
  }

  [[nodiscard]] Duration takes(std::uint32_t index) const {
    return timed_ ? program_.takes[index] : Duration{};
  }

  bool try_wait(std::uint32_t agent, std::uint32_t index, const SyncOp& op) {
    FlagState& flag = flags_[op.target];
    const bool word = program_.flags[op.target].order == FlagOrder::word;
    const bool open = !word                         ? flag.value >= op.count
                      : (op.traits & kAnyWord) != 0 ? flag.value != 0
                                                    : flag.value == op.count;
    const auto chosen = choice_.find(index);
    const bool is_chosen = chosen != choice_.end();
    if (is_chosen ? !signalled_.contains(chosen->second) : !open) {
      flag.waiters.push_back(agent);
      return false;
    }
    AgentState& state = agents_[agent];
    state.now = std::max(state.now, word ? flag.changed : reached_at(flag, op.count));
    if (word) schedule_.observed[index] = is_chosen ? chosen->second : flag.last_signal;
    step(agent, index);
    return true;
  }

  [[nodiscard]] Instant reached_at(const FlagState& flag, std::uint64_t count) const {
    const auto first = std::lower_bound(
        flag.reached.begin(), flag.reached.end(), count, [](const auto& entry, std::uint64_t n) {
          return entry.first < n;
        });
    return first == flag.reached.end() ? flag.changed : first->second;
  }

  void signal(std::uint32_t agent, std::uint32_t index, const SyncOp& op, Instant at) {
    FlagState& flag = flags_[op.target];
    switch (program_.flags[op.target].order) {
      case FlagOrder::progress:
        return complete_step(op.target, op.position, index, at);
      case FlagOrder::word:
        flag.value = op.count;
        if (!choice_.empty()) signalled_.insert(index);
        break;
      case FlagOrder::counter: {
        flag.value += op.count;
        share(op.target, agent, op.count);
        break;
      }
    }
    changed(flag, index, at);
  }

  void share(std::uint32_t flag, std::uint32_t writer, std::uint64_t added) {
    FlagShares& shares = schedule_.shares[flag].back();
    shares.total += added;
    shares.by_writer[writer] += added;
  }

  void complete_step(std::uint32_t f, std::uint32_t position, std::uint32_t index, Instant at) {
    FlagState& flag = flags_[f];
    if (program_.flags[f].order == FlagOrder::counter) {
      ++flag.value;
      share(f, static_cast<std::uint32_t>(agents_.size()) + program_.ops[index].target, 1);
      return changed(flag, index, at);
    }
    if (flag.steps_done.size() <= position) flag.steps_done.resize(position + 1);
    flag.steps_done[position] = true;
    while (flag.value < flag.steps_done.size() && flag.steps_done[flag.value]) ++flag.value;
    changed(flag, index, at);
  }

  void changed(FlagState& flag, std::uint32_t index, Instant at) {
    flag.last_signal = index;
    flag.changed = std::max(flag.changed, at);
    if (timed_) flag.reached.emplace_back(flag.value, flag.changed);
    for (const std::uint32_t waiter : std::exchange(flag.waiters, {})) wake(waiter);
  }

  void reset(const SyncOp& op) {
    FlagState& flag = flags_[op.target];
    flag.value = 0;
    flag.steps_done.clear();
    flag.reached.clear();
    flag.last_signal = kNone;
    schedule_.shares[op.target].emplace_back();
  }

  bool meet(std::uint32_t agent, std::uint32_t index, const SyncOp& op) {
    Meeting& meeting = barriers_[op.target];
    step(agent, index, StepPart::arrive);
    meeting.latest = std::max(meeting.latest, agents_[agent].now + takes(index));
    if (op.kind == SyncOpKind::barrier) meeting.waiting.push_back(agent);
    if (++meeting.arrived == program_.barriers[op.target].members) open(meeting);
    return op.kind == SyncOpKind::arrive;
  }

  // Everybody leaves; nobody arrives for the next time before that.
  void open(Meeting& meeting) {
    const std::vector<std::uint32_t> leaving = std::exchange(meeting.waiting, {});
    meeting.arrived = 0;
    const Instant at = std::exchange(meeting.latest, Instant{});
    for (const std::uint32_t a : leaving)
      schedule_.steps.push_back({a, agents_[a].next, StepPart::leave, meeting.id});
    for (const std::uint32_t a : leaving) {
      if (timed_) schedule_.end[agents_[a].next] = at;
      agents_[a].now = std::max(agents_[a].now, at);
      ++agents_[a].next;
      wake(a);
    }
  }

  bool enter_collective(std::uint32_t agent, std::uint32_t index, const SyncOp& op) {
    CommunicatorState& state = communicators_[op.target];
    step(agent, index, StepPart::arrive);
    state.entered[program_.agents[agent].place.gpu].push_back(agent);
    const std::uint32_t members = program_.communicators[op.target].members;
    while (state.entered.size() == members &&
           std::all_of(state.entered.begin(), state.entered.end(), [&](const auto& rank) {
             return rank.second.size() > state.opened;
           }))
      open_collective(state);
    return false;
  }

  void open_collective(CommunicatorState& state) {
    Meeting meeting;
    for (const auto& [gpu, agents] : state.entered) meeting.waiting.push_back(agents[state.opened]);
    std::sort(meeting.waiting.begin(), meeting.waiting.end());
    ++state.opened;
    meeting.id = static_cast<std::uint32_t>(schedule_.meetings.size());
    schedule_.meetings.push_back(meeting.waiting);
    const std::uint32_t first = meeting.waiting.front();
    for (const std::uint32_t a : meeting.waiting) {
      const std::uint32_t op = agents_[a].next;
      if (program_.ops[op].count != program_.ops[agents_[first].next].count)
        schedule_.mismatches.push_back({first, agents_[first].next, a, op});
      meeting.latest = std::max(meeting.latest, agents_[a].now + takes(op));
    }
    open(meeting);
  }

  const SyncProgram& program_;
  OperationDelay delay_;  // still to come
  const WordChoice& choice_;
  std::unordered_set<std::uint32_t> signalled_;  // words, if they are chosen
  bool timed_;
  std::vector<AgentState> agents_;
  std::vector<FlagState> flags_;
  std::vector<Meeting> barriers_;
  std::vector<CommunicatorState> communicators_;
  std::priority_queue<Ready, std::vector<Ready>, std::greater<>> ready_;
  std::uint64_t order_ = 0;
  Schedule schedule_;
};

// A wait for a word that more than one signal may end.
struct WordRace {
  std::uint32_t wait;
  std::vector<std::uint32_t> signals;
};

std::vector<WordRace> word_races(const SyncProgram& program) {
  std::vector<std::vector<std::uint32_t>> signals(program.flags.size());
  const auto is_word = [&](const SyncOp& op) {
    return program.flags[op.target].order == FlagOrder::word;
  };
  for (std::uint32_t o = 0; o < program.ops.size(); ++o)
    if (program.ops[o].kind == SyncOpKind::signal && is_word(program.ops[o]))
      signals[program.ops[o].target].push_back(o);
  std::vector<WordRace> races;
  for (std::uint32_t o = 0; o < program.ops.size(); ++o) {
    const SyncOp& wait = program.ops[o];
    if (wait.kind != SyncOpKind::wait || !is_word(wait)) continue;
    WordRace race{o, {}};
    for (const std::uint32_t signal : signals[wait.target])
      if (program.ops[signal].count == wait.count) race.signals.push_back(signal);
    if (race.signals.size() > 1) races.push_back(std::move(race));
  }
  return races;
}

bool is_stuck_in(const Schedule& schedule, const WordChoice& choice) {
  return std::any_of(schedule.stuck.begin(), schedule.stuck.end(), [&](const Step& step) {
    return choice.contains(step.op);
  });
}

}  // namespace

Schedule make_schedule(const SyncProgram& program,
                       const OperationDelay& delay,
                       const WordChoice& choice) {
  return Scheduler(program, delay, choice).run();
}

std::vector<Schedule> make_schedules(const SyncProgram& program, std::size_t most) {
  std::vector<Schedule> schedules;
  schedules.push_back(make_schedule(program));
  const std::vector<WordRace> races = word_races(program);
  if (races.empty()) return schedules;
  std::size_t combinations = 1;
  for (const WordRace& race : races)
    combinations = std::min(most + 1, combinations * race.signals.size());
  const auto add = [&](const WordChoice& choice) {
    if (schedules.size() > most) return;
    Schedule schedule = make_schedule(program, {}, choice);
    if (!is_stuck_in(schedule, choice)) schedules.push_back(std::move(schedule));
  };
  if (combinations > most) {
    for (const WordRace& race : races)
      for (const std::uint32_t signal : race.signals) add({{race.wait, signal}});
    return schedules;
  }
  for (std::size_t c = 0; c < combinations; ++c) {
    WordChoice choice;
    std::size_t left = c;
    for (const WordRace& race : races) {
      choice[race.wait] = race.signals[left % race.signals.size()];
      left /= race.signals.size();
    }
    add(choice);
  }
  return schedules;
}

}  // namespace epsim
