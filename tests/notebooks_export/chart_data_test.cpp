#include "notebooks_export/chart_data.hpp"

#include <string>

#include <doctest/doctest.h>

#include "notebooks_export/document_tables.hpp"
#include "sim/base/check.hpp"
#include "tests/support/hand_made_document.hpp"

using namespace epsim;

TEST_CASE("Chart data: a row without a value that the chart needs is not drawn") {
  const ChartData data = chart_data(points_chart(), deployments_table());
  REQUIRE(data.marks.size() == 4);  // of five rows, the last has no latency
  CHECK(data.x_range->low == 20.5);
  CHECK(data.x_range->high == 60);
  CHECK(data.y_range->high == 2100);  // not the 2500 of the row that is left out
  CHECK(data.color_names->texts() == std::vector<std::string>{"ll", "normal"});
  CHECK(data.marks[2].color_place == 1);
  CHECK(data.marks[1].is_joined);
  CHECK_FALSE(data.marks[2].is_joined);
}

TEST_CASE("Chart data: what a logarithm cannot show is not drawn") {
  ExportTable table = deployments_table();
  table.rows[0][2] = 0.0;
  table.rows[1][2] = -3.0;
  ExportChart chart = points_chart();
  chart.log_x = true;
  CHECK(chart_data(chart, table).marks.size() == 2);
  chart.log_x = false;
  CHECK(chart_data(chart, table).marks.size() == 4);
}

TEST_CASE(
    "Chart data: names that are numbers stand by size, words in the order in which they come") {
  ExportTable table = phases_table();
  CHECK(chart_data(bars_chart(), table).x_names->texts() ==
        std::vector<std::string>{"launch", "cast", "wire"});
  for (std::size_t r = 0; r < table.rows.size(); ++r)
    table.rows[r][0] = 64.0 - static_cast<double>(r);
  const ChartData data = chart_data(bars_chart(), table);
  CHECK(data.x_names->are_numbers);
  CHECK(data.x_names->texts() == std::vector<std::string>{"60", "61", "62", "63", "64"});
  CHECK(data.marks.front().x_place == 4);
}

TEST_CASE("Chart data: bars stand side by side where a place has several colors") {
  CHECK(chart_data(bars_chart(), phases_table()).has_neighbours);
  ExportTable table = phases_table();
  table.rows.resize(3);  // dispatch alone
  CHECK_FALSE(chart_data(bars_chart(), table).has_neighbours);
}

TEST_CASE("Chart data: a chart of columns that its table lacks is a bug") {
  ExportChart chart = bars_chart();
  chart.y = "latency_us";
  CHECK_THROWS_AS((void)chart_data(chart, phases_table()), Bug);
  chart = spans_chart();
  chart.x_end = "";
  CHECK_THROWS_AS((void)chart_data(chart, tasks_table()), Bug);
  chart = heat_chart();
  chart.color = "";
  CHECK_THROWS_AS((void)chart_data(chart, links_table()), Bug);
  CHECK_THROWS_AS((void)table_of(hand_made_document(), "nowhere"), Bug);
}

TEST_CASE("Chart data: heat goes from the first colour to the last") {
  CHECK(heat_colour(0) == kHeatColours.front());
  CHECK(heat_colour(1) == kHeatColours.back());
  CHECK(heat_colour(0.25) == kHeatColours[2]);  // nine colours: every eighth
  CHECK(heat_colour(7) == kHeatColours.back());
}

TEST_CASE(
    "Document tables: whole numbers are exact, others have six digits for people and all for "
    "programs") {
  CHECK(number_text(144) == "144");
  CHECK(number_text(-0.0) == "0");
  CHECK(number_text(1.0 / 3) == "0.333333");
  CHECK(exact_number_text(100000) == "100000");
  CHECK(exact_number_text(0.1) == "0.1");
  CHECK(exact_number_text(1.0 / 3) == "0.3333333333333333");
  CHECK(cell_text(Cell{}).empty());
}
