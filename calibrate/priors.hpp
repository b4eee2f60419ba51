// Priors: constants that no measurement of ours gives, with the public source or the assumption
// that each comes from. Reads epsim.priors/1, from which readings of a system are put together.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "models/constants.hpp"

namespace epsim {

struct Priors {
  ConstantSet network;  // all of network_constants(), or empty
  std::vector<std::pair<std::string, ConstantSet>> families;  // some of each family's constants

  // Nothing where there is none.
  [[nodiscard]] const Constant* find(const std::string& family, std::string_view constant) const;
};

// Throws InputError at the first key that is missing, unknown or out of range.
[[nodiscard]] Priors read_priors(const std::filesystem::path& path);

// Those of `later` stand in for those of `first`.
[[nodiscard]] Priors merge(Priors first, const Priors& later);

}  // namespace epsim
