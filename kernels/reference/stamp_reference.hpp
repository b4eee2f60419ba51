// stamp_reference: what stamped memory must hold, in plain C++. A vector is four 32-bit words.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace epsim::kernels {

using StampWords = std::array<std::uint32_t, 4>;

// Equals stamped_vector of kernels/micro/stamp_vectors.cuh.
[[nodiscard]] StampWords stamp_words(std::uint32_t stamp, std::uint32_t index);

// Of the vectors in `words`, how many are not those of `stamp` from `first_index` on.
[[nodiscard]] std::size_t wrong_vectors(std::span<const std::uint32_t> words,
                                        std::uint32_t stamp,
                                        std::uint32_t first_index);

// How many of the vectors in `words` hold anything but the byte `poison`.
[[nodiscard]] std::size_t touched_vectors(std::span<const std::uint32_t> words,
                                          std::uint8_t poison);

}  // namespace epsim::kernels
