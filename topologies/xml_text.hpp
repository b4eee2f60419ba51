// XmlText: strict reading of XML: every error names the file, the line and the element. With the
// reader above it the only door to pugixml.
#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <pugixml.hpp>

namespace epsim {

class XmlText {
 public:
  // Throws InputError for what is not XML or cut off. `text` must outlive this.
  XmlText(std::string_view text, std::string_view file);

  [[nodiscard]] pugi::xml_node root() const { return document_.document_element(); }

  [[noreturn]] void fail(pugi::xml_node element, std::string_view what) const;

  [[nodiscard]] std::string required(pugi::xml_node element, const char* name) const;
  [[nodiscard]] int integer(pugi::xml_node element, const char* name, int low, int high) const;

  // The elements in it, in order; one that is not among `known` is an error.
  [[nodiscard]] std::vector<pugi::xml_node> children(pugi::xml_node parent,
                                                     const std::set<std::string_view>& known) const;

 private:
  [[nodiscard]] std::ptrdiff_t line_at(std::ptrdiff_t offset) const;

  std::string_view text_;
  std::string file_;
  pugi::xml_document document_;
};

}  // namespace epsim
