// After DeepSeek's EPLB (https://github.com/deepseek-ai/EPLB, eplb.py: replicate_experts and
// balanced_packing), over all ranks at once: its global policy, of one layer.
#include "models/expert_load.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <queue>
#include <utility>

#include "sim/base/check.hpp"

namespace epsim {
namespace {

// Of an expert, a rank or a slot. Ties go to the lower index.
struct Load {
  double load;
  std::uint32_t index;
};
constexpr auto kHeaviestFirst = [](const Load& a, const Load& b) {
  return a.load != b.load ? a.load > b.load : a.index < b.index;
};
constexpr auto kLightestFirst = [](const Load& a, const Load& b) {
  return a.load != b.load ? a.load < b.load : a.index < b.index;
};
// std::priority_queue has at its top what its order puts last.
template <typename Order>
struct Reversed {
  bool operator()(const Load& a, const Load& b) const { return Order{}(b, a); }
};
template <typename Order>
using LoadQueue = std::priority_queue<Load, std::vector<Load>, Reversed<Order>>;

// How many slots each expert gets.
std::vector<std::uint32_t> slots_of_experts(const ExpertShares& shares, std::uint32_t redundant) {
  std::vector<std::uint32_t> slots(shares.size(), 1);
  LoadQueue<decltype(kHeaviestFirst)> heaviest;
  for (std::uint32_t e = 0; e < shares.size(); ++e) heaviest.push({shares[e], e});
  for (std::uint32_t i = 0; i < redundant; ++i) {
    const std::uint32_t expert = heaviest.top().index;
    heaviest.pop();
    ++slots[expert];
    heaviest.push({shares[expert] / slots[expert], expert});
  }
  return slots;
}

class Packer {
 public:
  Packer(std::uint32_t ranks, std::uint32_t slots_per_rank)
      : slots_per_rank_(slots_per_rank), experts_(ranks), shares_(ranks), loads_(ranks) {
    for (std::uint32_t r = 0; r < ranks; ++r) lightest_.push({0.0, r});
  }

  void place(std::uint32_t expert, double share) {
    std::vector<Load> passed;  // ranks that have a copy
    while (!lightest_.empty() && has(lightest_.top().index, expert)) {
      passed.push_back(lightest_.top());
      lightest_.pop();
    }
    std::uint32_t rank = 0;
    if (lightest_.empty()) {
      rank = passed.front().index;
      passed.erase(passed.begin());
      doubled_ = true;
    } else {
      rank = lightest_.top().index;
      lightest_.pop();
    }
    experts_[rank].push_back(expert);
    shares_[rank].push_back(share);
    loads_[rank] += share;
    if (experts_[rank].size() < slots_per_rank_) lightest_.push({loads_[rank], rank});
    for (const Load& load : passed) lightest_.push(load);
  }

  // Whether some rank had to take a second copy, because no other had room.
  [[nodiscard]] bool doubled() const { return doubled_; }

  [[nodiscard]] ExpertPacking take() const {
    ExpertPacking packing;
    packing.ranks = static_cast<std::uint32_t>(experts_.size());
    for (std::size_t r = 0; r < experts_.size(); ++r) {
      packing.expert_of_slot.insert(
          packing.expert_of_slot.end(), experts_[r].begin(), experts_[r].end());
      packing.share_of_slot.insert(
          packing.share_of_slot.end(), shares_[r].begin(), shares_[r].end());
    }
    return packing;
  }

 private:
  // Copies of an expert weigh the same and so come one after the other: a rank that has one has it
  // as its last.
  [[nodiscard]] bool has(std::uint32_t rank, std::uint32_t expert) const {
    return !experts_[rank].empty() && experts_[rank].back() == expert;
  }

