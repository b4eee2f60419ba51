#include "sim/link_load.hpp"

#include <algorithm>
#include <cstdint>

namespace epsim {
namespace {

constexpr std::int64_t kMostBins = 4096;

LinkLoad sampled(LinkId link, const std::vector<Duration>& busy, Duration bin) {
  LinkLoad load{link, {}};
  int previous = 0;
  for (std::size_t b = 0; b < busy.size(); ++b) {
    const std::int64_t pct = (200 * busy[b].count() / bin.count() + 1) / 2;
    if (pct == previous) continue;
    previous = static_cast<int>(pct);
    load.samples.push_back({Instant{static_cast<std::int64_t>(b) * bin}, previous});
  }
  return load;
}

}  // namespace

std::vector<LinkLoad> link_loads(const Timeline& timeline, Duration grain) {
  Instant end{};
  std::uint32_t links = 0;
  for (const LinkUse& use : timeline.link_uses) {
    end = std::max(end, use.end);
    links = std::max(links, use.link.value + 1);
  }
  const std::int64_t grains = (end - Instant{}) / grain + 1;
  const Duration bin = ((grains + kMostBins - 1) / kMostBins) * grain;
  const auto bins = static_cast<std::size_t>((end - Instant{}) / bin + 2);  // one stays empty
  std::vector<std::vector<Duration>> busy(links);
  for (const LinkUse& use : timeline.link_uses) {
    auto& of_link = busy[use.link.index()];
    if (of_link.empty()) of_link.resize(bins);
    for (Instant at = use.start; at < use.end;) {
      const std::int64_t b = (at - Instant{}) / bin;
      const Instant next = std::min(use.end, Instant{(b + 1) * bin});
      of_link[static_cast<std::size_t>(b)] += next - at;
      at = next;
    }
  }
  std::vector<LinkLoad> loads;
  for (std::uint32_t l = 0; l < links; ++l)
    if (!busy[l].empty()) loads.push_back(sampled(LinkId{l}, busy[l], bin));
  return loads;
}

}  // namespace epsim
