#include <filesystem>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "notebooks_export/document_tables.hpp"
#include "notebooks_export/export_document.hpp"
#include "sim/base/input_error.hpp"
#include "sim/base/text_file.hpp"
#include "tests/base/temporary_folder.hpp"
#include "tests/support/small_database.hpp"

using namespace epsim;

namespace {

ExportDocument read_text(const std::string& text) {
  const TemporaryFolder folder;
  const std::filesystem::path file = folder / "result.json";
  replace_text_file(file, text);
  return read_results({file});
}

std::string refusal_of(const std::string& text) {
  try {
    (void)read_text(text);
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// What a cell shows, found by the table's and the column's name.
std::string word(const ExportDocument& document,
                 const std::string& table_name,
                 std::size_t row,
                 const std::string& column) {
  const ExportTable& table = table_of(document, table_name);
  REQUIRE(row < table.rows.size());
  return cell_text(table.rows[row][column_index(table, column)]);
}

// Every chart can be drawn, and every row is as long as its table's columns.
void check_whole(const ExportDocument& document) {
  for (const ExportSection& section : document.sections) {
    for (const ExportChart& chart : section.charts)
      CHECK_FALSE(vega_lite_spec(chart, table_of(document, chart.table)).empty());
    for (const ExportTable& table : section.tables) {
      CAPTURE(table.name);
      for (const std::vector<Cell>& row : table.rows) CHECK(row.size() == table.columns.size());
      for (const std::string& filter : table.filters) (void)column_index(table, filter);
    }
  }
}

constexpr const char* kPlacements = R"({"schema": "epsim.placements/1", "tables": [
  {"file": "a.json", "scenario": "eight ranks", "operation": "combine", "placements": [
    {"fence": "P0", "latency_us": 68.1, "interval_us": [64, 72], "delta_us": 0,
     "execution_count": 0, "serial_count": 0, "serial": [], "E1": "no", "E2": "no",
     "verdict": "FORMAL", "lenient_verdict": "FORMAL", "cheapest": false, "chosen": true,
     "text": "no fence"},
    {"fence": "P3", "latency_us": 70, "interval_us": [66, 74], "delta_us": 1.9,
     "execution_count": 1024, "serial_count": 8, "serial": [], "E1": "yes", "E2": "yes",
     "verdict": "OK", "lenient_verdict": "OK", "cheapest": true, "chosen": false,
     "text": "before every row"}]}]})";

constexpr const char* kValidation = R"({"schema": "epsim.validation/1", "records": [
  {"id": "ll-dispatch-4", "measured_us": 10, "predicted_us": 11, "error_pct": 10,
   "interval_us": [9, 12], "in_range": true, "fitted": false},
  {"id": "ll-combine-4", "measured_us": 20, "predicted_us": 19, "error_pct": -5,
   "interval_us": [18, 21], "in_range": true, "fitted": true}],
 "groups": [
  {"kernel": "ll", "op": "dispatch", "n": 1, "median_abs_pct": 10, "p90_abs_pct": 10,
   "p95_abs_pct": 10, "max_abs_pct": 10, "coverage_pct": 100},
  {"kernel": "ll", "op": "combine", "system": "h200", "n": 1, "median_abs_pct": 5,
   "p90_abs_pct": 5, "p95_abs_pct": 5, "max_abs_pct": 5, "coverage_pct": 100}],
 "summary": {"n": 2, "median_abs_pct": 7.5, "p90_abs_pct": 9.5, "p95_abs_pct": 9.75,
  "max_abs_pct": 10, "coverage_pct": 100}})";

constexpr const char* kStep = R"({"schema": "epsim.step/1", "scenario": {"name": "a step"},
 "step_us": 76283, "serial_us": 91700, "compute_us": 70000, "communication_us": 29791,
 "overlap_us": 28488, "overlap_pct": 95.6, "exposed_us": 1303,
 "by_kind": {"all": {"communication_us": 29791, "overlap_us": 28488, "overlap_pct": 95.6,
  "exposed_us": 1303}},
 "streams": [{"name": "compute", "tasks": 3, "compute_us": 70000, "communication_us": 0}],
 "variant_layers": 4, "variants": [], "mechanisms": [{"what": "The two share a queue",
  "change": "queues of their own", "overlap_pct": 97, "step_us": 75000}],
 "timeline": {"task_count": 2, "end_us": 20, "spans": [
  {"stream": "compute", "name": "attention", "class": "compute", "layer": 3, "micro_batch": 0,
   "start_us": 0, "end_us": 12.5},
  {"stream": "communication", "name": "dispatch", "class": "communication", "layer": 3,
   "micro_batch": 1, "start_us": 2, "end_us": 20}]}})";

