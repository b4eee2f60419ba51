// Seeds of a property test: 1 to `count`, or the one that EPSIM_SEED names, to replay a failure.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <numeric>
#include <string>
#include <vector>

namespace epsim {

inline std::vector<std::uint64_t> property_seeds(std::size_t count) {
  if (const char* given = std::getenv("EPSIM_SEED")) return {std::stoull(given)};
  std::vector<std::uint64_t> seeds(count);
  std::iota(seeds.begin(), seeds.end(), std::uint64_t{1});
  return seeds;
}

}  // namespace epsim
