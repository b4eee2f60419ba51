#include "kernels/reference/stamp_reference.hpp"

#include <algorithm>

namespace epsim::kernels {
namespace {

constexpr std::size_t kWords = 4;  // of a vector

}  // namespace

StampWords stamp_words(std::uint32_t stamp, std::uint32_t index) {
  return {stamp, index, ~index, stamp ^ index};
}

std::size_t wrong_vectors(std::span<const std::uint32_t> words,
                          std::uint32_t stamp,
                          std::uint32_t first_index) {
  std::size_t wrong = 0;
  for (std::size_t v = 0; v < words.size() / kWords; ++v) {
    const StampWords expected = stamp_words(stamp, first_index + static_cast<std::uint32_t>(v));
    if (!std::ranges::equal(words.subspan(v * kWords, kWords), expected)) ++wrong;
  }
  return wrong;
}

std::size_t touched_vectors(std::span<const std::uint32_t> words, std::uint8_t poison) {
  const std::uint32_t poison_word = poison * 0x01010101U;
  std::size_t touched = 0;
  for (std::size_t v = 0; v < words.size() / kWords; ++v)
    if (std::ranges::any_of(words.subspan(v * kWords, kWords),
                            [&](std::uint32_t word) { return word != poison_word; }))
      ++touched;
  return touched;
}

}  // namespace epsim::kernels
