#include <doctest/doctest.h>

#include "calibrate/two_batch_derive.hpp"
#include "models/calibration.hpp"
#include "sim/base/text_file.hpp"
#include "tests/base/temporary_folder.hpp"

using namespace epsim;

TEST_CASE("overlap constants: the committed ones are what the committed measurement gives") {
  const ConstantSet committed = load_calibration("hgx-h200").overlap;
  const ConstantSet derived =
      derive_two_batch(read_measurement(EPSIM_SOURCE_DIR "/calibrate/results/h200_x4.json.gz"), 132)
          .constants;
  REQUIRE(committed.all().size() == two_batch_constants().size());
  for (const Constant& constant : committed.all()) {
    CAPTURE(constant.name);
    CHECK(derived.at(constant.name).value == doctest::Approx(constant.value));
  }
}

TEST_CASE("overlap constants: a calibration keeps them when it is written and read") {
  const TemporaryFolder folder;
  const Calibration calibration = load_calibration("hgx-h200");
  const std::string text = calibration_text(calibration);
  replace_text_file(folder / "c.json", text);
  CHECK(calibration_text(load_calibration((folder / "c.json").string())) == text);
}
