#include "sim/hazards/conflicts.hpp"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "sim/base/check.hpp"

namespace epsim {
namespace {

class ConflictFinder {
 public:
  ConflictFinder(const SyncProgram& program,
                 const Schedule& schedule,
                 const Assumptions& assumptions)
      : program_(program),
        schedule_(schedule),
        causality_(program, schedule, assumptions),
        locations_(program.locations.size()),
        flags_(program.flags.size()),
        barriers_(program.barriers.size()) {
    for (const SyncOp& op : program.ops)
      if (op.kind == SyncOpKind::reset) flags_[op.target].is_reset = true;
    for (std::size_t f = 0; f < flags_.size(); ++f)
      flags_[f].is_word = program.flags[f].order == FlagOrder::word;
  }

  Conflicts run() {
    for (const Step& step : schedule_.steps) {
      const SyncOp& op = program_.ops[step.op];
      if (op.kind == SyncOpKind::wait && sees_the_past(step, op)) {
        found_.impossible = true;
        break;
      }
      if (op.kind == SyncOpKind::wait) check_word(step, op);
      causality_.perform(step);
      look_at(step, op);
    }
    return std::move(found_);
  }

 private:
  struct LocationState {
    bool is_written = false;
    bool is_ended = false;
    AccessAt write;  // or the end
    std::vector<AccessAt> reads;
  };
  // A flag that is reset, or that takes any word: who wrote and who read it, in order.
  struct FlagState {
    bool is_reset = false;
    bool is_word = false;
    std::vector<AccessAt> written;  // signals, and resets between
    std::vector<AccessAt> waits;    // that some reset since need not have known
    std::vector<AccessAt> resets;   // likewise
    std::size_t first_since_reset = 0;
  };

  struct BarrierState {
    std::vector<AccessAt> waiting;  // members of this meeting that wait for it
    std::vector<AccessAt> last;     // of the one before
    std::uint32_t arrived = 0;
  };

  void look_at(const Step& step, const SyncOp& op) {
    switch (op.kind) {
      case SyncOpKind::read:
        return each_location(op.target, op.count, [&](std::uint32_t location) {
          read(location, causality_.access_of(step.agent, step.op));
        });
      case SyncOpKind::write:
        return each_location(op.target, op.count, [&](std::uint32_t location) {
          write(location, causality_.access_of(step.agent, step.op));
        });
      case SyncOpKind::end_life:
        return each_location(op.target, op.count, [&](std::uint32_t location) {
          end_life(location, causality_.access_of(step.agent, step.op));
        });
      case SyncOpKind::issue:
        return issue(step, program_.engine_ops[op.target]);
      case SyncOpKind::signal:
        return signal(step, op);
      case SyncOpKind::wait:
        if (flags_[op.target].is_reset || flags_[op.target].is_word)
          flags_[op.target].waits.push_back(causality_.access_of(step.agent, step.op));
        return;
      case SyncOpKind::reset:
        return reset(step, op);
      case SyncOpKind::collective:
        if (step.part == StepPart::arrive) enter(step, op);
        return;
      case SyncOpKind::barrier:
      case SyncOpKind::arrive:
        if (step.part == StepPart::arrive) arrive(step, op);
        return;
      default:
        return;
    }
  }

  template <typename Visit>
  void each_location(std::uint32_t first, std::uint32_t count, Visit visit) {
    check(std::uint64_t{first} + count <= locations_.size(), "an access stays within its program");
    for (std::uint32_t location = first; location < first + count; ++location) visit(location);
  }

  void issue(const Step& step, const EngineOp& engine) {
    if (engine.read_from != kNone)
      each_location(engine.read_from, engine.read_count, [&](std::uint32_t location) {
        read(location, causality_.engine_read(step.agent, step.op));
      });
    if (engine.write_to != kNone)
      each_location(engine.write_to, engine.write_count, [&](std::uint32_t location) {
        write(location, causality_.engine_write(step.agent, step.op));
      });
  }

  [[nodiscard]] bool sees(const AccessAt& later, std::uint32_t location, const AccessAt& earlier) {
    ++found_.compared;
    return causality_.sees(later.agent, later.proxy, program_.locations[location], earlier);
  }

  void conflict(HazardKind kind,
                const AccessAt& first,
                const AccessAt& second,
                std::uint32_t subject) {
    found_.all.push_back({kind,
                          first.agent,
                          first.op,
                          second.agent,
                          second.op,
                          subject,
                          first.by_engine,
                          second.by_engine,
                          first.proxy,
                          second.proxy});
  }

