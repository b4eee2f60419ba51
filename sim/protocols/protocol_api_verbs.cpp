#include <algorithm>
#include <array>
#include <string>

#include <fmt/format.h>

#include "sim/protocols/protocol_verbs.hpp"

namespace epsim {
namespace {

constexpr std::uint8_t kCallers = kThread | kCpu | kHostFunction;
constexpr std::uint8_t kAnyAgent = kThread | kCpu | kHostFunction | kStream;

void lower_launch(OpSite& site) {
  site.builder.launch(site, false);
}

void lower_host_function(OpSite& site) {
  site.builder.launch(site, true);
}

void lower_copy(OpSite& site) {
  emit_access(site, site.agent, site.main, SyncOpKind::read);
  emit_access(site, site.agent, site.object.required("into"), SyncOpKind::write);
}

void lower_record(OpSite& site) {
  site.builder.record(site);
}

void lower_wait_event(OpSite& site) {
  site.builder.wait_event(site);
}

// The default flag of cuStreamWriteValue fences all earlier work of the stream.
void lower_write_value(OpSite& site) {
  const auto value = site.object.optional("value");
  if (value && read_number(*value, site.variables, 0, INT64_MAX) == 0) return emit_reset(site);
  const auto fenced = site.object.optional("fenced");
  const bool is_fenced = !fenced || fenced->boolean();
  (void)emit_signal(site, site.agent, site.main, is_fenced ? Order::release : Order::relaxed);
}

void lower_wait_value(OpSite& site) {
  const JsonValue flush = site.object.required("flush");
  const std::size_t word = flush.one_of({"no", "yes", "unneeded"});
  ProtocolDraft& draft = site.builder.draft;
  const OpAt where = emit_wait(site, site.main, Order::acquire);
  if (word != 0) return;
  for (auto& [name, stream] : site.builder.streams())
    if (stream.agent == site.agent) stream.unflushed.push_back(draft.at(where));
  draft.at(where).traits |= kConditional;
  draft.at(where).condition = site.builder.known_condition(
      {"inbound remote writes are seen in the order of their arrival without a flush "
       "(GPU_DIRECT_RDMA_WRITES_ORDERING of OWNER or more)",
       "CU_STREAM_WAIT_VALUE_FLUSH on this wait, or FLUSH_REMOTE_WRITES after it (both need "
       "CAN_FLUSH_REMOTE_WRITES)"});
}

// What waits before it have seen is there for all that follows.
void lower_flush(OpSite& site) {
  if (!site.main.boolean()) site.main.fail_expected("true");
  ProtocolDraft& draft = site.builder.draft;
  for (auto& [name, stream] : site.builder.streams()) {
    if (stream.agent != site.agent) continue;
    for (const SyncOp& wait : stream.unflushed) draft.emit(site.agent, wait, "flush remote writes");
    stream.unflushed.clear();
  }
}

void lower_sync_stream(OpSite& site) {
  StreamEntry& stream = site.builder.stream(site.main, site.variables);
  site.builder.synchronise(site, stream, read_filled(site.main, site.variables));
}

void lower_sync_device(OpSite& site) {
  const std::uint32_t gpu = site.builder.draft.gpu(read_filled(site.main, site.variables));
  for (auto& [name, stream] : site.builder.streams())
    if (stream.gpu == gpu) site.builder.synchronise(site, stream, name);
}

void lower_busy(OpSite& site) {
  const Duration time = site.main.duration();
  if (time < Duration{}) site.main.fail_expected("a time that is not negative");
  (void)site.builder.draft.emit_pause(site.agent, time, "busy for " + site.main.string());
}

void lower_collective(OpSite& site) {
  ProtocolBuilder& builder = site.builder;
  const JsonValue where = site.object.required("communicator");
  const std::uint32_t communicator = builder.names.communicator(where, site.variables);
  const std::string name = read_filled(site.main, site.variables);
  if (const auto reads = site.object.optional("reads"))
    emit_access(site, site.agent, *reads, SyncOpKind::read);
  builder.draft.emit(site.agent,
                     {.kind = SyncOpKind::collective,
                      .target = communicator,
                      .count = builder.collective_number(communicator, name)},
                     fmt::format("{} on {}", name, read_filled(where, site.variables)));
  if (const auto writes = site.object.optional("writes"))
    emit_access(site, site.agent, *writes, SyncOpKind::write);
}

void signal_doorbell(OpSite& site, NicEntry& nic, const std::string& name) {
  ProtocolDraft& draft = site.builder.draft;
  if (nic.poster != kNone && nic.poster != site.agent)
    site.main.fail(
        fmt::format("\"{}\" posts to {} too, and nothing says which comes first; expected "
                    "one poster a NIC queue",
                    draft.agents[nic.poster].name,
                    name));
  nic.poster = site.agent;
  if (nic.doorbell == kNone) nic.doorbell = draft.add_flag(FlagOrder::progress, name + " doorbell");
  SyncOp ring{.kind = SyncOpKind::signal, .order = Order::release, .target = nic.doorbell};
  if (const auto scope = site.performer == kThread ? site.object.optional("scope") : std::nullopt)
    ring.scope = read_word<Scope>(*scope, kScopeNames);
  ring.position = nic.posted++;
  draft.emit(site.agent, ring, "post to " + name);
  draft.emit(nic.agent,
             {.kind = SyncOpKind::wait,
              .order = Order::acquire,
              .target = nic.doorbell,
              .count = nic.posted},
             "fetch of the request");
}

void lower_post(OpSite& site) {
  ProtocolBuilder& builder = site.builder;
  ProtocolDraft& draft = builder.draft;
  NicEntry& nic = builder.nic(site.main, site.variables);
  signal_doorbell(site, nic, read_filled(site.main, site.variables));
  if (const auto reads = site.object.optional("reads"))
    emit_access(site, nic.agent, *reads, SyncOpKind::read);
  if (const auto writes = site.object.optional("writes"))
    emit_access(site, nic.agent, *writes, SyncOpKind::write);
  if (const auto takes = site.object.optional("nic_takes"))
    draft.set_takes(*draft.last_of(nic.agent), takes->duration());
  OpSite on_nic{builder, kCpu, nic.agent, kNone, site.object, site.main, site.variables};
  if (const auto signals = site.object.optional("signals")) {
    using Ordering = NicEntry::Ordering;
    const Order order = nic.ordering == Ordering::none ? Order::relaxed : Order::release;
    const OpAt where = emit_signal(on_nic, nic.agent, *signals, order);
    if (nic.ordering == Ordering::unknown) {
      draft.at(where).traits |= kConditional;
      draft.at(where).condition = builder.known_condition(
          {"a running kernel sees the NIC's writes in their order (GPU_DIRECT_RDMA_WRITES_ORDERING "
           "of OWNER or more, one path into memory)",
           "a flush of inbound writes, or a launch after the completion was seen"});
    }
  }
  if (const auto completes = site.object.optional("completes"))
    (void)emit_signal(on_nic, nic.agent, *completes, Order::release);
}

constexpr std::array kVerbs = {
    ProtocolVerb{"launch",
                 kStream,
                 "kernel",
                 "",
                 "Runs the threads of a kernel; the stream goes on when they have ended",
                 lower_launch},
    ProtocolVerb{"host_function",
                 kStream,
                 "host function",
                 "",
                 "Runs it on a CPU thread of the driver, in stream order",
                 lower_host_function},
    ProtocolVerb{"copy", kStream, "places", "into", "cudaMemcpyAsync and the like", lower_copy},
    ProtocolVerb{"record", kStream, "event", "", "cudaEventRecord", lower_record},
    ProtocolVerb{"wait_event",
                 kStream,
                 "event",
                 "nth",
                 "cudaStreamWaitEvent: for the newest record that the CPU thread had made, none is "
                 "no wait; in a stream's own list for the first or the `nth`",
                 lower_wait_event},
    ProtocolVerb{"write_value",
                 kStream,
                 "flag",
                 "value, add, step, fenced, atomic, if",
                 "cuStreamWriteValue; of 0 it resets. `fenced`: false for NO_MEMORY_BARRIER",
                 lower_write_value},
    ProtocolVerb{"wait_value",
                 kStream,
                 "flag",
                 "for, accepts, flush, if",
                 "cuStreamWaitValue. `flush`: yes, no, or unneeded where what it guards was not "
                 "written here by others",
                 lower_wait_value},
    ProtocolVerb{"flush_remote_writes",
                 kStream,
                 "true",
                 "",
                 "CU_STREAM_MEM_OP_FLUSH_REMOTE_WRITES",
                 lower_flush},
    ProtocolVerb{"collective",
                 kThread | kStream,
                 "its name",
                 "communicator, reads, writes",
                 "Meets the same collective of every other GPU of the communicator",
                 lower_collective},
    ProtocolVerb{"sync_stream",
                 kCpu,
                 "stream",
                 "",
                 "cudaStreamSynchronize: what this thread has enqueued so far, or all that others "
                 "do",
                 lower_sync_stream},
    ProtocolVerb{"sync_device", kCpu, "GPU", "", "cudaDeviceSynchronize", lower_sync_device},
    ProtocolVerb{"sync_event",
                 kCpu,
                 "event",
                 "nth",
                 "cudaEventSynchronize, or a query that says yes",
                 lower_wait_event},
    ProtocolVerb{
        "post",
        kCallers,
        "NIC",
        "reads, writes, signals, completes, value, add, step, atomic, if, nic_takes, scope",
        "One RDMA request: the NIC reads and writes after the post, then sets `signals` "
        "(seen by a running kernel only if the platform keeps the order) and `completes` "
        "(the completion that a CPU polls)",
        lower_post},
    ProtocolVerb{
        "busy", kAnyAgent, "time", "", "Other work, of which only the time matters", lower_busy},
};

}  // namespace

std::span<const ProtocolVerb> api_verbs() {
  return kVerbs;
}

const ProtocolVerb& find_verb(JsonObject& object) {
  const ProtocolVerb* found = nullptr;
  for (const auto verbs : {memory_verbs(), api_verbs()})
    for (const ProtocolVerb& verb : verbs) {
      const auto keys = object.keys();
      if (std::find(keys.begin(), keys.end(), verb.name) == keys.end()) continue;
      if (found != nullptr)
        object.value().fail(
            fmt::format("expected one operation, found \"{}\" and \"{}\"", found->name, verb.name));
      found = &verb;
    }
  if (found != nullptr) return *found;
  std::string words;
  for (const auto verbs : {memory_verbs(), api_verbs()})
    for (const ProtocolVerb& verb : verbs)
      words += (words.empty() ? "" : ", ") + std::string(verb.name);
  object.value().fail(fmt::format("expected an operation, one of {}, repeat", words));
}

}  // namespace epsim
