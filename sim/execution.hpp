// Execution: the state of one run of a plan. Split over four sources: execute.cpp moves agents,
// flags and barriers; execute_kernels.cpp kernels and CTAs; execute_transfers.cpp bytes through
// memory and over NVLink; execute_network.cpp what is posted to NICs.
#pragma once

#include <limits>
#include <optional>
#include <vector>

#include "models/plan.hpp"
#include "sim/base/check.hpp"
#include "sim/event_queue.hpp"
#include "sim/execute.hpp"
#include "sim/fabric.hpp"
#include "sim/fluid_network.hpp"
#include "sim/pool.hpp"
#include "sim/shared_server.hpp"
#include "sim/sm_pool.hpp"
#include "sim/timeline.hpp"

namespace epsim {

inline constexpr Bandwidth kNoLimit{50e12};  // more than any SM stores or any link carries
inline constexpr std::uint32_t kNobody = std::numeric_limits<std::uint32_t>::max();

// What can happen next. Sixteen bytes that say all an event needs, so that a piece of a put crosses
// the fabric without a look at its agent.
struct Event {
  enum class Kind : std::uint8_t {
    launch,     // subject: kernel
    resume,     // subject: agent whose current operation ends now
    proceed,    // subject: agent that has passed some delays and starts its next operation
    issued,     // subject: agent whose piece of a put has passed the SM
    hop,        // subject: agent whose piece arrives at a link of its route
    unstalled,  // subject: agent whose put may go on
    add,        // subject: flag, size: increment
    landed,     // subject: background load
    memory,     // subject: rank whose memory may have finished something
    flows,      // the fluid fabric may have finished something
    posted,     // subject: agent that has written its work request
    fetch,      // subject: network message that its queue pair hands to the NIC
    arrive,     // subject: network message that has crossed a link to a switch
  };
  std::uint32_t subject;
  std::uint32_t size;      // hop: bytes
  std::uint32_t position;  // hop: of the link in the topology's routes; arrive: the link
  std::uint16_t hops;      // hop: links left on the route, this one included
  Kind kind;
};
static_assert(sizeof(Event) == 16);

// All of an agent that changes, in one cache line: events of agents come in no order that a cache
// could guess.
struct alignas(64) AgentState {
  std::uint32_t next = 0;  // operation that runs or comes next
  std::uint32_t end = 0;   // one past its last operation
  std::uint32_t cta = 0;
  std::uint32_t rank = 0;
  std::uint32_t next_waiter = kNobody;  // list of agents blocked on one flag or barrier
  std::uint32_t under_way = 0;          // pieces of own puts that have not reached their target
  std::uint32_t put_left = 0;           // bytes of the current put that have not left the SM
  std::uint32_t put_size = 0;           // all its bytes
  std::uint32_t put_time = 0;           // its least time in picoseconds
  RouteRange put_route;                 // empty when it goes to the own memory
  bool draining = false;                // in a drain, until nothing is under way
  bool stalled = false;                 // in a put, until the window has room
  Instant acknowledged{};  // when the last piece that reached its target is acknowledged
  // Of a serve: when the SM's copy path has passed its bytes. Of a put: when it began its piece.
  Instant sm_time{};
};
static_assert(sizeof(AgentState) == 64);

// A list of blocked agents in the order in which they came, linked through AgentState.
struct WaiterList {
  std::uint32_t head = kNobody;
  std::uint32_t tail = kNobody;
};

struct FlagState {
  std::uint32_t value = 0;
  WaiterList waiters;
};

struct BarrierState {
  std::uint32_t arrived = 0;
  WaiterList waiters;
};

struct BackgroundLoad {
  std::uint32_t flag;
  std::uint32_t latency;    // picoseconds after the bytes have moved
  std::uint32_t operation;  // whose end is the landing
  Instant passed;           // through the SM's load path
};

// A write or an atomic between its post and its arrival.
struct NetworkMessage {
  std::uint32_t operation;
  std::uint32_t agent;
  std::uint32_t queue;
  std::uint32_t target;    // rank
  std::uint32_t sequence;  // among all of its queue pair
  std::uint32_t size;      // bytes
  std::uint32_t next =
      kNobody;  // waits behind this one: for a doorbell, or for its turn to be seen
};

// Where a link leads, in few bytes: messages ask at every hop.
struct LinkEnd {
  NodeId node;
  NodeKind kind;
};

// A message that has crossed a link, its last byte at `tail`.
struct NetworkStep {
  std::uint32_t message;
  LinkId crossed;
  Instant tail;
};

struct QueuePairState {
  Instant free;                          // has handed all so far to the NIC
  Instant visible;                       // its latest message, at the target
  std::uint32_t posted = 0;              // messages so far
  std::uint32_t delivered = 0;           // of them, in order
  std::uint32_t first_silent = kNobody;  // posted, and no doorbell has announced it
  std::uint32_t last_silent = kNobody;
  std::uint32_t early = kNobody;  // arrived before an earlier one: any order
};

struct NicState {
  Instant free;        // has taken all messages so far
  Instant proxy_free;  // the host thread that posts for the GPU
};

// What a kernel waits for, who waits for it, and where a persistent one is.
struct KernelState {
  struct Follower {
    std::uint32_t kernel;
    Duration delay;
  };
  std::vector<Follower> followers;
  std::uint32_t waits = 0;      // earlier kernels that have not ended
  Instant ready{};              // no launch before this, as far as is known
  std::uint32_t next_tile = 0;  // persistent: its CTA that starts next
  std::uint32_t slots = 0;      // persistent: asked for so far
  std::uint32_t taken = 0;      // persistent: slots that it got so far
  std::uint32_t held = 0;       // persistent: of them, not given back
  std::uint32_t left = 0;       // persistent: given back
};

// Which kernels hold or want SMs of a rank.
struct RankKernels {
  std::uint32_t running = 0;           // launched and not ended
  std::vector<std::uint32_t> crowded;  // persistent ones that have not asked for all their slots
};

// A client of a rank's memory: an agent that waits for it, a load, or a put to the own rank.
struct MemoryClient {
  enum class Kind : std::uint32_t { agent = 0, load = 1, put = 2 };
  static std::uint32_t pack(Kind kind, std::uint32_t slot) {
    check(slot < (1U << 30), "a plan has fewer than 2^30 agents");
    return (static_cast<std::uint32_t>(kind) << 30) | slot;
  }
  static Kind kind(std::uint32_t packed) { return static_cast<Kind>(packed >> 30); }
  static std::uint32_t slot(std::uint32_t packed) { return packed & ((1U << 30) - 1); }
};

struct MemoryState {
  SharedServer server;
  Instant next_event = Instant::max();
};

// The fabric as flows: one resource a link, then one a CTA's store path.
struct FluidFabric {
  FluidNetwork network;
  std::uint32_t first_cta;  // resource of CTA 0
  Instant next_event = Instant::max();
};

class Execution {
 public:
  Execution(const Plan& plan, const Topology& topology, const ExecuteOptions& options);
  Timeline run();

