#include "sim/shared_server.hpp"

#include <algorithm>
#include <functional>

#include "sim/base/check.hpp"

namespace epsim {
namespace {

constexpr double kPerPicosecond = 1e-12;
// Who has less than this left at a completion leaves with it: twice the noise that does not round
// up.
constexpr double kNoisePicoseconds = 2e-3;

}  // namespace

SharedServer::SharedServer(Bandwidth capacity)
    : capacity_(capacity.bytes_per_second * kPerPicosecond) {
  check(capacity_ > 0 && std::isfinite(capacity_), "a server has a capacity");
}

void SharedServer::start(Instant now, std::uint32_t client, Bytes size, Bandwidth cap) {
  check(size.count >= 0, "a client asks for zero bytes or more");
  check(cap.bytes_per_second > 0, "the cap of a client lets it finish");
  advance(now);
  Class& group = class_of(cap.bytes_per_second * kPerPicosecond);
  if (group.members.empty()) group.clock = 0.0;
  group.members.push_back(
      {group.clock + static_cast<double>(size.count), next_order_++, size.count, client});
  std::push_heap(group.members.begin(), group.members.end(), std::greater<>());
  asked_ += static_cast<double>(size.count);
  ++active_count_;
  is_settled_ = false;
}

std::optional<Instant> SharedServer::next_completion() {
  settle();
  if (active_count_ == 0) return std::nullopt;
  return next_;
}

std::uint64_t SharedServer::version() {
  settle();
  return version_;
}

void SharedServer::complete(Instant now, std::vector<std::uint32_t>& finished) {
  settle();
  advance(now);
  leavers_.clear();
  for (Class& group : classes_) {
    while (!group.members.empty() &&
           group.members.front().finish - group.clock <= kNoisePicoseconds * group.rate) {
      const Client& leaver = group.members.front();
      leavers_.push_back({leaver.order, leaver.client});
      completed_.count += leaver.size;
      // It held its share for less than 1 ps too long, at the rate before anyone started just now.
      allowed_excess_ += std::max(0.0, group.clock - leaver.finish);
      // Or it left with what is noise still to come.
      allowed_lack_ += std::max(0.0, leaver.finish - group.clock);
      std::pop_heap(group.members.begin(), group.members.end(), std::greater<>());
      group.members.pop_back();
    }
  }
  if (leavers_.empty()) return;
  std::sort(leavers_.begin(), leavers_.end(), [](const Leaver& a, const Leaver& b) {
    return a.order < b.order;
  });
  for (const Leaver& leaver : leavers_) finished.push_back(leaver.client);
  active_count_ -= leavers_.size();
  is_settled_ = false;
  next_ = Instant::max();  // even a next completion at this same instant is a new one
  ++version_;
  if (active_count_ == 0) check_conservation();
}

// The class of a cap. One whose members are all gone is used again for a new cap, so that there are
// never more classes than caps in use at once.
SharedServer::Class& SharedServer::class_of(double cap) {
  const auto by_cap = [](const Class& a, double b) { return a.cap < b; };
  auto place = std::lower_bound(classes_.begin(), classes_.end(), cap, by_cap);
  if (place != classes_.end() && place->cap == cap) return *place;
  const auto empty = std::find_if(
      classes_.begin(), classes_.end(), [](const Class& group) { return group.members.empty(); });
  if (empty == classes_.end()) return *classes_.insert(place, Class{.cap = cap, .members = {}});
  empty->cap = cap;
  if (empty < place) {
    std::rotate(empty, empty + 1, place);
    return *(place - 1);
  }
  std::rotate(place, empty, empty + 1);
  return *place;
}

Instant SharedServer::first_finish(const Class& group) const {
  const double bytes_left = group.members.front().finish - group.clock;
  return now_ + std::max(Duration{0}, round_up_to_ps(bytes_left / group.rate));
}

void SharedServer::advance(Instant now) {
  check(now >= now_, "time at a server never runs backwards");
  if (now == now_) return;
  settle();
  check(now <= next_, "no completion of a server is passed over");
  const auto elapsed = static_cast<double>((now - now_).count());
  for (Class& group : classes_) {
    group.clock += group.rate * elapsed;
    delivered_ += group.rate * elapsed * static_cast<double>(group.members.size());
  }
  now_ = now;
}

// Divides the capacity: classes in order of their caps take the cap while it is below an equal
// share of what is left; all others get that share.
void SharedServer::settle() {
  if (is_settled_) return;
  is_settled_ = true;
  double capacity_left = capacity_;
  auto clients_left = static_cast<double>(active_count_);
  double share = 0.0;
  bool is_shared = false;
  Instant next = Instant::max();
  for (Class& group : classes_) {
    if (group.members.empty()) continue;
    if (!is_shared) share = capacity_left / clients_left;
    is_shared = is_shared || group.cap > share;
    group.rate = is_shared ? share : group.cap;
    const auto member_count = static_cast<double>(group.members.size());
    capacity_left -= group.rate * member_count;
    clients_left -= member_count;
    next = std::min(next, first_finish(group));
  }
  if (next != next_) ++version_;
  next_ = next;
}

// When the last client leaves, all bytes asked for have passed, and no more than the rounding of
// each finish allows.
void SharedServer::check_conservation() {
  const double noise = 1e-9 * asked_ + 1e-3 * allowed_excess_;
  check(delivered_ >= asked_ - allowed_lack_ - noise, "a server delivers every byte");
  check(delivered_ <= asked_ + allowed_excess_ + noise, "a server delivers no byte twice");
  delivered_ = asked_ = allowed_excess_ = allowed_lack_ = 0.0;
}

}  // namespace epsim
