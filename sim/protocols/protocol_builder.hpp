// ProtocolBuilder: turns the sections of a protocol file into agents and their operations. What
// each word of an operation does is in protocol_verbs.hpp.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "sim/base/json.hpp"
#include "sim/protocols/index_expression.hpp"
#include "sim/protocols/protocol_draft.hpp"
#include "sim/protocols/protocol_names.hpp"

namespace epsim {

// Who stands in front of an operation, or-ed where several may.
enum Performer : std::uint8_t { kThread = 1, kStream = 2, kCpu = 4, kHostFunction = 8 };

struct StreamEntry {
  std::uint32_t agent = 0;
  std::uint32_t gpu = 0;
  bool has_own_ops = false;
  std::uint32_t enqueuer = kNone;      // CPU thread
  std::uint32_t enqueue_flag = kNone;  // progress: what has been enqueued
  std::uint32_t enqueued = 0;
  std::vector<SyncOp> unflushed;  // waits for a value that flushed no inbound writes
};

struct NicEntry {
  std::uint32_t agent = 0;
  std::uint32_t doorbell = kNone;  // progress: posts
  std::uint32_t posted = 0;
  std::uint32_t poster = kNone;
  enum class Ordering : std::uint8_t { unknown, none, owner, all_devices } ordering{};
};

struct EventEntry {
  std::uint32_t flag = kNone;  // progress: records
  std::uint32_t recorded = 0;
  std::map<std::uint32_t, std::uint32_t> newest;  // by CPU thread: its newest record, from 1
};

// One operation of the file that is being read.
class ProtocolBuilder;
struct OpSite {
  ProtocolBuilder& builder;
  Performer performer;
  std::uint32_t agent;   // whose operation it becomes
  std::uint32_t caller;  // the CPU thread that enqueues it, or kNone
  JsonObject& object;
  JsonValue main;  // what stands behind the verb
  const Variables& variables;
};

class ProtocolBuilder {
 public:
  ProtocolBuilder(JsonObject& root, std::string variant, const Variables& parameters);

  ProtocolDraft draft;
  ProtocolNames names;

  // Reads threads, streams, cpu_threads, host_functions and nics.
  void read_agents(JsonObject& root);
  // Whether the variant at hand has what `object` describes: only_in and not_in.
  [[nodiscard]] bool is_present(JsonObject& object) const;

  [[nodiscard]] StreamEntry& stream(const JsonValue& value, const Variables& variables);
  [[nodiscard]] NicEntry& nic(const JsonValue& value, const Variables& variables);
  [[nodiscard]] EventEntry& event(const JsonValue& value, const Variables& variables);
  [[nodiscard]] std::map<std::string, StreamEntry, std::less<>>& streams() { return streams_; }
  // Of a progress flag: the step after the newest that somebody completes.
  [[nodiscard]] std::uint32_t& next_step(std::uint32_t flag) { return next_steps_[flag]; }

  // Runs the threads of a kernel, or a host function, from a start to an end that the stream waits
  // for.
  void launch(OpSite& site, bool host_function);
  void record(OpSite& site);
  void wait_event(OpSite& site);
  // The CPU thread waits for what the stream holds.
  void synchronise(OpSite& site, StreamEntry& stream, const std::string& name);
  [[nodiscard]] std::uint32_t collective_number(std::uint32_t communicator,
                                                const std::string& name);
  // A condition of the platform that the reader knows by itself.
  [[nodiscard]] std::uint16_t known_condition(const PlatformCondition& condition);

  // The program, with all that could not be decided before.
  [[nodiscard]] SyncProgram finish();
  [[nodiscard]] OpAt labelled(const JsonValue& label) const;

 private:
  struct Instance {  // an agent that runs once or, in a kernel, once a launch
    std::string name;
    Variables variables;
    JsonValue value;
    std::vector<std::string> kernels;  // those it is a thread of
  };
  struct EventUse {
    OpAt where;
    JsonValue value;
    std::string event;
    std::uint32_t caller = kNone;
    std::uint32_t newest = 0;
    std::optional<std::uint32_t> nth;
  };
  struct Synchronisation {  // of a stream that somebody else fills
    OpAt where;
    std::string stream;
    std::uint32_t caller;
  };

  template <typename Visit>
  void for_each_copy(JsonObject& root, std::string_view section, Visit visit);
  void read_threads(JsonObject& root);
  void read_host_functions(JsonObject& root);
  void declare_streams(JsonObject& root, std::vector<Instance>& filled);
  void declare_nics(JsonObject& root);
  void run_instance(const Instance& instance, std::uint32_t agent, Performer performer);
  std::uint32_t add_thread(const Instance& instance,
                           const std::string& kernel,
                           const std::string& call);
  void count_walked(const JsonValue& value);  // a file may not run away
  void walk(const JsonValue& ops, Performer performer, std::uint32_t agent, const Variables&);
  void walk_repeat(JsonObject& object,
                   const JsonValue& times,
                   Performer performer,
                   std::uint32_t agent,
                   const Variables& variables);
  void walk_op(JsonObject& object, Performer performer, std::uint32_t agent, const Variables&);
  void enqueue(OpSite& site);
  void note_label(const OpSite& site);
  void finish_events();
  void finish_synchronisations();

  std::string variant_;
  std::set<std::string> variants_;
  Variables parameters_;
  std::vector<Instance> threads_, host_functions_;
  std::map<std::string, std::vector<std::size_t>> members_;  // threads, by kernel
  std::set<std::string> kernel_names_, host_function_names_;
  std::map<std::string, std::int64_t> calls_;  // launches so far
  std::map<std::string, StreamEntry, std::less<>> streams_;
  std::map<std::string, NicEntry, std::less<>> nics_;
  std::map<std::string, EventEntry, std::less<>> events_;
  std::vector<EventUse> event_uses_;
  std::vector<Synchronisation> synchronisations_;
  std::map<std::string, std::uint32_t> collectives_;  // by communicator and name
  std::map<std::uint32_t, std::uint32_t> next_steps_;
  std::map<std::string, OpAt> labels_;
  std::size_t walked_ = 0;
};

}  // namespace epsim
