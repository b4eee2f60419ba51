#include <string>
#include <string_view>

#include <doctest/doctest.h>

#include "notebooks_export/export_document.hpp"
#include "tests/support/hand_made_document.hpp"

using namespace epsim;

namespace {

std::size_t count(std::string_view text, std::string_view part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string_view::npos;
       at = text.find(part, at + part.size()))
    ++found;
  return found;
}

bool has(std::string_view text, std::string_view part) {
  return count(text, part) > 0;
}

}  // namespace

TEST_CASE("Chart SVG: points have a mark each, and a line joins those of the line") {
  const std::string svg = chart_svg(points_chart(), deployments_table());
  CHECK(count(svg, "<circle class=\"mark\"") == 4);
  CHECK(count(svg, "<path class=\"joined\"") == 1);
  // Three points on the line: one start, two lines on.
  const std::size_t line = svg.find("<path class=\"joined\"");
  CHECK(count(std::string_view(svg).substr(line, svg.find("/>", line) - line), "L") == 2);
  CHECK(has(svg, ">latency, ms</text>"));
  CHECK(has(svg, ">tokens/s/GPU</text>"));
  CHECK(has(svg, "<title>ranks: 8\nkernel: ll\nlatency, ms: 20.5</title>"));
  CHECK(svg.starts_with("<svg "));
  CHECK(svg.ends_with("</svg>\n"));
}

TEST_CASE("Chart SVG: spans run from their start to their end") {
  const std::string svg = chart_svg(spans_chart(), tasks_table());
  CHECK(count(svg, "<rect class=\"mark\"") == 3);
  CHECK(has(svg, ">time, us</text>"));  // along the axis, though the column is their start
  // The plot is 620 wide and 20 us long: 10 us are 310, 8.5 us are 263.5, 7.5 us are 232.5.
  for (const char* width : {"310.00", "263.50", "232.50"})
    CHECK(has(svg, std::string("width=\"") + width + "\""));
}

TEST_CASE("Chart SVG: a heat map has a cell for each row, from cold to hot") {
  const std::string svg = chart_svg(heat_chart(), links_table());
  CHECK(count(svg, "<rect class=\"mark\"") == 6);
  // 0 % is the coldest of the map's 0 to 65 %, 65 % the hottest.
  CHECK(has(svg, "fill=\"#440154\"><title>link: gpu0-&gt;switch\ntime, us: 0\nbusy, %: 0"));
  CHECK(has(svg, "fill=\"#fde725\"><title>link: switch-&gt;gpu1\ntime, us: 1\nbusy, %: 65"));
}

TEST_CASE("Chart SVG: bars have a mark each and their value above") {
  const std::string svg = chart_svg(bars_chart(), phases_table());
  CHECK(count(svg, "<rect class=\"mark\"") == 5);
  CHECK(has(svg, ">54.5</text>"));
  CHECK(count(svg, "class=\"axis-title\"") == 3);  // two axes and the legend
}

TEST_CASE("Chart SVG: names that would be markup are text, and long ones are cut") {
  ExportTable table = phases_table();
  table.rows[0][0] = std::string("<script>\"&\x01");
  table.rows[1][0] = std::string(50, 'w');
  const std::string svg = chart_svg(bars_chart(), table);
  CHECK(has(svg, "&lt;script&gt;&quot;&amp;?"));
  CHECK_FALSE(has(svg, "<script"));
  CHECK(has(svg, ">" + std::string(35, 'w') + "…</text>"));
}

TEST_CASE("Chart SVG: a chart of nothing says so") {
  ExportTable table = links_table();
  table.rows.clear();
  CHECK(has(chart_svg(heat_chart(), table), "nothing to draw"));
  table = deployments_table();
  table.rows.clear();
  CHECK(has(chart_svg(points_chart(), table), "nothing to draw"));
  ExportChart chart = points_chart();
  chart.log_x = chart.log_y = true;
  CHECK(has(chart_svg(chart, table), "nothing to draw"));
}

TEST_CASE("Chart SVG: one mark alone, and equal values, have axes with a length") {
  ExportTable table = phases_table();
  table.rows.resize(1);
  for (const double value : {0.0, 5.0, -5.0}) {
    table.rows[0][2] = value;
    CAPTURE(value);
    const std::string svg = chart_svg(bars_chart(), table);
    CHECK(count(svg, "<rect class=\"mark\"") == 1);
    CHECK_FALSE(has(svg, "nan"));
    CHECK_FALSE(has(svg, "inf"));
  }
  ExportTable tasks = tasks_table();
  tasks.rows.resize(1);
  tasks.rows[0][3] = 0.0;  // no time at all
  CHECK_FALSE(has(chart_svg(spans_chart(), tasks), "nan"));
  ExportTable links = links_table();
  links.rows.resize(1);
  CHECK_FALSE(has(chart_svg(heat_chart(), links), "nan"));
}
