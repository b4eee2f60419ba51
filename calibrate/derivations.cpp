#include <array>

#include "calibrate/derive.hpp"

namespace epsim {
namespace {

constexpr double kNsToUs = 1e-3;

constexpr std::array kDerivations = {
    Derivation{.group = "hardware",
               .constant = "grid_sync",
               .reading = Reading::median,
               .experiment = "M15",
               .series = "latency_ns",
               .where = "form=grid_sync ctas=128",
               .over = "",
               .scale = kNsToUs},
};

}  // namespace

std::span<const Derivation> derivations() {
  return kDerivations;
}

}  // namespace epsim
