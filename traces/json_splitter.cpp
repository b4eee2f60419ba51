#include "traces/json_splitter.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "sim/base/check.hpp"
#include "sim/base/input_error.hpp"

namespace epsim {
namespace {

// What a step holds then fits the nearest caches from reading to parsing.
constexpr std::size_t kBufferSize = 128U << 10;
// Behind the buffer: a scanner's last step, then what a parser may read past its text.
constexpr std::size_t kSlack = BracketScanner::kStep + JsonSplitter::kPadding;

constexpr bool is_space(char c) {
  return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

std::size_t skip_spaces(std::string_view text, std::size_t at) {
  while (at < text.size() && is_space(text[at])) ++at;
  return at;
}

std::size_t skip_byte_order_mark(std::string_view text) {
  return text.starts_with("\xef\xbb\xbf") ? 3 : 0;
}

// Behind the closing quote of the string that starts at `at`; the end when it has none.
std::size_t end_of_string(std::string_view text, std::size_t at) {
  for (++at; at < text.size(); ++at) {
    if (text[at] == '\\')
      ++at;
    else if (text[at] == '"')
      return at + 1;
  }
  return text.size();
}

}  // namespace

JsonSplitter::JsonSplitter(ByteStream& stream,
                           std::string_view array_key,
                           std::size_t longest_piece)
    : stream_(stream),
      array_key_(array_key),
      longest_piece_(longest_piece),
      buffer_(kBufferSize + kSlack) {}

bool JsonSplitter::next(JsonPiece& piece) {
  for (;;) {
    if (members_out_ < members_.size()) {
      piece = members_[members_out_++];
      return true;
    }
    if (!members_.empty()) {
      members_.clear();
      members_out_ = 0;
    }
    if (place_ == Place::behind) break;
    const std::uint64_t left = brackets_.open | brackets_.close;
    if (left == 0) {
      if (!advance()) break;
      continue;
    }
    const int bit = std::countr_zero(left);
    const std::uint64_t mask = std::uint64_t{1} << bit;
    const std::size_t at = step_begin_ + static_cast<std::size_t>(bit);
    if ((brackets_.open & mask) != 0) {
      brackets_.open ^= mask;
      open(at);
    } else {
      brackets_.close ^= mask;
      if (close(at, piece)) return true;
    }
  }
  finish();
  return false;
}

// Scans the next step of the text. False at the end of the stream.
bool JsonSplitter::advance() {
  while (scanned_ + BracketScanner::kStep > filled_ && !is_at_end_) refill();
  if (scanned_ >= filled_) return false;
  const std::size_t step = std::min(BracketScanner::kStep, filled_ - scanned_);
  if (step < BracketScanner::kStep)
    std::memset(buffer_.data() + filled_, ' ', BracketScanner::kStep - step);
  step_begin_ = scanned_;
  brackets_ = scanner_.step(buffer_.data() + scanned_);
  scanned_ += step;
  return true;
}

std::size_t JsonSplitter::kept_from() const {
  if (is_discarding_) return scanned_;
  const std::uint32_t outside = place_ == Place::array ? array_depth_ : 1;
  return depth_ > outside ? piece_begin_ : gap_begin_;
}

// Moves what is still needed to the front of the buffer and reads on behind it.
void JsonSplitter::refill() {
  const std::size_t begin = kept_from();
  std::memmove(buffer_.data(), buffer_.data() + begin, filled_ - begin);
  filled_ -= begin;
  scanned_ -= begin;
  piece_begin_ -= std::min(piece_begin_, begin);
  gap_begin_ -= std::min(gap_begin_, begin);
  buffer_offset_ += begin;
  std::size_t capacity = buffer_.size() - kSlack;
  if (filled_ > capacity / 2) {
    if (capacity > longest_piece_) return give_up_piece();
    capacity *= 2;
    buffer_.resize(capacity + kSlack);
  }
  const std::size_t room = capacity - filled_;
  const std::size_t count = stream_.read(buffer_.data() + filled_, room);
  filled_ += count;
  is_at_end_ = count < room;
}

void JsonSplitter::give_up_piece() {
  if (place_ == Place::root_object && depth_ > 1) {
    is_discarding_ = true;
    return;
  }
  throw InputError(stream_.name(),
                   stream_.place(buffer_offset_ + kept_from()),
                   "expected events of a profiler, found one longer than " +
                       std::to_string(longest_piece_ >> 20) + " MiB, or a string that never ends");
}

void JsonSplitter::open(std::size_t at) {
  if (place_ == Place::before) return open_root(at);
  if (place_ == Place::array && depth_ == array_depth_) {
    check_gap(at);
    piece_begin_ = at;
  } else if (place_ == Place::root_object && depth_ == 1) {
    key_ = read_members(at);
    piece_begin_ = at;
    if (key_ == array_key_ && buffer_[at] == '[') {
      place_ = Place::array;
      array_depth_ = 2;
      gap_begin_ = at + 1;
      ending_.has_array = true;
    }
  }
  ++depth_;
}

void JsonSplitter::open_root(std::size_t at) {
  const std::string_view before = text(0, at);
  const std::size_t other = skip_spaces(before, skip_byte_order_mark(before));
  if (other != before.size())
    throw InputError(stream_.name(),
                     stream_.place(buffer_offset_ + other),
                     "expected the '{' or '[' of a profiler's JSON, found something else");
  depth_ = 1;
  gap_begin_ = at + 1;
  place_ = buffer_[at] == '[' ? Place::array : Place::root_object;
  array_depth_ = 1;
  ending_.has_array = place_ == Place::array;
}

// True when an element ends here: it is in `piece`. Members go to `members_`.
bool JsonSplitter::close(std::size_t at, JsonPiece& piece) {
  if (place_ == Place::before) {
    throw InputError(stream_.name(),
                     stream_.place(buffer_offset_ + at),
                     "expected the '{' or '[' of a profiler's JSON, found a closing bracket");
  }
  --depth_;
  if (place_ == Place::array) {
    if (depth_ == array_depth_) {
      piece = {.is_element = true,
               .text = text(piece_begin_, at + 1),
               .key = {},
               .offset = buffer_offset_ + piece_begin_};
      gap_begin_ = at + 1;
      return true;
    }
    if (depth_ + 1 != array_depth_) return false;
    check_gap(at);
    place_ = depth_ == 0 ? Place::behind : Place::root_object;
    gap_begin_ = at + 1;
  } else if (depth_ == 1) {
    if (!is_discarding_)
      members_.push_back({.is_element = false,
                          .text = text(piece_begin_, at + 1),
                          .key = key_,
                          .offset = buffer_offset_ + piece_begin_});
    is_discarding_ = false;
    gap_begin_ = at + 1;
  } else if (depth_ == 0) {
    (void)read_members(at);
    place_ = Place::behind;
    gap_begin_ = at + 1;
  }
  return false;
}

// Between two elements stands a comma; anything else is counted.
void JsonSplitter::check_gap(std::size_t end) {
  std::size_t at = gap_begin_;
  while (at < end && (is_space(buffer_[at]) || buffer_[at] == ',')) ++at;
  if (at == end) return;
  ++ending_.stray_count;
  if (!ending_.first_stray) ending_.first_stray = buffer_offset_ + at;
}

// Reads `, "a": 1, "b": "x", "c":` before a bracket or the end of the object: what is whole goes to
// `members_`, and the key without a value is the answer. What is no member ends the reading.
std::string_view JsonSplitter::read_members(std::size_t end) {
  const std::string_view gap = text(gap_begin_, end);
  for (std::size_t at = 0;;) {
    while (at < gap.size() && (is_space(gap[at]) || gap[at] == ',')) ++at;
    if (at == gap.size() || gap[at] != '"') return {};
    const std::size_t key_end = end_of_string(gap, at);
    if (key_end < at + 2) return {};
    const std::string_view key = gap.substr(at + 1, key_end - at - 2);
    at = skip_spaces(gap, key_end);
    if (at == gap.size() || gap[at] != ':') return {};
    at = skip_spaces(gap, at + 1);
    if (at == gap.size()) return key;
    const std::size_t value = at;
    if (gap[at] == '"') {
      at = end_of_string(gap, at);
    } else {
      while (at < gap.size() && gap[at] != ',' && !is_space(gap[at])) ++at;
    }
    members_.push_back({.is_element = false,
                        .text = gap.substr(value, at - value),
                        .key = key,
                        .offset = buffer_offset_ + gap_begin_ + value});
  }
}

// Looks at what is left behind the document, to its last byte: a gzip file is checked to its end.
void JsonSplitter::finish() {
  if (place_ == Place::before) {
    const std::string_view all = text(0, filled_);
    const std::size_t other = skip_spaces(all, skip_byte_order_mark(all));
    throw InputError(stream_.name(),
                     stream_.place(buffer_offset_ + (other == all.size() ? 0 : other)),
                     other == all.size() ? "an empty file; expected a profiler's dump"
                                         : "expected the '{' or '[' of a profiler's JSON, found "
                                           "text without either");
  }
  if (place_ != Place::behind) {
    ending_.cut_short = buffer_offset_ + kept_from();
    ending_.length = buffer_offset_ + filled_;
    return;
  }
  std::size_t at = gap_begin_;
  for (;;) {
    at = skip_spaces(text(0, filled_), at);
    if (at < filled_ && !ending_.text_behind) ending_.text_behind = buffer_offset_ + at;
    buffer_offset_ += filled_;
    ending_.length = buffer_offset_;
    if (is_at_end_) break;
    filled_ = stream_.read(buffer_.data(), buffer_.size() - kSlack);
    is_at_end_ = filled_ < buffer_.size() - kSlack;
    at = 0;
  }
  filled_ = scanned_ = gap_begin_ = 0;
}

}  // namespace epsim
