// matrix_value: pseudo-random BF16 numbers that a GPU and a CPU make alike from a place and a seed.
// Full mantissas on purpose: a GEMM of repetitive numbers draws less power and runs at higher
// clocks than a real one.
#pragma once

#include <bit>
#include <cstdint>

#include "kernels/overlap/both_sides.hpp"

namespace epsim::kernels {

// Element `index` of matrix `seed`: a multiple of 1/128 in (-1, 1), which BF16 holds exactly, as
// the bits of a BF16.
EPSIM_BOTH_SIDES constexpr std::uint16_t matrix_value(std::uint64_t index, std::uint32_t seed) {
  // The mixing steps of splitmix64.
  std::uint64_t z = index * 0x9e3779b97f4a7c15ULL + seed;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  const int step = static_cast<int>((z >> 40) % 255) - 127;
  const float value = static_cast<float>(step) / 128.0F;
#ifdef __CUDA_ARCH__
  return static_cast<std::uint16_t>(__float_as_uint(value) >> 16);
#else
  return static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(value) >> 16);
#endif
}

}  // namespace epsim::kernels
