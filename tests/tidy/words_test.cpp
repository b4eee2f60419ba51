#include <algorithm>
#include <array>
#include <cctype>
#include <regex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "tests/tidy/source_tree.hpp"

using namespace epsim;

namespace {

struct BannedWord {
  std::string pattern;  // over code alone: comments and literals are blanked out
  std::string reason;
};

// The floors that turn a scenario into a report.
bool is_simulator(const SourceFile& file) {
  for (const char* floor : {"sim", "topologies", "traces", "models"})
    if (file.is_in(floor)) return true;
  return false;
}

bool is_library(const SourceFile& file) {
  return is_simulator(file) || file.is_in("calibrate") || file.is_in("notebooks_export");
}

template <std::size_t N>
void check_words(const SourceFile& file, const std::array<BannedWord, N>& words) {
  const std::string code = code_of(file.text);
  for (const BannedWord& word : words) {
    const std::regex pattern(word.pattern);
    for (std::sregex_iterator at(code.begin(), code.end(), pattern), end; at != end; ++at) {
      const auto line = 1 + std::count(code.begin(), code.begin() + at->position(), '\n');
      const std::string found = at->str();
      CAPTURE(file.path);
      CAPTURE(line);
      CAPTURE(found);
      FAIL_CHECK(word.reason);
    }
  }
}

}  // namespace

TEST_CASE("tidy: what is unfinished is not on the main branch") {
  const std::regex marker{
      "\\b(FIX"
      "ME|TO"
      "DO|X"
      "XX|HA"
      "CK)\\b"};
  for (const SourceFile& file : source_tree()) {
    const std::vector<std::string> lines = lines_of(file.text);
    if (file.path.ends_with(".json")) continue;  // recorded data says what it says
    for (std::size_t i = 0; i < lines.size(); ++i) {
      const std::size_t line = i + 1;
      CAPTURE(file.path);
      CAPTURE(line);
      CHECK_FALSE(std::regex_search(lines[i], marker));
    }
  }
}

TEST_CASE("tidy: checks stay on in every build, and nobody ends the program but main") {
  const std::array words = {
      BannedWord{R"(\bassert\s*\()", "assert vanishes in a release build: use check"},
      BannedWord{R"(\b(std::exit|exit|abort|_Exit|quick_exit|terminate)\s*\()",
                 "throw; only main ends the program"},
  };
  for (const SourceFile& file : source_tree())
    if (file.is_cpp() && (is_library(file) || file.is_in("cli"))) check_words(file, words);
}

TEST_CASE("tidy: libraries do not print") {
  const std::array words = {
      BannedWord{R"(\bstd::(cout|cerr|clog|puts)\b)", "return the text; cli prints it"},
      BannedWord{R"(\b(printf|fprintf|puts)\s*\()", "return the text; cli prints it"},
      BannedWord{R"(\bfmt::print\b)", "return the text; cli prints it"},
  };
  for (const SourceFile& file : source_tree())
    if (file.is_cpp() && is_library(file)) check_words(file, words);
}

TEST_CASE("tidy: no result depends on a clock, the environment or a library's random numbers") {
  const std::array words = {
      BannedWord{R"(\b(system_clock|steady_clock|high_resolution_clock)\b)",
                 "a run is a function of scenario, seed and commit"},
      BannedWord{R"(\b(getenv|setlocale)\s*\()",
                 "a run is a function of scenario, seed and commit"},
      BannedWord{
          R"(\bstd::(mt19937\w*|random_device|rand|default_random_engine|\w+_distribution)\b)",
          "use Rng: the standard's numbers differ between libraries"},
  };
  for (const SourceFile& file : source_tree())
    if (file.is_cpp() && is_simulator(file)) check_words(file, words);
}

TEST_CASE("tidy: a container without order says why no result can depend on it") {
  const std::regex unordered{R"(\bstd::unordered_\w+\s*<)"};
  for (const SourceFile& file : source_tree()) {
    if (!file.is_cpp() || !is_library(file)) continue;
    const std::vector<std::string> code = lines_of(code_of(file.text));
    const std::vector<std::string> all = lines_of(file.text);
    for (std::size_t i = 0; i < code.size(); ++i) {
      if (!std::regex_search(code[i], unordered)) continue;
      const bool is_explained = all[i].find("//") != std::string::npos ||
                                (i > 0 && all[i - 1].find("//") != std::string::npos);
      CAPTURE(file.path);
      CAPTURE(all[i]);
      CHECK(is_explained);  // a comment on the line or on the one above
    }
  }
}

TEST_CASE("tidy: headers open no namespace for their readers") {
  const std::array words = {
      BannedWord{R"(\busing\s+namespace\b)", "a header must not choose names for others"}};
  for (const SourceFile& file : source_tree())
    if (file.is_header()) check_words(file, words);
}

TEST_CASE("tidy: a header says in its first line what it is, and is guarded by pragma once") {
  for (const SourceFile& file : source_tree()) {
    if (!file.is_header()) continue;
    CAPTURE(file.path);
    CHECK(std::regex_search(file.text, std::regex(R"(^// \S+ \S+)")));
    CHECK(file.text.find("\n#pragma once\n") != std::string::npos);
  }
}

TEST_CASE("tidy: a file is named after its noun, in snake_case") {
  const std::set<std::string> empty_words = {
      "util", "utils", "helper", "helpers", "common", "manager", "misc", "stuff"};
  for (const SourceFile& file : source_tree()) {
    if (!file.is_cpp()) continue;
    CAPTURE(file.path);
    CHECK(std::regex_match(file.path, std::regex(R"([a-z0-9_/]+\.(hpp|cpp|cuh|cu))")));
    const std::regex separator{R"([/_.])"};
    std::sregex_token_iterator word(file.path.begin(), file.path.end(), separator, -1);
    for (; word != std::sregex_token_iterator(); ++word) {
      const std::string part = *word;
      CAPTURE(part);
      CHECK_FALSE(empty_words.contains(part));
    }
  }
}

TEST_CASE("tidy: no file names a folder of somebody's machine") {
  const std::regex machine_path{R"((^|[^\w.~/-])/(home|root|work|Users|scratch|mnt)/\w)"};
  for (const SourceFile& file : source_tree()) {
    for (const std::string& line : lines_of(file.text)) {
      if (line.size() > 2000) continue;  // data
      CAPTURE(file.path);
      CAPTURE(line);
      CHECK_FALSE(std::regex_search(line, machine_path));
    }
  }
}

TEST_CASE("tidy: the build names its sources, downloads nothing and keeps its flags to targets") {
  const std::regex banned{
      R"(file\(\s*GLOB|-ffast-math|FetchContent|ExternalProject|CMAKE_CXX_FLAGS|\binclude_directories\()"};
  for (const SourceFile& file : source_tree()) {
    if (!file.is_cmake()) continue;
    CAPTURE(file.path);
    std::smatch found;
    std::regex_search(file.text, found, banned);
    CHECK(found.str() == "");
  }
}
