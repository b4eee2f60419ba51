// DevicePath: the chain of activities that a device's span is made of, found from its end: each
// began when the last of what it followed had ended, or when the host had launched it.
//
// Followed are the activity before on the same stream and those of other streams that an event wait
// names. A dump without waits leaves the second to be inferred: whatever ended last before it
// began. What begins later than both explain, while another stream is busy, was held up by that for
// want of SMs, and the path goes on there.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "traces/gpu_trace.hpp"
#include "traces/kernel_class.hpp"

namespace epsim {

struct PathLink {
  std::uint32_t activity = 0;  // index into GpuTrace::activities
  Duration run{};              // of it that lies on the path
  Duration launch{};           // before it: the host had not called for it yet
  Duration gap{};              // before it, apart from that
};

struct DevicePath {
  std::vector<PathLink> links;         // in time order; their times add up to the span
  std::array<Duration, 3> by_class{};  // run, by kernel class
  std::uint64_t held_up = 0;           // links that waited for another stream's SMs
  Duration launch{};
  Duration gap{};
  bool has_waits = false;  // the dump tells who waited for whom
};

// Of the activities `members`, which run on one device, in the trace's order.
[[nodiscard]] DevicePath device_path(const GpuTrace& trace,
                                     std::span<const KernelRole> roles,
                                     std::span<const std::uint32_t> members);

// How much of the path a family ran for.
struct PathFamily {
  std::string_view name;
  KernelClass kernel_class = KernelClass::compute;
  std::uint64_t count = 0;
  Duration run{};
};
// Longest first.
[[nodiscard]] std::vector<PathFamily> path_families(const DevicePath& path,
                                                    std::span<const KernelRole> roles);

}  // namespace epsim
