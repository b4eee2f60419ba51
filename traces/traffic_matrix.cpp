#include "traces/traffic_matrix.hpp"

#include <algorithm>
#include <numeric>

#include "sim/base/check.hpp"
#include "traces/token_fanout.hpp"

namespace epsim {

namespace {

using Sums = std::vector<std::uint64_t>;

// One sum a row of a matrix that is square but for zero rows left out at its end.
Sums sum_rows(std::span<const std::uint32_t> matrix, std::size_t columns) {
  Sums sums(columns, 0);
  for (std::size_t i = 0; i < matrix.size(); ++i) sums[i / columns] += matrix[i];
  return sums;
}

// One more than the last rank that has a token, and at least one.
std::size_t ranks_with_tokens(const Routing& routing) {
  std::uint32_t ranks = routing.rank_count();
  while (ranks > 1 && routing.token_count(RankId{ranks - 1}) == 0) --ranks;
  return ranks;
}

Sums sum_columns(std::span<const std::uint32_t> matrix, std::size_t columns) {
  Sums sums(columns, 0);
  for (std::size_t i = 0; i < matrix.size(); ++i) sums[i % columns] += matrix[i];
  return sums;
}

// Sum of such a matrix without its diagonal.
std::uint64_t sum_remote(std::span<const std::uint32_t> matrix, std::size_t size) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < matrix.size(); ++i)
    if (i / size != i % size) sum += matrix[i];
  return sum;
}

// Whether each row of a square matrix is the first, turned by the row's number.
bool is_circulant(std::span<const std::uint32_t> matrix, std::size_t size) {
  for (std::size_t row = 0; row < size; ++row)
    for (std::size_t column = 0; column < size; ++column)
      if (matrix[row * size + (row + column) % size] != matrix[column]) return false;
  return true;
}

}  // namespace

Imbalance imbalance(std::span<const std::uint64_t> loads) {
  check(!loads.empty(), "an imbalance is one of some loads");
  const auto busiest = std::ranges::max_element(loads);
  const std::uint64_t sum = std::accumulate(loads.begin(), loads.end(), std::uint64_t{0});
  return {.busiest = static_cast<std::size_t>(busiest - loads.begin()),
          .max = *busiest,
          .mean = static_cast<double>(sum) / static_cast<double>(loads.size())};
}

TrafficMatrix::TrafficMatrix(const Routing& routing, const ExpertPlacement& placement)
    : rank_count_(routing.rank_count()),
      expert_count_(routing.expert_count()),
      row_count_(ranks_with_tokens(routing)),
      tokens_(row_count_ * expert_count_, 0),
      messages_(row_count_ * rank_count_, 0),
      copies_(row_count_ * rank_count_, 0) {
  check(placement.rank_count() == routing.rank_count(), "routing and placement agree on ranks");
  check(placement.expert_count() == routing.expert_count(),
        "routing and placement agree on experts");
  for (std::uint32_t rank = 0; rank < row_count_; ++rank) {
    const RankId source{rank};
    const TokenFanout fanout(routing, placement, source);
    for (const ExpertChoice choice : routing.choices(source)) {
      if (choice == kMasked) continue;
      const ExpertId expert = expert_of(choice);
      ++tokens_[source.index() * expert_count_ + expert.index()];
      ++messages_[index({.source = source, .target = placement.rank_of(expert)})];
    }
    for (std::uint32_t token = 0; token < routing.token_count(source); ++token)
      for (const RankId target : fanout.targets(token))
        ++copies_[index({.source = source, .target = target})];
  }
}

Sums TrafficMatrix::messages_by_source() const {
  return sum_rows(messages_, rank_count_);
}
Sums TrafficMatrix::messages_by_target() const {
  return sum_columns(messages_, rank_count_);
}
Sums TrafficMatrix::copies_by_source() const {
  return sum_rows(copies_, rank_count_);
}
Sums TrafficMatrix::copies_by_target() const {
  return sum_columns(copies_, rank_count_);
}
Sums TrafficMatrix::tokens_by_expert() const {
  return sum_columns(tokens_, expert_count_);
}
std::uint64_t TrafficMatrix::remote_messages() const {
  return sum_remote(messages_, rank_count_);
}
std::uint64_t TrafficMatrix::remote_copies() const {
  return sum_remote(copies_, rank_count_);
}

bool TrafficMatrix::is_symmetric() const {
  // Ranks without tokens are like the others only where nobody sends anything.
  if (row_count_ < rank_count_)
    return std::ranges::all_of(messages_, [](std::uint32_t count) { return count == 0; });
  return is_circulant(messages_, rank_count_) && is_circulant(copies_, rank_count_);
}

}  // namespace epsim
