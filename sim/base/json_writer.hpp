// JsonWriter: ordered JSON text, written front to back. Doubles are written in the shortest form
// that reads back the same, so equal results are equal bytes.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace epsim {

// The text as a JSON string literal with quotes.
[[nodiscard]] std::string json_quote(std::string_view text);

class JsonWriter {
 public:
  // Objects and arrays nested `inline_depth` deep or deeper stay on one line.
  explicit JsonWriter(int inline_depth = 2) : inline_depth_(inline_depth) {}

  JsonWriter& begin_object();
  JsonWriter& end_object();
  JsonWriter& begin_array();
  JsonWriter& end_array();
  JsonWriter& key(std::string_view name);

  JsonWriter& value(std::string_view text);
  JsonWriter& value(const char* text) { return value(std::string_view(text)); }
  JsonWriter& value(double number);  // not finite becomes null
  JsonWriter& null();
  template <std::integral T>
  JsonWriter& value(T number) {
    if constexpr (std::same_as<T, bool>)
      return raw(number ? "true" : "false");
    else
      return raw(std::to_string(number));
  }
  // `json` is already JSON text.
  JsonWriter& raw(std::string_view json);

  template <typename T>
  JsonWriter& field(std::string_view name, const T& content) {
    return key(name).value(content);
  }

  // The finished text, ending in a newline. Throws Bug unless it is one whole value.
  [[nodiscard]] std::string take();

 private:
  struct Level {
    char closing;  // } or ]
    bool has_element;
  };

  JsonWriter& open(char opening, char closing);
  JsonWriter& close(char closing);
  void separate(bool is_key = false);

  int inline_depth_;
  std::string text_;
  std::vector<Level> levels_;
  bool after_key_ = false;
};

}  // namespace epsim
