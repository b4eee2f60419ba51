// BracketScanner: finds the brackets and braces of JSON text that stand outside of strings, 64
// bytes at a step, so that a dump of gigabytes is cut into events as fast as memory delivers it.
//
// It only tells opening from closing: whether `[` is closed by `]` is for a parser to judge.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace epsim {

class BracketScanner {
 public:
  static constexpr std::size_t kStep = 64;

  // The brackets of the next 64 bytes of the text, bit i for byte i.
  struct Brackets {
    std::uint64_t open = 0;
    std::uint64_t close = 0;
  };

  // Reads `text[0..63]`, which goes on where the last call's text ended.
  [[nodiscard]] Brackets step(const char* text);

  // Whether the text so far ends inside a string.
  [[nodiscard]] bool is_in_string() const { return string_carry_ != 0; }

 private:
  std::uint64_t string_carry_ = 0;  // all ones inside a string
  std::uint64_t escape_carry_ = 0;  // 1 when the next byte is escaped
};

}  // namespace epsim
