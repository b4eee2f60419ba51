// CallMachine: runs the host's side of a call sequence: which thread enqueues what on which stream,
// what parity and generation each low-latency call gets, what a capture keeps and a replay repeats.
// Operations go to a CallEmitter; the device's side is CallProtocols'.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "sim/protocols/call_emitter.hpp"
#include "sim/protocols/call_protocols.hpp"
#include "sim/protocols/call_sequence.hpp"

namespace epsim {

class CallMachine {
 public:
  explicit CallMachine(const CallSequence& sequence);

  [[nodiscard]] CallProgram run();

 private:
  using Events = std::map<std::string, std::uint32_t>;  // by name: the flag of the newest record
  // What a thread knows of its rank's threads: how many of their calls were made before.
  using ThreadClock = std::map<std::string, std::uint32_t>;

  struct Graph {
    const Call* capture = nullptr;
    std::set<std::string> streams;   // that take part in the capture
    std::set<std::string> recorded;  // events
    std::vector<IssuedCall> nodes;
    std::optional<std::pair<std::uint32_t, std::uint32_t>> newest_end;  // of a replay: agent, flag
    std::uint32_t replays = 0;
  };
  struct LastCollective {
    std::string thread;
    std::uint32_t made;  // the thread's calls up to it
    std::uint32_t agent, flag;
  };
  struct RankState {
    std::vector<std::uint32_t> parity, generation;  // by handle
    std::vector<std::uint32_t> buffer_lives, object_lives;
    Events events;
    std::map<std::string, Graph> graphs;
    Graph* capturing = nullptr;
    std::map<std::uint32_t, IssuedCall> sends;  // by call: what its hook will receive
    std::set<std::string> streams;
    std::map<std::string, ThreadClock> threads;
    std::map<std::string, std::pair<std::uint32_t, ThreadClock>>
        batons;                                           // flag, and what it brings
    std::map<std::uint32_t, LastCollective> collectives;  // by communicator
    std::map<std::uint32_t, std::uint32_t> nic_done;      // by slot: flag
  };

  void make(std::uint32_t rank, const Call& call);
  [[nodiscard]] IssuedCall issue(std::uint32_t rank, const Call& call);
  void enqueue(std::uint32_t rank, const IssuedCall& issued);
  void emit_device(const CallPlace& at, const IssuedCall& issued, Events& events);
  void emit_collective(const CallPlace& at, const IssuedCall& issued);
  // True when the call went into a capture, or may not be made beside one.
  [[nodiscard]] bool is_captured(std::uint32_t rank, const IssuedCall& issued);

  [[nodiscard]] bool was_captured(std::uint32_t rank, const std::string& event) const;

  void sync(std::uint32_t rank, const Call& call);
  void post(std::uint32_t rank, const Call& call);
  void await(std::uint32_t rank, const Call& call);
  void allocate(std::uint32_t rank, const Call& call);
  void free(std::uint32_t rank, const Call& call);
  void tell_nic(std::uint32_t rank, const Call& call);
  void take_slot(std::uint32_t rank, const Call& call);
  void capture(std::uint32_t rank, const Call& call);
  void replay(std::uint32_t rank, const Call& call);
  void replay_once(std::uint32_t rank, const Call& call, Graph& graph);

  [[nodiscard]] CallPlace host(std::uint32_t rank, const Call& call);
  [[nodiscard]] CallPlace stream(std::uint32_t rank, const std::string& name);
  [[noreturn]] void fail(const Call& call, const std::string& what) const;
  [[nodiscard]] CallStep step(const CallPlace& at, const Call& call, const std::string& text) const;

  const CallSequence& sequence_;
  CallEmitter emitter_;
  CallProtocols protocols_;
  std::vector<RankState> ranks_;
  std::string thread_;       // that makes the call in hand
  std::int64_t moment_ = 0;  // of the call in hand, or of the node that a replay runs
};

// The program with what each of its operations belongs to.
[[nodiscard]] CallProgram build_call_program(const CallSequence& sequence);

}  // namespace epsim
