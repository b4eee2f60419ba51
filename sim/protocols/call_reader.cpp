// Reading of epsim.calls/1 files.
#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "sim/protocols/call_sequence.hpp"
#include "sim/protocols/capture.hpp"

namespace epsim {
namespace {

constexpr std::int64_t kMostRanks = 16;
constexpr std::int64_t kMostReplays = 100;
constexpr std::uint32_t kMostCalls = 2000;
constexpr std::int64_t kMostTokens = 1'048'576;
constexpr std::int64_t kMostHidden = 65'536;
constexpr std::int64_t kChannelGroup = 128;  // channels that share a scale

template <typename Enum, std::size_t N>
Enum read_enum(const JsonValue& value, const std::array<std::string_view, N>& names) {
  return static_cast<Enum>(value.one_of({names.begin(), names.end()}));
}

class CallReader {
 public:
  explicit CallReader(const JsonDocument& document) : document_(document) {}

  CallSequence read() {
    JsonObject root = document_.root().object();
    sequence_.file = root.value().file();
    (void)root.required("schema").one_of({"epsim.calls/1"});
    if (const auto name = root.optional("name")) sequence_.name = name->string();
    if (const auto about = root.optional("about")) sequence_.about = about->string();
    if (const auto ranks = root.optional("ranks"))
      sequence_.ranks = static_cast<std::uint32_t>(ranks->integer_in(1, kMostRanks));
    for (std::uint32_t r = 0; r < sequence_.ranks; ++r) all_ranks_.push_back(r);
    if (const auto buffers = root.optional("buffers")) read_buffers(buffers->object());
    read_objects(root, "memory", ObjectKind::tensor);
    read_objects(root, "slots", ObjectKind::slot);
    read_objects(root, "tags", ObjectKind::tag);
    sequence_.communicators.push_back({"world", all_ranks_});
    if (const auto given = root.optional("communicators")) read_communicators(given->object());
    sequence_.calls = read_calls(root.required("calls"), all_ranks_, false);
    root.finish();
    sequence_.call_count = next_id_;
    return std::move(sequence_);
  }

 private:
  [[nodiscard]] static CallShape read_shape(JsonObject& object, CallShape shape) {
    if (const auto tokens = object.optional("tokens"))
      shape.tokens = tokens->integer_in(1, kMostTokens);
    if (const auto hidden = object.optional("hidden")) {
      shape.hidden = hidden->integer_in(kChannelGroup, kMostHidden);
      if (shape.hidden % kChannelGroup != 0) hidden->fail_expected("a multiple of 128");
    }
    return shape;
  }

  void read_buffers(JsonObject buffers) {
    for (const std::string& name : buffers.keys()) {
      JsonObject object = buffers.required(name).object();
      CallBuffer buffer{.name = name, .shape = read_shape(object, {})};
      if (const auto words = object.optional("words"))
        buffer.words = read_enum<WordKind>(*words, kWordKindNames);
      if (const auto place = object.optional("word_place"))
        buffer.word_place = read_enum<WordPlace>(*place, kWordPlaceNames);
      const auto index = static_cast<std::uint32_t>(sequence_.buffers.size());
      if (const auto handles = object.optional("handles")) {
        for (const JsonValue& handle : handles->array())
          sequence_.handles.push_back({handle.string(), index});
      } else {
        sequence_.handles.push_back({name, index});
      }
      sequence_.buffers.push_back(std::move(buffer));
      object.finish();
    }
    buffers.finish();
  }

  void read_objects(JsonObject& root, std::string_view key, ObjectKind kind) {
    const auto list = root.optional(key);
    if (!list) return;
    for (const JsonValue& name : list->array()) {
      for (const CallObject& other : sequence_.objects)
        if (other.name == name.string()) name.fail("another object has this name");
      sequence_.objects.push_back({name.string(), kind});
    }
  }

  [[nodiscard]] std::vector<std::uint32_t> read_ranks(const JsonValue& value,
                                                      const std::vector<std::uint32_t>& among) {
    std::vector<std::uint32_t> ranks;
    for (const JsonValue& item : value.array()) {
      const auto rank = static_cast<std::uint32_t>(item.integer_in(0, sequence_.ranks - 1));
      if (std::find(among.begin(), among.end(), rank) == among.end())
        item.fail("this rank does not make the call around it");
      if (!ranks.empty() && ranks.back() >= rank) item.fail_expected("ranks in rising order");
      ranks.push_back(rank);
    }
    if (ranks.empty()) value.fail_expected("at least one rank");
    return ranks;
  }

