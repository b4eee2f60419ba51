// matrix_value: pseudo-random BF16 numbers that a GPU and a CPU make alike from a place and a seed.
// Full mantissas on purpose: a GEMM of repetitive numbers draws less power and runs at higher
// clocks than a real one.
#pragma once

#include <bit>
#include <cstdint>

#include "kernels/overlap/both_sides.hpp"

namespace epsim::kernels {

// The mixing steps of splitmix64.
EPSIM_BOTH_SIDES constexpr std::uint64_t mixed_bits(std::uint64_t index, std::uint32_t seed) {
  std::uint64_t z = index * 0x9e3779b97f4a7c15ULL + seed;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  return (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
}

// Bits of the BF16 that `value` becomes when its last bits are cut off.
EPSIM_BOTH_SIDES constexpr std::uint16_t cut_to_bf16(float value) {
#ifdef __CUDA_ARCH__
  return static_cast<std::uint16_t>(__float_as_uint(value) >> 16);
#else
  return static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(value) >> 16);
#endif
}

// Element `index` of matrix `seed`: a multiple of 1/128 in (-1, 1), which BF16 holds exactly, as
// the bits of a BF16.
EPSIM_BOTH_SIDES constexpr std::uint16_t matrix_value(std::uint64_t index, std::uint32_t seed) {
  const int step = static_cast<int>((mixed_bits(index, seed) >> 40) % 255) - 127;
  return cut_to_bf16(static_cast<float>(step) / 128.0F);
}

// As matrix_value, but nearly of the normal distribution (0, 1) with all bits of the mantissa in
// use, as weights and activations are: four uniform numbers, added, in (-3.47, 3.47).
EPSIM_BOTH_SIDES constexpr std::uint16_t normal_value(std::uint64_t index, std::uint32_t seed) {
  const std::uint64_t z = mixed_bits(index, seed);
  const std::uint64_t sum = (z & 0xffff) + (z >> 16 & 0xffff) + (z >> 32 & 0xffff) + (z >> 48);
  // Each is uniform on 2^16 values: a variance of 2^32 / 12, so the sum's deviation is 37837.
  const float centred = static_cast<float>(static_cast<int>(sum) - 2 * 0xffff);
  return cut_to_bf16(centred * (1.0F / 37837.0F));
}

}  // namespace epsim::kernels