constexpr const char* kSweep = R"(
  CREATE TABLE sweep(key TEXT NOT NULL, value TEXT NOT NULL);
  INSERT INTO sweep VALUES ('schema', 'epsim.sweep_table/1');
  CREATE TABLE results(point INTEGER NOT NULL, "traffic.tokens_per_rank", "combine.fence", seed,
    operation TEXT, latency_us REAL, error TEXT);
  INSERT INTO results VALUES (0, 16, 'P0', 7, 'dispatch', 12.5, NULL), (0, 16, 'P0', 7, 'combine', 14, NULL),
    (1, 64, 'P0', 7, 'dispatch', 22.5, NULL), (2, 64, 'P3', 8, 'combine', 1e1, NULL),
    (3, 1024, 'P3', 8, NULL, NULL, 'too many tokens');)";

}  // namespace

TEST_CASE("Results: fence tables say what a fence costs and whether it is enough") {
  const ExportDocument document = read_text(kPlacements);
  check_whole(document);
  CHECK(document.title == "Fences of combine: eight ranks");
  CHECK(document.command.starts_with("epsim export "));
  CHECK(has(document.sections[0].paragraphs[0], "P3 (+1.90 us): before every row"));
  CHECK(word(document, "fences_1_1", 1, "verdict") == "OK");
  CHECK(word(document, "fences_1_1", 1, "cheapest") == "1");
}

TEST_CASE("Results: records of a validation are told apart by kernel and operation") {
  const ExportDocument document = read_text(kValidation);
  check_whole(document);
  CHECK(word(document, "records_1", 0, "group") == "ll dispatch");
  CHECK(word(document, "records_1", 1, "group") == "ll combine");
  CHECK(word(document, "accuracy_1", 1, "group") == "ll combine on h200");
  CHECK(word(document, "accuracy_1", 2, "median_abs_pct") == "7.5");
}

TEST_CASE("Results: a step's tasks are an overlap strip where its report tells them") {
  const ExportDocument document = read_text(kStep);
  check_whole(document);
  CHECK(has(document.sections[0].paragraphs[0], "Step 76.3 ms, 91.7 ms on one stream"));
  CHECK(document.sections[0].charts[0].kind == ChartKind::spans);
  CHECK(word(document, "tasks_1", 1, "class") == "communication");
  CHECK(table_of(document, "tasks_1").rows.size() == 2);
}

TEST_CASE("Results: a sweep's axes are found by what its table holds") {
  const TemporaryFolder folder;
  const std::string file = small_database(folder / "points.sqlite", kSweep);
  const ExportDocument document = read_results({file});
  check_whole(document);
  const ExportTable& table = table_of(document, "sweep_1");
  REQUIRE(table.rows.size() == 5);
  REQUIRE(document.sections[0].charts.size() == 1);
  const ExportChart& chart = document.sections[0].charts[0];
  CHECK(chart.kind == ChartKind::points);
  CHECK(chart.x == "traffic.tokens_per_rank");
  CHECK(chart.y == "latency_us");
  CHECK(chart.log_x);  // from 16 to 1024 is more than twenty times
  // Fences and operations make series, draws of a routing do not.
  CHECK(cell_text(table.rows[1].back()) == "P0, combine");
  CHECK(table.columns[5].label == "latency, us");
}

TEST_CASE("Results: several files are one document with tables of different names") {
  const TemporaryFolder folder;
  replace_text_file(folder / "a.json", kPlacements);
  replace_text_file(folder / "it's b.json", kPlacements);
  const ExportDocument document = read_results({folder / "a.json", folder / "it's b.json"});
  CHECK(document.title == "2 results of epsim");
  CHECK(has(document.command, "'\\''s b.json'"));
  CHECK(table_of(document, "fences_1_1").rows.size() == 2);
  CHECK(table_of(document, "fences_2_1").rows.size() == 2);
}

TEST_CASE("Results: what is none is refused with its place") {
  CHECK(
      has(refusal_of("{\"schema\": \"epsim.scenario/1\"}"), "/schema: expected one of epsim.cap"));
  CHECK(has(refusal_of("{}"), "schema"));
  CHECK(has(refusal_of("junk"), "expected JSON"));
  CHECK(has(refusal_of(R"({"schema": "epsim.placements/1"})"), "tables"));
  std::string text = kPlacements;
  text.replace(text.find("[64, 72]"), 8, "[64]");
  CHECK(has(refusal_of(text), "/tables/0/placements/0/interval_us: expected two numbers"));
  text = kPlacements;
  text.replace(text.find("68.1"), 4, "\"x\"");
  CHECK(has(refusal_of(text), "/tables/0/placements/0/latency_us"));
  CHECK_THROWS_AS((void)read_results({}), InputError);
  CHECK_THROWS_AS((void)read_results({"nowhere.json"}), InputError);
}

TEST_CASE("Results: a database that is no finished sweep is refused") {
  const TemporaryFolder folder;
  const auto refusal = [&](const char* name, const std::string& sql) -> std::string {
    const std::string file = small_database(folder / name, sql);
    try {
      (void)read_results({file});
    } catch (const InputError& error) {
      return error.what();
    }
    return "";
  };
  CHECK(has(refusal("other.sqlite", "CREATE TABLE things(a)"), "found another database"));
  CHECK(has(refusal("begun.sqlite", "CREATE TABLE finished(point)"), "has not ended"));
  CHECK(has(refusal("like.sqlite", "CREATE TABLE results(point)"), "found another database"));
}
