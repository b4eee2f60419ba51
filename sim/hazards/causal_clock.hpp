// CausalClock: what an agent knows to lie before it: of each axis (an agent, or an engine's
// operations in order) the newest event. Sparse, and shared between those who learnt it together:
// agents that leave a barrier hold one table and their own few additions.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace epsim {

struct ClockEntry {
  std::uint32_t axis;
  std::uint32_t index;  // of the newest event known, from 1; 0: none
};

class CausalClock {
 public:
  [[nodiscard]] std::uint32_t newest(std::uint32_t axis) const;
  [[nodiscard]] bool is_empty() const { return !base_ && !additions_; }
  void add(ClockEntry entry);
  void join(const CausalClock& other);

  // Everything that any of them knows, and these entries.
  [[nodiscard]] static CausalClock join_all(std::span<const CausalClock* const> clocks,
                                            std::vector<ClockEntry> entries);

 private:
  using Table = std::vector<ClockEntry>;  // sorted by axis
  using SharedTable = std::shared_ptr<const Table>;

  void set_additions(Table&& table);

  SharedTable base_;       // shared by many
  SharedTable additions_;  // learnt since; small
};

}  // namespace epsim
