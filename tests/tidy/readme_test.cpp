#include <filesystem>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/tidy/source_tree.hpp"

using namespace epsim;

namespace {

// What stands in `backticks` or between ``` fences: the part of a text that a reader types.
std::vector<std::string> typed_parts(const std::string& markdown) {
  std::vector<std::string> parts;
  static const std::regex inline_code{R"(`([^`]+)`)"};
  bool is_fenced = false;
  for (const std::string& line : lines_of(markdown)) {
    if (line.starts_with("```")) {
      is_fenced = !is_fenced;
    } else if (is_fenced) {
      parts.push_back(line);
    } else {
      for (std::sregex_iterator at(line.begin(), line.end(), inline_code), end; at != end; ++at)
        parts.push_back((*at)[1]);
    }
  }
  return parts;
}

// Calls `visit(file, first group of the match)` for each match in what a reader types.
template <typename Visit>
void for_each_typed(const std::regex& pattern, Visit visit) {
  for (const SourceFile& file : source_tree()) {
    if (!file.path.ends_with(".md")) continue;
    for (const std::string& part : typed_parts(file.text))
      for (std::sregex_iterator at(part.begin(), part.end(), pattern), end; at != end; ++at)
        visit(file, (*at)[1].str());
  }
}

}  // namespace

TEST_CASE("readme: every epsim verb that a text names is one that cli knows") {
  std::string cli;
  for (const SourceFile& file : source_tree())
    if (file.is_in("cli") && file.is_cpp()) cli += file.text;
  const std::regex command{R"((?:^|[/\s])epsim ([a-z]+)\b)"};
  for_each_typed(command, [&](const SourceFile& file, const std::string& verb) {
    CAPTURE(file.path);
    CAPTURE(verb);
    CHECK(cli.find('"' + verb + '"') != std::string::npos);
  });
}

TEST_CASE("readme: every file of the repository that a text names exists") {
  std::set<std::string> folders;
  for (const SourceFile& file : source_tree())
    if (!file.folder().empty()) folders.insert(file.path.substr(0, file.path.find('/')));
  const std::regex path{R"((?:^|[\s(=])((?:\./)?[\w.]+/[\w./-]*\w))"};
  for_each_typed(path, [&](const SourceFile& file, const std::string& named) {
    const std::string clean = named.starts_with("./") ? named.substr(2) : named;
    if (!folders.contains(clean.substr(0, clean.find('/')))) return;  // build/, out/, ghcr.io/
    CAPTURE(file.path);
    CAPTURE(named);
    CHECK(std::filesystem::exists(std::filesystem::path(EPSIM_SOURCE_DIR) / clean));
  });
}

TEST_CASE("readme: every preset that a text names is one of CMakePresets.json") {
  std::string presets;
  for (const SourceFile& file : source_tree())
    if (file.path == "CMakePresets.json") presets = file.text;
  const std::regex named_preset{R"(--preset[ =](\w+))"};
  for_each_typed(named_preset, [&](const SourceFile& file, const std::string& preset) {
    CAPTURE(file.path);
    CAPTURE(preset);
    CHECK(presets.find("\"name\": \"" + preset + '"') != std::string::npos);
  });
}
