// SyncProgram: what agents do to memory and how they meet; times are an extra. A Plan, a protocol
// file and a straight-line litmus test all become one; the happens-before checker reads nothing
// else. Data is read and written weakly, flags are strong: what orders data is never data itself.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/plan.hpp"

namespace epsim {

using LocationId = Id<struct LocationTag>;  // a row, a ring stage, an element: never split further

enum class Proxy : std::uint8_t { generic, async, texture, surface, constant };
inline constexpr std::array<std::string_view, 5> kProxyNames = {
    "generic", "async", "texture", "surface", "constant"};

// Which memory a proxy fence covers; a location lies in one of the first two.
enum class MemorySpace : std::uint8_t { global, shared, both };
inline constexpr std::array<std::string_view, 3> kMemorySpaceNames = {"global", "shared", "both"};

enum class Order : std::uint8_t { relaxed, acquire, release, acq_rel };
inline constexpr std::array<std::string_view, 4> kOrderNames = {
    "relaxed", "acquire", "release", "acq_rel"};
[[nodiscard]] constexpr bool acquires(Order order) {
  return order == Order::acquire || order == Order::acq_rel;
}
[[nodiscard]] constexpr bool releases(Order order) {
  return order == Order::release || order == Order::acq_rel;
}

enum class SyncOpKind : std::uint8_t {
  read,         // of `count` locations from `target` on, by `proxy`
  write,        // likewise
  end_life,     // of `count` locations: freed, or given back to a pool; no access may follow
  signal,       // strong: adds `count` to flag `target`, or stores the word `count` there
  wait,         // strong: until the counter, the contiguous progress or the word is there
  reset,        // a flag is set back to zero by a plain store
  fence,        // of `order` and `scope`, for accesses of the generic proxy
  proxy_fence,  // between the generic proxy and `proxy`, for `space`; `order` one way or acq_rel
  barrier,      // arrives at barrier `target` and waits for all
  arrive,       // arrives only
  issue,        // starts the engine operation `target`
  wait_group,   // until all but the newest `count` engine stores of the agent are complete
  collective,   // enters collective `count` of communicator `target`; meets all its members
};
inline constexpr std::array<std::string_view, 13> kSyncOpKindNames = {"read",
                                                                      "write",
                                                                      "end_life",
                                                                      "signal",
                                                                      "wait",
                                                                      "reset",
                                                                      "fence",
                                                                      "proxy_fence",
                                                                      "barrier",
                                                                      "arrive",
                                                                      "issue",
                                                                      "wait_group",
                                                                      "collective"};

// SyncOp::traits, or-ed.
inline constexpr std::uint8_t kNonCoherent = 1;  // read: ld.global.nc
inline constexpr std::uint8_t kApiEdge = 2;  // signal, wait: the CUDA API orders every proxy here
inline constexpr std::uint8_t kConditional =
    4;                                     // signal, wait: only if SyncProgram::condition is so
inline constexpr std::uint8_t kStore = 8;  // signal: a plain store, which carries no earlier head
inline constexpr std::uint8_t kReadOnly = 16;  // wait_group: .read, the sources only
inline constexpr std::uint8_t kAnyWord = 32;   // wait: takes any word but zero for the expected one

struct SyncOp {
  SyncOpKind kind;
  Proxy proxy = Proxy::generic;
  MemorySpace space = MemorySpace::both;
  Scope scope = Scope::sys;
  Order order = Order::relaxed;
  std::uint8_t traits = 0;
  std::uint16_t condition = 0;  // kConditional: index into SyncProgram::conditions
  std::uint32_t target = 0;
  std::uint32_t count =
      1;  // read, write: locations; signal: increment or word; wait: what to reach
  std::uint32_t position = 0;  // signal to a progress flag: which step it completes, from 0
  std::uint32_t source = 0;    // the operation of the plan or file that this one stands for
};
static_assert(sizeof(SyncOp) == 24);

// Where an agent runs, for scopes and proxies. Numbers are of the whole program: a CTA belongs to
// one cluster, a cluster to one GPU.
struct Place {
  std::uint32_t gpu = 0;
  std::uint32_t cluster = 0;
  std::uint32_t cta = 0;
  bool operator==(const Place&) const = default;
};
inline constexpr std::uint32_t kHostGpu = 0xffff'ffff;  // Place::gpu of a CPU thread or a NIC

enum class AgentKind : std::uint8_t { threads, stream, copy_engine, nic, cpu };
inline constexpr std::array<std::string_view, 5> kAgentKindNames = {
    "threads", "stream", "copy engine", "NIC", "CPU thread"};

struct SyncAgent {
  std::uint32_t first_op = 0;
  std::uint32_t op_count = 0;
  Place place;
  AgentKind kind = AgentKind::threads;
};

// A counter: any signals that add up to what a wait asks for. Progress: a wait for n asks for steps
// 0 to n-1, whichever order they came in. A word: a wait asks for one value.
enum class FlagOrder : std::uint8_t { counter, progress, word };
inline constexpr std::array<std::string_view, 3> kFlagOrderNames = {"counter", "progress", "word"};

struct SyncFlag {
  FlagOrder order = FlagOrder::counter;
  std::uint32_t initial = 0;  // word: its value before any signal
};

struct SyncBarrier {
  std::uint32_t members = 0;
};

// One asynchronous copy: it reads and writes through `proxy` in the issuer's CTA. When complete it
// adds 1 to `landed` (a progress flag: an mbarrier's phase), or counts for wait_group if there is
// none. Completion publishes its own accesses and nothing else.
inline constexpr std::uint32_t kNone = 0xffff'ffff;
struct EngineOp {
  std::uint32_t read_from = kNone;  // first location, or kNone
  std::uint32_t read_count = 0;
  std::uint32_t write_to = kNone;
  std::uint32_t write_count = 0;
  std::uint32_t landed = kNone;  // flag
  std::uint32_t position = 0;    // step of `landed` that this completes
};

struct SyncCommunicator {
  std::uint32_t members = 0;
};

// What an edge rests on that not every platform has, and what makes it so everywhere.
struct PlatformCondition {
  std::string what;
  std::string closes;
};

// How a reader names things; a plan names its agents by role, a file by what it wrote.
struct SyncNames {
  std::function<std::string(std::uint32_t)> agent;
  std::function<std::string(std::uint32_t)> location;
  std::function<std::string(std::uint32_t)> flag;
  std::function<std::string(std::uint32_t)> communicator;
  // An operation in a few words: "bulk load of a row".
  std::function<std::string(std::uint32_t agent, std::uint32_t op)> operation;
  // Operations of one site are reported once, with how often: by role and kind, or each its own.
  std::function<std::uint64_t(std::uint32_t agent, std::uint32_t op)> site;
};

struct SyncProgram {
  std::string name;
  std::vector<SyncOp> ops;
  std::vector<SyncAgent> agents;
  std::vector<MemorySpace> locations;  // space of each
  std::vector<bool> initialised;  // per location; empty: none holds a value before the first write
  std::vector<SyncFlag> flags;
  std::vector<SyncBarrier> barriers;
  std::vector<EngineOp> engine_ops;
  std::vector<SyncCommunicator> communicators;
  std::vector<PlatformCondition> conditions;
  // Optional: how long each operation takes at least. Empty, or one an op.
  std::vector<Duration> takes;
  SyncNames names;

  [[nodiscard]] std::span<const SyncOp> ops_of(const SyncAgent& agent) const {
    return std::span(ops).subspan(agent.first_op, agent.op_count);
  }
};

}  // namespace epsim
