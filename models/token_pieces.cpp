#include "models/token_pieces.hpp"

#include <numeric>

#include "sim/base/check.hpp"

namespace epsim {

TokenPieces::TokenPieces(const Workload& workload,
                         RankId source,
                         std::uint32_t pieces,
                         std::uint32_t ranks_per_group)
    : tokens_(workload.routing->token_count(source)),
      pieces_(pieces),
      groups_((workload.rank_count() + ranks_per_group - 1) / ranks_per_group),
      rows_(std::size_t{pieces} * groups_, 0) {
  check(pieces > 0 || tokens_ == 0, "tokens lie in pieces");
  std::vector<std::uint32_t> last_token(groups_, 0);  // that was counted; tokens count from 1
  for (std::uint32_t piece = 0; piece < pieces_; ++piece) {
    std::uint32_t* rows = rows_.data() + std::size_t{piece} * groups_;
    for (std::uint32_t token = first_of(piece); token < first_of(piece + 1); ++token)
      for (const ExpertChoice choice : workload.routing->choices(source, token)) {
        if (choice == kMasked) continue;
        const std::uint32_t rank = workload.placement->rank_of(expert_of(choice)).value;
        std::uint32_t& last = last_token[rank / ranks_per_group];
        if (last == token + 1) continue;
        last = token + 1;
        ++rows[rank / ranks_per_group];
      }
  }
}

std::uint32_t TokenPieces::rows(std::uint32_t piece) const {
  const auto first = rows_.begin() + static_cast<std::ptrdiff_t>(std::size_t{piece} * groups_);
  return std::accumulate(first, first + static_cast<std::ptrdiff_t>(groups_), 0U);
}

}  // namespace epsim
