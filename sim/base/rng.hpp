// Rng: random numbers that are the same on every machine and for ever.
//
// One named stream per use, so that a new draw in one place does not shift another. No std::
// distribution: their output differs between standard libraries. The generator is xoshiro256**
// (Blackman and Vigna, 2018), seeded by splitmix64 over the seed and the stream's name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include "sim/base/check.hpp"

namespace epsim {

class Rng {
 public:
  explicit Rng(std::uint64_t seed) : seed_(seed) {
    for (auto& word : state_) word = splitmix(seed);
  }

  // An independent generator for one use: rng.stream("routing").
  [[nodiscard]] Rng stream(std::string_view name) const {
    std::uint64_t hash = 14695981039346656037U;  // FNV-1a, 64 bit
    for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
    // Mixed once more: seed ^ hash alone would make a stream of a stream of one name its origin.
    std::uint64_t mixed = seed_ ^ hash;
    return Rng(splitmix(mixed));
  }

  [[nodiscard]] std::uint64_t next() {
    const std::uint64_t result = rotate(state_[1] * 5, 7) * 9;
    const std::uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = rotate(state_[3], 45);
    return result;
  }

  // Uniform in [0, bound), without bias (rejection of the incomplete last interval).
  [[nodiscard]] std::uint64_t below(std::uint64_t bound) {
    check(bound > 0, "a random number is asked for below a bound above zero");
    const std::uint64_t threshold = (0 - bound) % bound;
    for (;;) {
      const std::uint64_t draw = next();
      if (draw >= threshold) return draw % bound;
    }
  }

  // Uniform in [0, 1), 53 bits.
  [[nodiscard]] double uniform() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

  template <typename T>
  void shuffle(std::span<T> values) {
    for (std::size_t i = values.size(); i > 1; --i) std::swap(values[i - 1], values[below(i)]);
  }

 private:
  static constexpr std::uint64_t rotate(std::uint64_t x, int k) {
    return (x << k) | (x >> (64 - k));
  }
  static constexpr std::uint64_t splitmix(std::uint64_t& x) {
    x += 0x9e3779b97f4a7c15U;
    std::uint64_t z = x;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
  }

  std::uint64_t seed_;
  std::uint64_t state_[4]{};
};

}  // namespace epsim
