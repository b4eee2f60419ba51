// graph_exchange_reference: which row arrives where, and which comes back, in plain C++.
#pragma once

#include <vector>

namespace epsim::kernels {

struct ExchangeReferenceShape {
  int rank_count;
  int expert_count;  // a multiple of rank_count; rank r owns the r-th block
  int capacity;      // rows that a rank keeps
};

// A row as its label says: row source_row (token * K + choice) of rank source_rank.
struct ArrivedRow {
  int source_rank;
  int source_row;
  int expert;
  bool operator==(const ArrivedRow&) const = default;
};

struct ExchangeReference {
  std::vector<std::vector<int>> counts;           // [source][target], before any is dropped
  std::vector<std::vector<ArrivedRow>> received;  // of each rank, in their places
  std::vector<int> dropped;                       // of each rank: rows above its capacity
  std::vector<bool> has_bad_expert;               // of each source
  // [source][row]: whether a combine brings it back.
  std::vector<std::vector<bool>> returned;
};

// `experts_of_rank`: the expert of each row of each rank. -1 goes nowhere; so does any other number
// that is no expert, and its source has a bad one.
[[nodiscard]] ExchangeReference exchange_reference(
    const ExchangeReferenceShape& shape, const std::vector<std::vector<int>>& experts_of_rank);

}  // namespace epsim::kernels
