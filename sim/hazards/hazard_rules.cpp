#include "sim/hazards/hazard_rules.hpp"

#include <array>

namespace epsim {
namespace {

constexpr std::array kRules = {
    HazardRule{HazardKind::stale_read,
               "StaleRead",
               "A read need not see the write that it is meant to see.",
               "No order of the memory model leads from the write to the read: a release that "
               "nobody acquires, a scope that does not reach, or a crossing from one proxy to "
               "another without a proxy fence. Acquire the flag that follows the write, at a scope "
               "that covers both; before bulk copies of data that ordinary code published, put "
               "fence.proxy.async in the CTA that issues the copies."},
    HazardRule{HazardKind::overwritten_read,
               "OverwrittenRead",
               "A read may already see a later write.",
               "Nothing makes the write wait until the read is done, so that a buffer, a stage or "
               "a slot is filled anew while somebody still reads it. Hand it back only after the "
               "read: release after the last read and acquire before the write; where a bulk copy "
               "overwrites what ordinary code read, with fence.proxy.async before the hand-over."},
    HazardRule{HazardKind::overwritten_write,
               "OverwrittenWrite",
               "Of two writes to one place, either may stay.",
               "Nothing orders the writes. Give each its own place, or order them by a release and "
               "an acquire; between ordinary stores and bulk copies also by fence.proxy.async."},
    HazardRule{HazardKind::non_coherent_read,
               "NonCoherentRead",
               "ld.global.nc reads what was written while the kernel ran.",
               "The memory model says nothing of non-coherent loads of data that the kernel's "
               "lifetime saw written, whatever the order. It may work on one generation of "
               "hardware. Use ordinary loads, or read in a kernel that starts after the write."},
    HazardRule{HazardKind::stale_signal,
               "StaleSignal",
               "A wait takes a word that was meant for another wait.",
               "A test for \"not zero\" accepts what an earlier call, or another user of the "
               "buffer, left there. Tag words with a generation and wait for the expected value, "
               "or let one handle own the buffer."},
    HazardRule{HazardKind::lost_signal,
               "LostSignal",
               "A signal may be erased before anybody saw it.",
               "The reset of a flag is not ordered after the wait that consumes it, so that a fast "
               "peer's signal is cleaned away and a wait never ends. Keep send and receive of one "
               "parity in order, or use generations, which need no cleaning."},
    HazardRule{HazardKind::deadlock,
               "Deadlock",
               "A wait that nothing can end.",
               "Whoever should signal is missing, waits in turn, or comes later in program order."},
    HazardRule{HazardKind::collective_order,
               "CollectiveOrder",
               "Members of one communicator may enter its collectives in different orders.",
               "Collectives meet in the order in which each member issues them. Streams, threads "
               "and batches that share a communicator need one order on every rank, or a "
               "communicator each."},
    HazardRule{HazardKind::use_after_end,
               "UseAfterEnd",
               "An access to memory that was freed or given back.",
               "The end of the memory's life is not ordered after the access. Free, reallocate or "
               "return to a pool only after an event or a synchronisation behind the last use."},
    HazardRule{HazardKind::capture,
               "Capture",
               "An operation that a CUDA graph capture forbids.",
               "During capture the host may not wait, query, read results or allocate in ways "
               "that synchronise, and what it reads is frozen into the graph. Keep counts on the "
               "device and allocate for the worst case."},
    HazardRule{HazardKind::call_order,
               "CallOrder",
               "Calls of a library that its protocol does not allow in this order.",
               "Low-latency kernels hold two parities: send k+1 must follow receive k on every "
               "rank, one handle may use a buffer, and a graph needs an even number of calls."},
};

static_assert(kRules.size() == kHazardKindNames.size());

}  // namespace

std::span<const HazardRule> hazard_rules() {
  return kRules;
}

}  // namespace epsim