  std::uint32_t slots_per_rank_;
  std::vector<std::vector<std::uint32_t>> experts_;  // by rank
  std::vector<std::vector<double>> shares_;
  std::vector<double> loads_;
  LoadQueue<decltype(kLightestFirst)> lightest_;  // with room
  bool doubled_ = false;
};

bool hosts(const ExpertPacking& packing, std::size_t rank, std::uint32_t expert) {
  const std::size_t per_rank = packing.slots_per_rank();
  const auto experts = std::span(packing.expert_of_slot).subspan(rank * per_rank, per_rank);
  return std::ranges::find(experts, expert) != experts.end();
}

// The slot of another rank that a second copy may be swapped with so that neither rank has two:
// the nearest in load. Its own where there is none.
std::size_t swap_partner(const ExpertPacking& packing, std::size_t slot) {
  const std::vector<double>& share = packing.share_of_slot;
  const std::size_t rank = slot / packing.slots_per_rank();
  std::size_t best = slot;
  double least = 0;
  for (std::size_t other = 0; other < share.size(); ++other) {
    const double apart = std::abs(share[other] - share[slot]);
    if (best != slot && apart >= least) continue;
    if (hosts(packing, other / packing.slots_per_rank(), packing.expert_of_slot[slot])) continue;
    if (hosts(packing, rank, packing.expert_of_slot[other])) continue;
    best = other;
    least = apart;
  }
  return best;
}

void separate_copies(ExpertPacking& packing) {
  const std::size_t per_rank = packing.slots_per_rank();
  for (std::size_t slot = 1; slot < packing.expert_of_slot.size(); ++slot) {
    const auto before = std::span(packing.expert_of_slot).first(slot).last(slot % per_rank);
    if (std::ranges::find(before, packing.expert_of_slot[slot]) == before.end()) continue;
    const std::size_t partner = swap_partner(packing, slot);
    std::swap(packing.expert_of_slot[slot], packing.expert_of_slot[partner]);
    std::swap(packing.share_of_slot[slot], packing.share_of_slot[partner]);
  }
}

void check_shares(const ExpertShares& shares) {
  check(!shares.empty(), "a layer has experts");
  double sum = 0;
  for (const double share : shares) {
    check(share >= 0, "an expert's share of the load is not below zero");
    sum += share;
  }
  check(std::abs(sum - 1) < 1e-6, "experts' shares of the load sum to one");
}

// Of the normal distribution, by bisection of its integral: whatever the library, the same rows.
double normal_quantile(double probability) {
  double low = -8, high = 8;
  for (int i = 0; i < 60; ++i) {
    const double middle = (low + high) / 2;
    (std::erfc(-middle / std::numbers::sqrt2) / 2 < probability ? low : high) = middle;
  }
  return (low + high) / 2;
}

// Deviations of so many equal slots from the mean, in standard deviations of one of them whose
// sum is not fixed: their squares sum to count - 1, as fixing the sum leaves it. The highest, the
// lowest, the second highest and so on, so that neighbours cancel.
std::vector<double> deviations(std::size_t count) {
  std::vector<double> result(count);
  double squares = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t from_end = i / 2;
    const double place = 0.5 + static_cast<double>(from_end);
    const double quantile = normal_quantile(1 - place / static_cast<double>(count));
    // The middle one of an odd number is the mean.
    result[i] = 2 * from_end + 1 == count ? 0 : i % 2 == 0 ? quantile : -quantile;
    squares += result[i] * result[i];
  }
  if (squares > 0)
    for (double& value : result) value *= std::sqrt(static_cast<double>(count - 1) / squares);
  return result;
}

// From expected numbers of rows, the heaviest first, to whole numbers of the same sum.
void spread_out(std::vector<Load>& slots) {
  double sum = 0;
  for (const Load& slot : slots) sum += slot.load;
  const std::vector<double> away = deviations(slots.size());
  double drawn = 0;
  for (std::size_t i = 0; i < slots.size(); ++i) {
    slots[i].load = std::max(0.0, slots[i].load + away[i] * std::sqrt(slots[i].load));
    drawn += slots[i].load;
  }
  // Each rounds what the ones before it left over, so the sum is the expected one, rounded.
  double exact = 0, given = 0;
  for (Load& slot : slots) {
    exact += slot.load * sum / drawn;
    slot.load = std::round(exact) - given;
    given += slot.load;
  }
}

}  // namespace

ExpertShares even_shares(std::int64_t experts) {
  check(experts > 0, "a layer has experts");
  return ExpertShares(static_cast<std::size_t>(experts), 1.0 / static_cast<double>(experts));
}