  void read_communicators(JsonObject object) {
    for (const std::string& name : object.keys())
      sequence_.communicators.push_back({name, read_ranks(object.required(name), all_ranks_)});
    object.finish();
  }

  // Index of what has the name that `value` gives.
  template <typename Named>
  [[nodiscard]] static std::uint32_t find(const std::vector<Named>& all, const JsonValue& value) {
    std::vector<std::string_view> names;
    for (const Named& one : all) names.push_back(one.name);
    return static_cast<std::uint32_t>(value.one_of(names));
  }

  // A kind of object by its name, or the only one of its kind where no name is given.
  [[nodiscard]] std::uint32_t find_object(JsonObject& object,
                                          std::string_view key,
                                          ObjectKind kind) {
    std::vector<std::uint32_t> candidates;
    for (std::uint32_t i = 0; i < sequence_.objects.size(); ++i)
      if (sequence_.objects[i].kind == kind) candidates.push_back(i);
    const auto given = object.optional(key);
    if (!given && candidates.size() == 1) return candidates.front();
    std::vector<std::string_view> names;
    for (const std::uint32_t i : candidates) names.push_back(sequence_.objects[i].name);
    return candidates[(given ? *given : object.required(key)).one_of(names)];
  }

  [[nodiscard]] std::vector<Call> read_calls(const JsonValue& list,
                                             const std::vector<std::uint32_t>& ranks,
                                             bool captured) {
    std::vector<Call> calls;
    for (const JsonValue& value : list.array()) calls.push_back(read_call(value, ranks, captured));
    return calls;
  }

  [[nodiscard]] Call read_call(const JsonValue& value,
                               const std::vector<std::uint32_t>& ranks,
                               bool captured) {
    JsonObject object = value.object();
    Call call;
    const JsonValue kind = object.required("do");
    call.kind = read_enum<CallKind>(kind, kCallKindNames);
    if (captured && (call.kind == CallKind::capture || call.kind == CallKind::replay))
      kind.fail("a capture holds no capture and no replay");
    if (next_id_ == kMostCalls) value.fail(fmt::format("more than {} calls", kMostCalls));
    call.id = next_id_++;
    call.place = value.place();
    call.ranks = ranks;
    if (const auto given = object.optional("ranks")) call.ranks = read_ranks(*given, ranks);
    call.name = read_name(object, call.kind);
    call.thread = read_word(object, "thread", "main");
    if (call.kind != CallKind::sync) call.stream = read_word(object, "stream", "compute");
    read_arguments(object, call);
    object.finish();
    return call;
  }

  [[nodiscard]] static std::string read_word(JsonObject& object,
                                             std::string_view key,
                                             std::string_view otherwise) {
    const auto given = object.optional(key);
    return given ? given->string() : std::string(otherwise);
  }

  [[nodiscard]] std::string read_name(JsonObject& object, CallKind kind) {
    const auto index = static_cast<std::size_t>(kind);
    std::string name = fmt::format("{} {}", kCallKindNames[index], ++counts_[index]);
    const auto given = object.optional("name");
    if (given) name = given->string();
    if (!names_.insert(name).second) {
      if (given) given->fail("another call has this name");
      object.value().fail("another call has the name of this one; give it a \"name\"");
    }
    return name;
  }

  void read_arguments(JsonObject& object, Call& call) {
    switch (call.kind) {
      case CallKind::dispatch:
      case CallKind::combine:
      case CallKind::clean:
        return read_low_latency(object, call);
      case CallKind::hook:
        return read_hook(object, call);
      case CallKind::exchange:
        return read_exchange(object, call);
      case CallKind::collective:
        if (const auto given = object.optional("communicator"))
          call.communicator = find(sequence_.communicators, *given);
        check_members(object, call);
        // What other ranks call the same collective, where they enter it by another call.
        call.label = read_word(object, "as", call.name);
        return read_accesses(object, call);
      case CallKind::kernel:
        return read_accesses(object, call);
      case CallKind::sync:
        return read_sync(object, call);
      case CallKind::allocate:
      case CallKind::free:
        return read_memory(object, call);
      case CallKind::return_slot:
      case CallKind::post_slot:
      case CallKind::take_slot:
        call.object = find_object(object, "slot", ObjectKind::slot);
        return;
      case CallKind::capture:
      case CallKind::replay:
        return read_graph(object, call);
      case CallKind::record:
      case CallKind::wait:
        call.label = object.required("event").string();
        return;
      case CallKind::post:
      case CallKind::await:
        call.label = object.required("baton").string();
        return;
      case CallKind::cuda:
        call.label = capture_calls()[object.required("call").one_of(capture_calls())];
        return;
    }
  }

