#include "topologies/known_gpu.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "sim/base/embedded_file.hpp"
#include "sim/base/input_error.hpp"
#include "topologies/registry.hpp"

namespace epsim {
namespace {

constexpr std::array kGenerations = {
    GpuGeneration{70,
                  6,
                  Bandwidth{25e9},
                  8.0,
                  "V100: https://images.nvidia.com/content/volta-architecture/pdf/"
                  "volta-architecture-whitepaper.pdf"},
    GpuGeneration{80,
                  12,
                  Bandwidth{25e9},
                  16.0,
                  "A100: https://developer.nvidia.com/blog/nvidia-ampere-architecture-in-depth/"},
    GpuGeneration{90,
                  18,
                  Bandwidth{25e9},
                  32.0,
                  "Hopper: https://developer.nvidia.com/blog/nvidia-hopper-architecture-in-depth/"},
    GpuGeneration{100,
                  18,
                  Bandwidth{50e9},
                  32.0,
                  "Blackwell: https://www.nvidia.com/en-us/data-center/nvlink/"},
    GpuGeneration{103,
                  18,
                  Bandwidth{50e9},
                  64.0,
                  "Blackwell Ultra: https://www.nvidia.com/en-us/data-center/nvlink/"},
};

struct ModelGeneration {
  std::string_view model;
  int sm;
};

// https://developer.nvidia.com/cuda-gpus
constexpr std::array kModels = {
    ModelGeneration{"V100", 70},
    ModelGeneration{"A100", 80},
    ModelGeneration{"A800", 80},
    ModelGeneration{"H20", 90},
    ModelGeneration{"H100", 90},
    ModelGeneration{"H200", 90},
    ModelGeneration{"H800", 90},
    ModelGeneration{"GH200", 90},
    ModelGeneration{"B200", 100},
    ModelGeneration{"GB200", 100},
    ModelGeneration{"B300", 103},
    ModelGeneration{"GB300", 103},
};

struct PciDevice {
  std::string_view device;
  std::string_view model;
};

// https://pci-ids.ucw.cz/read/PC/10de
constexpr std::array kPciDevices = {
    PciDevice{"0x2324", "H800"},
    PciDevice{"0x2329", "H20"},
    PciDevice{"0x2330", "H100"},
    PciDevice{"0x2335", "H200"},
    PciDevice{"0x2901", "B200"},
    PciDevice{"0x2941", "GB200"},
    PciDevice{"0x31c2", "GB300"},
    PciDevice{"0x31c3", "GB300"},
};

struct PresetGpu {
  std::string preset;
  GpuSpec spec;
};

// Each model once, in order of names: of presets with the same GPU that with the shortest name, a
// host's and not a fabric's.
std::vector<PresetGpu> preset_gpus() {
  std::map<std::string, PresetGpu> gpus;
  for (const EmbeddedFile& preset : embedded::topology_presets()) {
    TopologySpec spec(
        JsonDocument::parse(preset.text, fmt::format("topologies/presets/{}.json", preset.name)));
    const PresetGpu found{std::string(preset.name), spec.common_parts().gpu};
    const auto rank = [](const PresetGpu& gpu) { return std::pair(gpu.preset.size(), gpu.preset); };
    const auto known = gpus.emplace(found.spec.model, found).first;
    if (rank(found) < rank(known->second)) known->second = found;
  }
  std::vector<PresetGpu> in_order;
  for (const auto& [model, gpu] : gpus) in_order.push_back(gpu);
  return in_order;
}

std::string known_models() {
  std::string names;
  for (const PresetGpu& gpu : preset_gpus()) names += (names.empty() ? "" : ", ") + gpu.spec.model;
  return names;
}

GpuGeneration generation_of(std::string_view file,
                            const std::string& model,
                            std::optional<int> found_sm) {
  const auto* const named =
      std::find_if(kModels.begin(), kModels.end(), [&](const ModelGeneration& row) {
        return row.model == model;
      });
  if (found_sm && named != kModels.end() && named->sm != *found_sm)
    throw InputError(
        file,
        "",
        fmt::format("its GPUs are of sm {}, but {} is of sm {}", *found_sm, model, named->sm));
  if (!found_sm && named == kModels.end())
    throw InputError(
        file,
        "",
        fmt::format("how many NVLinks {} has, and how fast, is not known: no row for it in "
                    "topologies/known_gpu.cpp",
                    model));
  const int sm = found_sm ? *found_sm : named->sm;
  for (const GpuGeneration& generation : kGenerations)
    if (generation.sm == sm) return generation;
  throw InputError(
      file,
      "",
      fmt::format(
          "expected GPUs of sm 70, 80, 90, 100 or 103, whose NVLinks are known; found sm {}", sm));
}

}  // namespace

KnownGpu find_gpu(std::string_view file,
                  const GpuChoice& choice,
                  std::string_view found_model,
                  std::optional<int> found_sm) {
  if (!choice.preset.empty()) {
    const GpuSpec spec = load_topology(choice.preset).topology.gpu_spec();
    if (!choice.model.empty() && choice.model != spec.model)
      throw InputError(
          file,
          "",
          fmt::format("--gpu {} and --preset {}, whose GPU is {}: leave one of them out",
                      choice.model,
                      choice.preset,
                      spec.model));
    return {.spec = spec,
            .generation = generation_of(file, spec.model, found_sm),
            .source = fmt::format("GPU: {}, as --preset {} states it", spec.model, choice.preset)};
  }
  if (!choice.model.empty() && !found_model.empty() && choice.model != found_model)
    throw InputError(
        file,
        "",
        fmt::format(
            "its GPUs are {} by their PCI device, but --gpu says {}", found_model, choice.model));
  const std::string model = choice.model.empty() ? std::string(found_model) : choice.model;
  if (model.empty())
    throw InputError(file,
                     "",
                     fmt::format("it does not tell which GPU this is; say --gpu and one of {}, or "
                                 "--preset and a file that states another",
                                 known_models()));
  for (const PresetGpu& gpu : preset_gpus())
    if (gpu.spec.model == model)
      return {.spec = gpu.spec,
              .generation = generation_of(file, model, found_sm),
              .source = fmt::format("GPU: {}, {}; its data are those of preset {}",
                                    model,
                                    choice.model.empty() ? "by its PCI device" : "by --gpu",
                                    gpu.preset)};
  throw InputError(
      file,
      "",
      fmt::format(
          "no preset has the GPU \"{}\": expected one of {}; or say --preset and a file that "
          "states its memory and SMs",
          model,
          known_models()));
}

std::string_view gpu_model_of(std::string_view pci_device) {
  for (const PciDevice& row : kPciDevices)
    if (row.device == pci_device) return row.model;
  return {};
}

}  // namespace epsim
