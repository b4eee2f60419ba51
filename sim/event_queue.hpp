// EventQueue: what happens next, in an order that never depends on luck.
//
// Events are data, not callbacks, so that a run can be printed, compared and replayed. Two events
// at one instant leave in the order they were scheduled.
//
// A simulator never schedules into its past, and a queue that may rely on this need not compare
// keys. This is a radix heap (Ahuja, Mehlhorn, Orlin and Tarjan, 1990) with digits of one byte: an
// event waits at the level of the highest byte in which its time differs from now, in the bucket
// which that byte names. Level 0 buckets hold one instant each. When level 0 is empty, the first
// bucket of the lowest level is dealt out anew around its earliest time, which becomes now; every
// event in it falls to a lower level, so an event moves at most 8 times in its life, and one that
// is due within 16 us at most twice.
//
// Why ties keep their order without a stored counter:
//   * the bucket of an event is a function of (time, now), and when now moves from a to b, only the
//     bucket dealt out changes its place: the others differ from b where they differed from a. So
//     events of one instant are always in one bucket;
//   * scheduling appends, and dealing out goes front to back into levels that are empty (they are
//     lower than the lowest level in use). So within a bucket, events of one instant stand in the
//     order they were scheduled.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>
#include <vector>

#include "sim/base/check.hpp"
#include "sim/base/units.hpp"

namespace epsim {

template <typename Payload>
class EventQueue {
  static_assert(std::is_trivially_copyable_v<Payload>, "an event is plain data");

 public:
  [[nodiscard]] Instant now() const { return Instant{Duration{static_cast<std::int64_t>(now_)}}; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] std::size_t size() const { return size_; }

  void schedule(Instant at, Payload payload) {
    check(at >= now(), "an event is scheduled now or later");
    place({static_cast<std::uint64_t>(at.time_since_epoch().count()), payload});
    ++size_;
  }

  // Takes the earliest event and moves the clock to it. `soon(payload)` hears of events that are
  // some ten events away, once each as a rule: a caller may use the time to fetch what they will
  // need.
  template <typename Soon>
  [[nodiscard]] Payload pop(Soon soon) {
    check(size_ > 0, "pop needs an event in the queue");
    --size_;
    const auto level = static_cast<std::size_t>(std::countr_zero(used_levels_));
    const std::size_t digit = first_digit(level);
    Bucket& bucket = buckets_[level][digit];
    return level == 0 ? pop_front(bucket, digit, soon) : deal_out(bucket, level, digit, soon);
  }
  [[nodiscard]] Payload pop() {
    return pop([](const Payload&) {});
  }

 private:
  struct Entry {
    std::uint64_t at;
    Payload payload;
  };
  using Bucket = std::vector<Entry>;

  static constexpr std::size_t kLevels = 8;
  static constexpr std::size_t kDigits = 256;
  static constexpr std::size_t kWordBits = 64;
  static constexpr std::size_t kAhead = 16;  // events between the one popped and the one announced
  // Buckets that grew beyond this hand their memory on when they empty.
  static constexpr std::size_t kLargeBucket = 64;

  void place(Entry entry) {
    const auto highest_bit = 63U - static_cast<unsigned>(std::countl_zero((entry.at ^ now_) | 1U));
    const std::size_t level = highest_bit / 8;
    const std::size_t digit = (entry.at >> (8 * level)) % kDigits;
    Bucket& bucket = buckets_[level][digit];
    if (bucket.size() == bucket.capacity()) grow(bucket);
    bucket.push_back(entry);
    used_digits_[level][digit / kWordBits] |= std::uint64_t{1} << (digit % kWordBits);
    used_levels_ |= 1U << level;
  }

  [[nodiscard]] std::size_t first_digit(std::size_t level) const {
    std::size_t word = 0;
    while (used_digits_[level][word] == 0) ++word;
    return kWordBits * word + static_cast<std::size_t>(std::countr_zero(used_digits_[level][word]));
  }

  void mark_empty(std::size_t level, std::size_t digit) {
    auto& words = used_digits_[level];
    words[digit / kWordBits] &= ~(std::uint64_t{1} << (digit % kWordBits));
    if ((words[0] | words[1] | words[2] | words[3]) == 0) used_levels_ &= ~(1U << level);
  }

  template <typename Soon>
  [[nodiscard]] Payload pop_front(Bucket& bucket, std::size_t digit, Soon soon) {
    if (front_ + kAhead < bucket.size()) soon(bucket[front_ + kAhead].payload);
    const Entry first = bucket[front_++];
    now_ = first.at;
    if (front_ == bucket.size()) {
      front_ = 0;
      mark_empty(0, digit);
      empty_out(bucket);
    }
    return first.payload;
  }

  template <typename Soon>
  [[nodiscard]] Payload deal_out(Bucket& bucket, std::size_t level, std::size_t digit, Soon soon) {
    mark_empty(level, digit);
    std::size_t earliest = 0;
    for (std::size_t i = 1; i < bucket.size(); ++i)
      if (bucket[i].at < bucket[earliest].at) earliest = i;
    const Entry first = bucket[earliest];
    now_ = first.at;
    // More than these at once, and what is fetched would be gone again before it is used.
    const bool is_near = level == 1 && bucket.size() <= 256 * kAhead;
    for (std::size_t i = 0; i < bucket.size(); ++i) {
      if (i == earliest) continue;
      place(bucket[i]);
      if (is_near) soon(bucket[i].payload);
    }
    empty_out(bucket);
    return first.payload;
  }

  // The queue turns through its buckets like a wheel. Would each keep what it once needed, memory
  // would be a multiple of the events pending; so large buckets pass their memory on.
  void empty_out(Bucket& bucket) {
    bucket.clear();
    if (bucket.capacity() >= kLargeBucket) spare_.push_back(std::exchange(bucket, Bucket()));
  }

  void grow(Bucket& bucket) {
    if (spare_.empty() || spare_.back().capacity() <= bucket.capacity()) {
      bucket.reserve(std::max<std::size_t>(8, 2 * bucket.capacity()));
      return;
    }
    spare_.back().assign(bucket.begin(), bucket.end());
    bucket = std::move(spare_.back());
    spare_.pop_back();
  }

  std::uint64_t now_ = 0;
  std::size_t size_ = 0;
  std::size_t front_ = 0;  // entries already taken from the level 0 bucket in use
  std::uint32_t used_levels_ = 0;
  std::array<std::array<std::uint64_t, kDigits / kWordBits>, kLevels> used_digits_{};
  std::array<std::array<Bucket, kDigits>, kLevels> buckets_;
  std::vector<Bucket> spare_;
};

}  // namespace epsim
