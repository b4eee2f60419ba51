#include <string>

#include <doctest/doctest.h>

#include "notebooks_export/document_tables.hpp"
#include "notebooks_export/export_document.hpp"
#include "sim/base/input_error.hpp"
#include "sim/base/text_file.hpp"
#include "tests/base/temporary_folder.hpp"

using namespace epsim;

namespace {

std::string report(const std::string& more) {
  return R"({"schema": "epsim.report/1", "scenario": {"name": "eight ranks"}, "overrides":
    ["seed=7"], "operations": [{"operation": "dispatch", "latency_us": 34.84,
    "interval_us": [32.9, 36.9], "in_range": false, "beyond_range": ["ranks 8, calibrated for 4"],
    "bound_us": 23, "bound_by": "link a->b", "bounds": {"agent_us": 7.5, "sm_us": 7.8,
    "memory_us": 5, "link_us": 23}, "phases": [{"phase": "cast", "time_us": 3.6, "share_pct": 10},
    {"phase": "wire", "time_us": 19.2, "share_pct": 55}], "kernels": [], "busiest": [],
    "bottleneck": null, "traffic": {"message_count": 8192, "remote_size_bytes": 5e7,
    "target_ranks": {"max_over_mean": 1.04}, "experts": {"max_over_mean": 1.4}}, "plan": {},
    "event_count": 1)" +
         more + "}]}";
}

constexpr const char* kTimeline = R"(, "timeline": {"rank_count": 8, "ranks": [0], "grain_us": 0,
  "end_us": 34.8, "spans": [
   {"rank": 0, "lane": "kernels", "name": "dispatch", "start_us": 0, "end_us": 34},
   {"rank": 0, "lane": "send warps", "name": "cast", "start_us": 1, "end_us": 4.5}]},
 "link_use": {"link_count": 2, "bin_us": 0.5, "links": [
   {"link": "a->b", "busy_pct": [0, 90, 100]}, {"link": "b->a", "busy_pct": [0, 50, 0]}]})";

ExportDocument read_text(const std::string& text) {
  const TemporaryFolder folder;
  replace_text_file(folder / "report.json", text);
  return read_results({folder / "report.json"});
}

}  // namespace

TEST_CASE("Report: operations are told in a sentence each, with phases and bounds as tables") {
  const ExportDocument document = read_text(report(""));
  REQUIRE(document.sections.size() == 1);
  CHECK(document.sections[0].paragraphs[0] == "Changed: seed=7");
  CHECK(document.sections[0].paragraphs[1] ==
        "dispatch: 34.8 us [32.9, 36.9]; lower bound 23.0 us (link a->b); latencies limit, not "
        "rates; out of calibrated range: ranks 8, calibrated for 4");
  CHECK(table_of(document, "phases_1").rows.size() == 2);
  const ExportTable& bounds = table_of(document, "bounds_1");
  REQUIRE(bounds.rows.size() == 4);
  CHECK(cell_text(bounds.rows[1][1]) == "SM");
}

TEST_CASE("Report: its timeline is a chart of spans, its use of links a heat map") {
  const ExportDocument document = read_text(report(kTimeline));
  REQUIRE(document.sections.size() == 2);
  REQUIRE(document.sections[1].charts.size() == 2);
  CHECK(document.sections[1].charts[0].kind == ChartKind::spans);
  CHECK(document.sections[1].charts[1].kind == ChartKind::heat_map);
  const ExportTable& timeline = table_of(document, "timeline_dispatch_1");
  REQUIRE(timeline.rows.size() == 2);
  CHECK(cell_text(timeline.rows[1][0]) == "rank 0 · send warps");
  const ExportTable& links = table_of(document, "links_dispatch_1");
  REQUIRE(links.rows.size() == 6);
  CHECK(cell_text(links.rows[2][1]) == "1");  // the third bin of half a microsecond
}

TEST_CASE("Report: an operation of another name, and bins without a width, are refused") {
  std::string text = report(kTimeline);
  text.replace(text.find("\"dispatch\""), 10, "\"gather\"");
  CHECK_THROWS_AS((void)read_text(text), InputError);
  text = report(kTimeline);
  text.replace(text.find("0.5"), 3, "0.0");
  CHECK_THROWS_AS((void)read_text(text), InputError);
}
