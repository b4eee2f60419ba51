#include "kernels/reference/graph_exchange_reference.hpp"

#include <cstddef>

namespace epsim::kernels {

ExchangeReference exchange_reference(const ExchangeReferenceShape& shape,
                                     const std::vector<std::vector<int>>& experts_of_rank) {
  const auto ranks = static_cast<std::size_t>(shape.rank_count);
  const int experts_per_rank = shape.expert_count / shape.rank_count;
  ExchangeReference result{.counts = std::vector(ranks, std::vector<int>(ranks, 0)),
                           .received = std::vector<std::vector<ArrivedRow>>(ranks),
                           .dropped = std::vector<int>(ranks, 0),
                           .has_bad_expert = std::vector<bool>(ranks, false),
                           .returned = {}};
  for (std::size_t source = 0; source < ranks; ++source) {
    const std::vector<int>& experts = experts_of_rank[source];
    result.returned.emplace_back(experts.size(), false);
    for (std::size_t row = 0; row < experts.size(); ++row) {
      const int expert = experts[row];
      if (expert < 0 || expert >= shape.expert_count) {
        if (expert != -1) result.has_bad_expert[source] = true;
        continue;
      }
      const auto target = static_cast<std::size_t>(expert / experts_per_rank);
      ++result.counts[source][target];
      std::vector<ArrivedRow>& received = result.received[target];
      if (received.size() >= static_cast<std::size_t>(shape.capacity)) {
        ++result.dropped[target];
        continue;
      }
      received.push_back({static_cast<int>(source), static_cast<int>(row), expert});
      result.returned[source][row] = true;
    }
  }
  return result;
}

}  // namespace epsim::kernels
