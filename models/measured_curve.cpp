#include "models/measured_curve.hpp"

#include <fmt/format.h>

#include "sim/base/check.hpp"

namespace epsim {

double measured_curve(const ConstantSet& constants,
                      std::string_view name,
                      std::initializer_list<std::uint32_t> places,
                      std::uint32_t x) {
  check(places.size() > 0, "a curve has places");
  const auto value_at = [&](std::uint32_t place) {
    return constants.at(fmt::format("{}_{}", name, place)).value;
  };
  std::uint32_t before = *places.begin();
  if (x <= before) return value_at(before);
  for (const std::uint32_t place : places) {
    if (x <= place) {
      const double share =
          place == before ? 0.0 : static_cast<double>(x - before) / (place - before);
      return value_at(before) + share * (value_at(place) - value_at(before));
    }
    before = place;
  }
  return value_at(before);
}

}  // namespace epsim
