#include "traces/kernel_name.hpp"

#include <cxxabi.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>

namespace epsim {
namespace {

// Unnamed places of C++, as the compilers' demanglers write them.
constexpr std::array<std::string_view, 3> kUnnamed = {
    "(anonymous namespace)", "<unnamed>", "(anonymous class)"};
constexpr std::string_view kUnnamedShort = "(anonymous)";

// The names of a mangled name that no demangler knows all of, as newer compilers and cut off texts
// have them: "_ZN7deep_ep9intranode8dispatchIL..." is "deep_ep::intranode::dispatch".
std::string nested_name(std::string_view mangled) {
  std::string text;
  std::size_t at = std::string_view("_ZN").size();
  while (at < mangled.size() && mangled[at] >= '1' && mangled[at] <= '9') {
    std::size_t length = 0;
    while (at < mangled.size() && mangled[at] >= '0' && mangled[at] <= '9' &&
           length < mangled.size())
      length = 10 * length + static_cast<std::size_t>(mangled[at++] - '0');
    if (length > mangled.size() - at) break;
    text += (text.empty() ? "" : "::") + std::string(mangled.substr(at, length));
    at += length;
  }
  return text;
}

}  // namespace

std::string demangled(std::string_view name) {
  const std::string text(name);
  if (!name.starts_with("_Z")) return text;
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> result(
      abi::__cxa_demangle(text.c_str(), nullptr, nullptr, &status), &std::free);
  if (status == 0 && result) return result.get();
  const std::string nested = name.starts_with("_ZN") ? nested_name(name) : "";
  return nested.empty() ? text : nested;
}

std::string_view without_return_type(std::string_view name) {
  if (name.starts_with("void ")) name.remove_prefix(5);
  return name;
}

std::string function_name(std::string_view name) {
  name = without_return_type(name);
  std::string text;
  int depth = 0;  // of template arguments
  while (!name.empty()) {
    const auto unnamed = std::find_if(kUnnamed.begin(), kUnnamed.end(), [&](std::string_view word) {
      return name.starts_with(word);
    });
    if (depth == 0 && unnamed != kUnnamed.end()) {
      text += kUnnamedShort;
      name.remove_prefix(unnamed->size());
      continue;
    }
    const char c = name.front();
    name.remove_prefix(1);
    if (c == '<') ++depth;
    if (c == '(' && depth == 0) break;
    if (depth == 0) text += c;
    if (c == '>' && depth > 0) --depth;
  }
  while (!text.empty() && text.back() == ' ') text.pop_back();
  return text;
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return lower;
}

std::string short_kernel_name(std::string_view name, std::size_t width) {
  std::string text = function_name(demangled(name));
  while (text.size() > width) {
    const std::size_t end = text.find("::");
    if (end == std::string::npos) break;
    text.erase(0, end + 2);
  }
  if (text.size() > width && width > 2) text = text.substr(0, width - 2) + "..";
  return text;
}

}  // namespace epsim
