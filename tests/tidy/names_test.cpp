#include <cctype>
#include <map>
#include <regex>
#include <string>

#include <doctest/doctest.h>

#include "tests/tidy/source_tree.hpp"

using namespace epsim;

namespace {

// Calls `visit(file, name)` for every test case whose name is one literal. clang-format breaks a
// long name into several: "one " "two" counts as "one two".
template <typename Visit>
void for_each_test_name(Visit visit) {
  static const std::regex test_case{
      R"re(\nTEST_CASE(?:_TEMPLATE)?\(\s*((?:"(?:[^"\\]|\\.)*"\s*)+))re"};
  static const std::regex seam{R"re("\s+")re"};
  for (const SourceFile& file : source_tree()) {
    if (!file.is_in("tests") || !file.path.ends_with(".cpp")) continue;
    for (std::sregex_iterator at(file.text.begin(), file.text.end(), test_case), end; at != end;
         ++at) {
      std::string name = std::regex_replace((*at)[1].str(), seam, "");
      name = name.substr(1, name.rfind('"') - 1);
      visit(file, name);
    }
  }
}

}  // namespace

TEST_CASE("tidy: the name of a test is a claim about a noun") {
  const std::regex claim{R"([A-Za-z][\w /:.-]*: \S.*\s.*[^.])"};
  for_each_test_name([&](const SourceFile& file, const std::string& name) {
    CAPTURE(file.path);
    CAPTURE(name);
    CHECK(std::regex_match(name, claim));
  });
}

TEST_CASE("tidy: ctest runs each test by its name, so names are unique and free of its signs") {
  // ctest splits lists at semicolons, brackets hide the semicolons after them, and doctest takes a
  // backslash for an escape. doctest ignores the case of letters when it selects.
  std::map<std::string, std::string> seen;
  for_each_test_name([&](const SourceFile& file, const std::string& name) {
    CAPTURE(file.path);
    CAPTURE(name);
    CHECK(name.find_first_of(";[]\\") == std::string::npos);
    std::string key = name;
    for (char& c : key) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    const auto [row, is_new] = seen.emplace(key, file.path);
    CAPTURE(row->second);
    CHECK(is_new);
  });
  CHECK(seen.size() > 50);  // the pattern above still finds them
}
