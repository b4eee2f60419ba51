#include "models/compute_constants.hpp"

#include <algorithm>
#include <string>

#include <doctest/doctest.h>

#include "models/gemm_law.hpp"
#include "sim/base/input_error.hpp"
#include "topologies/registry.hpp"

using namespace epsim;

namespace {

Topology preset(const std::string& name) {
  return load_topology(name).topology;
}

bool says(const ComputeConstants& constants, std::string_view text) {
  return std::any_of(constants.notes.begin(), constants.notes.end(), [&](const std::string& note) {
    return note.find(text) != std::string::npos;
  });
}

constexpr double kHopperPerSm = 989.4 / 132;

}  // namespace

TEST_CASE("compute_constants: what was measured is taken as it is, without a note") {
  const Calibration measured = load_calibration("hgx-h200");
  const ComputeConstants constants = compute_constants(measured, preset("hgx-h200"));
  CHECK(constants.notes.empty());
  CHECK(constants.tensor_ratio == 1);
  CHECK_FALSE(constants.scales_in_tensor_cores);
  CHECK(constants.overlap.at("memory_rate").value == measured.overlap.at("memory_rate").value);
  CHECK_FALSE(constants.step.all().empty());
  // 7/8 of 4.8 TB/s.
  CHECK(constants.stream_rate.bytes_per_second == doctest::Approx(4.2e12));
}

TEST_CASE("compute_constants: an H800's come from the H200 by HBM and NVLink bandwidth") {
  const Calibration measured = load_calibration("hgx-h200");
  const ComputeConstants constants =
      compute_constants(load_calibration("hgx-h800-cx7"), preset("hgx-h800"));
  // 3.35 of 4.8 TB/s, 200 of 450 GB/s.
  CHECK(constants.overlap.at("memory_rate").value ==
        doctest::Approx(measured.overlap.at("memory_rate").value * 3.35 / 4.8));
  CHECK(constants.overlap.at("link_rate_20").value ==
        doctest::Approx(measured.overlap.at("link_rate_20").value * 200 / 450));
  CHECK(constants.overlap.at("gemm_efficiency_0").value ==
        measured.overlap.at("gemm_efficiency_0").value);
  CHECK(constants.overlap.at("memory_rate").source.ends_with("; carried over by HBM bandwidth"));
  CHECK(constants.tensor_ratio == 1);
  CHECK(says(constants, "times 0.698 by HBM bandwidth"));
  CHECK(says(constants, "times 0.444 by NVLink bandwidth"));
  CHECK(says(constants, "hgx-h200's"));
}

TEST_CASE("compute_constants: an H20 has a quarter of a Hopper SM's tensor cores") {
  const ComputeConstants constants =
      compute_constants(load_calibration("hgx-h800-cx7"), preset("hgx-h20"));
  // 148 TFLOP/s on 78 SMs over 989.4 on 132.
  CHECK(constants.tensor_ratio == doctest::Approx(148.0 / 78 / kHopperPerSm));
  CHECK(constants.tensor_ratio * kHopperPerSm * preset("hgx-h20").gpu_spec().sm_count ==
        doctest::Approx(148));
  CHECK(says(constants, "148 TFLOP/s"));
}

TEST_CASE("compute_constants: Blackwell's tensor cores are twice as fast and scale blocks") {
  const ComputeConstants constants =
      compute_constants(load_calibration("gb200-nvl72"), preset("gb200-nvl72"));
  CHECK(constants.tensor_ratio == doctest::Approx(2500.0 / 148 / kHopperPerSm));
  CHECK(constants.scales_in_tensor_cores);
}

TEST_CASE("compute_constants: H20's GEMMs and attention are slower by the tensor cores' part") {
  const Calibration calibration = load_calibration("hgx-h800-cx7");
  const Topology h20 = preset("hgx-h20"), h800 = preset("hgx-h800");
  const ComputeConstants slow = compute_constants(calibration, h20);
  const ComputeConstants fast = compute_constants(calibration, h800);
  const StepMachine on_h20 = step_machine(slow, calibration.hardware, h20.gpu_spec(), 0);
  const StepMachine on_h800 = step_machine(fast, calibration.hardware, h800.gpu_spec(), 0);
  // Large enough for arithmetic alone: 148 against 989.4 TFLOP/s.
  const GemmWork large{65'536, 65'536, 65'536};
  CHECK(to_us(gemm_compute_time(large, on_h20).time) /
            to_us(gemm_compute_time(large, on_h800).time) ==
        doctest::Approx(989.4 / 148).epsilon(0.01));
  // At 0.6 of the peak, 0.4 / 0.6 of the tensor cores' time stay what they are on an SM of either:
  // (1 / ratio + 1 / 0.6 - 1) * 0.6 times longer on an SM, of which there are 78, not 132.
  const AttentionCore core{.tokens = 16'384,
                           .heads = 128,
                           .key_size = 192,
                           .value_size = 128,
                           .key_heads = 128,
                           .attended = 65'536,
                           .cached_tokens = 0,
                           .efficiency = 0.6};
  CHECK(to_us(attention_core_time(core, on_h20).time) /
            to_us(attention_core_time(core, on_h800).time) ==
        doctest::Approx((1 + 0.6 * (1 / slow.tensor_ratio - 1)) * 132 / 78).epsilon(1e-3));
}

TEST_CASE("compute_constants: a GPU of which nothing is known is refused by name") {
  const Topology known = preset("hgx-h200");
  TopologyParts parts;
  parts.file = "own.json";
  parts.name = "own";
  parts.gpu = known.gpu_spec();
  parts.gpu.model = "X1";
  parts.nodes = {{"gpu0", NodeKind::gpu}};
  CHECK_THROWS_WITH_AS(
      (void)compute_constants(load_calibration("hgx-h200"), Topology(std::move(parts))),
      doctest::Contains("found \"X1\""),
      InputError);
}
