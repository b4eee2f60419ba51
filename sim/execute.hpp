// execute: Plan -> Timeline. The only loop that advances time.
//
// Agents run their operations in order. What an operation costs:
//   work, fence    its own time
//   serve          bytes through the rank's memory, which all clients share max-min fair under
//   their
//                  rate caps, then the operation's own time (latency)
//   load           the same, in the background; adds 1 to its flag when done
//   put            issued over its own time or at the SM's store rate, whichever is slower; then
//                  the bytes queue for the first link of the route and the agent goes on when the
//                  last byte has left. The message then crosses the other links, first come first
//                  served, each at payload rate: cut-through, so only the slowest link costs its
//                  full time. Puts to the own rank go through memory instead.
//   drain          until every own put was acknowledged
//   post           own time; then the message waits for its doorbell, takes its turn on its queue
//                  pair and on the NIC, crosses the network link by link, cut-through, and is seen
//                  at its target in the order of its queue pair. Switches choose among equally
//                  short ways as the topology says. `post_signal` changes a flag when it is seen.
//   signal         own time; the flag changes after the route's latency
//   wait           until the flag has the count, then the operation's own time (poll)
//   barrier        until all members are there, then the operation's own time
//
// Order is (time, schedule order): equal plans give equal timelines, byte for byte.
#pragma once

#include "models/plan.hpp"
#include "sim/timeline.hpp"
#include "topologies/topology.hpp"

namespace epsim {

struct ExecuteOptions {
  bool record_link_uses = false;  // for a trace: memory grows with the messages
  // Puts are flows that share SM paths and links max-min fair, solved exactly, instead of pieces
  // that queue: slower, and a check on the pieces.
  bool fluid_fabric = false;
};

// Rank r of the plan runs on GPU r of the topology. Throws Bug when an agent never ends (a wait
// that nothing satisfies) or when bytes are lost.
[[nodiscard]] Timeline execute(const Plan& plan,
                               const Topology& topology,
                               const ExecuteOptions& options = {});

}  // namespace epsim
