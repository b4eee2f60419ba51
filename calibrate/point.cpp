#include "calibrate/point.hpp"

#include <algorithm>
#include <charconv>

#include "sim/base/check.hpp"

namespace epsim {
namespace {

const std::string* find(const std::vector<std::pair<std::string, std::string>>& arguments,
                        std::string_view name) {
  const auto found = std::find_if(
      arguments.begin(), arguments.end(), [&](const auto& entry) { return entry.first == name; });
  return found == arguments.end() ? nullptr : &found->second;
}

}  // namespace

Point& Point::with(std::string_view name, std::string_view value) {
  check(!has(name), "a point names each argument once");
  arguments_.emplace_back(name, value);
  return *this;
}

const std::string& Point::text(std::string_view name) const {
  const std::string* value = find(arguments_, name);
  check(value != nullptr, "a bench reads arguments that its sweep wrote");
  return *value;
}

std::int64_t Point::integer(std::string_view name) const {
  const std::string& value = text(name);
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  check(error == std::errc{} && end == value.data() + value.size(), "the argument is an integer");
  return number;
}

bool Point::has(std::string_view name) const {
  return find(arguments_, name) != nullptr;
}

std::string Point::label() const {
  std::string text;
  for (const auto& [name, value] : arguments_)
    text += (text.empty() ? "" : " ") + name + "=" + value;
  return text;
}

}  // namespace epsim
