#include "calibrate/gpu_board.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <limits>

#include <cuda_runtime_api.h>

#include "calibrate/device_error.hpp"
#include "kernels/cuda_check.hpp"

namespace epsim {
namespace {

// NVML's interface, as its reference states it; the header is not part of every toolkit.
using NvmlDevice = void*;
constexpr unsigned kClockSm = 1;
constexpr unsigned kClockMemory = 2;
// Thermal slowdown by hardware and software, hardware slowdown, power brake.
constexpr unsigned long long kSlowedReasons = 0x8 | 0x20 | 0x40 | 0x80;
// Power now, mW. What nvmlDeviceGetPowerUsage says is the mean of a second.
constexpr unsigned kFieldPowerInstant = 186;

struct NvmlField {
  unsigned id;
  unsigned scope;  // 0: the GPU
  long long timestamp_us;
  long long latency_us;
  int value_type;
  int status;
  union {
    unsigned number;
    unsigned long long long_number;
    double real;
  } value;
};
static_assert(sizeof(NvmlField) == 40);
constexpr double kFullSpeed = 0.95;  // of the highest clock; boost steps are 15 MHz of 1980

void nvml_check(int status, const char* call) {
  if (status != 0)
    throw DeviceError(std::string(call) + " failed with NVML status " + std::to_string(status));
}

std::string fnv_hash(const char* bytes, std::size_t count) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (std::size_t i = 0; i < count; ++i)
    hash = (hash ^ static_cast<unsigned char>(bytes[i])) * 0x100000001b3ULL;
  std::array<char, 17> text{};
  std::snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(hash));
  return text.data();
}

}  // namespace

struct GpuBoards::Nvml {
  void* library = nullptr;
  int (*init)() = nullptr;
  int (*shutdown)() = nullptr;
  int (*driver_version)(char*, unsigned) = nullptr;
  int (*by_bus_id)(const char*, NvmlDevice*) = nullptr;
  int (*clock)(NvmlDevice, unsigned, unsigned*) = nullptr;
  int (*highest_clock)(NvmlDevice, unsigned, unsigned*) = nullptr;
  int (*power_limit)(NvmlDevice, unsigned*) = nullptr;
  int (*slowed_by)(NvmlDevice, unsigned long long*) = nullptr;
  int (*mean_power)(NvmlDevice, unsigned*) = nullptr;
  int (*field_values)(NvmlDevice, int, NvmlField*) = nullptr;

  template <typename Function>
  void find(Function& function, const char* name) {
    function = reinterpret_cast<Function>(dlsym(library, name));
    if (function == nullptr) throw DeviceError(std::string("NVML has no ") + name);
  }

  Nvml() {
    library = dlopen("libnvidia-ml.so.1", RTLD_NOW);
    if (library == nullptr) throw DeviceError("no NVIDIA driver here: libnvidia-ml.so.1 not found");
    find(init, "nvmlInit_v2");
    find(shutdown, "nvmlShutdown");
    find(driver_version, "nvmlSystemGetDriverVersion");
    find(by_bus_id, "nvmlDeviceGetHandleByPciBusId_v2");
    find(clock, "nvmlDeviceGetClockInfo");
    find(highest_clock, "nvmlDeviceGetMaxClockInfo");
    find(power_limit, "nvmlDeviceGetEnforcedPowerLimit");
    find(slowed_by, "nvmlDeviceGetCurrentClocksThrottleReasons");
    find(mean_power, "nvmlDeviceGetPowerUsage");
    find(field_values, "nvmlDeviceGetFieldValues");
    nvml_check(init(), "nvmlInit");
  }
  ~Nvml() {
    if (shutdown != nullptr) shutdown();
    dlclose(library);
  }
};

GpuBoards::GpuBoards(int gpu_count) : nvml_(std::make_unique<Nvml>()) {
  for (int gpu = 0; gpu < gpu_count; ++gpu) {
    std::array<char, 32> bus_id{};
    kernels::cuda_check(cudaDeviceGetPCIBusId(bus_id.data(), bus_id.size(), gpu));
    nvml_check(nvml_->by_bus_id(bus_id.data(), &devices_.emplace_back()), "nvmlDeviceGetHandle");
  }
}

GpuBoards::~GpuBoards() = default;

std::vector<GpuProvenance> GpuBoards::provenance() const {
  std::vector<GpuProvenance> gpus;
  for (std::size_t i = 0; i < devices_.size(); ++i) {
    cudaDeviceProp properties{};
    kernels::cuda_check(cudaGetDeviceProperties(&properties, static_cast<int>(i)));
    unsigned limit_mw = 0;
    nvml_check(nvml_->power_limit(devices_[i], &limit_mw), "nvmlDeviceGetEnforcedPowerLimit");
    gpus.push_back({properties.name,
                    fnv_hash(properties.uuid.bytes, sizeof properties.uuid.bytes),
                    limit_mw / 1000.0});
  }
  return gpus;
}

std::string GpuBoards::driver_version() const {
  std::array<char, 81> text{};
  nvml_check(nvml_->driver_version(text.data(), text.size()), "nvmlSystemGetDriverVersion");
  return text.data();
}

ClockReading GpuBoards::clocks() const {
  constexpr unsigned kNone = std::numeric_limits<unsigned>::max();
  unsigned slowest_sm = kNone;
  unsigned slowest_memory = kNone;
  for (NvmlDevice device : devices_) {
    unsigned sm = 0;
    unsigned memory = 0;
    nvml_check(nvml_->clock(device, kClockSm, &sm), "nvmlDeviceGetClockInfo");
    nvml_check(nvml_->clock(device, kClockMemory, &memory), "nvmlDeviceGetClockInfo");
    slowest_sm = std::min(slowest_sm, sm);
    slowest_memory = std::min(slowest_memory, memory);
  }
  return {slowest_sm, slowest_memory};
}

double GpuBoards::sm_clock_mhz() const {
  unsigned now = 0;
  nvml_check(nvml_->clock(devices_.front(), kClockSm, &now), "nvmlDeviceGetClockInfo");
  return now;
}

double GpuBoards::power_w() const {
  NvmlField power{};
  power.id = kFieldPowerInstant;
  if (nvml_->field_values(devices_.front(), 1, &power) == 0 && power.status == 0)
    return power.value.number / 1000.0;
  unsigned mean_mw = 0;  // a driver that does not know the field
  nvml_check(nvml_->mean_power(devices_.front(), &mean_mw), "nvmlDeviceGetPowerUsage");
  return mean_mw / 1000.0;
}

bool GpuBoards::throttled() const {
  for (NvmlDevice device : devices_) {
    unsigned now = 0;
    unsigned highest = 0;
    unsigned long long reasons = 0;
    nvml_check(nvml_->clock(device, kClockSm, &now), "nvmlDeviceGetClockInfo");
    nvml_check(nvml_->highest_clock(device, kClockSm, &highest), "nvmlDeviceGetMaxClockInfo");
    nvml_check(nvml_->slowed_by(device, &reasons), "nvmlDeviceGetCurrentClocksThrottleReasons");
    if ((reasons & kSlowedReasons) != 0 || now < kFullSpeed * highest) return true;
  }
  return false;
}

}  // namespace epsim
