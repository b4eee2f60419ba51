// CallSequence: what a framework calls on each rank: low-latency dispatch and combine, graph
// exchanges, collectives, and the CUDA API around them: streams, events, graphs, memory. Read from
// an `epsim.calls/1` file; it becomes a SyncProgram of a few ranks with one expert word a pair of
// ranks, by the rules that the libraries' protocols follow.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/base/json.hpp"
#include "sim/hazards/checked_file.hpp"
#include "sim/hazards/finding.hpp"
#include "sim/hazards/happens_before.hpp"
#include "sim/hazards/sync_program.hpp"

namespace epsim {

enum class CallKind : std::uint8_t {
  dispatch,     // low-latency; sends and receives, or only sends where a hook receives
  combine,      // likewise
  hook,         // launches the receive half of a dispatch or combine
  clean,        // clean_low_latency_buffer: zeroes the words of both parities
  exchange,     // a graph exchange, by stream memory operations
  collective,   // of a communicator
  kernel,       // anything that reads and writes memory
  record,       // an event
  wait,         // a stream waits for an event
  sync,         // a CPU thread waits for a stream, an event or the device
  allocate,     // memory, or a buffer that all ranks allocate together
  free,         // likewise, but each rank on its own
  return_slot,  // a staging slot goes back to its pool: the NIC may fill it again
  post_slot,    // the NIC is told to read a staging slot
  take_slot,    // a CPU thread waits until the NIC has done what it was told last
  post,         // between CPU threads of a rank: a baton is put down
  await,        // and taken
  capture,      // a graph, of the calls inside
  replay,       // of a graph
  cuda,         // a call of the CUDA API that only capture cares about
};
inline constexpr std::array<std::string_view, 20> kCallKindNames = {
    "dispatch",  "combine", "hook",  "clean",    "exchange", "collective",  "kernel",
    "record",    "wait",    "sync",  "allocate", "free",     "return_slot", "post_slot",
    "take_slot", "post",    "await", "capture",  "replay",   "cuda"};

// How a signal word tells a call from the call before.
enum class WordKind : std::uint8_t {
  cleaned,        // any value but zero; each send zeroes the other parity's words
  tagged,         // a generation that the host counts and hands to the kernel
  device_tagged,  // generation and parity come from a counter in device memory
};
inline constexpr std::array<std::string_view, 3> kWordKindNames = {
    "cleaned", "tagged", "device_tagged"};

// Where the words lie in a low-latency buffer: before the rows, at a fixed place, or behind them,
// at a place that depends on the call's shape.
enum class WordPlace : std::uint8_t { first, last };
inline constexpr std::array<std::string_view, 2> kWordPlaceNames = {"first", "last"};

struct CallShape {
  std::int64_t tokens = 128;  // most of a rank
  std::int64_t hidden = 7168;
  bool operator==(const CallShape&) const = default;
};

struct CallBuffer {
  std::string name;
  WordKind words = WordKind::cleaned;
  WordPlace word_place = WordPlace::first;
  CallShape shape{};
};

// A parity counter of its own, on a buffer that may have others.
struct CallHandle {
  std::string name;
  std::uint32_t buffer;
};

enum class ObjectKind : std::uint8_t { tensor, slot, tag };
struct CallObject {
  std::string name;
  ObjectKind kind;  // tag: of a graph exchange; as memory, the rows that it receives
};

struct CallCommunicator {
  std::string name;
  std::vector<std::uint32_t> ranks;
};

// Which meetings of a graph exchange a call has.
enum class ExchangeMeetings : std::uint8_t { both, counts, done };
inline constexpr std::array<std::string_view, 3> kExchangeMeetingNames = {"both", "counts", "done"};

struct Call {
  CallKind kind{};
  std::uint32_t id = 0;               // in file order, the calls inside captures included
  std::string name;                   // in messages: "dispatch 2"
  std::string place;                  // in the file
  std::vector<std::uint32_t> ranks;   // that make it
  std::string thread, stream;         // sync: no stream and no label means the device
  std::uint32_t handle = 0;           // dispatch, combine, clean
  CallShape shape;                    // likewise
  bool split = false;                 // dispatch, combine: a hook receives
  std::optional<std::uint32_t> into;  // dispatch, combine: memory that the receive half fills
  std::uint32_t of = 0;               // hook: id of the call that sent
  bool barrier_before = true, barrier_after = true;  // clean
  std::uint32_t object = 0;        // exchange, allocate, free, slots: object, or buffer
  bool is_buffer = false;          // allocate, free
  std::uint32_t communicator = 0;  // exchange, collective
  ExchangeMeetings meetings{};     // exchange
  bool flush = false;              // exchange: waits flush remote writes
  bool world_rank = false;         // exchange: words are addressed by the rank among all ranks
  bool world_size = false;         // exchange: every rank's word is waited for
  std::string label;        // event, baton, graph or collective by name; cuda: the API's function
  std::uint32_t times = 1;  // replay
  std::vector<std::uint32_t> reads, writes;  // objects
  std::vector<Call> body;                    // capture
};

struct CallSequence {
  std::string file, name;
  std::string about;  // in the words of the file
  std::uint32_t ranks = 3;
  std::vector<CallBuffer> buffers;
  std::vector<CallHandle> handles;
  std::vector<CallObject> objects;
  std::vector<CallCommunicator> communicators;
  std::vector<Call> calls;
  std::uint32_t call_count = 0;  // the calls inside captures included
};

// Throws InputError.
[[nodiscard]] CallSequence read_call_sequence(const JsonDocument& document);

// What find_hazards reads. Throws InputError where a call refers to what has not happened yet.
[[nodiscard]] SyncProgram call_program(const CallSequence& sequence);

// What no order of memory accesses shows: a receive half that is never launched, words that lie
// where rows were, words that are addressed out of range, and what a capture forbids.
[[nodiscard]] std::vector<Finding> call_findings(const CallSequence& sequence);

// All of it: hazards of the program, each with the call that closes it, and call_findings; worst
// first, each with the place of its second call in the file.
[[nodiscard]] CheckedProgram check_call_file(const CallSequence& sequence,
                                             const CheckOptions& options = {});
[[nodiscard]] HazardReport check_calls(const CallSequence& sequence,
                                       const CheckOptions& options = {});

}  // namespace epsim
