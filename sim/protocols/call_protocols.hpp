// CallProtocols: the operations of each kind of call, as its library does them. Low-latency
// dispatch and combine: a send zeroes the words of the other parity, writes rows, and sets words; a
// receive waits for the words of its parity and reads rows. Graph exchange: counts meet, rows are
// stored, and done words meet; words go 0, 1, 0.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "sim/protocols/call_emitter.hpp"
#include "sim/protocols/call_memory.hpp"
#include "sim/protocols/call_sequence.hpp"

namespace epsim {

// A call with what the host decided when it made it. Inside a graph that stays as it was captured.
struct IssuedCall {
  const Call* call = nullptr;
  std::uint32_t parity = 0;
  std::uint32_t generation = 0;      // tagged words: counted by the host
  std::uint32_t life = 0;            // of the call's buffer
  std::vector<std::uint32_t> lives;  // of each object
  const Call* sender = nullptr;      // hook: the call that sent
};

// Where operations go: an agent of a rank, and the replay that they belong to.
struct CallPlace {
  std::uint32_t agent;
  std::uint32_t rank;
  std::uint32_t replay = 0;
};

class CallProtocols {
 public:
  CallProtocols(const CallSequence& sequence, CallEmitter& emitter);

  [[nodiscard]] CallMemory& memory() { return memory_; }

  void send(const CallPlace& at, const IssuedCall& issued);
  void receive(const CallPlace& at, const IssuedCall& issued);
  void clean(const CallPlace& at, const IssuedCall& issued);
  void exchange(const CallPlace& at, const IssuedCall& issued);
  void kernel(const CallPlace& at, const IssuedCall& issued);
  // Reads, meets the other members, and writes.
  void collective(const CallPlace& at, const IssuedCall& issued);

  // A barrier that every rank enters for the same `key`.
  void barrier(const CallPlace& at, const Call& call, const std::string& key);
  void end_life(const CallPlace& at, const IssuedCall& issued);

  [[nodiscard]] CallStep step(const CallPlace& at,
                              const Call& call,
                              CallRole role,
                              const std::string& text) const;

 private:
  // What the words of a call's execution say, and where they are.
  struct Words {
    std::uint32_t value;       // tells executions apart
    std::uint32_t generation;  // that the receiver can tell apart; 0: any word will do
    std::uint32_t parity;
  };
  // Of an exchange, as one rank addresses it: the slot of its own words, and how many slots.
  struct Slots {
    std::uint32_t own, count;
    std::vector<std::uint32_t> ranks;  // whose words it sets
  };

  [[nodiscard]] Words words_of(const CallPlace& at,
                               const Call& call,
                               const IssuedCall& issued) const;
  [[nodiscard]] std::uint32_t word(const Call& call,
                                   const IssuedCall& issued,
                                   std::uint32_t rank,
                                   std::uint32_t parity,
                                   std::uint32_t source);
  [[nodiscard]] std::uint32_t cells(const Call& call, const IssuedCall& issued, std::uint32_t rank);
  void access(const CallPlace& at,
              const Call& call,
              const IssuedCall& issued,
              const std::vector<std::uint32_t>& objects,
              SyncOpKind kind);
  void meet(const CallPlace& at, const Call& call, MeetingWord which, std::uint32_t number);
  void reset(const CallPlace& at, const Call& call, MeetingWord which);
  void store_rows(const CallPlace& at, const Call& call, std::uint32_t number);
  void await_rows(const CallPlace& at, const Call& call, std::uint32_t number);
  [[nodiscard]] std::uint32_t row_flag(const Call& call,
                                       std::uint32_t source,
                                       std::uint32_t target,
                                       std::uint32_t number);
  [[nodiscard]] Slots slots(const Call& call, std::uint32_t rank) const;
  void touch(const CallPlace& at,
             const Call& call,
             SyncOpKind kind,
             CallRole role,
             CellRange where,
             const std::string& text);

  const CallSequence& sequence_;
  CallEmitter& emitter_;
  CallMemory memory_;
  // How many low-latency calls ran, by rank and counter (a handle's, or the buffer's own), and
  // which of them a call's newest run was, by rank and call.
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint32_t> ran_, run_of_;
  // What was last waited for in a word: the same again is no news.
  std::map<std::uint32_t, std::uint32_t> awaited_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint32_t> exchanged_;  // by rank and tag
  std::map<std::tuple<std::uint32_t, std::uint32_t, std::uint32_t, std::uint32_t>, std::uint32_t>
      row_flags_;
  std::map<std::string, std::uint32_t> barriers_;
  std::vector<std::uint32_t> communicators_;          // by index in the sequence
  std::map<std::string, std::uint32_t> collectives_;  // by name: their numbers
};

}  // namespace epsim
