#include "calibrate/step_derive.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include <doctest/doctest.h>

#include "calibrate/crowded_rounds.hpp"
#include "models/step_constants.hpp"
#include "sim/base/input_error.hpp"

using namespace epsim;

namespace {

constexpr std::uint32_t kSms = 132;

std::vector<Measurement> committed_files() {
  const std::string folder = EPSIM_SOURCE_DIR "/calibrate/results/";
  return {read_measurement(folder + "h200_x4.json.gz"),
          read_measurement(folder + "h200_x2_overlap.json.gz")};
}

// Runs of M24 that follow the law to the letter: 0.2 at rest, 1.1 for GEMMs, 0.6 for elementwise
// kernels and 0.3 for copies, exponent 2.5, 700 W.
void add_load(Measurement& file, int percent, const char* filler) {
  const std::string kind = filler;
  const double fill = kind == "elementwise" ? 0.6 : kind == "copy" ? 0.3 : 0.0;
  const double share = percent / 100.0;
  const auto power = [&](double clock) {
    return 0.2 + share * 1.1 * std::pow(clock, 2.5) + (1.0 - share) * fill;
  };
  double clock = 1;
  while (power(clock) > 1.0) clock -= 1e-5;
  MeasuredPoint point;
  point.experiment = "M24";
  point.point = Point().with("gemm_percent", percent).with("filler", filler).with("beside_ctas", 0);
  point.result.add("trend_gemm_ns", std::vector<double>(24, 3e5 / clock))
      .add("gemm_ns", {3e5 / clock})
      .add("period_busy_share", {share})
      .add("sm_clock_mhz", {clock < 0.9999 ? 1900 * clock : 1980})
      .add("power_w", {700 * power(clock)});
  file.points.push_back(point);
}

Measurement lawful_file() {
  Measurement file;
  file.file = "lawful.json";
  file.provenance.gpus.push_back({"GPU", "0", 700});
  for (const char* filler : {"sleep", "copy", "elementwise"})
    for (const int percent : {20, 40, 50, 60, 70, 80, 90}) add_load(file, percent, filler);
  const auto add = [&](const char* experiment, Point point, const char* series, double value) {
    MeasuredPoint measured;
    measured.experiment = experiment;
    measured.point = std::move(point);
    measured.result.add(series, {value, value, value});
    file.points.push_back(measured);
  };
  add("M2", Point().with("form", "event").with("chain", 1), "hop_ns", 1500);
  add("M4", Point().with("variant", "red").with("pollers", 0), "one_way_ns", 1200);
  const Point crowd = Point()
                          .with("holder_ctas", 32)
                          .with("holder_cluster", 1)
                          .with("holder_shared_kib", 160)
                          .with("newcomer_cluster", 2);
  add("M23", crowd, "resident_ctas", 90);
  return file;
}

CrowdedGemm beside(std::int64_t holders, std::int64_t cluster) {
  // T = 4096 * 7168 / 32768 = 896 tiles.
  return {.m = 4096, .n = 7168, .k = 4096, .holder_ctas = holders, .holder_cluster = cluster};
}

}  // namespace

TEST_CASE("step constants: runs that follow the power law give its constants back") {
  const StepDerivation derived =
      derive_step(load_step_constants("hgx-h200"), {lawful_file()}, kSms);
  // Interval and prior of the fit: 1 % is a third of the noise that it assumes.
  CHECK(derived.constants.ratio("power_idle") == doctest::Approx(0.2).epsilon(0.01));
  CHECK(derived.constants.ratio("power_tensor") == doctest::Approx(1.1).epsilon(0.01));
  CHECK(derived.constants.ratio("power_memory") == doctest::Approx(0.6).epsilon(0.01));
  CHECK(derived.constants.ratio("power_exchange") == doctest::Approx(0.3).epsilon(0.01));
  CHECK(derived.constants.ratio("power_exponent") == doctest::Approx(2.5).epsilon(0.01));
}