  void read(std::uint32_t location, const AccessAt& access) {
    LocationState& state = locations_[location];
    if (state.is_ended) return after_end(location, access);
    if (state.is_written) {
      if (!sees(access, location, state.write))
        conflict(HazardKind::stale_read, state.write, access, location);
      else if ((program_.ops[access.op].traits & kNonCoherent) != 0 &&
               state.write.agent != access.agent &&
               !causality_.knows_by_api(access.agent, program_.locations[location], state.write))
        conflict(HazardKind::non_coherent_read, state.write, access, location);
    }
    const auto same = std::find_if(state.reads.begin(), state.reads.end(), [&](const AccessAt& r) {
      return r.axis == access.axis && r.proxy == access.proxy;
    });
    if (same == state.reads.end())
      state.reads.push_back(access);
    else
      *same = access;
  }

  void write(std::uint32_t location, const AccessAt& access) {
    LocationState& state = locations_[location];
    if (state.is_ended) return after_end(location, access);
    const bool holds =
        state.is_written || (!program_.initialised.empty() && program_.initialised[location]);
    for (const AccessAt& earlier : state.reads) {
      if (sees(access, location, earlier)) continue;
      // Nobody reads what was never written: such a read came too early.
      if (holds)
        conflict(HazardKind::overwritten_read, earlier, access, location);
      else
        conflict(HazardKind::stale_read, access, earlier, location);
    }
    if (state.is_written && !sees(access, location, state.write))
      conflict(HazardKind::overwritten_write, state.write, access, location);
    state.reads.clear();
    state.is_written = true;
    state.write = access;
  }

  // An access that does not know of the end was meant to come before it.
  void after_end(std::uint32_t location, const AccessAt& access) {
    const AccessAt& end = locations_[location].write;
    if (causality_.knows(access.agent, end))
      conflict(HazardKind::use_after_end, end, access, location);
    else
      conflict(HazardKind::use_after_end, access, end, location);
  }

  void end_life(std::uint32_t location, const AccessAt& access) {
    LocationState& state = locations_[location];
    for (const AccessAt& earlier : state.reads)
      if (!sees(access, location, earlier))
        conflict(HazardKind::use_after_end, earlier, access, location);
    if (state.is_written && !sees(access, location, state.write))
      conflict(HazardKind::use_after_end, state.write, access, location);
    state = {.is_written = false, .is_ended = true, .write = access, .reads = {}};
  }

  // A signal that a reset did not wait for, or that did not wait for a reset, may be erased.
  void signal(const Step& step, const SyncOp& op) {
    FlagState& flag = flags_[op.target];
    if (!flag.is_reset && !flag.is_word) return;
    const AccessAt access = causality_.access_of(step.agent, step.op);
    for (const AccessAt& reset : flag.resets)
      if (!causality_.knows(step.agent, reset))
        conflict(HazardKind::lost_signal, reset, access, op.target);
    if (flag.is_word) overwrite(step, op, flag, access);
    flag.written.push_back(access);
  }

  // A word that comes too early takes the place of the one that a wait is there for.
  void overwrite(const Step& step,
                 const SyncOp& op,
                 const FlagState& flag,
                 const AccessAt& access) {
    for (const AccessAt& wait : flag.waits) {
      const SyncOp& waiting = program_.ops[wait.op];
      if (waiting.count == op.count || causality_.knows(step.agent, wait)) continue;
      const bool takes = (waiting.traits & kAnyWord) != 0;
      if (takes)
        conflict(HazardKind::stale_signal, access, wait, op.target);
      else
        conflict(HazardKind::lost_signal, wait, access, op.target);
    }
    // Nor do two words that come in any order leave the one that is waited for.
    for (const AccessAt& other : flag.written) {
      const SyncOp& written = program_.ops[other.op];
      if (written.kind == SyncOpKind::signal && written.count != op.count &&
          !causality_.knows(step.agent, other))
        conflict(HazardKind::lost_signal, other, access, op.target);
    }
  }

