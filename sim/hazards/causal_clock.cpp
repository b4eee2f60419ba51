#include "sim/hazards/causal_clock.hpp"

#include <algorithm>
#include <utility>

namespace epsim {
namespace {

// Above this many additions a table of its own is cheaper than looking in two.
constexpr std::size_t kMostAdditions = 96;

using Table = std::vector<ClockEntry>;

bool by_axis(const ClockEntry& a, const ClockEntry& b) {
  return a.axis < b.axis;
}

std::uint32_t find(const Table* table, std::uint32_t axis) {
  if (table == nullptr) return 0;
  const auto at = std::lower_bound(table->begin(), table->end(), ClockEntry{axis, 0}, by_axis);
  return at != table->end() && at->axis == axis ? at->index : 0;
}

// The union, the newer event of each axis.
Table merged(const Table& a, const Table& b) {
  Table out;
  out.reserve(a.size() + b.size());
  auto i = a.begin();
  auto j = b.begin();
  while (i != a.end() && j != b.end()) {
    if (i->axis < j->axis)
      out.push_back(*i++);
    else if (j->axis < i->axis)
      out.push_back(*j++);
    else {
      out.push_back({i->axis, std::max(i->index, j->index)});
      ++i, ++j;
    }
  }
  out.insert(out.end(), i, a.end());
  out.insert(out.end(), j, b.end());
  return out;
}

// What `table` knows and `base` does not.
Table beyond(const Table& table, const Table* base) {
  if (base == nullptr) return table;
  Table out;
  for (const ClockEntry& entry : table)
    if (find(base, entry.axis) < entry.index) out.push_back(entry);
  return out;
}

}  // namespace

std::uint32_t CausalClock::newest(std::uint32_t axis) const {
  return std::max(find(additions_.get(), axis), find(base_.get(), axis));
}

void CausalClock::set_additions(Table&& table) {
  if (table.empty()) {
    additions_.reset();
    return;
  }
  if (table.size() <= kMostAdditions) {
    additions_ = std::make_shared<const Table>(std::move(table));
    return;
  }
  base_ = std::make_shared<const Table>(base_ ? merged(*base_, table) : std::move(table));
  additions_.reset();
}

void CausalClock::add(ClockEntry entry) {
  if (entry.index == 0 || newest(entry.axis) >= entry.index) return;
  Table table = additions_ ? *additions_ : Table{};
  const auto at = std::lower_bound(table.begin(), table.end(), entry, by_axis);
  if (at != table.end() && at->axis == entry.axis)
    at->index = entry.index;
  else
    table.insert(at, entry);
  set_additions(std::move(table));
}

void CausalClock::join(const CausalClock& other) {
  if (other.is_empty()) return;
  if (is_empty()) {
    *this = other;
    return;
  }
  if (base_ == other.base_ && (additions_ == other.additions_ || !other.additions_)) return;
  // The larger table stays shared; of the rest only what is new to it.
  const CausalClock* small = &other;
  CausalClock large = *this;
  const auto size = [](const SharedTable& table) { return table ? table->size() : 0; };
  if (size(other.base_) > size(base_)) {
    large = other;
    small = this;
  }
  Table table = large.additions_ ? *large.additions_ : Table{};
  if (small->base_ && small->base_ != large.base_)
    table = merged(table, beyond(*small->base_, large.base_.get()));
  if (small->additions_) table = merged(table, beyond(*small->additions_, large.base_.get()));
  large.set_additions(std::move(table));
  *this = std::move(large);
}

CausalClock CausalClock::join_all(std::span<const CausalClock* const> clocks,
                                  std::vector<ClockEntry> entries) {
  std::vector<const Table*> tables;
  SharedTable largest;
  for (const CausalClock* clock : clocks) {
    if (clock->base_ && (!largest || clock->base_->size() > largest->size()))
      largest = clock->base_;
    for (const Table* table : {clock->base_.get(), clock->additions_.get()})
      if (table != nullptr) tables.push_back(table);
  }
  std::sort(tables.begin(), tables.end());
  tables.erase(std::unique(tables.begin(), tables.end()), tables.end());
  for (const Table* table : tables) {
    if (table == largest.get()) continue;
    for (const ClockEntry& entry : *table)
      if (find(largest.get(), entry.axis) < entry.index) entries.push_back(entry);
  }
  std::sort(entries.begin(), entries.end(), [](const ClockEntry& a, const ClockEntry& b) {
    return a.axis != b.axis ? a.axis < b.axis : a.index > b.index;
  });
  entries.erase(
      std::unique(entries.begin(),
                  entries.end(),
                  [](const ClockEntry& a, const ClockEntry& b) { return a.axis == b.axis; }),
      entries.end());
  CausalClock all;
  all.base_ = std::move(largest);
  all.set_additions(beyond(entries, all.base_.get()));
  return all;
}

}  // namespace epsim