ExpertShares shares_of(const Routing& routing) {
  std::vector<std::uint64_t> pairs(routing.expert_count());
  std::uint64_t sum = 0;
  for (std::uint32_t r = 0; r < routing.rank_count(); ++r) {
    for (const ExpertChoice choice : routing.choices(RankId{r})) {
      if (choice == kMasked) continue;
      ++pairs[expert_of(choice).index()];
      ++sum;
    }
  }
  check(sum > 0, "a routing that shares are taken of sends a token somewhere");
  ExpertShares shares;
  for (const std::uint64_t count : pairs)
    shares.push_back(static_cast<double>(count) / static_cast<double>(sum));
  return shares;
}

std::vector<double> ExpertPacking::rank_shares() const {
  std::vector<double> shares(ranks);
  for (std::size_t s = 0; s < share_of_slot.size(); ++s)
    shares[s / slots_per_rank()] += share_of_slot[s];
  return shares;
}

std::uint32_t ExpertPacking::busiest_rank() const {
  const std::vector<double> shares = rank_shares();
  return static_cast<std::uint32_t>(std::ranges::max_element(shares) - shares.begin());
}

double ExpertPacking::imbalance() const {
  const std::vector<double> shares = rank_shares();
  const double sum = std::accumulate(shares.begin(), shares.end(), 0.0);
  // Rounding must not make an even load look better than even.
  return std::max(1.0, *std::ranges::max_element(shares) * ranks / sum);
}

ExpertPacking pack_experts(const ExpertShares& shares,
                           std::uint32_t redundant,
                           std::uint32_t ranks) {
  check_shares(shares);
  const std::size_t slots = shares.size() + redundant;
  check(ranks > 0 && slots % ranks == 0, "every rank has as many slots");
  const std::vector<std::uint32_t> slots_of = slots_of_experts(shares, redundant);

  std::vector<Load> order;
  for (std::uint32_t e = 0; e < shares.size(); ++e) order.push_back({shares[e] / slots_of[e], e});
  std::ranges::sort(order, kHeaviestFirst);

  Packer packer(ranks, static_cast<std::uint32_t>(slots / ranks));
  for (const auto& [share, expert] : order)
    for (std::uint32_t copy = 0; copy < slots_of[expert]; ++copy) packer.place(expert, share);
  ExpertPacking packing = packer.take();
  if (packer.doubled()) separate_copies(packing);
  return packing;
}

ExpertPacking contiguous_packing(const ExpertShares& shares, std::uint32_t ranks) {
  check_shares(shares);
  check(ranks > 0 && shares.size() % ranks == 0, "every rank has as many slots");
  ExpertPacking packing{
      .ranks = ranks, .expert_of_slot = {}, .share_of_slot = {shares.begin(), shares.end()}};
  packing.expert_of_slot.resize(shares.size());
  std::iota(packing.expert_of_slot.begin(), packing.expert_of_slot.end(), 0U);
  return packing;
}

std::vector<std::int64_t> busiest_rows(const ExpertPacking& packing, double pairs) {
  check(pairs >= 0, "no fewer than zero rows are sent");
  const std::uint32_t slots = packing.slots_per_rank();
  const auto first = packing.share_of_slot.begin() + std::ptrdiff_t{packing.busiest_rank()} * slots;
  std::vector<std::int64_t> rows(slots);
  std::vector<Load> rare, frequent;
  double hit = 0;  // of the rare slots, those with a row, expected
  for (std::uint32_t s = 0; s < slots; ++s) {
    const double share = first[s];
    const double expected = pairs * share;
    if (expected >= 1) {
      frequent.push_back({expected, s});
    } else if (expected > 0) {
      rare.push_back({share, s});
      // That one of so many independent pairs goes there.
      hit += -std::expm1(pairs * std::log1p(-share));
    }
  }
  std::ranges::sort(rare, kHeaviestFirst);
  const auto with_row = std::min(rare.size(), static_cast<std::size_t>(std::llround(hit)));
  for (std::size_t i = 0; i < with_row; ++i) rows[rare[i].index] = 1;
  std::ranges::sort(frequent, kHeaviestFirst);
  spread_out(frequent);
  for (const Load& slot : frequent) rows[slot.index] = std::llround(slot.load);
  return rows;
}

}  // namespace epsim
