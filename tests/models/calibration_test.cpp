#include "models/calibration.hpp"

#include <string>

#include <doctest/doctest.h>

#include "models/kernel_families.hpp"
#include "sim/base/input_error.hpp"
#include "sim/base/text_file.hpp"
#include "tests/base/temporary_folder.hpp"
#include "tests/support/round_constants.hpp"

using namespace epsim;

namespace {

Calibration round_calibration() {
  Calibration calibration;
  calibration.system = "round";
  calibration.topology = "round topology";
  calibration.hardware = round_hardware();
  KernelFamily family;
  family.name = "deepep-ll-1.2.1";
  family.constants = round_low_latency();
  family.range = {.tokens_min = 1,
                  .tokens_max = 1024,
                  .hidden_min = 128,
                  .hidden_max = 7168,
                  .experts_min = 8,
                  .experts_max = 256,
                  .top_k_min = 1,
                  .top_k_max = 8,
                  .ranks_min = 2,
                  .ranks_max = 4};
  family.fit = {.command = "epsim calibrate fit",
                .observations = "round.json",
                .residual_sigma = 0.03,
                .fitted = {"cast_row", "row_load"},
                .covariance = {{0.25, 0.125}, {0.125, 0.5}},
                .residuals = {{"one", -1.5, true}, {"two", 2.5, false}}};
  calibration.families.push_back(family);
  return calibration;
}

Calibration load_text(const TemporaryFolder& folder, const std::string& text) {
  replace_text_file(folder / "c.json", text);
  return load_calibration((folder / "c.json").string());
}

std::string replaced(std::string text, const std::string& piece, const std::string& replacement) {
  const std::size_t at = text.find(piece);
  REQUIRE(at != std::string::npos);
  return text.replace(at, piece.size(), replacement);
}

}  // namespace

TEST_CASE("Calibration: what is written reads back the same") {
  const TemporaryFolder folder;
  const std::string text = calibration_text(round_calibration());
  const Calibration again = load_text(folder, text);
  CHECK(calibration_text(again) == text);
  CHECK(again.system == "round");
  CHECK(again.hardware.all().size() == hardware_constants().size());
  const KernelFamily& family = again.family("deepep-ll-1.2.1");
  CHECK(family.range.tokens_max == 1024);
  CHECK(family.fit.covariance == round_calibration().families[0].fit.covariance);
  REQUIRE(family.fit.residuals.size() == 2);
  CHECK(family.fit.residuals[1].error_pct == 2.5);
  CHECK_FALSE(family.fit.residuals[1].fitted);
}

TEST_CASE("Calibration: every one that travels inside epsim loads and writes itself the same") {
  const TemporaryFolder folder;
  CHECK(has_calibration("hgx-h200"));
  CHECK(load_calibration("hgx-h200").families.size() == 5);  // four measured, one published
  for (const std::string& name : calibration_names()) {
    CAPTURE(name);
    const Calibration calibration = load_calibration(name);
    CHECK(calibration.system == name);
    const std::string text = calibration_text(calibration);
    CHECK(calibration_text(load_text(folder, text)) == text);
    for (const KernelFamily& family : calibration.families) {
      CHECK(family.constants.all().size() == find_family(family.name)->constants().size());
      CHECK(family.fit.covariance.size() == family.fit.fitted.size());
      for (const std::string& constant : family.fit.fitted)
        CHECK((family.constants.contains(constant) || calibration.hardware.contains(constant)));
    }
  }
}

TEST_CASE("Calibration: every constant of the embedded one has a source and an interval") {
  const Calibration calibration = load_calibration("hgx-h200");
  const auto check_all = [](const ConstantSet& set) {
    for (const Constant& constant : set.all()) {
      CAPTURE(constant.name);
      CHECK_FALSE(constant.source.empty());
      CHECK(constant.low <= constant.high);
    }
  };
  check_all(calibration.hardware);
  for (const KernelFamily& family : calibration.families) check_all(family.constants);
}

TEST_CASE("Calibration: a family that it does not hold is an input error that names the others") {
  CHECK_THROWS_WITH_AS(
      (void)round_calibration().family("deepep-ll-2"),
      "calibration round: /families: expected one of deepep-ll-1.2.1, found \"deepep-ll-2\"",
      InputError);
  CHECK_THROWS_WITH_AS((void)Calibration{}.family("x"),
                       "calibration : /families: expected one of (none), found \"x\"",
                       InputError);
}

TEST_CASE("Calibration: a file that breaks the format is refused at the place that breaks it") {
  const TemporaryFolder folder;
  const std::string good = calibration_text(round_calibration());
  const std::string file = (folder / "c.json").string();
  const auto refused = [&](const std::string& piece,
                           const std::string& replacement,
                           const std::string& text) {
    CAPTURE(replacement);
    const std::string message = file + text;
    CHECK_THROWS_WITH_AS(
        (void)load_text(folder, replaced(good, piece, replacement)), message.c_str(), InputError);
  };
  refused("calibration/1",
          "calibration/2",
          ": /schema: expected one of epsim.calibration/1, found \"epsim.calibration/2\"");
  refused("\"kernel_start\"", "\"kernel_begin\"", ": /hardware: missing key \"kernel_start\"");
  refused("deepep-ll-1.2.1",
          "deepep-ll-9",
          ": /families/deepep-ll-9: unknown kernel family \"deepep-ll-9\"");
  refused("[0.25, 0.125]",
          "[0.25]",
          ": /families/deepep-ll-1.2.1/fit/log_covariance/0: expected one number a fitted "
          "constant, found an array of 1");
  refused("[128, 7168]",
          "[7168, 128]",
          ": /families/deepep-ll-1.2.1/range/hidden/1: expected a whole number from 7168 to "
          "1000000000, found 128");
}

TEST_CASE("Calibration: a name that is neither embedded nor a file says which there are") {
  CHECK_THROWS_WITH_AS((void)load_calibration("hgx-h999"),
                       "hgx-h999: expected a calibration file or one of gb200-nvl72, hgx-h100, "
                       "hgx-h200, hgx-h800-cx7, hgx-hopper-ib400",
                       InputError);
  CHECK_FALSE(has_calibration("hgx-h999"));
}

TEST_CASE("Calibration: the readings that a fit starts from load, each within its table") {
  const Readings readings = load_readings("hgx-h200");
  CHECK(readings.system == "hgx-h200");
  CHECK(readings.hardware.all().size() == hardware_constants().size());
  REQUIRE(readings.families.size() == 4);  // those of one host
  for (const auto& [name, constants] : readings.families) {
    CAPTURE(name);
    const FamilyKind* kind = find_family(name);
    REQUIRE(kind != nullptr);
    CHECK(constants.all().size() == kind->constants().size());
  }
  CHECK_THROWS_AS((void)load_readings("hgx-h999"), InputError);
}
