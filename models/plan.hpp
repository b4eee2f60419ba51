// Plan: who does what, in which order. Plain data that a model writes and others read: the engine
// gives it times, the bound gives it a closed form, a picture shows it.
//
// A plan has kernels (one launch on one rank), CTAs (what an SM slot hosts), and agents (a warp, or
// a group of warps that moves as one), each with its own list of operations, in program order.
// Agents meet in flags (counters that live on a rank), barriers, and resources (memory, links, SM
// store paths). An operation takes 16 bytes, so that a million messages fit in a few hundred MB.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/base/ids.hpp"
#include "sim/base/units.hpp"

namespace epsim {

using KernelId = Id<struct KernelTag>;
using CtaId = Id<struct CtaTag>;
using BarrierId = Id<struct BarrierTag>;
using QueuePairId = Id<struct QueuePairTag>;

// What an operation is for: how a report adds up time, and how a picture colours it.
enum class Phase : std::uint8_t { launch, cast, send, wire, signal, wait, receive, reduce, store };
inline constexpr std::array<std::string_view, 9> kPhaseNames = {
    "launch", "cast", "send", "wire", "signal", "wait", "receive", "reduce", "store"};

enum class OpKind : std::uint8_t {
  work,         // busy for a fixed time
  serve,        // move bytes through the rank's memory; ends when they have moved
  load,         // start a bulk copy from the rank's memory; it adds 1 to a flag when it lands
  put,          // write bytes to a rank's memory; ends when the last byte has left
  drain,        // wait until all own puts have been acknowledged
  signal,       // add to a flag, wherever it lives
  wait,         // until a flag has reached a count
  fence,        // a memory or proxy fence: time here, an edge for a checker
  barrier,      // until every member of a group is here
  post,         // hand a write to a NIC's queue pair; ends when it is handed over
  post_signal,  // the same for an atomic that adds to a flag, behind the writes of its queue pair
};

inline constexpr std::array<std::string_view, 11> kOpKindNames = {"work",
                                                                  "serve",
                                                                  "load",
                                                                  "put",
                                                                  "drain",
                                                                  "signal",
                                                                  "wait",
                                                                  "fence",
                                                                  "barrier",
                                                                  "post",
                                                                  "post_signal"};

enum class Scope : std::uint8_t { cta, cluster, gpu, sys };
inline constexpr std::array<std::string_view, 4> kScopeNames = {"cta", "cluster", "gpu", "sys"};

// Fences of PTX that a plan can hold. `none` is no fence at all.
enum class FenceKind : std::uint8_t {
  none,
  acq_rel_cta,
  acq_rel_cluster,
  acq_rel_gpu,
  acq_rel_sys,
  proxy_async,             // fence.proxy.async, all state spaces
  proxy_async_global,      // .global
  proxy_async_shared_cta,  // .shared::cta
};
inline constexpr std::array<std::string_view, 8> kFenceNames = {"none",
                                                                "acq_rel.cta",
                                                                "acq_rel.cluster",
                                                                "acq_rel.gpu",
                                                                "acq_rel.sys",
                                                                "proxy.async",
                                                                "proxy.async.global",
                                                                "proxy.async.shared::cta"};

// What kind of actor an agent is: one track a role and rank in a picture.
enum class Role : std::uint8_t {
  send_warp,     // LL dispatch: casts with the others, then sends one message of each token
  count_warp,    // LL dispatch: counts the tokens of the CTA's experts
  count_poster,  // LL dispatch: publishes the count word of one expert
  receive_warp,  // LL dispatch: copies messages out of the receive buffer
  combine_warp,  // LL combine: sends expert output rows home through a shared-memory pipeline
  flag_poster,   // LL combine: publishes the flag of one expert
  flag_poller,   // LL combine: waits for the flags
  load_warp,     // LL combine: brings rows into the ring
  decode_warps,  // LL combine: reduce rows out of the ring
  sender,        // intranode: warps of one channel that feed one rank's queue
  receiver,      // intranode: warps of one channel that empty one rank's queue
  gemm_tile,     // two-batch overlap: a CTA's share of a GEMM, one tile
  exchanger,     // two-batch overlap: a CTA that pushes its slice of every part
  stream,        // graph exchange: the stream itself, in memory operations and small copies
  row_warps,     // graph exchange: sort, pack, store and unpack rows
  host_thread,   // graph exchange with the CPU in the path: launches, and waits for all ranks
};
inline constexpr std::array<std::string_view, 16> kRoleNames = {"send warps",
                                                                "count warp",
                                                                "count poster",
                                                                "receive warps",
                                                                "combine warps",
                                                                "flag poster",
                                                                "flag pollers",
                                                                "load warp",
                                                                "decode warps",
                                                                "senders",
                                                                "receivers",
                                                                "GEMM tiles",
                                                                "exchangers",
                                                                "stream",
                                                                "row warps",
                                                                "host thread"};

// Operation::detail of a wait whose own time is that of waking up: a flag that is set costs
// nothing.
inline constexpr std::uint16_t kWakes = 1;
// Of a stream's wait for what peers wrote into this rank's memory: nothing flushes their writes.
inline constexpr std::uint16_t kUnflushed = 2;
// Operation::detail of a signal at system scope that releases nothing.
inline constexpr std::uint16_t kRelaxed = 0x100;
// Operation::detail of what is posted to a queue pair. A post that rings announces itself and all
// that waits before it; drains wait for one that is acknowledged. A signal's increment stands
// above.
inline constexpr std::uint16_t kRings = 1;
inline constexpr std::uint16_t kAcknowledged = 2;
inline constexpr int kIncrementShift = 2;

struct Operation {
  OpKind kind;
  Phase phase;
  std::uint16_t detail;  // fence: FenceKind; signal: Scope, or kRelaxed; serve, load: index of a
                         // rate cap; wait: kWakes, kUnflushed or 0; post: kRings, kAcknowledged;
                         // post_signal: the same, and its increment above them
  std::uint32_t target;  // put: rank; load, signal, wait, post_signal: flag; barrier: barrier;
                         // post: queue pair
  std::uint32_t count;   // serve, load, put, post: bytes; signal: increment; wait: count to reach;
                         // fence: warps of the agent that execute it, side by side;
                         // post_signal: queue pair
  std::uint32_t time;    // least time of the operation in picoseconds (at most 4.29 ms)
};
static_assert(sizeof(Operation) == 16);

struct Agent {
  std::uint32_t first_operation;
  std::uint32_t operation_count;
  CtaId cta;
  Role role;
};

struct Cta {
  KernelId kernel;
  std::uint32_t first_agent;
  std::uint32_t agent_count;
};

inline constexpr std::uint32_t kCrowdedByTable = 0xffff'ffff;

// One launch. Its CTAs take SM slots of the rank in order, as slots become free.
struct Kernel {
  RankId rank;
  std::uint32_t first_cta;
  std::uint32_t cta_count;
  std::int64_t after;        // index of the kernel that must end first, or -1
  Duration delay;            // from then (or from the rank's start) to the launch
  Duration not_before{};     // of the launch, from the rank's start: a host that is late
  Duration start_overhead;   // launch to the first instruction of every CTA
  Duration finish_overhead;  // last instruction to the end that a profiler records
  std::uint16_t ctas_per_sm;
  std::string_view name;
  // Of a persistent kernel, else 0: how many of its CTAs run at once. A slot that it has taken goes
  // from CTA to CTA until none is left, so that a CTA here is a tile that some resident CTA works
  // off, and nobody gets in between.
  std::uint32_t persistent_ctas = 0;
  // How many of those find room when other kernels' CTAs are resident at its launch: clusters need
  // neighbouring SMs, which others have split. The rest come when the others have left.
  // kCrowdedByTable: as many as Plan::crowded_slots says for the SMs that the others hold.
  std::uint32_t crowded_ctas = 0;
  // Each slot's first CTA is its own, whoever waits: what a GEMM does whose CTAs begin with the
  // tile of their own number and fetch the others from a counter. A slot that finds no room then
  // leaves a tile undone until another slot has nothing left to fetch.
  bool own_first_tiles = false;
  // Its end flushes the rank's memory: what others have queued on the rank's links goes first.
  bool flushes_links = false;
  // A cooperative launch: no CTA starts before there is room for all.
  bool starts_whole = false;
  // Of a stream of higher priority: takes room before CTAs that came earlier.
  bool is_urgent = false;
};

// An event between streams: the later kernel waits for the earlier one too, and `delay` after it.
struct KernelEdge {
  KernelId earlier, later;
  Duration delay;
};

struct Flag {
  RankId home;  // the rank whose memory holds it
  // A wait for n asks for the first n steps, whoever completed which of them: a row landed, a row
  // taken out. Else any signals that add up to n will do.
  bool in_steps = false;
};

struct Barrier {
  std::uint32_t members;
};

// What one SM can push through its copy path: every message costs a fixed time and its bytes a
// rate, one message after the other, whichever warp issued it.
struct SmRate {
  Duration each{};
  Bandwidth rate;
};

// How fast the parts of a rank serve bytes, whatever the topology says about links.
struct RankRates {
  Bandwidth memory;          // HBM and L2 together, read plus write
  double local_put_traffic;  // memory bytes moved per byte of a put to the own rank
  double serve_traffic;      // memory bytes moved per byte of a serve operation
  SmRate put_path;           // stores to other GPUs that leave one SM
  SmRate local_put_path;     // stores to the own memory that leave one SM
  SmRate serve_path;         // copies of serve operations that pass one SM
  SmRate load_path{};        // bulk loads that arrive at one SM
  Bytes put_chunk;           // a put crosses the fabric in pieces of this size, so that puts share
  std::uint32_t put_window;  // pieces of one agent that may be on their way across the fabric
  double link_efficiency;    // payload share of a link's raw rate
  Duration put_latency;      // beyond the route's hops, until a remote write is visible
  Duration local_latency;    // a write to own memory, until it is visible to the GPU
  Duration acknowledge;      // visible at the target to acknowledged at the writer
  Duration signal_latency;   // beyond the route's hops, until a poller at a peer sees a flag
  Duration local_signal;     // until a poller of the same GPU sees a flag
};

// What a NIC and the path to it take, whatever the topology says about links.
struct NicRates {
  Duration message{};        // NIC time of a message, over all its queue pairs
  Duration queue_message{};  // queue pair time of a message, whatever its size
  Duration doorbell{};       // more of the same, where a doorbell announces the message
  Duration latency{};      // a small write, handed over to visible at the target, beyond the links
  Duration atomic{};       // more of the same, for an atomic
  Duration acknowledge{};  // visible at the target to acknowledged at the poster, links included
  double wire_efficiency = 1;  // payload share of an RDMA link's raw rate
  double pcie_efficiency = 1;  // the same of the links between GPU and NIC
  // Where a host thread posts for the GPU, else 0: its time for a message, and until it sees one.
  Duration proxy_message{};
  Duration proxy_latency{};
};

// Messages from one rank to another that stay in order.
struct QueuePair {
  RankId source;
  RankId target;
};

// What an operation does to memory, for a checker: the engine looks at bytes alone.
enum class AccessKind : std::uint8_t {
  read,
  write,
  step,  // a signal: `location` is the step that it completes, of a flag that counts steps
};
enum class AccessWay : std::uint8_t {
  generic,
  non_coherent,  // ld.global.nc
  bulk,          // by an asynchronous copy, complete as its operation kind says
};
struct Access {
  std::uint32_t operation;
  std::uint32_t location;  // the first of `count`
  std::uint32_t count;
  AccessKind kind;
  AccessWay way;
};

// Locations in a row that mean the same: the rows of a buffer, the stages of a ring.
struct MemoryRange {
  std::string_view name;  // of one of them: "row of the receive buffer"
  RankId rank;
  bool is_shared;       // shared memory of a CTA; else global memory of the rank
  std::uint32_t first;  // location; the range ends where the next begins
};

struct Plan {
  std::string_view name;
  std::uint32_t rank_count = 0;
  std::uint32_t sm_count = 0;  // per rank
  RankRates rates{};
  std::vector<Bandwidth> rate_caps;  // index 0: no cap
  // Entry n: SMs on which clusters find room beside others' CTAs on n SMs. Empty where no kernel
  // asks (kCrowdedByTable).
  std::vector<std::uint32_t> crowded_slots;

  std::vector<Operation> operations;
  std::vector<Agent> agents;
  std::vector<Cta> ctas;
  std::vector<Kernel> kernels;
  std::vector<KernelEdge> kernel_edges;  // beyond Kernel::after
  std::vector<Flag> flags;
  std::vector<Barrier> barriers;
  NicRates nic{};
  std::vector<QueuePair> queue_pairs;
  std::vector<Duration> rank_start;  // one a rank; launch skew

  // Empty unless they were asked for (Workload::record_accesses). In the order of operations.
  std::vector<Access> accesses;
  std::vector<MemoryRange> memory;
  std::uint32_t location_count = 0;

  [[nodiscard]] RankId rank_of(const Agent& agent) const {
    return kernels[ctas[agent.cta.index()].kernel.index()].rank;
  }
  [[nodiscard]] std::span<const Operation> operations_of(const Agent& agent) const {
    return std::span(operations).subspan(agent.first_operation, agent.operation_count);
  }
};

}  // namespace epsim
