#include "calibrate/derive.hpp"

#include <doctest/doctest.h>

#include "sim/base/input_error.hpp"

using namespace epsim;

namespace {

Measurement file_of(const char* name, std::vector<MeasuredPoint> points) {
  Measurement file;
  file.file = name;
  file.points = std::move(points);
  return file;
}

MeasuredPoint measured(Point point, std::vector<double> samples) {
  MeasuredPoint result;
  result.experiment = "M7";
  result.point = std::move(point);
  result.result.add("copy_ns", std::move(samples));
  return result;
}

Derivation row(Reading reading, std::string_view where, std::string_view over, double scale) {
  return {.group = "hardware",
          .constant = "message",
          .reading = reading,
          .experiment = "M7",
          .series = "copy_ns",
          .where = where,
          .over = over,
          .scale = scale};
}

}  // namespace

TEST_CASE("derive: a median goes from ns to us, with p10 and p90 as its interval") {
  // Samples 100, 200, ..., 500 ns: median 300, p10 = 140, p90 = 460.
  const Measurement file = file_of("a.json",
                                   {measured(Point().with("to", "peer"), {100, 200, 300, 400, 500}),
                                    measured(Point().with("to", "local"), {9999})});
  const Constant constant = derive(row(Reading::median, "to=peer", "", 1e-3), "us", {file});
  CHECK(constant.value == doctest::Approx(0.3));
  CHECK(constant.low == doctest::Approx(0.14));
  CHECK(constant.high == doctest::Approx(0.46));
  CHECK(constant.unit == "us");
  CHECK(constant.source == "a.json: median of M7 copy_ns at to=peer, 1 point");
}

TEST_CASE("derive: several points give the median of medians and the widest interval") {
  const Measurement a = file_of("a.json", {measured(Point().with("n", 1), {10})});
  const Measurement b = file_of(
      "b.json", {measured(Point().with("n", 1), {30}), measured(Point().with("n", 1), {20})});
  const Constant constant = derive(row(Reading::median, "n=1", "", 1), "ns", {a, b});
  CHECK(constant.value == doctest::Approx(20));
  CHECK(constant.low == doctest::Approx(10));
  CHECK(constant.high == doctest::Approx(30));
  CHECK(constant.source == "a.json, b.json: median of M7 copy_ns at n=1, 3 points");
}

TEST_CASE("derive: a line gives its value at nothing, its slope, and one over its slope") {
  // 500 ns + 0.0625 ns a byte: 1024 B take 564 ns, 4096 B take 756. 1 / 0.0625 = 16 B/ns = 16 GB/s.
  const Measurement file = file_of(
      "a.json",
      {measured(Point().with("bytes", 1024), {564}), measured(Point().with("bytes", 4096), {756})});
  CHECK(derive(row(Reading::intercept, "", "bytes", 1e-3), "us", {file}).value ==
        doctest::Approx(0.5));
  CHECK(derive(row(Reading::slope, "", "bytes", 1), "ns", {file}).value == doctest::Approx(0.0625));
  CHECK(derive(row(Reading::rate, "", "bytes", 1), "GB/s", {file}).value == doctest::Approx(16));
}

TEST_CASE("derive: what no point shows is an input error that names row and file") {
  const Measurement file = file_of("a.json", {measured(Point().with("bytes", 1024), {564})});
  CHECK_THROWS_WITH_AS(
      (void)derive(row(Reading::median, "to=peer", "", 1), "ns", {file}),
      "a.json: /points: expected median of M7 copy_ns at to=peer for hardware message, found 0 "
      "points",
      InputError);
  // One point makes no line.
  CHECK_THROWS_AS((void)derive(row(Reading::slope, "", "bytes", 1), "ns", {file}), InputError);
}

TEST_CASE("derivations: every row names a constant that there is, once") {
  const Readings readings = load_readings("hgx-h200");
  for (const Derivation& derivation : derivations()) {
    CAPTURE(derivation.group);
    CAPTURE(derivation.constant);
    bool is_known =
        derivation.group == "hardware" && readings.hardware.contains(derivation.constant);
    for (const auto& [name, constants] : readings.families)
      is_known = is_known || (derivation.group == name && constants.contains(derivation.constant));
    CHECK(is_known);
    int count = 0;
    for (const Derivation& other : derivations())
      if (other.group == derivation.group && other.constant == derivation.constant) ++count;
    CHECK(count == 1);
    CHECK((derivation.reading == Reading::median) == derivation.over.empty());
  }
}

TEST_CASE("derive: an argument may be one of several words") {
  // 2 ns at 1 and 10 ns at 3: 4 ns each; the point at 2 is not asked for.
  const Measurement file = file_of("a.json",
                                   {measured(Point().with("n", 1), {2}),
                                    measured(Point().with("n", 2), {99}),
                                    measured(Point().with("n", 3), {10})});
  CHECK(derive(row(Reading::slope, "n=1|3", "n", 1), "ns", {file}).value == doctest::Approx(4));
}
