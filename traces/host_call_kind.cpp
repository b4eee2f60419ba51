#include "traces/host_call_kind.hpp"

namespace epsim {

std::optional<HostCallKind> host_call_kind(std::string_view call_name) {
  const auto has = [&](std::string_view part) {
    return call_name.find(part) != std::string_view::npos;
  };
  if (!call_name.starts_with("cu") && !call_name.starts_with("hip")) return std::nullopt;
  if (has("GraphLaunch")) return HostCallKind::launch;
  // Others that build or change a graph have "Memcpy" or "Event" in their names and run nothing; a
  // host function is launched into a stream but runs on no GPU.
  if (has("Graph") || has("LaunchHostFunc")) return std::nullopt;
  if (has("StreamWaitEvent")) return HostCallKind::event_wait;
  if (has("EventRecord")) return HostCallKind::event_record;
  if (has("Synchronize")) return HostCallKind::synchronize;
  if (has("Launch") || has("Memcpy") || has("Memset")) return HostCallKind::launch;
  return std::nullopt;
}

}  // namespace epsim
