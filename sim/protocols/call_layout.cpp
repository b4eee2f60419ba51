#include "sim/protocols/call_layout.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "models/workload.hpp"
#include "sim/base/check.hpp"

namespace epsim {
namespace {

constexpr std::uint32_t kParities = 2;
constexpr std::int64_t kWordAlignment = 128;
constexpr std::int64_t kWordBytes = 4;

std::int64_t dispatch_bytes(const CallShape& shape) {
  return shape.tokens * dispatch_message(shape.hidden, DispatchFormat::fp8).count;
}

// A combine slot has room for a (max, min) pair of bf16 every 128 channels, used or not.
std::int64_t combine_bytes(const CallShape& shape) {
  return shape.tokens *
         (combine_message(shape.hidden, CombineFormat::bf16).count + shape.hidden / 128 * 4);
}

}  // namespace

CallLayout::CallLayout(const CallBuffer& buffer, std::uint32_t ranks, std::vector<CallShape> shapes)
    : word_place_(buffer.word_place), ranks_(ranks), shapes_(std::move(shapes)) {
  check(!shapes_.empty(), "a buffer has a shape");
  const auto cut = [&](const ByteRange& range) {
    borders_.push_back(range.begin);
    borders_.push_back(range.end);
  };
  for (const CallShape& shape : shapes_) {
    for (std::uint32_t parity = 0; parity < kParities; ++parity) {
      cut(send_region(shape, parity));
      cut({send_region(shape, parity).begin,
           send_region(shape, parity).begin + dispatch_bytes(shape)});
      cut(receive_region(shape, parity));
      for (std::uint32_t source = 0; source < ranks_; ++source)
        for (const CallKind kind : {CallKind::dispatch, CallKind::combine})
          cut(rows_range(shape, kind, parity, source));
    }
  }
  std::sort(borders_.begin(), borders_.end());
  borders_.erase(std::unique(borders_.begin(), borders_.end()), borders_.end());
}

// E words of 4 bytes a parity, rounded up to 128 bytes.
ByteRange CallLayout::words(const CallShape& shape) const {
  const std::int64_t one = (ranks_ * kWordBytes + kWordAlignment - 1) / kWordAlignment;
  const std::int64_t size = kParities * one * kWordAlignment;
  const std::int64_t begin = word_place_ == WordPlace::first ? 0 : receive_region(shape, 1).end;
  return {begin, begin + size};
}

std::int64_t CallLayout::rows_begin() const {
  return word_place_ == WordPlace::first ? words({}).end : 0;
}

ByteRange CallLayout::send_region(const CallShape& shape, std::uint32_t parity) const {
  const std::int64_t size = std::max(dispatch_bytes(shape), ranks_ * combine_bytes(shape));
  const std::int64_t begin = rows_begin() + parity * size;
  return {begin, begin + size};
}

ByteRange CallLayout::receive_region(const CallShape& shape, std::uint32_t parity) const {
  const std::int64_t size = ranks_ * std::max(dispatch_bytes(shape), combine_bytes(shape));
  const std::int64_t begin = send_region(shape, 1).end + parity * size;
  return {begin, begin + size};
}

ByteRange CallLayout::rows_range(const CallShape& shape,
                                 CallKind kind,
                                 std::uint32_t parity,
                                 std::uint32_t source) const {
  const std::int64_t size =
      kind == CallKind::combine ? combine_bytes(shape) : dispatch_bytes(shape);
  const std::int64_t begin = receive_region(shape, parity).begin + source * size;
  return {begin, begin + size};
}

CellRange CallLayout::cells(const ByteRange& range) const {
  const auto first = std::lower_bound(borders_.begin(), borders_.end(), range.begin);
  const auto end = std::lower_bound(borders_.begin(), borders_.end(), range.end);
  check(end != borders_.end() && *first == range.begin, "a region begins and ends at a border");
  return {static_cast<std::uint32_t>(first - borders_.begin()),
          static_cast<std::uint32_t>(end - first)};
}

CellRange CallLayout::rows(const Call& call, std::uint32_t parity, std::uint32_t source) const {
  return cells(rows_range(call.shape, call.kind, parity, source));
}

CellRange CallLayout::staging(const Call& call, std::uint32_t parity) const {
  const std::int64_t begin = send_region(call.shape, parity).begin;
  return cells({begin, begin + dispatch_bytes(call.shape)});
}

std::string CallLayout::cell_name(std::uint32_t cell) const {
  const ByteRange here{borders_[cell], borders_[cell + 1]};
  std::string name;
  for (const CallShape& shape : shapes_) {
    for (std::uint32_t parity = 0; parity < kParities; ++parity) {
      const bool staged = send_region(shape, parity).overlaps(here);
      if (!staged && !receive_region(shape, parity).overlaps(here)) continue;
      name += name.empty() ? "" : ", ";
      name += fmt::format("{} of parity {}", staged ? "staged rows" : "received rows", parity);
      if (shapes_.size() > 1)
        name += fmt::format(" for {} tokens of {} channels", shape.tokens, shape.hidden);
    }
  }
  return name;
}

std::uint32_t CallLayout::word_set(const CallShape& shape) const {
  if (word_place_ == WordPlace::first) return 0;
  const auto found = std::find(shapes_.begin(), shapes_.end(), shape);
  check(found != shapes_.end(), "every call's shape is known");
  return static_cast<std::uint32_t>(found - shapes_.begin());
}

bool CallLayout::words_were_used(const CallShape& later, const CallShape& earlier) const {
  if (word_place_ == WordPlace::first || later == earlier) return false;
  return words(later).overlaps({0, words(earlier).end});
}

}  // namespace epsim