 private:
  void fetch(const Event& event) const;
  void handle(const Event& event);
  void launch(std::uint32_t kernel);
  void end_kernel(std::uint32_t kernel);
  void release_kernel(std::uint32_t kernel, Instant at);
  void enqueue_slots(std::uint32_t rank);
  [[nodiscard]] std::uint32_t crowded_slots(std::uint32_t kernel) const;
  void take_slot(std::uint32_t kernel);
  // What stands in the line for a slot of a persistent kernel, where others have a CTA.
  [[nodiscard]] std::uint32_t slot_of(std::uint32_t kernel) const {
    return static_cast<std::uint32_t>(plan_.ctas.size()) + kernel;
  }
  void place_ctas(std::uint32_t rank);
  void start_tile(std::uint32_t kernel);
  void start_cta(std::uint32_t cta);
  void finish_agent(std::uint32_t agent);
  void advance(std::uint32_t agent);
  bool begin(std::uint32_t agent, const Operation& operation, std::uint32_t index);
  void end_operation(std::uint32_t agent);
  void arrive_at_barrier(std::uint32_t agent, const Operation& operation);
  void add_to_flag(std::uint32_t flag, std::uint32_t increment);
  void send_signal(std::uint32_t agent, const Operation& operation);
  void begin_put(std::uint32_t agent, const Operation& operation);
  void issue_piece(std::uint32_t agent);
  void forward(Instant arrived, Event event);
  void leave_sm(std::uint32_t agent);
  void continue_put(std::uint32_t agent, Instant left);
  void next_hop(const Event& event);
  void reach_target(std::uint32_t agent, Instant acknowledged);
  void begin_drain(std::uint32_t agent);
  void end_drain(std::uint32_t agent);
  Instant pass_sm(std::uint32_t agent, std::uint32_t size, const SmRate& path);
  void begin_flow(std::uint32_t agent);
  void complete_flows();
  void schedule_flows();
  void hand_over(std::uint32_t agent);
  void ring(std::uint32_t queue);
  void enter_nic(std::uint32_t message);
  void travel(NetworkStep step);
  [[nodiscard]] LinkId choose(std::span<const LinkId> links, std::uint32_t queue, NodeId at) const;
  void reach_gpu(std::uint32_t message, Instant arrived);
  void deliver(std::uint32_t message, Instant arrived);
  void use_memory(std::uint32_t rank, std::uint32_t client, Bytes size, std::uint16_t cap);
  void complete_memory(std::uint32_t rank);
  void schedule_memory(std::uint32_t rank);
  void push_waiter(WaiterList& list, std::uint32_t agent);
  void schedule(Instant at, Event::Kind kind, std::uint32_t subject) {
    queue_.schedule(at, Event{subject, 0, 0, 0, kind});
  }
  [[nodiscard]] Instant now() const { return queue_.now(); }
  void check_all_ended() const;

  const Plan& plan_;
  const Topology& topology_;
  EventQueue<Event> queue_;
  Fabric fabric_;
  std::optional<FluidFabric> fluid_;
  Timeline timeline_;
  std::vector<AgentState> agents_;
  std::vector<FlagState> flags_;
  std::vector<BarrierState> barriers_;
  std::vector<MemoryState> memory_;
  Pool<BackgroundLoad> loads_;
  std::uint32_t put_chunk_;
  std::vector<std::uint32_t> completed_;  // scratch of complete_memory

  std::vector<Instant> sm_free_;                 // one a CTA
  std::vector<std::uint32_t> cta_agents_left_;   // one a CTA
  std::vector<std::uint32_t> kernel_ctas_left_;  // one a kernel
  std::vector<SmPool> sm_pools_;                 // one a rank
  std::vector<KernelState> kernels_;
  std::vector<RankKernels> rank_kernels_;

  std::vector<QueuePairState> queue_pairs_;
  std::vector<NicState> nics_;  // one a rank, if there are queue pairs
  Pool<NetworkMessage> messages_;
  std::vector<LinkEnd> link_ends_;  // by link, if there are queue pairs
};

}  // namespace epsim
