#include "traces/required_text.hpp"

#include <utility>

namespace epsim {
namespace {

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == ':' || c == ' ' || c == '-';
}

// A backslash before it says which character is meant by its number.
bool is_code(char c) {
  return c == 'x' || c == 'u' || c == 'c';
}

// Reads a pattern's alternatives; what stands in brackets of any kind is passed over.
class PatternReader {
 public:
  explicit PatternReader(std::string_view pattern) : pattern_(pattern) {}

  std::vector<std::string> read() {
    while (at_ < pattern_.size()) step();
    end_alternative();
    return is_told_ ? std::move(required_) : std::vector<std::string>{};
  }

 private:
  void step() {
    const char c = pattern_[at_++];
    if (c == '\\') {
      // Of what a code names, nothing is known here.
      is_told_ = is_told_ && at_ < pattern_.size() && !is_code(pattern_[at_]);
      ++at_;
      end_run();
    } else if (c == '[') {
      skip_to(']');
      end_run();
    } else if (c == '(' || c == ')') {
      depth_ += c == '(' ? 1 : -1;
      end_run();
    } else if (depth_ > 0) {
      return;
    } else if (c == '|') {
      end_alternative();
    } else if (is_plain(c)) {
      run_ += c;
    } else {
      // What may be missing is not required.
      if ((c == '?' || c == '*' || c == '{') && !run_.empty()) run_.pop_back();
      end_run();
      if (c == '{') skip_to('}');
    }
  }

  void skip_to(char closing) {
    while (at_ < pattern_.size() && pattern_[at_] != closing)
      at_ += pattern_[at_] == '\\' ? std::size_t{2} : std::size_t{1};
    ++at_;
  }

  void end_run() {
    if (run_.size() > longest_.size()) longest_ = run_;
    run_.clear();
  }

  void end_alternative() {
    end_run();
    is_told_ = is_told_ && !longest_.empty();
    required_.push_back(std::exchange(longest_, {}));
  }

  std::string_view pattern_;
  std::size_t at_ = 0;
  int depth_ = 0;  // of groups
  std::string run_, longest_;
  std::vector<std::string> required_;
  bool is_told_ = true;
};

}  // namespace

std::vector<std::string> required_texts(std::string_view pattern) {
  return PatternReader(pattern).read();
}

}  // namespace epsim
