// Point: one place of a sweep, as named arguments in a fixed order. What a sample was taken at,
// what a resumed run compares, and what a file prints.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace epsim {

class Point {
 public:
  // Adds an argument; returns the point, so that calls chain.
  Point& with(std::string_view name, std::string_view value);
  Point& with(std::string_view name, const char* value) {
    return with(name, std::string_view(value));
  }
  template <std::integral Integer>
  Point& with(std::string_view name, Integer value) {
    return with(name, std::string_view(std::to_string(value)));
  }

  // Throw Bug when there is no such argument: a bench reads what its own sweep wrote.
  [[nodiscard]] const std::string& text(std::string_view name) const;
  [[nodiscard]] std::int64_t integer(std::string_view name) const;
  [[nodiscard]] bool has(std::string_view name) const;

  [[nodiscard]] const std::vector<std::pair<std::string, std::string>>& arguments() const {
    return arguments_;
  }
  // "scope=sys ctas=132": for progress lines and for comparing.
  [[nodiscard]] std::string label() const;
  friend bool operator==(const Point&, const Point&) = default;

 private:
  std::vector<std::pair<std::string, std::string>> arguments_;
};

}  // namespace epsim
