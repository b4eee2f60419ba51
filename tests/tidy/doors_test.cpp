#include <array>
#include <regex>
#include <string>

#include <doctest/doctest.h>

#include "tests/tidy/source_tree.hpp"

using namespace epsim;

namespace {

// A library and the files that may include it, as a pattern over whole paths.
struct Door {
  std::string library;
  std::string header;
  std::string files;
};

const std::array kDoors = {
    Door{"Boost", R"(boost/)", R"(topologies/(topology\.(hpp|cpp)|network_links\.cpp))"},
    Door{"Eigen", R"(Eigen/)", R"(calibrate/fit\w*\.cpp)"},
    Door{"CUPTI", R"(cupti\w*\.h)", R"(calibrate/cupti_session\.cpp)"},
    Door{"cuBLASLt", R"(cublasLt\.h)", R"(kernels/overlap/gemm\.cpp)"},
    Door{"CUDA", R"(cuda)", R"((kernels|calibrate|tests/kernels)/.*)"},
    Door{"nlohmann_json", R"(nlohmann/)", R"(sim/base/json\.(hpp|cpp))"},
    Door{"pugixml", R"(pugixml\.hpp)", R"(topologies/xml_text\.(hpp|cpp))"},
    Door{"zlib", R"(zlib\.h)", R"((sim/base/text_file|traces/byte_stream)\.cpp)"},
    Door{"simdjson", R"(simdjson)", R"(traces/kineto_reader\.cpp)"},
    Door{
        "SQLite",
        R"(sqlite3\w*\.h)",
        R"((traces/sqlite_file\.cpp|sim/sweep/sweep_table\.cpp|tests/support/small_database\.hpp))"},
    Door{"MPI", R"(mpi\.h)", R"(sim/sweep/mpi_world\.cpp)"},
    Door{"CLI11", R"(CLI/)", R"(cli/.*)"},
    Door{"SimGrid", R"((simgrid|xbt)/)", R"(tests/bench/.*)"},
    Door{"doctest", R"(doctest/)", R"(tests/.*)"},
    Door{"Google Benchmark", R"(benchmark/)", R"(tests/bench/.*)"},
};

}  // namespace

TEST_CASE("tidy: one library comes in through one door") {
  const std::regex include{R"(^\s*#\s*include\s*[<"]([^>"]+)[>"])"};
  for (const SourceFile& file : source_tree()) {
    if (!file.is_cpp()) continue;
    for (const std::string& line : lines_of(file.text)) {
      std::smatch match;
      if (!std::regex_search(line, match, include)) continue;
      const std::string header = match[1];
      for (const Door& door : kDoors) {
        if (!std::regex_search(header, std::regex("^" + door.header))) continue;
        CAPTURE(file.path);
        CAPTURE(line);
        CAPTURE(door.library);
        CHECK(std::regex_match(file.path, std::regex(door.files)));
      }
    }
  }
}
