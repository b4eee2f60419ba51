#include "sim/protocols/call_protocols.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "sim/base/check.hpp"

namespace epsim {
namespace {

// What a word holds may not say whose it is; these numbers tell the checker.
constexpr std::uint32_t kWordsOfHandle = 65'536;

std::string replay_text(std::uint32_t replay) {
  return replay == 0 ? std::string() : fmt::format(" (replay {})", replay);
}

}  // namespace

CallProtocols::CallProtocols(const CallSequence& sequence, CallEmitter& emitter)
    : sequence_(sequence), emitter_(emitter), memory_(sequence, emitter) {
  for (const CallCommunicator& communicator : sequence.communicators)
    communicators_.push_back(emitter.communicator(
        communicator.name, static_cast<std::uint32_t>(communicator.ranks.size())));
}

CallStep CallProtocols::step(const CallPlace& at,
                             const Call& call,
                             CallRole role,
                             const std::string& text) const {
  return {.call = call.id,
          .rank = at.rank,
          .role = role,
          .replay = at.replay,
          .text = text + replay_text(at.replay)};
}

void CallProtocols::touch(const CallPlace& at,
                          const Call& call,
                          SyncOpKind kind,
                          CallRole role,
                          CellRange where,
                          const std::string& text) {
  emitter_.emit(at.agent,
                {.kind = kind, .target = where.first, .count = where.count},
                step(at, call, role, text));
}

CallProtocols::Words CallProtocols::words_of(const CallPlace& at,
                                             const Call& call,
                                             const IssuedCall& issued) const {
  const CallHandle& handle = sequence_.handles[call.handle];
  const auto run = run_of_.find({at.rank, call.id});
  const std::uint32_t number = run == run_of_.end() ? 0 : run->second;
  switch (sequence_.buffers[handle.buffer].words) {
    case WordKind::cleaned:
      return {call.handle * kWordsOfHandle + number, 0, issued.parity};
    case WordKind::tagged:
      return {call.handle * kWordsOfHandle + number, issued.generation, issued.parity};
    case WordKind::device_tagged:
      return {number, number, number % 2};
  }
  return {};
}

std::uint32_t CallProtocols::word(const Call& call,
                                  const IssuedCall& issued,
                                  std::uint32_t rank,
                                  std::uint32_t parity,
                                  std::uint32_t source) {
  const std::uint32_t buffer = sequence_.handles[call.handle].buffer;
  return memory_.word(
      {buffer, issued.life, rank, memory_.layout(buffer).word_set(call.shape), parity, source});
}

std::uint32_t CallProtocols::cells(const Call& call, const IssuedCall& issued, std::uint32_t rank) {
  return memory_.buffer_cells(sequence_.handles[call.handle].buffer, issued.life, rank);
}

void CallProtocols::send(const CallPlace& at, const IssuedCall& issued) {
  const Call& call = *issued.call;
  const CallHandle& handle = sequence_.handles[call.handle];
  const CallLayout& layout = memory_.layout(handle.buffer);
  const WordKind kind = sequence_.buffers[handle.buffer].words;
  // A counter in device memory is the buffer's, whoever has a handle on it.
  const auto handles = static_cast<std::uint32_t>(sequence_.handles.size());
  const std::uint32_t counter =
      kind == WordKind::device_tagged ? handles + handle.buffer : call.handle;
  run_of_[{at.rank, call.id}] = ++ran_[{at.rank, counter}];
  const Words words = words_of(at, call, issued);
  if (kind == WordKind::cleaned)
    for (std::uint32_t source = 0; source < sequence_.ranks; ++source)
      emitter_.emit(at.agent,
                    {.kind = SyncOpKind::reset,
                     .target = word(call, issued, at.rank, 1 - words.parity, source)},
                    step(at,
                         call,
                         CallRole::clear,
                         fmt::format("send of {} clears the word of parity {} from rank {}",
                                     call.name,
                                     1 - words.parity,
                                     source)));
  const auto shifted = [&](CellRange range, std::uint32_t rank) {
    return CellRange{cells(call, issued, rank) + range.first, range.count};
  };
  if (call.kind == CallKind::dispatch) {
    const CellRange staging = shifted(layout.staging(call, words.parity), at.rank);
    const std::string text = fmt::format("send of {} prepares its rows", call.name);
    touch(at, call, SyncOpKind::write, CallRole::stage, staging, text);
  }
  for (std::uint32_t target = 0; target < sequence_.ranks; ++target) {
    touch(at,
          call,
          SyncOpKind::write,
          CallRole::write,
          shifted(layout.rows(call, words.parity, at.rank), target),
          fmt::format("send of {} writes rows to rank {}", call.name, target));
    emitter_.emit(at.agent,
                  {.kind = SyncOpKind::signal,
                   .order = Order::release,
                   .traits = kStore,
                   .target = word(call, issued, target, words.parity, at.rank),
                   .count = words.value},
                  step(at,
                       call,
                       CallRole::signal,
                       fmt::format("send of {} sets its word of parity {} at rank {}",
                                   call.name,
                                   words.parity,
                                   target)));
  }
}

void CallProtocols::receive(const CallPlace& at, const IssuedCall& issued) {
  const Call& call = issued.sender == nullptr ? *issued.call : *issued.sender;
  const CallLayout& layout = memory_.layout(sequence_.handles[call.handle].buffer);
  const Words words = words_of(at, call, issued);
  for (std::uint32_t source = 0; source < sequence_.ranks; ++source) {
    const std::uint32_t flag = word(call, issued, at.rank, words.parity, source);
    const std::uint32_t before = std::exchange(awaited_[flag], words.generation);
    emitter_.emit(at.agent,
                  {.kind = SyncOpKind::wait,
                   .order = Order::acquire,
                   .traits = before == words.generation ? kAnyWord : std::uint8_t{0},
                   .target = flag,
                   .count = words.value},
                  step(at,
                       call,
                       CallRole::wait,
                       fmt::format("receive of {} waits for the word of parity {} from rank {}",
                                   call.name,
                                   words.parity,
                                   source)));
    const CellRange rows = layout.rows(call, words.parity, source);
    touch(at,
          call,
          SyncOpKind::read,
          CallRole::read,
          {cells(call, issued, at.rank) + rows.first, rows.count},
          fmt::format("receive of {} reads the rows from rank {}", call.name, source));
  }
  if (!call.into) return;
  touch(at,
        call,
        SyncOpKind::write,
        CallRole::write,
        memory_.object(*call.into, issued.lives[*call.into], at.rank),
        fmt::format("receive of {} fills {}", call.name, sequence_.objects[*call.into].name));
}

void CallProtocols::barrier(const CallPlace& at, const Call& call, const std::string& key) {
  const auto [row, is_new] = barriers_.try_emplace(key);
  if (is_new) row->second = emitter_.barrier(sequence_.ranks);
  emitter_.emit(at.agent,
                {.kind = SyncOpKind::barrier, .target = row->second},
                step(at, call, CallRole::meet, fmt::format("{} meets all ranks", call.name)));
}

void CallProtocols::clean(const CallPlace& at, const IssuedCall& issued) {
  const Call& call = *issued.call;
  const std::uint32_t number = ++run_of_[{at.rank, call.id}];
  const std::string key = fmt::format("{} of {}", number, call.id);
  if (call.barrier_before) barrier(at, call, "before " + key);
  for (std::uint32_t parity = 0; parity < 2; ++parity)
    for (std::uint32_t source = 0; source < sequence_.ranks; ++source)
      emitter_.emit(
          at.agent,
          {.kind = SyncOpKind::reset, .target = word(call, issued, at.rank, parity, source)},
          step(at,
               call,
               CallRole::clear,
               fmt::format(
                   "{} clears the word of parity {} from rank {}", call.name, parity, source)));
  if (call.barrier_after) barrier(at, call, "after " + key);
}

void CallProtocols::access(const CallPlace& at,
                           const Call& call,
                           const IssuedCall& issued,
                           const std::vector<std::uint32_t>& objects,
                           SyncOpKind kind) {
  const bool is_read = kind == SyncOpKind::read;
  for (const std::uint32_t object : objects)
    touch(at,
          call,
          kind,
          is_read ? CallRole::read : CallRole::write,
          memory_.object(object, issued.lives[object], at.rank),
          fmt::format(
              "{} {} {}", call.name, is_read ? "reads" : "writes", sequence_.objects[object].name));
}

void CallProtocols::kernel(const CallPlace& at, const IssuedCall& issued) {
  access(at, *issued.call, issued, issued.call->reads, SyncOpKind::read);
  access(at, *issued.call, issued, issued.call->writes, SyncOpKind::write);
}

void CallProtocols::collective(const CallPlace& at, const IssuedCall& issued) {
  const Call& call = *issued.call;
  access(at, call, issued, call.reads, SyncOpKind::read);
  const auto number = static_cast<std::uint32_t>(collectives_.size());
  emitter_.emit(at.agent,
                {.kind = SyncOpKind::collective,
                 .target = communicators_[call.communicator],
                 .count = collectives_.emplace(call.label, number).first->second},
                step(at, call, CallRole::meet, fmt::format("{} meets its ranks", call.name)));
  access(at, call, issued, call.writes, SyncOpKind::write);
}

void CallProtocols::end_life(const CallPlace& at, const IssuedCall& issued) {
  const Call& call = *issued.call;
  const CellRange where = call.is_buffer
                              ? CellRange{memory_.buffer_cells(call.object, issued.life, at.rank),
                                          memory_.layout(call.object).cell_count()}
                              : memory_.object(call.object, issued.lives[call.object], at.rank);
  const std::string& name =
      call.is_buffer ? sequence_.buffers[call.object].name : sequence_.objects[call.object].name;
  touch(at,
        call,
        SyncOpKind::end_life,
        CallRole::end,
        where,
        fmt::format("{} ends the life of {}", call.name, name));
}

}  // namespace epsim
