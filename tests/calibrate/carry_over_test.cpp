#include "calibrate/carry_over.hpp"

#include <doctest/doctest.h>

#include "sim/base/input_error.hpp"
#include "tests/support/round_constants.hpp"

using namespace epsim;

namespace {

Calibration measured() {
  Calibration calibration;
  calibration.system = "old";
  calibration.hardware = round_hardware();  // 100 GB/s, 1 us, 1
  calibration.families.push_back(
      {.name = "deepep-ll-1.2.1", .constants = round_low_latency(), .range = {}, .fit = {}});
  return calibration;
}

UnmeasuredSystem twice_the_memory() {
  return {.name = "new",
          .topology = "new",
          .kernels = {{.name = "deepep-ll-1.2.1"}},
          .ratios = {.hbm_bandwidth = 2, .sm_count = 1.5}};
}

}  // namespace

TEST_CASE("carry over: a constant follows its fact or stays, and may be twice or half as large") {
  const Readings readings = carry_over(measured(), twice_the_memory());
  CHECK(readings.system == "new");
  const Constant& hbm = readings.hardware.at("hbm_rate");
  CHECK(hbm.value == doctest::Approx(200));  // 100 GB/s, twice the HBM
  CHECK(hbm.low == doctest::Approx(100));
  CHECK(hbm.high == doctest::Approx(400));
  CHECK(readings.hardware.at("l2_read_rate").value == doctest::Approx(150));  // 1.5 times the SMs
  CHECK(readings.hardware.at("grid_sync").value == doctest::Approx(1));
  CHECK(readings.hardware.at("link_efficiency").high <= 1);  // no more than makes sense
}

TEST_CASE("carry over: every source says that nobody measured it") {
  const Readings readings = carry_over(measured(), twice_the_memory());
  REQUIRE(readings.families.size() == 1);
  for (const ConstantSet* set : {&readings.hardware, &readings.families.front().second})
    for (const Constant& constant : set->all()) {
      CAPTURE(constant.name);
      CHECK(constant.source.starts_with("prior: "));
      CHECK(constant.source.ends_with("nobody has measured it on new"));
    }
}

TEST_CASE("carry over: a family that was not calibrated is refused") {
  UnmeasuredSystem system = twice_the_memory();
  system.kernels = {{.name = "epsim-ll"}};
  CHECK_THROWS_AS((void)carry_over(measured(), system), InputError);
}
