#include "sim/base/json_line.hpp"

#include <algorithm>
#include <string>

namespace epsim {
namespace {

// Walks through well-formed JSON without building anything.
class JsonWalk {
 public:
  explicit JsonWalk(std::string_view text) : text_(text) {}

  std::size_t line_of(std::string_view pointer) {
    skip_space();
    std::size_t found = at_;
    while (pointer.starts_with('/')) {
      pointer.remove_prefix(1);
      const std::size_t end = std::min(pointer.find('/'), pointer.size());
      if (!enter(unescaped(pointer.substr(0, end)), found)) break;
      pointer.remove_prefix(end);
    }
    const auto before = text_.substr(0, std::min(found, text_.size()));
    return 1 + static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n'));
  }

 private:
  static std::string unescaped(std::string_view token) {
    std::string out;
    for (std::size_t i = 0; i < token.size(); ++i) {
      const bool is_escape = token[i] == '~' && i + 1 < token.size();
      if (is_escape) ++i;
      out += !is_escape ? token[i] : token[i] == '1' ? '/' : '~';
    }
    return out;
  }

  [[nodiscard]] bool sees(char c) const { return at_ < text_.size() && text_[at_] == c; }

  void skip_space() { at_ = std::min(text_.find_first_not_of(" \t\r\n,:", at_), text_.size()); }

  // Stands on a value; goes to the member or element `token` of it. `found` becomes the place to
  // show for that.
  bool enter(const std::string& token, std::size_t& found) {
    const bool is_object = sees('{');
    if (!is_object && !sees('[')) return false;
    ++at_;
    for (std::size_t index = 0;; ++index) {
      skip_space();
      if (at_ >= text_.size() || sees('}') || sees(']')) return false;
      const std::size_t begin = at_;
      std::string_view name;
      if (is_object) {
        skip_string();
        if (at_ - begin >= 2) name = text_.substr(begin + 1, at_ - begin - 2);
        skip_space();
      }
      if (is_object ? name == token : std::to_string(index) == token) {
        found = begin;
        return true;
      }
      skip_value();
    }
  }

  void skip_string() {
    for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_)
      if (text_[at_] == '\\') ++at_;
    at_ = std::min(at_ + 1, text_.size());
  }

  void skip_value() {
    const std::size_t begin = at_;
    for (std::size_t depth = 0; at_ < text_.size();) {
      const char c = text_[at_];
      if (c == '"') {
        skip_string();
      } else if (c == '{' || c == '[') {
        ++depth;
        ++at_;
      } else if (c == '}' || c == ']') {
        if (depth == 0) return;
        --depth;
        ++at_;
      } else if (depth == 0 && (c == ',' || c == '\n')) {
        return;
      } else {
        ++at_;
        continue;
      }
      if (depth == 0 && at_ > begin) return;
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

std::size_t line_of_pointer(std::string_view json, std::string_view pointer) {
  return JsonWalk(json).line_of(pointer);
}

}  // namespace epsim
