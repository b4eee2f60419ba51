#include "models/workload.hpp"

#include <memory>
#include <string>

#include <doctest/doctest.h>

#include "sim/base/check.hpp"
#include "sim/base/input_error.hpp"
#include "tests/support/round_constants.hpp"

using namespace epsim;

namespace {

FencePlacement placement(const std::string& name) {
  return read_fence_placement(JsonDocument::parse("\"" + name + "\"", "s.json").root());
}

}  // namespace

TEST_CASE("Workload: a dispatch message is a header, the row and, in FP8, a scale per 128") {
  // H = 7168. FP8: 16 + 7168 + 56 scales x 4 = 7408 B. BF16: 16 + 2 x 7168 = 14 352 B.
  CHECK(dispatch_message(7168, DispatchFormat::fp8) == Bytes{7408});
  CHECK(dispatch_message(7168, DispatchFormat::bf16) == Bytes{14'352});
  CHECK(dispatch_message(7168, DispatchFormat::nvfp4) == Bytes{3584 + 448});  // half a byte, 1/16
  // One group of channels: 16 + 128 + 4, and 16 + 256.
  CHECK(dispatch_message(128, DispatchFormat::fp8) == Bytes{148});
  CHECK(dispatch_message(128, DispatchFormat::bf16) == Bytes{272});
}

TEST_CASE("Workload: a combine row is BF16, or 10 of its 16 bits and four bytes per 128") {
  // BF16: 2 x 7168 = 14 336 B. LogFMT-10: 14 336 x 10/16 = 8960, and 56 x 4 = 224: 9184 B.
  CHECK(combine_message(7168, CombineFormat::bf16) == Bytes{14'336});
  CHECK(combine_message(7168, CombineFormat::logfmt10) == Bytes{9184});
}

TEST_CASE("Workload: a row that is no whole number of 128-channel groups is a bug") {
  for (const std::int64_t hidden : {std::int64_t{0}, std::int64_t{-128}, std::int64_t{7167}}) {
    CAPTURE(hidden);
    CHECK_THROWS_AS((void)dispatch_message(hidden, DispatchFormat::fp8), Bug);
    CHECK_THROWS_AS((void)combine_message(hidden, CombineFormat::bf16), Bug);
  }
}

TEST_CASE("Workload: fence placements read by their own names and by those of observations") {
  for (std::size_t i = 0; i < kFencePlacementNames.size(); ++i)
    CHECK(placement(std::string(kFencePlacementNames[i])) == static_cast<FencePlacement>(i));
  CHECK(placement("none") == FencePlacement::P0);
  CHECK(placement("proxy_async_once") == FencePlacement::P1b);
  CHECK(placement("proxy_async_per_load") == FencePlacement::P3);
  CHECK(placement("threadfence_system_per_load") == FencePlacement::P5);
  CHECK_THROWS_AS((void)placement("P8"), InputError);
}

TEST_CASE("Workload: a slot is a rank and a place there, for any placement") {
  // Round-robin over two ranks: rank 0 hosts experts 0 and 2, rank 1 hosts 1 and 3.
  Workload workload = round_workload({.experts = 4, .top_k = 1, .tokens = {{{0}}, {}}});
  workload.placement = std::make_shared<const ExpertPlacement>(
      ExpertPlacement::round_robin({.ranks = 2, .experts = 4}));
  CHECK(workload.slot_of(ExpertId{0}) == 0);
  CHECK(workload.slot_of(ExpertId{2}) == 1);
  CHECK(workload.slot_of(ExpertId{1}) == 2);
  CHECK(workload.slot_of(ExpertId{3}) == 3);
  for (std::uint32_t slot = 0; slot < 4; ++slot)
    CHECK(workload.slot_of(workload.expert_at(slot)) == slot);
}
