// SharedServer: one resource that all its clients use at once, such as the memory of a GPU.
//
// Max-min fair (processor sharing): the capacity C is divided so that every client runs at
//   rate_i = min(cap_i, share),   with the largest share for which   sum_i rate_i <= C.
// Clients of equal cap therefore always run at equal rates. They form a class with a clock of its
// own that counts the bytes each member has been served; a client that joins at clock v with b
// bytes leaves at clock v + b, whatever the rate does meanwhile. So an arrival or a departure
// touches the clocks of the classes, never the other clients: O(classes + log clients).
//
// Time is whole picoseconds and a finish is rounded up: a client holds its share until the
// picosecond in which its last byte passes, so nothing ends earlier than physics allows, and each
// event ends less than 1 ps late. What is below a femtosecond is noise of the arithmetic and does
// not round up. The clocks are doubles of bytes: in a second of uninterrupted service with a
// million rate changes they err by less than 0.2 ps typically.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "sim/base/units.hpp"

namespace epsim {

// The cap of a client that takes all it can get.
inline constexpr Bandwidth kUncapped{std::numeric_limits<double>::infinity()};

// The rounding of every fluid finish time: up, except for noise below a femtosecond.
[[nodiscard]] inline Duration round_up_to_ps(double picoseconds) {
  return Duration{static_cast<std::int64_t>(std::ceil(picoseconds - 1e-3))};
}

class SharedServer {
 public:
  explicit SharedServer(Bandwidth capacity);

  // `client` is the caller's name for the work; it comes back from complete(). Time passes only
  // through start() and complete(), and never beyond next_completion().
  void start(Instant now, std::uint32_t client, Bytes size, Bandwidth cap = kUncapped);

  // When the next client leaves if nobody else comes. Starts of one instant cost one division of
  // the capacity together: it is made when this or version() asks.
  [[nodiscard]] std::optional<Instant> next_completion();

  // Changes whenever next_completion() does: an event that carries an older version is stale.
  [[nodiscard]] std::uint64_t version();

  // Appends the clients that finish at `now` to `finished`, in the order they started.
  void complete(Instant now, std::vector<std::uint32_t>& finished);

  [[nodiscard]] std::size_t active_count() const { return active_count_; }
  [[nodiscard]] Bytes bytes_served() const { return completed_; }  // of clients that have left

 private:
  struct Client {
    double finish;        // on the clock of its class
    std::uint64_t order;  // in which it started
    std::int64_t size;
    std::uint32_t client;
    friend bool operator>(const Client& a, const Client& b) {
      return a.finish != b.finish ? a.finish > b.finish : a.order > b.order;
    }
  };
  struct Class {
    double cap;  // bytes per picosecond, as all rates here
    double rate = 0.0;
    double clock = 0.0;           // bytes served to each member so far
    std::vector<Client> members;  // a heap, the earliest finish in front
  };
  struct Leaver {
    std::uint64_t order;
    std::uint32_t client;
  };

  [[nodiscard]] Class& class_of(double cap);
  [[nodiscard]] Instant first_finish(const Class& group) const;
  void advance(Instant now);
  void settle();
  void check_conservation();

  double capacity_;
  Instant now_{};
  Instant next_ = Instant::max();
  std::uint64_t version_ = 0;
  bool is_settled_ = true;
  std::size_t active_count_ = 0;
  std::uint64_t next_order_ = 0;
  std::vector<Class> classes_;  // by cap, ascending
  std::vector<Leaver> leavers_;
  Bytes completed_{};
  // Of the current busy period, for the conservation check.
  double delivered_ = 0.0;
  double asked_ = 0.0;
  double allowed_excess_ = 0.0;
  double allowed_lack_ = 0.0;
};

}  // namespace epsim
