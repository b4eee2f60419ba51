#include "calibrate/priors.hpp"

#include <filesystem>
#include <string>

#include <doctest/doctest.h>

#include "calibrate/carry_over.hpp"
#include "models/network_constants.hpp"
#include "sim/base/input_error.hpp"
#include "sim/base/text_file.hpp"
#include "tests/base/temporary_folder.hpp"
#include "tests/support/round_constants.hpp"

using namespace epsim;

namespace {

const std::string kPriors =
    R"({"schema": "epsim.priors/1", "families": {"deepep-ll-v1": {"cast_row":
        {"value": 7, "unit": "us", "interval": [5, 9], "source": "a page"}}}})";

std::string with(std::string text, const std::string& piece, const std::string& replacement) {
  const std::size_t at = text.find(piece);
  REQUIRE(at != std::string::npos);
  return text.replace(at, piece.size(), replacement);
}

Priors read(const std::string& text) {
  const TemporaryFolder folder;
  replace_text_file(folder / "p.json", text);
  return read_priors(folder / "p.json");
}

}  // namespace

TEST_CASE("priors: a family may have some of its constants, and the rest is carried over") {
  Calibration measured;
  measured.system = "old";
  measured.hardware = round_hardware();
  measured.families.push_back(
      {.name = "deepep-ll-1.2.1", .constants = round_low_latency(), .range = {}, .fit = {}});
  const Readings readings =
      carry_over(measured,
                 {.name = "new",
                  .topology = "new",
                  .kernels = {{.name = "deepep-ll-v1", .from = "deepep-ll-1.2.1"}},
                  .ratios = {},
                  .priors = read(kPriors)});
  REQUIRE(readings.families.size() == 1);
  CHECK(readings.families[0].first == "deepep-ll-v1");
  const ConstantSet& constants = readings.families[0].second;
  CHECK(constants.at("cast_row").value == 7);
  CHECK(constants.at("cast_row").source == "a page");
  CHECK(constants.at("slot_reserve").source.find("of deepep-ll-1.2.1 on old") != std::string::npos);
}

TEST_CASE("priors: the committed network has every network constant, each with a source") {
  const std::filesystem::path folder =
      std::filesystem::path(EPSIM_SOURCE_DIR) / "calibrate" / "priors";
  const Priors priors = read_priors(folder / "network-cx7.json");
  for (const ConstantSpec& spec : network_constants()) {
    CAPTURE(spec.name);
    const Constant& constant = priors.network.at(spec.name);
    CHECK(constant.low <= constant.value);
    CHECK(constant.value <= constant.high);
    CHECK_FALSE(constant.source.empty());
  }
  // q + d = 3.57 us and q + d / 64 = 0.74 us: d = 2.83 * 64 / 63 = 2.875, q = 0.695.
  CHECK(priors.network.at("doorbell").value == doctest::Approx(2.83 * 64 / 63).epsilon(1e-3));
  CHECK(priors.network.at("queue_message").value == doctest::Approx(0.695).epsilon(1e-3));
}

TEST_CASE("priors: later files stand in for earlier ones, constant by constant") {
  const Priors merged = merge(read(kPriors), read(with(kPriors, "\"value\": 7", "\"value\": 8")));
  REQUIRE(merged.families.size() == 1);
  const Constant* constant = merged.find("deepep-ll-v1", "cast_row");
  REQUIRE(constant != nullptr);
  CHECK(constant->value == 8);
  CHECK(merged.find("deepep-ll-v1", "slot_reserve") == nullptr);
  CHECK(merged.find("deepep-ll-1.2.1", "cast_row") == nullptr);
}

TEST_CASE("priors: an unknown kernel, constant or key and a network in part are refused") {
  CHECK_THROWS_AS((void)read(with(kPriors, "deepep-ll-v1", "deepep-ll-v9")), InputError);
  CHECK_THROWS_AS((void)read(with(kPriors, "cast_row", "cast_rows")), InputError);
  CHECK_THROWS_AS((void)read(with(kPriors, "families", "family")), InputError);
  CHECK_THROWS_AS((void)read(with(kPriors, "\"families\"", "\"network\"")), InputError);
}
