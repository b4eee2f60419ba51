// The graph exchange of CallProtocols.
#include <algorithm>

#include <fmt/format.h>

#include "sim/protocols/call_protocols.hpp"

namespace epsim {

CallProtocols::Slots CallProtocols::slots(const Call& call, std::uint32_t rank) const {
  const std::vector<std::uint32_t>& members = sequence_.communicators[call.communicator].ranks;
  Slots slots;
  slots.ranks = call.world_size ? sequence_.communicators.front().ranks : members;
  slots.count = static_cast<std::uint32_t>(slots.ranks.size());
  const auto place = std::find(members.begin(), members.end(), rank) - members.begin();
  slots.own = call.world_rank ? rank : static_cast<std::uint32_t>(place);
  return slots;
}

void CallProtocols::meet(const CallPlace& at,
                         const Call& call,
                         MeetingWord which,
                         std::uint32_t number) {
  const Slots slots = this->slots(call, at.rank);
  const std::string_view what =
      which == MeetingWord::counts ? "counts are ready" : "rows are stored";
  for (const std::uint32_t peer : slots.ranks) {
    if (peer == at.rank || slots.own >= slots.count) continue;
    emitter_.emit(at.agent,
                  {.kind = SyncOpKind::signal,
                   .order = Order::release,
                   .traits = kStore,
                   .target = memory_.meeting_word(call.object, which, peer, slots.own),
                   .count = number},
                  step(at,
                       call,
                       CallRole::signal,
                       fmt::format("{} tells rank {} that its {}", call.name, peer, what)));
  }
  for (std::uint32_t slot = 0; slot < slots.count; ++slot) {
    if (slot == slots.own) continue;
    emitter_.emit(at.agent,
                  {.kind = SyncOpKind::wait,
                   .order = Order::acquire,
                   .traits = kAnyWord,
                   .target = memory_.meeting_word(call.object, which, at.rank, slot),
                   .count = number},
                  step(at,
                       call,
                       CallRole::wait,
                       fmt::format("{} waits for word {}: {}", call.name, slot, what)));
  }
}

void CallProtocols::reset(const CallPlace& at, const Call& call, MeetingWord which) {
  const Slots slots = this->slots(call, at.rank);
  for (std::uint32_t slot = 0; slot < slots.count; ++slot) {
    if (slot == slots.own) continue;
    emitter_.emit(
        at.agent,
        {.kind = SyncOpKind::reset,
         .target = memory_.meeting_word(call.object, which, at.rank, slot)},
        step(at,
             call,
             CallRole::clear,
             fmt::format("{} resets its word {} of \"{}\"",
                         call.name,
                         slot,
                         which == MeetingWord::counts ? "counts are ready" : "rows are stored")));
  }
}

// D.2 of the protocol: counts, which peers read after their meeting; rows, which are theirs after
// the other. Either meeting may be left out, to see what it was good for.
void CallProtocols::exchange(const CallPlace& at, const IssuedCall& issued) {
  const Call& call = *issued.call;
  const std::uint32_t number = ++exchanged_[{at.rank, call.object}];
  const std::vector<std::uint32_t>& members = sequence_.communicators[call.communicator].ranks;
  touch(at,
        call,
        SyncOpKind::write,
        CallRole::stage,
        {memory_.counts(call.object, at.rank), 1},
        fmt::format("{} writes its counts", call.name));
  if (call.meetings != ExchangeMeetings::done) meet(at, call, MeetingWord::counts, number);
  for (const std::uint32_t peer : members)
    if (peer != at.rank)
      touch(at,
            call,
            SyncOpKind::read,
            CallRole::read,
            {memory_.counts(call.object, peer), 1},
            fmt::format("{} copies the counts of rank {}", call.name, peer));
  if (call.meetings != ExchangeMeetings::done) reset(at, call, MeetingWord::counts);
  store_rows(at, call, number);
  if (call.meetings != ExchangeMeetings::counts) {
    meet(at, call, MeetingWord::done, number);
    if (!call.flush) await_rows(at, call, number);
    reset(at, call, MeetingWord::done);
  }
}

std::uint32_t CallProtocols::row_flag(const Call& call,
                                      std::uint32_t source,
                                      std::uint32_t target,
                                      std::uint32_t number) {
  const auto [row, is_new] = row_flags_.try_emplace({call.object, source, target, number});
  if (is_new)
    row->second =
        emitter_.flag(fmt::format("arrival of rows of exchange {} from rank {} at rank {}",
                                  sequence_.objects[call.object].name,
                                  source,
                                  target),
                      FlagOrder::counter);
  return row->second;
}

// A wait with flush covers the rows that came before the word. Without, the word says nothing of
// them but on some platforms: then rows travel by themselves, and their arrival is conditional.
void CallProtocols::store_rows(const CallPlace& at, const Call& call, std::uint32_t number) {
  const std::vector<std::uint32_t>& members = sequence_.communicators[call.communicator].ranks;
  CallPlace writer = at;
  if (!call.flush) {
    writer.agent = emitter_.agent(AgentKind::stream,
                                  at.rank,
                                  fmt::format("rows of exchange {} under way from rank {}",
                                              sequence_.objects[call.object].name,
                                              at.rank));
    const std::string text = fmt::format("{} sends its rows", call.name);
    const std::uint32_t begun =
        emitter_.api_signal(at.agent, step(at, call, CallRole::launch, text));
    emitter_.api_wait(writer.agent, begun, step(writer, call, CallRole::launch, text));
  }
  for (const std::uint32_t peer : members) {
    touch(writer,
          call,
          SyncOpKind::write,
          CallRole::write,
          {memory_.received_rows(call.object, peer) + at.rank, 1},
          fmt::format("{} stores rows at rank {}", call.name, peer));
    if (call.flush || call.meetings == ExchangeMeetings::counts) continue;
    emitter_.emit(writer.agent,
                  {.kind = SyncOpKind::signal,
                   .order = Order::release,
                   .target = row_flag(call, at.rank, peer, number)},
                  step(writer,
                       call,
                       CallRole::launch,
                       fmt::format("rows of {} reach rank {}", call.name, peer)));
  }
}

void CallProtocols::await_rows(const CallPlace& at, const Call& call, std::uint32_t number) {
  const std::uint16_t condition = emitter_.condition(
      {"writes of peers that reach the GPU before the word are visible when a wait without flush "
       "is over",
       "CU_STREAM_WAIT_VALUE_FLUSH on the wait, or a flush operation behind it"});
  for (const std::uint32_t peer : sequence_.communicators[call.communicator].ranks)
    emitter_.emit(
        at.agent,
        {.kind = SyncOpKind::wait,
         .order = Order::acquire,
         .traits = static_cast<std::uint8_t>(peer == at.rank ? 0 : kConditional),
         .condition = condition,
         .target = row_flag(call, peer, at.rank, number)},
        step(at,
             call,
             CallRole::launch,
             fmt::format("{} goes on, with the rows of rank {} in its memory", call.name, peer)));
}

}  // namespace epsim
