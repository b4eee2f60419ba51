// JsonSplitter: cuts a stream of JSON into the elements of one array and the other members of the
// object that holds it, one at a time. It holds the element at hand and no more of the file.
//
// The document is `{..., "traceEvents": [element, ...], ...}` or the array alone. Brackets are
// counted and strings respected; what stands inside an element is for its parser to judge. A
// document that ends too early gives every element that is whole, and ending() says where it broke.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "traces/bracket_scanner.hpp"
#include "traces/byte_stream.hpp"

namespace epsim {

struct JsonPiece {
  bool is_element = false;   // of the array; or else a member of the object around it
  std::string_view text;     // the value; `JsonSplitter::kPadding` more bytes may be read behind it
  std::string_view key;      // of a member, as the file writes it
  std::uint64_t offset = 0;  // of the value in the inflated file
};

class JsonSplitter {
 public:
  static constexpr std::size_t kPadding = 64;
  static constexpr std::size_t kLongestPiece = 64U << 20;

  // `stream` outlives the splitter, and so does what `array_key` views.
  JsonSplitter(ByteStream& stream,
               std::string_view array_key,
               std::size_t longest_piece = kLongestPiece);

  // The next element or member; its text stays until the next call. False at the end. Throws
  // InputError when the text is no object or array, or when an element is longer than
  // `longest_piece` allows; a member that long is left out.
  [[nodiscard]] bool next(JsonPiece& piece);

  // How the document ended, once next() has said false.
  struct Ending {
    bool has_array = false;                    // an array of that name, or the bare one
    std::optional<std::uint64_t> cut_short;    // where the piece starts that never ends
    std::optional<std::uint64_t> text_behind;  // something after the end of the document
    std::uint64_t stray_count = 0;             // of gaps between elements that are no comma
    std::optional<std::uint64_t> first_stray;  // the first of these
    std::uint64_t length = 0;                  // bytes of the whole text
  };
  [[nodiscard]] const Ending& ending() const { return ending_; }

 private:
  enum class Place : std::uint8_t { before, root_object, array, behind };

  [[nodiscard]] bool advance();
  void refill();
  void give_up_piece();
  [[nodiscard]] std::size_t kept_from() const;
  [[nodiscard]] std::string_view text(std::size_t begin, std::size_t end) const {
    return {buffer_.data() + begin, end - begin};
  }
  void open(std::size_t at);
  [[nodiscard]] bool close(std::size_t at, JsonPiece& piece);
  void open_root(std::size_t at);
  void check_gap(std::size_t end);
  std::string_view read_members(std::size_t end);
  void finish();

  ByteStream& stream_;
  std::string_view array_key_;
  std::size_t longest_piece_;
  BracketScanner scanner_;
  std::vector<char> buffer_;
  std::uint64_t buffer_offset_ = 0;  // of buffer_[0] in the stream
  std::size_t filled_ = 0;
  std::size_t scanned_ = 0;
  bool is_at_end_ = false;  // of the stream

  BracketScanner::Brackets brackets_;  // of the step at hand, those still to be looked at
  std::size_t step_begin_ = 0;
  Place place_ = Place::before;
  std::uint32_t depth_ = 0;
  std::uint32_t array_depth_ = 0;   // inside the array, outside of its elements
  std::size_t piece_begin_ = 0;     // of the value at hand, when depth_ says that there is one
  std::size_t gap_begin_ = 0;       // behind the last value
  bool is_discarding_ = false;      // the value at hand is too long to hold
  std::string key_;                 // of the member at hand
  std::vector<JsonPiece> members_;  // read, to be handed out
  std::size_t members_out_ = 0;
  Ending ending_;
};

}  // namespace epsim
