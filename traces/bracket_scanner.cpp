#include "traces/bracket_scanner.hpp"

#include <bit>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace epsim {
namespace {

// Where the signs of JSON's structure stand in 64 bytes.
struct Signs {
  std::uint64_t quote = 0;
  std::uint64_t backslash = 0;
  std::uint64_t open = 0;
  std::uint64_t close = 0;
};

// '[' and '{' differ in one bit, and so do ']' and '}': 0x5b 0x7b, 0x5d 0x7d.
constexpr char kCaseBit = 0x20;

#ifdef __SSE2__

std::uint64_t mask_of(__m128i equal) {
  return static_cast<std::uint32_t>(_mm_movemask_epi8(equal));
}

Signs signs_of(const char* text) {
  const __m128i quote = _mm_set1_epi8('"');
  const __m128i backslash = _mm_set1_epi8('\\');
  const __m128i open = _mm_set1_epi8('{');
  const __m128i close = _mm_set1_epi8('}');
  const __m128i case_bit = _mm_set1_epi8(kCaseBit);
  Signs signs;
  for (int i = 0; i < 4; ++i) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text + 16 * i));
    const __m128i braces = _mm_or_si128(bytes, case_bit);
    signs.quote |= mask_of(_mm_cmpeq_epi8(bytes, quote)) << (16 * i);
    signs.backslash |= mask_of(_mm_cmpeq_epi8(bytes, backslash)) << (16 * i);
    signs.open |= mask_of(_mm_cmpeq_epi8(braces, open)) << (16 * i);
    signs.close |= mask_of(_mm_cmpeq_epi8(braces, close)) << (16 * i);
  }
  return signs;
}

#else

Signs signs_of(const char* text) {
  Signs signs;
  for (unsigned i = 0; i < BracketScanner::kStep; ++i) {
    const std::uint64_t bit = std::uint64_t{1} << i;
    const char brace = static_cast<char>(text[i] | kCaseBit);
    if (text[i] == '"') signs.quote |= bit;
    if (text[i] == '\\') signs.backslash |= bit;
    if (brace == '{') signs.open |= bit;
    if (brace == '}') signs.close |= bit;
  }
  return signs;
}

#endif

// Bit i: an odd number of bits is set at and below i.
std::uint64_t parity_up_to(std::uint64_t bits) {
  for (int shift = 1; shift < 64; shift *= 2) bits ^= bits << shift;
  return bits;
}

}  // namespace

BracketScanner::Brackets BracketScanner::step(const char* text) {
  const Signs signs = signs_of(text);
  std::uint64_t escaped = escape_carry_;
  escape_carry_ = 0;
  // A backslash that is not escaped itself escapes the byte behind it. Rare: one at a time.
  for (std::uint64_t left = signs.backslash & ~escaped; left != 0;) {
    const int at = std::countr_zero(left);
    if (at == 63) {
      escape_carry_ = 1;
      break;
    }
    escaped |= std::uint64_t{2} << at;
    left &= ~(std::uint64_t{3} << at);
  }
  const std::uint64_t in_string = parity_up_to(signs.quote & ~escaped) ^ string_carry_;
  string_carry_ = std::uint64_t{0} - (in_string >> 63);
  return {.open = signs.open & ~in_string, .close = signs.close & ~in_string};
}

}  // namespace epsim