TEST_CASE("step constants: hops, signals and room are medians of what was sampled") {
  const StepDerivation derived =
      derive_step(load_step_constants("hgx-h200"), {lawful_file()}, kSms);
  CHECK(to_us(derived.constants.duration("event_hop")) == doctest::Approx(1.5));
  CHECK(to_us(derived.constants.duration("rank_signal")) == doctest::Approx(1.2));
  // 90 of the 132 - 32 = 100 SMs left.
  CHECK(derived.constants.ratio("cluster_room") == doctest::Approx(0.9));
}

TEST_CASE("step constants: what no measurement gives keeps its value and source") {
  const ConstantSet known = load_step_constants("hgx-h200");
  const StepDerivation derived = derive_step(known, {lawful_file()}, kSms);
  CHECK(derived.derived.size() == 8);
  for (const Constant& constant : known.all()) {
    CAPTURE(constant.name);
    const auto& names = derived.derived;
    if (std::find(names.begin(), names.end(), constant.name) != names.end()) continue;
    CHECK(derived.constants.at(constant.name).value == constant.value);
    CHECK(derived.constants.at(constant.name).source == constant.source);
  }
}

TEST_CASE("step constants: a file without a needed experiment is refused by name") {
  for (const char* gone : {"M2", "M4", "M23", "M24"}) {
    Measurement file = lawful_file();
    std::erase_if(file.points,
                  [&](const MeasuredPoint& point) { return point.experiment == gone; });
    CAPTURE(gone);
    CHECK_THROWS_AS((void)derive_step(load_step_constants("hgx-h200"), {file}, kSms), InputError);
  }
}

TEST_CASE("step constants: what is written reads back the same") {
  const ConstantSet known = load_step_constants("hgx-h200");
  const std::string text = step_constants_text("hgx-h200", known);
  const ConstantSet again = read_step_constants(JsonDocument::parse(text, "text"));
  CHECK(step_constants_text("hgx-h200", again) == text);
}

TEST_CASE("step constants: the power law meets every committed run within 10 per cent") {
  const StepDerivation derived =
      derive_step(load_step_constants("hgx-h200"), committed_files(), kSms);
  // 22 runs without a copy beside. Those whose clock hardly fell tell the least: a clock of 0.99 is
  // taken for the limit at work, which it has only just begun.
  CHECK(derived.power.size() == 22);
  for (const PowerReading& reading : derived.power) {
    CAPTURE(reading.id);
    CHECK(reading.predicted == doctest::Approx(reading.power).epsilon(0.10));
  }
  for (const std::string& name : derived.derived) {
    CAPTURE(name);
    const Constant& constant = derived.constants.at(name);
    CHECK(constant.low <= constant.value);
    CHECK(constant.value <= constant.high);
  }
}

TEST_CASE("crowded rounds: the law counts own tiles first, shared tiles, and late CTAs") {
  // Pairs leave 128 slots: 1 + ceil((896 - 132) / 128 = 5.97) + 1.
  CHECK(crowded_law_rounds(beside(4, 2), kSms, 0.96) == 8);
  // Single CTAs: 2 floor(0.96 * 128 / 2) = 122 slots; 1 + ceil(764 / 122 = 6.26) + 1.
  CHECK(crowded_law_rounds(beside(4, 1), kSms, 0.96) == 9);
  // 68 slots: 1 + ceil(764 / 68 = 11.2) + 1.
  CHECK(crowded_law_rounds(beside(64, 4), kSms, 0.96) == 14);
}

TEST_CASE("crowded rounds: a GEMM whose tiles all find room takes one round") {
  // 1024 * 4096 / 32768 = 128 tiles in 128 slots, then in 124.
  CrowdedGemm gemm{.m = 1024, .n = 4096, .k = 7168, .holder_ctas = 4, .holder_cluster = 2};
  CHECK(crowded_law_rounds(gemm, kSms, 0.96) == 1);
  gemm.holder_ctas = 8;
  CHECK(crowded_law_rounds(gemm, kSms, 0.96) == 2);
}

TEST_CASE("crowded rounds: the law meets the committed measurement") {
  const CrowdedRounds rounds = crowded_rounds(committed_files(), kSms, 0.96);
  CHECK(rounds.gemms.size() == 7 * 33);  // shapes, and holders by clusters
  CHECK(round_error(rounds.gemms, kSms).median <= 0.045);
  CHECK(round_error(rounds.gemms, kSms, rounds.quicker).median <= 0.03);
}
