#include "traces/trace_step.hpp"

#include <doctest/doctest.h>

#include "sim/base/input_error.hpp"
#include "tests/support/hand_made_trace.hpp"
#include "traces/range_layers.hpp"

using namespace epsim;

namespace {

// Two steps; the second's kernel was launched in it and runs after it.
GpuTrace two_steps() {
  HandMadeTrace hand_made;
  hand_made.kernel(kComputeName, 7, 2, 20);
  hand_made.kernel(kComputeName, 7, 22, 20);
  hand_made.kernel(kComputeName, 7, 50, 20);
  hand_made.launch(1, 1, 1);
  hand_made.launch(2, 15, 1);
  hand_made.range("ProfilerStep#4", 0, 10);
  hand_made.range("forward", 0, 5);
  hand_made.range("ProfilerStep#5", 10, 10);
  return hand_made.take();
}

}  // namespace

TEST_CASE("Trace step: the profiler's steps are told by their ranges") {
  CHECK(profiler_steps(two_steps()) ==
        std::vector<std::string>{"ProfilerStep#4", "ProfilerStep#5"});
  CHECK(profiler_steps(GpuTrace{}).empty());
}

TEST_CASE("Trace step: a step has what the host launched in it, whenever that ran") {
  for (const char* name : {"5", "ProfilerStep#5"}) {
    const GpuTrace step = step_of(two_steps(), name);
    REQUIRE(step.activities.size() == 1);
    CHECK(step.activities[0].correlation == 2);
  }
  CHECK(step_of(two_steps(), "forward").activities.size() == 1);
}

TEST_CASE("Trace step: an unknown step names those there are") {
  CHECK_THROWS_WITH_AS((void)step_of(two_steps(), "6"),
                       "hand_made.json: expected a range named \"ProfilerStep#6\", found "
                       "ProfilerStep#4, ProfilerStep#5",
                       InputError);
  GpuTrace bare = two_steps();
  bare.ranges.clear();
  CHECK_THROWS_WITH_AS((void)step_of(bare, "x"),
                       "hand_made.json: expected a range named \"x\", found no ranges",
                       InputError);
  GpuTrace empty = two_steps();
  empty.activities.clear();
  CHECK_THROWS_WITH_AS((void)step_of(empty, "5"),
                       "hand_made.json: ProfilerStep#5: expected kernels launched in that range, "
                       "found none",
                       InputError);
}

TEST_CASE("Range layers: a layer's number stands behind the word") {
  CHECK(layer_number("model.layers.17.mlp") == 17);
  CHECK(layer_number("nn.Module: DecoderLayer_7") == 7);
  CHECK(layer_number("Layer 3") == 3);
  CHECK(layer_number("layer") == std::nullopt);
  CHECK(layer_number("LayerNorm2d") == std::nullopt);
  CHECK(layer_number("layer 99999999999999999999") == std::nullopt);
  CHECK(layer_number("player_controls") == std::nullopt);
  CHECK(layer_number("") == std::nullopt);
}

TEST_CASE("Range layers: the innermost range counts, and what is in none has no layer") {
  HandMadeTrace hand_made;
  hand_made.kernel(kComputeName, 7, 0, 1);
  hand_made.kernel(kComputeName, 7, 2, 1);
  hand_made.kernel(kComputeName, 7, 4, 1);
  hand_made.kernel(kComputeName, 7, 6, 1);
  hand_made.launch(1, 1, 0);
  hand_made.launch(2, 3, 0);
  hand_made.launch(3, 5, 0);
  hand_made.launch(4, 9, 0);
  hand_made.range("layer 1", 0, 6);
  hand_made.range("layer 2", 2, 2);
  CHECK(range_layers(hand_made.take()) == std::vector<std::int32_t>{1, 2, 1, -1});
  HandMadeTrace without;
  without.kernel(kComputeName, 7, 0, 1);
  CHECK(range_layers(without.take()).empty());
}
