#include <map>
#include <regex>
#include <set>
#include <string>

#include <doctest/doctest.h>

#include "tests/tidy/source_tree.hpp"

using namespace epsim;

namespace {

// Each floor lists every floor it may include, itself aside. kernels/ includes nothing of ours.
// Absent from the table: cli/, the roof, and tests/ may include anything.
const std::map<std::string, std::set<std::string>> kMayInclude = {
    {"sim/base", {}},
    {"topologies", {"sim/base"}},
    {"traces", {"sim/base"}},
    {"models", {"sim/base", "topologies", "traces"}},
    {"sim", {"sim/base", "topologies", "traces", "models"}},
    {"kernels", {}},
    {"calibrate", {"sim/base", "traces", "models", "kernels"}},
    {"notebooks_export", {"sim/base", "traces", "sim"}},
};

// Calls `visit(file, included path)` for each quoted include, which are ours.
template <typename Visit>
void for_each_include(Visit visit) {
  static const std::regex include{R"re(^\s*#\s*include\s*"([^"]+)")re"};
  for (const SourceFile& file : source_tree()) {
    if (!file.is_cpp()) continue;
    for (const std::string& line : lines_of(file.text)) {
      std::smatch match;
      if (std::regex_search(line, match, include)) visit(file, match[1].str());
    }
  }
}

}  // namespace

TEST_CASE("tidy: the tests see the source tree") {
  // Were it empty, every test of this folder would hold for nothing.
  std::set<std::string> paths;
  for (const SourceFile& file : source_tree()) paths.insert(file.path);
  CHECK(paths.contains("sim/base/units.hpp"));
  CHECK(paths.contains("tests/tidy/floors_test.cpp"));
  CHECK(paths.contains("CMakeLists.txt"));
}

TEST_CASE("tidy: no folder includes one that stands above it") {
  for_each_include([](const SourceFile& file, const std::string& included) {
    const auto row = kMayInclude.find(floor_of(file.path));
    if (row == kMayInclude.end()) return;
    const std::string target = floor_of(included);
    CAPTURE(file.path);
    CAPTURE(included);
    CHECK((target == row->first || row->second.contains(target)));
  });
}

TEST_CASE("tidy: nothing includes the roof, and only tests include tests") {
  for_each_include([](const SourceFile& file, const std::string& included) {
    CAPTURE(file.path);
    CAPTURE(included);
    const std::string floor = floor_of(file.path);
    const std::string target = floor_of(included);
    CHECK((target != "cli" || floor == "cli" || floor == "tests"));
    CHECK((target != "tests" || floor == "tests"));
  });
}

TEST_CASE("tidy: an include path starts at the root of the repository") {
  std::set<std::string> paths;
  for (const SourceFile& file : source_tree()) paths.insert(file.path);
  for_each_include([&](const SourceFile& file, const std::string& included) {
    CAPTURE(file.path);
    CAPTURE(included);
    CHECK(paths.contains(included));
  });
}

TEST_CASE("tidy: every folder with code stands on a floor that the table names") {
  const std::set<std::string> outside = {"cli", "tests"};
  for (const SourceFile& file : source_tree()) {
    if (!file.is_cpp()) continue;
    CAPTURE(file.path);
    const std::string floor = floor_of(file.path);
    CHECK((kMayInclude.contains(floor) || outside.contains(floor)));
  }
}

TEST_CASE("tidy: the build links no floor to one that stands above it") {
  const std::regex link{R"(\bepsim::(\w+))"};
  const std::set<std::string> floorless = {"warnings"};
  // Targets that are a part of their folder, so that a machine may build that part alone.
  const std::map<std::string, std::string> folders = {{"base", "sim/base"},
                                                      {"measurement", "calibrate"},
                                                      {"lab", "calibrate"},
                                                      {"kernel_references", "kernels"}};
  for (const SourceFile& file : source_tree()) {
    const auto row = kMayInclude.find(floor_of(file.path));
    if (file.name() != "CMakeLists.txt" || row == kMayInclude.end()) continue;
    for (std::sregex_iterator at(file.text.begin(), file.text.end(), link), end; at != end; ++at) {
      const auto part = folders.find((*at)[1].str());
      const std::string target = part == folders.end() ? (*at)[1].str() : part->second;
      CAPTURE(file.path);
      CAPTURE(target);
      CHECK((floorless.contains(target) || target == row->first || row->second.contains(target)));
    }
  }
}
