#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "notebooks_export/export_document.hpp"
#include "sim/base/json.hpp"
#include "tests/support/hand_made_document.hpp"

using namespace epsim;

namespace {

// A specification and the way to a place in it.
struct Spec {
  JsonDocument document;
  Spec(const ExportChart& chart, const ExportTable& table)
      : document(JsonDocument::parse(vega_lite_spec(chart, table), "spec")) {}

  [[nodiscard]] JsonValue at(const std::vector<std::string>& keys) const {
    JsonValue value = document.root();
    for (const std::string& key : keys) {
      if (value.is_array())
        value = value.array().at(std::stoul(key));
      else
        value = value.object().required(key);
    }
    return value;
  }
  [[nodiscard]] std::size_t rows() const { return at({"data", "values"}).array().size(); }
};

}  // namespace

TEST_CASE("Vega-Lite: points have a row for each mark, and a layer for their line") {
  const Spec spec(points_chart(), deployments_table());
  CHECK(spec.rows() == 4);
  CHECK(spec.at({"data", "name"}).string() == "deployments");
  CHECK(spec.at({"layer", "0", "mark", "type"}).string() == "line");
  CHECK(spec.at({"layer", "0", "transform", "0", "filter", "field"}).string() == "pareto");
  CHECK(spec.at({"layer", "1", "mark", "type"}).string() == "circle");
  CHECK(spec.at({"layer", "1", "encoding", "x", "title"}).string() == "latency, ms");
  CHECK(spec.at({"layer", "1", "encoding", "tooltip"}).array().size() == 3);
  CHECK(spec.at({"transform"}).array().size() == 3);  // x, y and color have to be there
}

TEST_CASE("Vega-Lite: spans, cells and bars are told as such") {
  const Spec spans(spans_chart(), tasks_table());
  CHECK(spans.rows() == 3);
  CHECK(spans.at({"mark", "type"}).string() == "bar");
  CHECK(spans.at({"encoding", "x2", "field"}).string() == "end_us");
  const Spec heat(heat_chart(), links_table());
  CHECK(heat.rows() == 6);
  CHECK(heat.at({"mark", "type"}).string() == "rect");
  CHECK(heat.at({"encoding", "color", "scale", "scheme"}).string() == "viridis");
  const Spec bars(bars_chart(), phases_table());
  CHECK(bars.rows() == 5);
  CHECK(bars.at({"encoding", "xOffset", "field"}).string() == "operation");
}

TEST_CASE("Vega-Lite: a name keeps its colour, whichever rows a page shows") {
  const Spec spec(bars_chart(), phases_table());
  const std::vector<JsonValue> names = spec.at({"encoding", "color", "scale", "domain"}).array();
  REQUIRE(names.size() == 2);
  CHECK(names[1].string() == "combine");
  CHECK(spec.at({"encoding", "color", "scale", "range", "1"}).string() == "#d9662b");
}

TEST_CASE(
    "Vega-Lite: columns that choose rows are in the data, others that nothing shows are not") {
  ExportTable table = deployments_table();
  table.filters = {"ranks"};
  ExportChart chart = points_chart();
  chart.tooltip = {};
  JsonObject row = Spec(chart, table).at({"data", "values", "0"}).object();
  CHECK(row.keys() == std::vector<std::string>{
                          "ranks", "kernel", "latency_ms", "tokens_per_s_per_gpu", "pareto"});
  table.filters = {};
  CHECK(Spec(chart, table).at({"data", "values", "0"}).object().keys().size() == 4);
}

TEST_CASE("Vega-Lite: a point in a column's name is no way into an object") {
  ExportTable table = phases_table();
  table.columns[0].name = "traffic.phase";
  ExportChart chart = bars_chart();
  chart.x = "traffic.phase";
  chart.tooltip = {"traffic.phase"};
  const Spec spec(chart, table);
  CHECK(spec.at({"encoding", "x", "field"}).string() == "traffic\\.phase");
  CHECK(spec.at({"data", "values", "0", "traffic.phase"}).string() == "launch");
}

TEST_CASE("Vega-Lite: logarithmic axes ask for values above zero") {
  ExportChart chart = points_chart();
  chart.log_x = true;
  const Spec spec(chart, deployments_table());
  CHECK(spec.at({"layer", "1", "encoding", "x", "scale", "type"}).string() == "log");
  CHECK(spec.at({"transform", "0", "filter", "gt"}).number() == 0);
}
