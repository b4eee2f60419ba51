// KinetoGlance: what an event of a PyTorch profiler dump is, told from its first few members, so
// that the many events that no GpuTrace keeps are never parsed.
//
// Names of categories have changed with the years: "Kernel" is "kernel" since PyTorch 1.11.
#pragma once

#include <cstdint>
#include <string_view>

namespace epsim {

enum class KinetoCategory : std::uint8_t {
  none,           // not told
  other,          // operators, Python frames, flows, counters
  host_operator,  // operators, among which PyTorch 1.8 has its profiler steps
  kernel,
  copy,
  fill,
  host_call,        // of the CUDA or HIP runtime or driver
  synchronisation,  // what waits for what
  range,            // annotations of users
};

[[nodiscard]] KinetoCategory kineto_category(std::string_view category);

struct KinetoGlance {
  bool is_whole = false;  // all that is asked for below was seen, or the event has no such member
  KinetoCategory category = KinetoCategory::none;
  std::string_view phase;  // "X": a stretch of time
  std::string_view name;   // as the file writes it, with its escapes
};

// Reads members of `event` from its front until the answer is known: an event that is surely not
// kept, or category and name. Stops at the first member that is an object or array.
[[nodiscard]] KinetoGlance glance_at_event(std::string_view event);

}  // namespace epsim
