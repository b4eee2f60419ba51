// SourceTree: the files of this repository as text, for tests that read the code instead of running
// it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace epsim {

struct SourceFile {
  std::string path;  // from the root of the repository, with slashes: "sim/base/units.hpp"
  std::string text;

  [[nodiscard]] std::string folder() const;                 // "sim/base", or empty at the root
  [[nodiscard]] std::string name() const;                   // "units.hpp"
  [[nodiscard]] bool is_header() const;                     // .hpp .cuh
  [[nodiscard]] bool is_cpp() const;                        // C++ or CUDA, header or not
  [[nodiscard]] bool is_cmake() const;                      // CMakeLists.txt or *.cmake
  [[nodiscard]] bool is_in(std::string_view folder) const;  // in it or below it
};

// Every text file that git tracks or would track; without git, every one outside build/, out/ and
// folders whose name starts with a dot (.ci/ aside). Read once; ordered by path.
[[nodiscard]] const std::vector<SourceFile>& source_tree();

// Which floor of the floor table a path stands on: "sim/base", or its first folder.
[[nodiscard]] std::string floor_of(std::string_view path);

[[nodiscard]] std::vector<std::string> lines_of(std::string_view text);

// C++ text of the same length with comments and the insides of literals blanked out, so that a
// search finds code only. `keep_comments` blanks literals alone.
[[nodiscard]] std::string code_of(std::string_view text, bool keep_comments = false);

}  // namespace epsim
