// Overlap: what a trace's GPUs did with their time, and how much of the communication some compute
// hid.
//
// On each device M is the union of the communication kernels and P that of the compute kernels;
// copies and fills are in neither. overlap_pct = |M n P| / |M|: what waits inside a communication
// kernel counts as communication.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "traces/device_path.hpp"
#include "traces/gpu_trace.hpp"
#include "traces/intervals.hpp"
#include "traces/kernel_class.hpp"

namespace epsim {

// The role of each activity; valid as long as the table. Each name is looked up once.
[[nodiscard]] std::vector<KernelRole> activity_roles(const GpuTrace& trace,
                                                     const KernelClassTable& table);

// Shares of time, for a device, a stream or a layer.
struct TimeUse {
  Interval span;             // first start to last end
  Duration communication{};  // |M|
  Duration compute{};        // |P|
  Duration copy{};           // of copies and fills
  Duration overlap{};        // |M n P|
  Duration idle{};           // of the span: nothing runs

  [[nodiscard]] Duration exposed() const { return communication - overlap; }
  // %; 0 where there is no communication.
  [[nodiscard]] double overlap_pct() const;
  // |M n P| / min(|M|, |P|), %: what could overlap at all.
  [[nodiscard]] double possible_overlap_pct() const;
};

// Times between what ran one after the other.
struct LaunchGaps {
  std::uint64_t count = 0;  // gaps above zero
  Duration total{};
  // Of it, before the host had called for what ran next: the GPU was free too early.
  Duration launch_bound{};
  std::uint64_t launch_bound_count = 0;
};

struct StreamUse {
  std::uint32_t stream = 0;
  std::uint64_t activities = 0;
  TimeUse time;  // overlap: of its communication with the compute of the whole device
  LaunchGaps gaps;
};

struct PhaseUse {
  CommunicationPhase phase = CommunicationPhase::none;
  std::uint64_t count = 0;
  Duration total{};
};

struct FamilyUse {
  std::string name;
  KernelClass kernel_class = KernelClass::compute;
  std::uint64_t count = 0;
  Duration total{};              // sum of times
  Duration time{};               // of their union
  Duration exposed{};            // of the union: nothing of another class runs
  double sm_us = 0;              // SMs times microseconds; 0 where the dump tells no blocks
  std::vector<PhaseUse> phases;  // of communication
};

struct LayerUse {
  std::int32_t layer = 0;
  std::uint64_t activities = 0;
  TimeUse time;
};

struct DeviceUse {
  std::uint32_t device = 0;
  std::string name;
  std::uint32_t sm_count = 0;  // 0: not told
  std::uint64_t activities = 0;
  TimeUse time;
  Duration notify{};                // union of notify kernels: waiting for peers
  std::array<double, 3> sm_us{};    // by kernel class
  LaunchGaps gaps;                  // of the device as a whole
  std::vector<StreamUse> streams;   // by number
  std::vector<FamilyUse> families;  // longest first
  std::vector<LayerUse> layers;     // where they are known
  std::vector<Interval> exposed;    // M \ P, in order
  DevicePath path;
};

struct TraceUse {
  std::vector<DeviceUse> devices;  // by number; those that ran something
};

// `layers` names one layer an activity, -1 where it is not known; empty: none is known.
[[nodiscard]] TraceUse trace_use(const GpuTrace& trace,
                                 std::span<const KernelRole> roles,
                                 std::span<const std::int32_t> layers = {});

}  // namespace epsim
