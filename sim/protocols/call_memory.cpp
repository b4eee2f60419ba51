#include "sim/protocols/call_memory.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace epsim {
namespace {

bool is_low_latency(const Call& call) {
  return call.kind == CallKind::dispatch || call.kind == CallKind::combine ||
         call.kind == CallKind::clean;
}

std::string life_name(std::uint32_t life) {
  return life == 0 ? std::string() : fmt::format(" (allocated again, {})", life);
}

}  // namespace

std::vector<CallShape> shapes_of_buffer(const CallSequence& sequence, std::uint32_t buffer) {
  std::vector<CallShape> shapes{sequence.buffers[buffer].shape};
  for_each_call(sequence.calls, [&](const Call& call) {
    if (!is_low_latency(call) || sequence.handles[call.handle].buffer != buffer) return;
    if (std::find(shapes.begin(), shapes.end(), call.shape) == shapes.end())
      shapes.push_back(call.shape);
  });
  return shapes;
}

CallMemory::CallMemory(const CallSequence& sequence, CallEmitter& emitter)
    : sequence_(sequence), emitter_(emitter), refilled_(sequence.objects.size()) {
  for (std::uint32_t b = 0; b < sequence.buffers.size(); ++b)
    layouts_.emplace_back(sequence.buffers[b], sequence.ranks, shapes_of_buffer(sequence, b));
  for_each_call(sequence.calls, [&](const Call& call) {
    if (call.kind == CallKind::return_slot) refilled_[call.object] = true;
  });
}

std::uint32_t CallMemory::buffer_cells(std::uint32_t buffer,
                                       std::uint32_t life,
                                       std::uint32_t rank) {
  const auto [row, is_new] = buffers_.try_emplace({buffer, life, rank});
  if (!is_new) return row->second;
  for (std::uint32_t cell = 0; cell < layouts_[buffer].cell_count(); ++cell) {
    const std::uint32_t made = emitter_.location(fmt::format("{} in buffer {} of rank {}{}",
                                                             layouts_[buffer].cell_name(cell),
                                                             sequence_.buffers[buffer].name,
                                                             rank,
                                                             life_name(life)));
    if (cell == 0) row->second = made;
  }
  return row->second;
}

std::uint32_t CallMemory::word(const WordAt& at) {
  const auto [row, is_new] = words_.try_emplace(at);
  if (is_new)
    row->second =
        emitter_.flag(fmt::format("word of parity {} from rank {} in buffer {} of rank {}{}",
                                  at.parity,
                                  at.source,
                                  sequence_.buffers[at.buffer].name,
                                  at.rank,
                                  life_name(at.life)));
  return row->second;
}

std::uint32_t CallMemory::tensor(std::uint32_t object, std::uint32_t life, std::uint32_t rank) {
  const auto [row, is_new] = tensors_.try_emplace({object, life, rank});
  if (is_new)
    row->second = emitter_.location(
        fmt::format("{} of rank {}{}", sequence_.objects[object].name, rank, life_name(life)),
        refilled_[object]);
  return row->second;
}

std::uint32_t CallMemory::received_rows(std::uint32_t tag, std::uint32_t rank) {
  const auto [row, is_new] = rows_.try_emplace({tag, rank});
  if (!is_new) return row->second;
  for (std::uint32_t source = 0; source < sequence_.ranks; ++source) {
    const std::uint32_t made =
        emitter_.location(fmt::format("rows of exchange {} that rank {} receives from rank {}",
                                      sequence_.objects[tag].name,
                                      rank,
                                      source));
    if (source == 0) row->second = made;
  }
  return row->second;
}

std::uint32_t CallMemory::counts(std::uint32_t tag, std::uint32_t rank) {
  const auto [row, is_new] = counts_.try_emplace({tag, rank});
  if (is_new)
    row->second = emitter_.location(
        fmt::format("counts of exchange {} on rank {}", sequence_.objects[tag].name, rank));
  return row->second;
}

std::uint32_t CallMemory::meeting_word(std::uint32_t tag,
                                       MeetingWord word,
                                       std::uint32_t rank,
                                       std::uint32_t slot) {
  const auto [row, is_new] = meeting_words_.try_emplace({tag, word, rank, slot});
  if (is_new)
    row->second = emitter_.flag(
        fmt::format("word {} of exchange {} on rank {}, \"{}\"",
                    slot,
                    sequence_.objects[tag].name,
                    rank,
                    word == MeetingWord::counts ? "counts are ready" : "rows are stored"));
  return row->second;
}

CellRange CallMemory::object(std::uint32_t index, std::uint32_t life, std::uint32_t rank) {
  if (sequence_.objects[index].kind == ObjectKind::tag)
    return {received_rows(index, rank), sequence_.ranks};
  return {tensor(index, life, rank), 1};
}

}  // namespace epsim
