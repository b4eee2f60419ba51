// CallMemory: which locations and flags of a SyncProgram stand for the rows, words and tensors that
// calls name. Memory that is freed and allocated again has a life more, with new ones.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "sim/protocols/call_emitter.hpp"
#include "sim/protocols/call_layout.hpp"
#include "sim/protocols/call_sequence.hpp"

namespace epsim {

// Words of a graph exchange: "my counts are ready", "my rows are stored".
enum class MeetingWord : std::uint8_t { counts, done };

class CallMemory {
 public:
  CallMemory(const CallSequence& sequence, CallEmitter& emitter);

  [[nodiscard]] const CallLayout& layout(std::uint32_t buffer) const { return layouts_[buffer]; }

  // First location of a buffer on a rank; cells follow each other.
  [[nodiscard]] std::uint32_t buffer_cells(std::uint32_t buffer,
                                           std::uint32_t life,
                                           std::uint32_t rank);
  struct WordAt {
    std::uint32_t buffer, life, rank;  // the rank that waits for it
    std::uint32_t word_set, parity, source;
    auto operator<=>(const WordAt&) const = default;
  };
  [[nodiscard]] std::uint32_t word(const WordAt& at);

  // A tensor or a slot.
  [[nodiscard]] std::uint32_t tensor(std::uint32_t object, std::uint32_t life, std::uint32_t rank);

  // Of a graph exchange: rows that a rank receives, one location a source; its counts; its words.
  [[nodiscard]] std::uint32_t received_rows(std::uint32_t tag, std::uint32_t rank);
  [[nodiscard]] std::uint32_t counts(std::uint32_t tag, std::uint32_t rank);
  [[nodiscard]] std::uint32_t meeting_word(std::uint32_t tag,
                                           MeetingWord word,
                                           std::uint32_t rank,
                                           std::uint32_t slot);

  // Locations of an object as kernels name it: a tensor's one, or a tag's received rows.
  [[nodiscard]] CellRange object(std::uint32_t index, std::uint32_t life, std::uint32_t rank);

 private:
  const CallSequence& sequence_;
  CallEmitter& emitter_;
  std::vector<CallLayout> layouts_;
  std::vector<bool>
      refilled_;  // slots that some call returns, so that they hold rows from the start
  std::map<std::tuple<std::uint32_t, std::uint32_t, std::uint32_t>, std::uint32_t> buffers_;
  std::map<std::tuple<std::uint32_t, std::uint32_t, std::uint32_t>, std::uint32_t> tensors_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint32_t> rows_, counts_;
  std::map<WordAt, std::uint32_t> words_;
  std::map<std::tuple<std::uint32_t, MeetingWord, std::uint32_t, std::uint32_t>, std::uint32_t>
      meeting_words_;
};

// Shapes of the calls on a buffer, the buffer's own first.
[[nodiscard]] std::vector<CallShape> shapes_of_buffer(const CallSequence& sequence,
                                                      std::uint32_t buffer);

// Calls `visit(call)` for every call of the sequence, those inside captures included.
template <typename Visit>
void for_each_call(const std::vector<Call>& calls, Visit visit) {
  for (const Call& call : calls) {
    visit(call);
    for_each_call(call.body, visit);
  }
}

}  // namespace epsim
