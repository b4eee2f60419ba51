// LitmusFrame: the events of one run of each thread, and those relations between them that do not
// depend on who reads from whom.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/litmus/bit_matrix.hpp"
#include "sim/litmus/litmus_runs.hpp"

namespace epsim {

// Events come first in every matrix, initial writes behind those of the threads. Behind them come
// the doubles: an event of an engine that is neither its issue nor its completion stands a second
// time for whatever reached it from outside, because that must not leave by the completion.
struct LitmusFrame {
  LitmusFrame(const LitmusTest& test, const std::vector<const LitmusRun*>& runs);

  std::vector<LitmusEvent> events;
  std::size_t nodes = 0;               // events and doubles: the size of every matrix
  std::vector<std::uint32_t> entry;    // of an event: itself or its double
  std::vector<std::uint32_t> origin;   // of a node: its event
  std::vector<std::uint32_t> partner;  // of one half of an atomic: the other; otherwise itself
  std::vector<std::uint32_t> reads;    // events
  std::vector<std::uint32_t> writes;   // events, with initial ones

  BitMatrix program_order;  // over events
  BitMatrix steps;          // program order over nodes, as far as it makes a path
  BitMatrix morally_strong;
  BitMatrix heads;      // first event of a release pattern -> the write that is observed
  BitMatrix tails;      // the read that observes -> last event of an acquire pattern
  BitMatrix influence;  // read -> writes whose value or presence hangs on it
  // Fence, as a node -> accesses by its proxy in its CTA.
  BitMatrix fenced;
  BitMatrix same_address, same_storage;  // over accesses
  BitMatrix near;                        // access -> accesses by the same proxy in the same CTA
  // Sets, as rows of `sets`.
  BitRow generic() const { return sets.row(0); }        // accesses by the generic proxy
  BitRow other_proxies() const { return sets.row(1); }  // accesses by another
  BitRow alias_fences() const { return sets.row(2); }   // nodes
  BitRow proxy_fences() const { return sets.row(3); }   // nodes
  BitMatrix sets;

 private:
  void add_events(const LitmusTest& test, const std::vector<const LitmusRun*>& runs);
  void add_steps(const LitmusTest& test);
  void add_engine_steps(std::uint32_t begin, std::uint32_t end);
  void add_moral_strength(const LitmusTest& test);
  void add_patterns(const LitmusTest& test);
  void add_places(const LitmusTest& test);
};

// Whether a scope of a thread at `from` takes in a thread at `to`.
[[nodiscard]] bool scope_includes(Scope scope, const Place& from, const Place& to);

}  // namespace epsim
