// ToolLog: the text that a tool printed, by lines and words, with errors that name file and line.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace epsim {

class ToolLog {
 public:
  // Throws InputError for an empty file and for one that is not text. `text` must outlive this.
  ToolLog(std::string file, std::string_view text);

  [[nodiscard]] const std::string& file() const { return file_; }
  [[nodiscard]] std::size_t size() const { return lines_.size(); }
  [[nodiscard]] std::string_view line(std::size_t index) const { return lines_[index]; }
  [[nodiscard]] std::vector<std::string_view> words(std::size_t index) const;
  [[nodiscard]] static std::string place(std::size_t index);  // "line 1" for index 0

  // Words of a line as numbers; throw InputError that says what was expected there.
  [[nodiscard]] double positive(std::size_t index,
                                std::string_view word,
                                std::string_view what) const;
  [[nodiscard]] double not_negative(std::size_t index,
                                    std::string_view word,
                                    std::string_view what) const;
  [[nodiscard]] std::int64_t whole(std::size_t index,
                                   std::string_view word,
                                   std::string_view what) const;

  [[noreturn]] void fail(std::size_t index,
                         std::string_view expected,
                         std::string_view found) const;
  // The file ends before `expected` has come.
  [[noreturn]] void fail_at_end(std::string_view expected) const;

 private:
  std::string file_;
  std::vector<std::string_view> lines_;
};

// A finite decimal number and nothing else.
[[nodiscard]] bool parse_decimal(std::string_view word, double& value);

[[nodiscard]] bool is_whole_number(std::string_view word);

}  // namespace epsim
