#include <regex>
#include <set>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "notebooks_export/export_document.hpp"
#include "notebooks_export/notebook_code.hpp"
#include "sim/base/json.hpp"
#include "tests/support/hand_made_document.hpp"

using namespace epsim;

namespace {

std::string joined(const JsonValue& lines) {
  std::string text;
  for (const JsonValue& line : lines.array()) text += line.string();
  return text;
}

struct NotebookCell {
  std::string kind, id, source;
  std::vector<JsonValue> outputs;
};

std::vector<NotebookCell> cells_of(const std::string& text) {
  const JsonDocument document = JsonDocument::parse(text, "notebook");
  JsonObject root = document.root().object();
  CHECK(root.required("nbformat").integer_in(0, 9) == 4);
  CHECK(root.required("nbformat_minor").integer_in(0, 9) == 5);
  (void)root.required("metadata");
  std::vector<NotebookCell> cells;
  for (const JsonValue& value : root.required("cells").array()) {
    JsonObject cell = value.object();
    NotebookCell found{.kind = cell.required("cell_type").string(),
                       .id = cell.required("id").string(),
                       .source = joined(cell.required("source")),
                       .outputs = {}};
    (void)cell.required("metadata");
    if (found.kind == "code") {
      found.outputs = cell.required("outputs").array();
      (void)cell.required("execution_count");
    }
    cell.finish();
    cells.push_back(std::move(found));
  }
  root.finish();
  return cells;
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("Notebook: a document is a title and sections of tables, each with its charts below") {
  const std::vector<NotebookCell> cells = cells_of(notebook_text(hand_made_document()));
  std::vector<std::string> ids;
  for (const NotebookCell& cell : cells) ids.push_back(cell.id);
  CHECK(ids == std::vector<std::string>{"title",
                                        "setup",
                                        "section-1",
                                        "table-1",
                                        "chart-1",
                                        "section-2",
                                        "table-2",
                                        "chart-2",
                                        "table-3",
                                        "chart-3",
                                        "table-4",
                                        "chart-4"});
  CHECK(has(cells[0].source, "Results \\<of\\> a \"test\" & more"));
  CHECK(has(cells[0].source, "`epsim export made_by_hand.json --notebook results.ipynb`"));
  CHECK(has(cells[2].source, "what, \\*with\\* signs."));
}

TEST_CASE("Notebook: a chart has been executed, for those who draw Vega-Lite and for all others") {
  for (const NotebookCell& cell : cells_of(notebook_text(hand_made_document()))) {
    if (!cell.id.starts_with("chart")) continue;
    CAPTURE(cell.id);
    REQUIRE(cell.outputs.size() == 1);
    JsonObject output = cell.outputs.front().object();
    CHECK(output.required("output_type").string() == "display_data");
    JsonObject data = output.required("data").object();
    CHECK(has(joined(data.required("image/svg+xml")), "<svg "));
    CHECK(data.required("application/vnd.vegalite.v5+json").is_object());
    CHECK_FALSE(joined(data.required("text/plain")).empty());
    CHECK(has(cell.source, "plt.show()"));
  }
}

TEST_CASE("Notebook: a table stands in its cell as code, a row a line") {
  const NotebookCell cell = cells_of(notebook_text(hand_made_document()))[3];
  CHECK(cell.source == R"(# Deployments
deployments = pd.DataFrame(
    columns=["ranks", "kernel", "latency_ms", "tokens_per_s_per_gpu", "pareto"],
    data=[
        [8, "ll", 20.5, 900, 1],
        [16, "ll", 31, 1500, 1],
        [32, "normal", 44, 1450, 0],
        [32, "normal", 60, 2100, 1],
        [64, "ll", None, 2500, 0],
    ],
)
deployments)");
  JsonObject output = cell.outputs.front().object();
  JsonObject data = output.required("data").object();
  CHECK(joined(data.required("text/plain")) ==
        "ranks  kernel  latency_ms  tokens_per_s_per_gpu  pareto\n"
        "    8      ll        20.5                   900       1\n"
        "   16      ll          31                  1500       1\n"
        "   32  normal          44                  1450       0\n"
        "   32  normal          60                  2100       1\n"
        "   64      ll           –                  2500       0");
  CHECK(has(joined(data.required("text/html")), "<td>2500</td>"));
}

TEST_CASE("Notebook: a large table is lines of JSON, and its output its head") {
  ExportDocument document = hand_made_document();
  ExportTable& table = document.sections[0].tables[0];
  const std::vector<Cell> row = table.rows[4];
  table.rows.assign(kMostCodeRows + 1, row);
  table.rows[1][1] = std::string("\"\"\"\n'");
  const NotebookCell cell = cells_of(notebook_text(document))[3];
  CHECK(has(cell.source, "\n[64, \"ll\", null, 2500, 0]\n"));
  CHECK(has(cell.source, "[64, \"\\\"\\\"\\\"\\n'\", null, 2500, 0]\n"));
  CHECK(has(cell.source, "deployments.head(20)"));
  // Where the text begins and where it ends; no row of it holds three quotes.
  const std::regex quotes(R"re("""|r""")re");
  CHECK(std::distance(std::sregex_iterator(cell.source.begin(), cell.source.end(), quotes), {}) ==
        2);
  JsonObject output = cell.outputs.front().object();
  JsonObject data = output.required("data").object();
  CHECK(has(joined(data.required("text/plain")), "first 20 of 2001 rows"));
}

TEST_CASE("Notebook: a chart over a later section's table finds it") {
  ExportDocument document = hand_made_document();
  std::swap(document.sections[0].charts, document.sections[1].charts);
  const std::vector<NotebookCell> cells = cells_of(notebook_text(document));
  std::set<std::string> tables;
  const std::regex made(R"((\w+) = pd\.DataFrame)");
  const std::regex used(R"(drawn = (\w+)\.dropna)");
  for (const NotebookCell& cell : cells) {
    std::smatch match;
    if (std::regex_search(cell.source, match, made)) CHECK(tables.insert(match[1]).second);
    if (std::regex_search(cell.source, match, used)) CHECK(tables.contains(match[1]));
  }
  CHECK(tables.size() == 4);
}

TEST_CASE("Notebook: the same document is the same bytes") {
  CHECK(notebook_text(hand_made_document()) == notebook_text(hand_made_document()));
}
