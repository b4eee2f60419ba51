// TokenPieces: the tokens of one rank cut into few pieces of nearly equal size, and how many rows
// of each piece go to each group of ranks: one for each token with an expert there. What plans move
// as one operation where a message a token would be too many.
#pragma once

#include <cstdint>
#include <vector>

#include "models/workload.hpp"

namespace epsim {

class TokenPieces {
 public:
  // Groups are runs of `ranks_per_group` ranks: 1 counts rows by rank, a host's ranks by host.
  TokenPieces(const Workload& workload,
              RankId source,
              std::uint32_t pieces,
              std::uint32_t ranks_per_group = 1);

  [[nodiscard]] std::uint32_t count() const { return pieces_; }
  [[nodiscard]] std::uint32_t tokens(std::uint32_t piece) const {
    return first_of(piece + 1) - first_of(piece);
  }
  [[nodiscard]] std::uint32_t rows(std::uint32_t piece, std::uint32_t group) const {
    return rows_[std::size_t{piece} * groups_ + group];
  }
  // To all groups together.
  [[nodiscard]] std::uint32_t rows(std::uint32_t piece) const;

 private:
  [[nodiscard]] std::uint32_t first_of(std::uint32_t piece) const {
    return static_cast<std::uint32_t>(std::uint64_t{tokens_} * piece / pieces_);
  }

  std::uint32_t tokens_;
  std::uint32_t pieces_;
  std::uint32_t groups_;
  std::vector<std::uint32_t> rows_;  // by piece and group
};

}  // namespace epsim