  void read_low_latency(JsonObject& object, Call& call) {
    const auto handle = object.optional("handle");
    if (handle || sequence_.handles.size() != 1)
      call.handle = find(sequence_.handles, handle ? *handle : object.required("handle"));
    call.shape = read_shape(object, sequence_.buffers[sequence_.handles[call.handle].buffer].shape);
    if (call.kind == CallKind::clean) {
      const auto barrier = object.optional("barrier");
      const std::size_t which = barrier ? barrier->one_of({"both", "before", "after", "none"}) : 0;
      call.barrier_before = which <= 1;
      call.barrier_after = which == 0 || which == 2;
      return;
    }
    if (const auto phase = object.optional("phase"))
      call.split = phase->one_of({"fused", "send"}) == 1;
    if (const auto into = object.optional("into")) call.into = find(sequence_.objects, *into);
    sends_.emplace(call.name, std::pair(call.id, call.split));
  }

  void read_hook(JsonObject& object, Call& call) {
    const JsonValue of = object.required("of");
    const auto send = sends_.find(of.string());
    if (send == sends_.end()) of.fail("no dispatch or combine before this one has that name");
    if (!send->second.second) of.fail("that call receives itself: its phase is not \"send\"");
    call.of = send->second.first;
  }

  void check_members(JsonObject& object, const Call& call) {
    const CallCommunicator& members = sequence_.communicators[call.communicator];
    for (const std::uint32_t rank : call.ranks)
      if (std::find(members.ranks.begin(), members.ranks.end(), rank) == members.ranks.end())
        object.value().fail(fmt::format("rank {} is not in communicator {}", rank, members.name));
  }

  void read_exchange(JsonObject& object, Call& call) {
    call.object = find_object(object, "tag", ObjectKind::tag);
    if (const auto given = object.optional("communicator"))
      call.communicator = find(sequence_.communicators, *given);
    check_members(object, call);
    if (const auto meetings = object.optional("meetings"))
      call.meetings = read_enum<ExchangeMeetings>(*meetings, kExchangeMeetingNames);
    if (const auto flush = object.optional("flush")) call.flush = flush->boolean();
    if (const auto rank = object.optional("rank_of"))
      call.world_rank = rank->one_of({"communicator", "world"}) == 1;
    if (const auto size = object.optional("size_of"))
      call.world_size = size->one_of({"communicator", "world"}) == 1;
  }

  void read_accesses(JsonObject& object, Call& call) {
    if (const auto reads = object.optional("reads"))
      for (const JsonValue& name : reads->array())
        call.reads.push_back(find(sequence_.objects, name));
    if (const auto writes = object.optional("writes"))
      for (const JsonValue& name : writes->array())
        call.writes.push_back(find(sequence_.objects, name));
  }

  static void read_sync(JsonObject& object, Call& call) {
    const auto stream = object.optional("stream");
    const auto event = object.optional("event");
    if (stream && event) event->fail("a sync waits for a stream or for an event");
    if (stream) call.stream = stream->string();
    if (event) call.label = event->string();
  }

  void read_memory(JsonObject& object, Call& call) {
    const auto buffer = object.optional("buffer");
    call.is_buffer = buffer.has_value();
    call.object = buffer ? find(sequence_.buffers, *buffer)
                         : find(sequence_.objects, object.required("memory"));
  }

  void read_graph(JsonObject& object, Call& call) {
    const JsonValue graph = object.required("graph");
    call.label = graph.string();
    if (call.kind == CallKind::capture) {
      if (!graphs_.insert(call.label).second) graph.fail("this graph is captured twice");
      call.body = read_calls(object.required("calls"), call.ranks, true);
      return;
    }
    if (!graphs_.contains(call.label)) graph.fail("no graph of this name is captured before");
    if (const auto times = object.optional("times"))
      call.times = static_cast<std::uint32_t>(times->integer_in(1, kMostReplays));
  }

  const JsonDocument& document_;
  CallSequence sequence_;
  std::vector<std::uint32_t> all_ranks_;
  std::uint32_t next_id_ = 0;
  std::array<std::uint32_t, kCallKindNames.size()> counts_{};
  std::set<std::string> names_, graphs_;
  std::map<std::string, std::pair<std::uint32_t, bool>> sends_;  // by name: id, and whether split
};

}  // namespace

CallSequence read_call_sequence(const JsonDocument& document) {
  return CallReader(document).read();
}

}  // namespace epsim
