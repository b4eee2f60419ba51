#include "traces/kineto_glance.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstddef>
#include <cstring>

namespace epsim {
namespace {

struct Row {
  std::string_view category;  // in small letters
  KinetoCategory means;
};

// Most frequent first.
constexpr std::array kCategories = {
    Row{"cpu_op", KinetoCategory::host_operator},
    Row{"ac2g", KinetoCategory::other},
    Row{"python_function", KinetoCategory::other},
    Row{"cuda_runtime", KinetoCategory::host_call},
    Row{"kernel", KinetoCategory::kernel},
    Row{"cuda_driver", KinetoCategory::host_call},
    Row{"operator", KinetoCategory::host_operator},
    Row{"runtime", KinetoCategory::host_call},
    Row{"driver", KinetoCategory::host_call},
    Row{"hip_runtime", KinetoCategory::host_call},
    Row{"hip_driver", KinetoCategory::host_call},
    Row{"gpu_memcpy", KinetoCategory::copy},
    Row{"memcpy", KinetoCategory::copy},
    Row{"gpu_memset", KinetoCategory::fill},
    Row{"memset", KinetoCategory::fill},
    Row{"concurrent_kernel", KinetoCategory::kernel},
    Row{"cuda_sync", KinetoCategory::synchronisation},
    Row{"hip_sync", KinetoCategory::synchronisation},
    Row{"user_annotation", KinetoCategory::range},
    Row{"gpu_user_annotation", KinetoCategory::range},
};

constexpr bool is_space(char c) {
  return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

// Reads flat JSON from the front, one member at a time.
class Members {
 public:
  explicit Members(std::string_view object) : at_(object.data()), end_(at_ + object.size()) {
    if (at_ < end_) ++at_;  // '{'
  }

  std::string_view key, value;  // a string's without its quotes
  bool is_nested = false;       // the value is an object or array, and not read

  // False at the end, and at what is no member.
  bool next() {
    while (at_ < end_ && (is_space(*at_) || *at_ == ',')) ++at_;
    if (at_ >= end_ || *at_ != '"' || !take_string(key)) return false;
    skip_spaces();
    if (at_ >= end_ || *at_ != ':') return false;
    ++at_;
    skip_spaces();
    if (at_ >= end_) return false;
    if (*at_ == '"') return take_string(value);
    is_nested = *at_ == '{' || *at_ == '[';
    const char* begin = at_;
    while (at_ < end_ && *at_ != ',' && *at_ != '}' && !is_space(*at_)) ++at_;
    value = {begin, static_cast<std::size_t>(at_ - begin)};
    return true;
  }

 private:
  void skip_spaces() {
    while (at_ < end_ && is_space(*at_)) ++at_;
  }

  bool take_string(std::string_view& string) {
    const char* begin = ++at_;
    for (;;) {
      const void* quote = std::memchr(at_, '"', static_cast<std::size_t>(end_ - at_));
      if (quote == nullptr) return false;
      const char* found = static_cast<const char*>(quote);
      const char* before = found;
      while (before > begin && before[-1] == '\\') --before;
      at_ = found + 1;
      if ((found - before) % 2 != 0) continue;  // an escaped quote
      string = {begin, static_cast<std::size_t>(found - begin)};
      return true;
    }
  }

  const char* at_;
  const char* end_;
};

}  // namespace

KinetoCategory kineto_category(std::string_view category) {
  const auto same = [&](std::string_view small) {
    return std::equal(
        category.begin(), category.end(), small.begin(), small.end(), [](char a, char b) {
          return a == b || (a >= 'A' && a <= 'Z' && a - 'A' + 'a' == b);
        });
  };
  for (const Row& row : kCategories)
    if (same(row.category)) return row.means;
  return category.empty() ? KinetoCategory::none : KinetoCategory::other;
}

KinetoGlance glance_at_event(std::string_view event) {
  KinetoGlance glance;
  Members members(event);
  bool has_name = false;
  while (members.next()) {
    if (members.is_nested) return glance;
    if (members.key == "ph") {
      glance.phase = members.value;
    } else if (members.key == "cat") {
      glance.category = kineto_category(members.value);
    } else if (members.key == "name") {
      glance.name = members.value;
      has_name = true;
    } else {
      continue;
    }
    // Flows, counters, metadata and instants take no time.
    const bool takes_no_time = !glance.phase.empty() && glance.phase != "X" && glance.phase != "B";
    const bool is_known = glance.category != KinetoCategory::none;
    if (takes_no_time || glance.category == KinetoCategory::other) {
      glance.category = KinetoCategory::other;
      glance.is_whole = true;
      return glance;
    }
    if (is_known && has_name) {
      glance.is_whole = true;
      return glance;
    }
  }
  glance.is_whole = glance.category != KinetoCategory::none && has_name;
  return glance;
}

}  // namespace epsim
