// cta_count: how many CTAs a point launches. "all" is one for each SM of the GPU at hand.
#pragma once

#include "calibrate/lab.hpp"
#include "calibrate/point.hpp"

namespace epsim {

[[nodiscard]] inline int cta_count(const Point& point, Lab& lab) {
  return point.text("ctas") == "all" ? lab.gpus().sm_count()
                                     : static_cast<int>(point.integer("ctas"));
}

}  // namespace epsim