  void reset(const Step& step, const SyncOp& op) {
    FlagState& flag = flags_[op.target];
    const AccessAt access = causality_.access_of(step.agent, step.op);
    bool seen = false;  // a wait for what was written since the last reset
    std::vector<AccessAt> unknown;
    for (const AccessAt& wait : flag.waits) {
      if (causality_.knows(step.agent, wait)) {
        seen = true;
        continue;
      }
      unknown.push_back(wait);
      conflict(HazardKind::lost_signal, wait, access, op.target);
    }
    // Before a reset that is known, everything else is known or was reported there.
    for (std::size_t s = flag.written.size(); s-- > 0;) {
      const bool known = causality_.knows(step.agent, flag.written[s]);
      const bool is_reset = program_.ops[flag.written[s].op].kind == SyncOpKind::reset;
      if (is_reset && known) break;
      if (!is_reset && (!known || (s >= flag.first_since_reset && !seen)))
        conflict(HazardKind::lost_signal, flag.written[s], access, op.target);
    }
    std::erase_if(flag.resets,
                  [&](const AccessAt& reset) { return causality_.knows(step.agent, reset); });
    flag.resets.push_back(access);
    flag.written.push_back(access);
    flag.first_since_reset = flag.written.size();
    flag.waits = std::move(unknown);
  }

  // Coherence: whoever knows of a later write of the word cannot see an earlier one any more.
  [[nodiscard]] bool sees_the_past(const Step& step, const SyncOp& op) const {
    const auto observed = schedule_.observed.find(step.op);
    if (observed == schedule_.observed.end()) return false;
    const std::vector<AccessAt>& written = flags_[op.target].written;
    for (std::size_t s = written.size(); s-- > 0 && written[s].op != observed->second;)
      if (causality_.knows(step.agent, written[s])) return true;
    return false;
  }

  // A wait for any word may take one that was meant for another, unless it knows that it is gone.
  void check_word(const Step& step, const SyncOp& op) {
    const FlagState& flag = flags_[op.target];
    if (!flag.is_word || (op.traits & kAnyWord) == 0) return;
    const AccessAt access = causality_.access_of(step.agent, step.op);
    bool gone = false;
    for (std::size_t s = flag.written.size(); s-- > 0 && !gone;) {
      const AccessAt& written = flag.written[s];
      const SyncOp& signal = program_.ops[written.op];
      const bool takes = signal.kind == SyncOpKind::signal && signal.count != 0;
      if (takes && signal.count != op.count)
        conflict(HazardKind::stale_signal, written, access, op.target);
      gone = causality_.knows(step.agent, written);
    }
    const std::uint32_t initial = program_.flags[op.target].initial;
    if (!gone && initial != 0 && initial != op.count)
      conflict(HazardKind::stale_signal, access, access, op.target);
  }

  // Whoever arrives for another meeting must know that the last one is over, or else may be counted
  // for it, and a member of it for this one.
  void arrive(const Step& step, const SyncOp& op) {
    BarrierState& barrier = barriers_[op.target];
    const AccessAt access = causality_.access_of(step.agent, step.op);
    if (barrier.arrived == program_.barriers[op.target].members) {
      barrier.last = std::exchange(barrier.waiting, {});
      barrier.arrived = 0;
    }
    const bool knows =
        std::any_of(barrier.last.begin(), barrier.last.end(), [&](const AccessAt& member) {
          return causality_.knows(step.agent, member);
        });
    if (!barrier.last.empty() && !knows)
      conflict(HazardKind::call_order, barrier.last.front(), access, op.target);
    ++barrier.arrived;
    if (op.kind == SyncOpKind::barrier) barrier.waiting.push_back(access);
  }

  // Two collectives of one rank on one communicator must have an order that every rank has.
  void enter(const Step& step, const SyncOp& op) {
    const std::uint64_t rank =
        std::uint64_t{op.target} << 32 | program_.agents[step.agent].place.gpu;
    const AccessAt access = causality_.access_of(step.agent, step.op);
    const auto [last, first_time] = entered_.try_emplace(rank, access);
    if (first_time) return;
    if (!causality_.knows(step.agent, last->second))
      conflict(HazardKind::collective_order, last->second, access, op.target);
    last->second = access;
  }

  const SyncProgram& program_;
  const Schedule& schedule_;
  Causality causality_;
  std::vector<LocationState> locations_;
  std::vector<FlagState> flags_;
  std::vector<BarrierState> barriers_;
  std::unordered_map<std::uint64_t, AccessAt> entered_;  // by communicator and rank
  Conflicts found_;
};

}  // namespace

Conflicts find_conflicts(const SyncProgram& program,
                         const Schedule& schedule,
                         const Assumptions& assumptions) {
  return ConflictFinder(program, schedule, assumptions).run();
}

}  // namespace epsim
