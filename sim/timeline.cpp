#include "sim/timeline.hpp"

#include <algorithm>

namespace epsim {
namespace {

template <typename Wanted>
Duration aligned(const Timeline& timeline, const Plan& plan, Wanted wanted) {
  std::vector<Instant> first(plan.rank_count, Timeline::kNever);
  Instant last_end = Timeline::kNever;
  for (std::size_t k = 0; k < plan.kernels.size(); ++k) {
    if (!wanted(plan.kernels[k])) continue;
    Instant& start = first[plan.kernels[k].rank.index()];
    if (start == Timeline::kNever || timeline.kernel_start[k] < start)
      start = timeline.kernel_start[k];
    last_end = std::max(last_end, timeline.kernel_end[k]);
  }
  if (first.empty()) return {};
  return last_end - *std::max_element(first.begin(), first.end());
}

}  // namespace

Duration Timeline::aligned_latency(const Plan& plan) const {
  return aligned(*this, plan, [](const Kernel&) { return true; });
}

Duration Timeline::mean_latency(const Plan& plan) const {
  std::vector<Instant> first(plan.rank_count, Timeline::kNever);
  std::vector<Instant> last(plan.rank_count, Timeline::kNever);
  for (std::size_t k = 0; k < plan.kernels.size(); ++k) {
    const std::size_t rank = plan.kernels[k].rank.index();
    if (first[rank] == kNever || kernel_start[k] < first[rank]) first[rank] = kernel_start[k];
    last[rank] = std::max(last[rank], kernel_end[k]);
  }
  Duration sum{};
  for (std::size_t rank = 0; rank < first.size(); ++rank) sum += last[rank] - first[rank];
  return first.empty() ? sum : sum / static_cast<std::int64_t>(first.size());
}

Duration Timeline::aligned_latency(const Plan& plan, std::string_view kernel_name) const {
  return aligned(*this, plan, [&](const Kernel& kernel) { return kernel.name == kernel_name; });
}

}  // namespace epsim
