#include "models/compute_constants.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include <fmt/format.h>

#include "models/step_constants.hpp"
#include "sim/base/embedded_file.hpp"
#include "sim/base/input_error.hpp"
#include "topologies/registry.hpp"

namespace epsim {
namespace {

constexpr std::string_view kMeasured = "hgx-h200";
// Of the data sheet's HBM bandwidth that kernels on all SMs reach: M25's add and silu alone on an
// H200, 4.3 and 4.1 of 4.8 TB/s (calibrate/results/step/hgx-h200.json). FlashMLA's README names
// 3.0 of 3.35 on an H800.
constexpr double kStreamShare = 4.2 / 4.8;

// Dense BF16 with FP32 sums, as data sheets print it, of the whole GPU.
struct TensorPeak {
  std::string_view model;
  double tflops;
  int sm_count;  // of the GPU that the sheet means
  bool scales_blocks;
  std::string_view source;
};
constexpr std::string_view kHopperSheet =
    "https://developer.nvidia.com/blog/nvidia-hopper-architecture-in-depth/";
constexpr std::string_view kBlackwellSheet =
    "https://resources.nvidia.com/en-us-blackwell-architecture/datasheet";
constexpr std::array kPeaks = {
    TensorPeak{"H100", 989.4, 132, false, kHopperSheet},
    TensorPeak{"H200", 989.4, 132, false, "https://www.nvidia.com/en-us/data-center/h200/"},
    TensorPeak{"GH200", 989.4, 132, false, kHopperSheet},
    // The H800 differs from the H100 in NVLink and FP64: 989 TFLOP/s,
    // https://github.com/alibaba/InferSim/blob/main/hardware/gpu.py
    TensorPeak{"H800", 989.4, 132, false, "https://github.com/alibaba/InferSim"},
    TensorPeak{"H20", 148, 78, false, "https://github.com/Dao-AILab/flash-attention/issues/1310"},
    TensorPeak{"B200", 2250, 148, true, kBlackwellSheet},
    TensorPeak{"GB200", 2500, 148, true, kBlackwellSheet},
    TensorPeak{"B300", 2250, 148, true, "https://www.nvidia.com/en-us/data-center/hgx/"},
    TensorPeak{"GB300", 2500, 148, true, "https://www.nvidia.com/en-us/data-center/gb300-nvl72/"},
};

const TensorPeak& peak_of(const std::string& model) {
  std::string known;
  for (const TensorPeak& peak : kPeaks) {
    if (peak.model == model) return peak;
    known += (known.empty() ? "" : ", ") + std::string(peak.model);
  }
  throw InputError(
      "models/compute_constants.cpp",
      "",
      fmt::format(
          "expected a GPU whose arithmetic is known, one of {}; found \"{}\"", known, model));
}

double per_sm(const TensorPeak& peak) {
  return peak.tflops / peak.sm_count;
}

Bandwidth nvlink_of(const Topology& topology) {
  if (topology.gpu_count() < 2) return {};
  const Link& first = topology.link(topology.route(GpuId{0}, GpuId{1}).front());
  return first.kind == LinkKind::nvlink ? first.bandwidth : Bandwidth{};
}

// The constants whose names begin so, times `ratio`.
void scale(ConstantSet& constants, std::string_view prefix, double ratio, std::string_view why) {
  std::vector<Constant> scaled;
  for (const Constant& constant : constants.all())
    if (constant.name.starts_with(prefix)) scaled.push_back(constant);
  for (Constant& constant : scaled) {
    constant.value *= ratio;
    constant.low *= ratio;
    constant.high *= ratio;
    constant.source += fmt::format("; carried over by {}", why);
    constants.put(constant);
  }
}

void carry_overlap(ComputeConstants& result, const Topology& topology) {
  const Calibration measured = load_calibration(kMeasured);
  const Topology home = load_topology(measured.topology).topology;
  const GpuSpec& gpu = topology.gpu_spec();
  const double memory =
      gpu.hbm_bandwidth.bytes_per_second / home.gpu_spec().hbm_bandwidth.bytes_per_second;
  result.overlap = measured.overlap;
  scale(result.overlap, "memory_rate", memory, "HBM bandwidth");
  result.notes.push_back(
      fmt::format("GEMMs and memory of {} carried over from {}: efficiencies as measured there, "
                  "memory rates times {:.3f} by HBM bandwidth",
                  gpu.model,
                  kMeasured,
                  memory));
  const Bandwidth link = nvlink_of(topology);
  if (link.bytes_per_second == 0) return;
  const double links = link.bytes_per_second / nvlink_of(home).bytes_per_second;
  scale(result.overlap, "link_rate_", links, "NVLink bandwidth");
  result.notes.push_back(
      fmt::format("collectives' link rates carried over from {}, times {:.3f} by NVLink bandwidth",
                  kMeasured,
                  links));
}

bool has_step_constants(std::string_view system) {
  const auto files = embedded::step_constants();
  return std::any_of(
      files.begin(), files.end(), [&](const auto& file) { return file.name == system; });
}

}  // namespace

ComputeConstants compute_constants(const Calibration& calibration, const Topology& topology) {
  const GpuSpec& gpu = topology.gpu_spec();
  const TensorPeak& peak = peak_of(gpu.model);
  ComputeConstants result;
  result.tensor_ratio = per_sm(peak) / per_sm(peak_of("H200"));
  result.scales_in_tensor_cores = peak.scales_blocks;
  result.stream_rate = Bandwidth{kStreamShare * gpu.hbm_bandwidth.bytes_per_second};
  if (calibration.overlap.all().empty())
    carry_overlap(result, topology);
  else
    result.overlap = calibration.overlap;
  if (result.tensor_ratio != 1)
    result.notes.push_back(fmt::format(
        "an SM's tensor cores are taken for {:.3f} of a Hopper's by data sheets: {} TFLOP/s of "
        "dense BF16 on {} SMs, {}",
        result.tensor_ratio,
        peak.tflops,
        peak.sm_count,
        peak.source));
  const bool has_step = has_step_constants(calibration.system);
  result.step = load_step_constants(has_step ? calibration.system : std::string(kMeasured));
  if (!has_step)
    result.notes.push_back(fmt::format(
        "how kernels slow each other down, and clocks under load, are {}'s", kMeasured));
  return result;
}

StepMachine step_machine(const ComputeConstants& constants,
                         const ConstantSet& hardware,
                         const GpuSpec& gpu,
                         std::uint32_t reserved_sms) {
  return {.overlap = constants.overlap,
          .hardware = hardware,
          .sm_count = static_cast<std::uint32_t>(gpu.sm_count),
          .reserved_sms = reserved_sms,
          .dtype = StepDtype::bf16,
          .tensor_ratio = constants.tensor_ratio,
          .stream_rate = constants.stream_rate,
          .scales_in_tensor_cores = constants.scales_in_tensor_cores};
}

}  // namespace epsim
