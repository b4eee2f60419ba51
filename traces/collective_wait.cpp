#include "traces/collective_wait.hpp"

#include <algorithm>
#include <map>
#include <string_view>

namespace epsim {
namespace {

// Communication kernels of one name, in the order of their starts, one list a rank.
using Collectives = std::map<std::string_view, std::vector<std::vector<const GpuActivity*>>>;

Collectives gather(std::span<const AlignedTrace> traces) {
  Collectives collectives;
  for (std::size_t r = 0; r < traces.size(); ++r) {
    const GpuTrace& trace = *traces[r].trace;
    for (std::size_t i = 0; i < trace.activities.size(); ++i) {
      const KernelRole& role = traces[r].roles[i];
      // Layout kernels count on their own rank alone.
      if (role.kernel_class != KernelClass::communication ||
          role.phase == CommunicationPhase::layout)
        continue;
      auto& lists = collectives[trace.names[trace.activities[i].name]];
      lists.resize(traces.size());
      lists[r].push_back(&trace.activities[i]);
    }
  }
  return collectives;
}

}  // namespace

CollectiveWaits collective_waits(std::span<const AlignedTrace> traces) {
  CollectiveWaits waits;
  waits.ranks.resize(traces.size());
  if (traces.size() < 2) return waits;
  for (const auto& [name, lists] : gather(traces)) {
    std::size_t matched = lists.front().size();
    for (const auto& list : lists) matched = std::min(matched, list.size());
    for (const auto& list : lists) waits.unmatched += list.size() - matched;
    waits.collectives += matched;
    for (std::size_t n = 0; n < matched; ++n) {
      std::size_t last = 0;
      const auto start_of = [&](std::size_t r) { return lists[r][n]->start + traces[r].offset; };
      for (std::size_t r = 1; r < lists.size(); ++r)
        if (start_of(r) > start_of(last)) last = r;
      ++waits.ranks[last].last;
      for (std::size_t r = 0; r < lists.size(); ++r)
        waits.ranks[r].waiting += std::min(start_of(last) - start_of(r), lists[r][n]->time);
    }
  }
  return waits;
}

}  // namespace epsim
