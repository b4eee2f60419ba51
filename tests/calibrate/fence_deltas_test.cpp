#include "calibrate/fence_deltas.hpp"

#include <doctest/doctest.h>

using namespace epsim;

namespace {

Observation observed(FencePlacement fence, std::uint32_t tokens) {
  Observation o;
  o.id = std::to_string(tokens) + (fence == FencePlacement::P0 ? "-P0" : "-P3");
  o.op = MoeOperation::combine;
  o.tokens = tokens;
  o.fence = fence;
  return o;
}

ValidationRecord validated(double measured_us, double predicted_us) {
  ValidationRecord record;
  record.measured_us = measured_us;
  record.predicted_us = predicted_us;
  return record;
}

}  // namespace

TEST_CASE("fence deltas: a record is compared with its twin without fences, and with no other") {
  // 1024 tokens: 300 -> 310 us measured, 290 -> 303 predicted: deltas 10 and 13 us.
  // 16 tokens have no twin.
  const auto deltas = fence_deltas({observed(FencePlacement::P0, 1024),
                                    observed(FencePlacement::P3, 1024),
                                    observed(FencePlacement::P3, 16)},
                                   {validated(300, 290), validated(310, 303), validated(20, 21)});
  REQUIRE(deltas.size() == 1);
  CHECK(deltas[0].id == "1024-P3");
  CHECK(deltas[0].measured_us == doctest::Approx(10));
  CHECK(deltas[0].predicted_us == doctest::Approx(13));
}

TEST_CASE("fence deltas: a microsecond of error is close, and so is a fifth of a large delta") {
  const auto delta = [](double measured, double predicted) {
    FenceDelta d;
    d.measured_us = measured;
    d.predicted_us = predicted;
    return d;
  };
  CHECK(delta(0.5, 1.4).is_close());
  CHECK_FALSE(delta(0.5, 1.6).is_close());
  CHECK(delta(10, 12).is_close());  // 20 % of 10 is 2
  CHECK_FALSE(delta(10, 12.1).is_close());
  CHECK(delta(-10, -8).is_close());
}

TEST_CASE("fence deltas: without any there is no table") {
  CHECK(fence_deltas_text({}).empty());
}

TEST_CASE("fence deltas: the table has a line for each pair, and says what a fit has seen") {
  // Without fences 300 us and 290 predicted: -3.3 %. With: 10 and 13 us more, 3 us too many.
  auto records = std::vector{validated(300, 290), validated(310, 303)};
  records[1].fitted = true;
  const auto deltas = fence_deltas(
      {observed(FencePlacement::P0, 1024), observed(FencePlacement::P3, 1024)}, records);
  const std::string text = fence_table_text(deltas);
  CHECK(text.find("300.0     290.0   -3.3%      10.0      13.0    +3.0  fitted") !=
        std::string::npos);
  JsonWriter writer;
  write_fence_table(deltas, writer);
  const std::string json = writer.take();
  CHECK(json.find("epsim.fence_validation/1") != std::string::npos);
  CHECK(json.find("\"delta_error_us\": 3") != std::string::npos);
}
