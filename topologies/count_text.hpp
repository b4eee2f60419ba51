// Count text: a number of things in words, "1 switch" or "8 switches".
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include <fmt/format.h>

namespace epsim {

[[nodiscard]] inline std::string counted(std::size_t count, std::string_view noun) {
  const std::string_view plural = noun.ends_with("ch") || noun.ends_with('s') ? "es" : "s";
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : plural);
}

}  // namespace epsim
