#include "topologies/xml_text.hpp"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "sim/base/input_error.hpp"

namespace epsim {

XmlText::XmlText(std::string_view text, std::string_view file) : text_(text), file_(file) {
  const pugi::xml_parse_result result = document_.load_buffer(text.data(), text.size());
  if (!result)
    throw InputError(file_,
                     fmt::format("line {}", line_at(result.offset)),
                     fmt::format("not XML, or cut off: {}", result.description()));
}

void XmlText::fail(pugi::xml_node element, std::string_view what) const {
  throw InputError(
      file_, fmt::format("line {}: <{}>", line_at(element.offset_debug()), element.name()), what);
}

std::string XmlText::required(pugi::xml_node element, const char* name) const {
  const pugi::xml_attribute attribute = element.attribute(name);
  if (!attribute) fail(element, fmt::format("missing attribute \"{}\"", name));
  return attribute.value();
}

int XmlText::integer(pugi::xml_node element, const char* name, int low, int high) const {
  const std::string text = required(element, name);
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < low || value > high)
    fail(element,
         fmt::format(
             "{}: expected a whole number from {} to {}, found \"{}\"", name, low, high, text));
  return value;
}

std::vector<pugi::xml_node> XmlText::children(pugi::xml_node parent,
                                              const std::set<std::string_view>& known) const {
  std::vector<pugi::xml_node> found;
  for (const pugi::xml_node child : parent.children()) {
    if (child.type() != pugi::node_element) continue;
    if (!known.contains(child.name()))
      fail(child, fmt::format("not expected inside <{}>", parent.name()));
    found.push_back(child);
  }
  return found;
}

std::ptrdiff_t XmlText::line_at(std::ptrdiff_t offset) const {
  const auto length = static_cast<std::size_t>(std::max<std::ptrdiff_t>(offset, 0));
  const std::string_view before = text_.substr(0, length);
  return 1 + std::count(before.begin(), before.end(), '\n');
}

}  // namespace epsim
