#include <filesystem>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "sim/base/input_error.hpp"
#include "sim/base/json.hpp"
#include "sim/base/text_file.hpp"
#include "sim/sweep/sweep_results.hpp"
#include "sim/sweep/sweep_table.hpp"
#include "tests/base/temporary_folder.hpp"

using namespace epsim;

namespace {

const SweepIdentity kIdentity{.sweep = "{}", .inputs = "calibration x\n", .version = "1"};

ScenarioSweep three_points() {
  return {.file = "s.json",
          .name = "three",
          .scenario_file = "s.json#scenario",
          .scenario = "{}",
          .axes = {{.keys = {"a.b"}, .steps = {{"1"}, {"\"two, or\""}, {"[3]"}}}}};
}

std::string rows_of(double latency_us) {
  SweepRow row;
  row[0] = std::string("dispatch");
  row[1] = latency_us;
  row[8] = false;
  return sweep_rows_text({row});
}

std::string error_of(const std::string& path, const SweepIdentity& identity) {
  try {
    if (!is_complete_table(path, identity)) (void)SweepTable(path, identity);
  } catch (const InputError& error) {
    return std::string(error.what()).substr(path.size());
  }
  return "none";
}

}  // namespace

TEST_CASE("Sweep table: its bytes do not depend on the order in which points end") {
  const TemporaryFolder folder;
  std::vector<std::string> files;
  for (const std::vector<std::uint64_t>& order :
       {std::vector<std::uint64_t>{0, 1, 2}, std::vector<std::uint64_t>{2, 0, 1}}) {
    const std::string path = folder / (order[0] == 0 ? "forth" : "back");
    for (const std::uint64_t point : order) {
      SweepTable table(path, kIdentity);  // opened anew each time, as by a program that was ended
      table.keep(point, rows_of(1.5 * static_cast<double>(point)));
      if (point == order.back()) table.complete(three_points());
    }
    CHECK(is_complete_table(path, kIdentity));
    files.push_back(read_text_file(path));
  }
  CHECK(files[0] == files[1]);
  std::size_t left = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path()))
    left += entry.exists();
  CHECK(left == 2);  // the two tables
}

TEST_CASE("Sweep table: what is kept is there for the next run, and once") {
  const TemporaryFolder folder;
  const std::string path = folder / "t";
  {
    SweepTable table(path, kIdentity);
    table.keep(2, rows_of(1));
  }
  SweepTable table(path, kIdentity);
  CHECK(table.finished() == std::vector<std::uint64_t>{2});
  CHECK_THROWS((void)table.keep(2, rows_of(1)));
  CHECK_FALSE(is_complete_table(path, kIdentity));
  CHECK(error_of(path, kIdentity) ==
        ".partial: another program fills it; expected that program to end first");
}

TEST_CASE("Sweep table: another sweep, version or calibration finds it taken") {
  const TemporaryFolder folder;
  const std::string path = folder / "t";
  const auto expect_taken = [&](const std::string& where) {
    SweepIdentity other = kIdentity;
    other.sweep = "{\"other\": 1}";
    const auto holds = [&](const char* what) {
      return fmt::format("{}: holds results of {}; remove it or give another --out", where, what);
    };
    CHECK(error_of(path, other) == holds("another sweep"));
    other = kIdentity;
    other.version = "another";
    CHECK(error_of(path, other) == holds("another version of epsim"));
    other = kIdentity;
    other.inputs = "calibration y\n";
    CHECK(error_of(path, other) ==
          holds("this sweep with other calibrations, topologies or routings"));
  };
  for (const std::uint64_t point : {0U, 1U, 2U})
    SweepTable(path, kIdentity).keep(point, rows_of(1));
  expect_taken(".partial");
  SweepTable(path, kIdentity).complete(three_points());
  expect_taken("");
}

TEST_CASE("Sweep table: a file that is no table of a sweep is left alone") {
  const TemporaryFolder folder;
  const std::string path = folder / "t";
  replace_text_file(path, "a letter to somebody");
  CHECK(error_of(path, kIdentity).find("expected a table that epsim sweep wrote") !=
        std::string::npos);
  CHECK(read_text_file(path) == "a letter to somebody");
  CHECK(error_of(folder.path().string(), kIdentity) == ": expected a file, found a folder");
}

TEST_CASE("Sweep table: JSON and CSV hold each value as the sweep gives it") {
  const TemporaryFolder folder;
  const std::string path = folder / "t";
  {
    SweepTable table(path, kIdentity);
    for (const std::uint64_t point : {0U, 1U, 2U})
      table.keep(point, rows_of(0.1 * static_cast<double>(point)));
    table.complete(three_points());
  }
  const auto rows = JsonDocument::parse(sweep_results_json(three_points(), path), "r")
                        .root()
                        .object()
                        .required("rows")
                        .array();
  REQUIRE(rows.size() == 3);
  CHECK(rows[1].object().required("a.b").string() == "two, or");
  CHECK(rows[2].object().required("a.b").dump() == "[3]");
  CHECK(rows[2].object().required("latency_us").number() == 0.1 * 2.0);
  CHECK(rows[2].object().required("in_range").boolean() == false);
  CHECK(rows[2].object().required("error").is_null());
  const std::string csv = sweep_results_csv(three_points(), path);
  CHECK(csv.starts_with("point,a.b,operation,latency_us,"));
  CHECK(csv.find("\n1,\"two, or\",dispatch,0.1,,") != std::string::npos);
  CHECK(sweep_results_text(three_points(), path).find("3 points, 3 rows in ") != std::string::npos);
}
