// LitmusCoherence: the least orders of writes that an execution must have, and what they forbid.
#pragma once

#include <functional>
#include <vector>

#include "sim/litmus/litmus_causality.hpp"

namespace epsim {

// Whether the order of writes, and a choice of what memory holds last, is what is looked for.
using CoherenceWish = std::function<bool(const BitMatrix& coherence)>;

class LitmusCoherence {
 public:
  LitmusCoherence(const LitmusFrame& frame, LitmusModel model) : frame_(frame), model_(model) {}

  // No read sees the future or what was overwritten before it, as far as `reads_from` goes, with
  // the writes that causality orders. What it forbids stays forbidden however the rest is chosen.
  [[nodiscard]] bool is_possible(const ReadsFrom& reads_from, const BitMatrix& cause);

  // Whether some order of the writes that are left meets the wish.
  [[nodiscard]] bool meets(const ReadsFrom& reads_from,
                           const BitMatrix& cause,
                           const CoherenceWish& wish);

 private:
  [[nodiscard]] bool start(const ReadsFrom& reads_from, const BitMatrix& cause);
  [[nodiscard]] bool holds_axioms(const BitMatrix& coherence) const;
  [[nodiscard]] bool is_atomic(const BitMatrix& coherence) const;
  [[nodiscard]] bool is_sequential_per_location(const BitMatrix& coherence) const;
  [[nodiscard]] bool try_orders(const BitMatrix& coherence,
                                std::size_t next,
                                const CoherenceWish& wish);

  const LitmusFrame& frame_;
  LitmusModel model_;
  const ReadsFrom* reads_from_ = nullptr;
  BitMatrix least_;               // coherence, closed
  BitMatrix before_;              // read -> writes that cause it
  std::vector<LitmusEdge> open_;  // morally strong pairs of writes
};

}  // namespace epsim
