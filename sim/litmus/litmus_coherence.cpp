#include "sim/litmus/litmus_coherence.hpp"

namespace epsim {

bool LitmusCoherence::is_possible(const ReadsFrom& reads_from, const BitMatrix& cause) {
  return start(reads_from, cause) && holds_axioms(least_);
}

bool LitmusCoherence::meets(const ReadsFrom& reads_from,
                            const BitMatrix& cause,
                            const CoherenceWish& wish) {
  if (!start(reads_from, cause)) return false;
  open_.clear();
  for (const std::uint32_t a : frame_.writes)
    for (const std::uint32_t b : frame_.writes)
      if (a < b && frame_.morally_strong.has(a, b) && frame_.same_storage.has(a, b) &&
          !least_.has(a, b) && !least_.has(b, a))
        open_.push_back({a, b});
  return try_orders(least_, 0, wish);
}

// The least order of writes: initial ones first, and as causality says.
bool LitmusCoherence::start(const ReadsFrom& reads_from, const BitMatrix& cause) {
  reads_from_ = &reads_from;
  for (const std::uint32_t read : frame_.reads)
    if (reads_from[read] != kNobody && cause.has(read, reads_from[read])) return false;
  least_ = BitMatrix(frame_.nodes);
  before_ = BitMatrix(frame_.nodes);
  for (const std::uint32_t write : frame_.writes) {
    for (const std::uint32_t other : frame_.writes) {
      if (!frame_.same_storage.has(write, other)) continue;
      const bool is_first =
          frame_.events[write].thread == kNoThread && frame_.events[other].thread != kNoThread;
      if (is_first || cause.has(write, other)) least_.add(write, other);
    }
    for (const std::uint32_t read : frame_.reads)
      if (cause.has(write, read)) before_.add(read, write);
  }
  least_.close();
  return !least_.is_reflexive_somewhere();
}

bool LitmusCoherence::holds_axioms(const BitMatrix& coherence) const {
  for (const std::uint32_t read : frame_.reads) {
    const std::uint32_t write = (*reads_from_)[read];
    // It reads what something that came before it has overwritten.
    if (write != kNobody && intersects(coherence.row(write), before_.row(read))) return false;
  }
  return is_atomic(coherence) &&
         (model_ == LitmusModel::ptx_7_5 || is_sequential_per_location(coherence));
}

// Nothing comes between the halves of an atomic that is morally strong with both.
bool LitmusCoherence::is_atomic(const BitMatrix& coherence) const {
  for (const std::uint32_t read : frame_.reads) {
    const std::uint32_t seen = (*reads_from_)[read];
    const std::uint32_t own = frame_.partner[read];
    if (own == read || seen == kNobody) continue;
    bool is_broken = false;
    for_each_member(coherence.row(seen), [&](std::size_t between) {
      is_broken = is_broken || (between != own && coherence.has(between, own) &&
                                frame_.morally_strong.has(read, between) &&
                                frame_.morally_strong.has(between, own));
    });
    if (is_broken) return false;
  }
  return true;
}

// 6.0 alone: what is morally strong does not contradict program order at any one place.
bool LitmusCoherence::is_sequential_per_location(const BitMatrix& coherence) const {
  BitMatrix order(frame_.nodes);
  for (const std::uint32_t write : frame_.writes) order.add(write, coherence.row(write));
  for (const std::uint32_t read : frame_.reads) {
    const std::uint32_t write = (*reads_from_)[read];
    if (write == kNobody) continue;
    order.add(write, read);
    order.add(read, coherence.row(write));
  }
  for (std::uint32_t event = 0; event < frame_.events.size(); ++event)
    order.keep(event, frame_.morally_strong.row(event));
  for (std::uint32_t event = 0; event < frame_.events.size(); ++event)
    for_each_member(frame_.program_order.row(event), [&](std::size_t later) {
      if (frame_.same_storage.has(event, later)) order.add(event, later);
    });
  order.close();
  return !order.is_reflexive_somewhere();
}

bool LitmusCoherence::try_orders(const BitMatrix& coherence,
                                 std::size_t next,
                                 const CoherenceWish& wish) {
  if (!holds_axioms(coherence)) return false;
  while (next < open_.size() && (coherence.has(open_[next].from, open_[next].to) ||
                                 coherence.has(open_[next].to, open_[next].from)))
    ++next;
  if (next == open_.size()) return wish(coherence);
  for (const bool is_forward : {true, false}) {
    BitMatrix ordered = coherence;
    if (is_forward) ordered.add_closed(open_[next].from, open_[next].to);
    if (!is_forward) ordered.add_closed(open_[next].to, open_[next].from);
    if (try_orders(ordered, next + 1, wish)) return true;
  }
  return false;
}

}  // namespace epsim
