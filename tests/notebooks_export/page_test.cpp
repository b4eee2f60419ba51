#include <algorithm>
#include <array>
#include <regex>
#include <stdexcept>
#include <string>
#include <string_view>

#include <doctest/doctest.h>

#include "notebooks_export/export_document.hpp"
#include "sim/base/embedded_file.hpp"
#include "sim/base/json.hpp"
#include "tests/notebooks_export/page_sample.hpp"

using namespace epsim;

namespace {

bool has_libraries() {
  if (!embedded::page_libraries().empty()) return true;
  MESSAGE("SKIPPED: built without Vega (npm ci --prefix notebooks_export --ignore-scripts)");
  return false;
}

std::size_t count_of(std::string_view text, std::string_view part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1))
    ++count;
  return count;
}

// What stands between the first `begin` and the next `end`.
std::string between(const std::string& text, std::string_view begin, std::string_view end) {
  const std::size_t from = text.find(begin);
  REQUIRE(from != std::string::npos);
  const std::size_t to = text.find(end, from + begin.size());
  REQUIRE(to != std::string::npos);
  return text.substr(from + begin.size(), to - from - begin.size());
}

// A page without its scripts and comments: what a browser may load things for.
std::string markup_of(const std::string& page) {
  std::string text;
  std::size_t at = 0;
  while (at < page.size()) {
    const std::size_t script = page.find("<script", at);
    const std::size_t comment = page.find("<!--", at);
    const std::size_t next = std::min(script, comment);
    text += page.substr(at, next - at);
    if (next == std::string::npos) break;
    const std::string_view end = next == script ? "</script>" : "-->";
    at = page.find(end, next) + end.size();
  }
  return text;
}

ExportDocument hostile() {
  const std::string text = "</script><script>alert(1)</script><!-- \" ' & {{title}} \\u003c";
  ExportDocument document = page_sample();
  document.title = text;
  document.command = text;
  for (ExportSection& section : document.sections) {
    section.heading = text;
    section.paragraphs = {text};
    for (ExportTable& table : section.tables) {
      table.title = text;
      for (Column& column : table.columns) column.label = text;
      for (std::vector<Cell>& row : table.rows)
        for (Cell& cell : row)
          if (std::holds_alternative<std::string>(cell)) cell = text;
    }
    for (ExportChart& chart : section.charts) chart.title = text;
  }
  return document;
}

}  // namespace

TEST_CASE("Page: a build without Vega says how to get it") {
  if (!embedded::page_libraries().empty()) return;
  CHECK_THROWS_AS((void)page_text(page_sample()), std::runtime_error);
}

TEST_CASE("Page: the same document gives the same bytes") {
  if (!has_libraries()) return;
  CHECK(page_text(page_sample()) == page_text(page_sample()));
}

TEST_CASE("Page: nothing in it asks for anything outside") {
  if (!has_libraries()) return;
  const std::string page = page_text(page_sample());
  const std::string markup = markup_of(page);
  // Names of XML namespaces are no addresses.
  const std::regex outside(
      R"re((src|href|action|poster|data)\s*=\s*"(?!#)|url\(|@import|<link|<base)re");
  std::smatch found;
  const bool is_found = std::regex_search(markup, found, outside);
  CAPTURE(found.str());
  CHECK_FALSE(is_found);
  CHECK(count_of(page, "<script src") == 0);
  CHECK(count_of(markup, "default-src 'none'") == 1);
  CHECK(count_of(markup, "unsafe-eval") == 0);
}

TEST_CASE("Page: whatever a result says, it stays text") {
  if (!has_libraries()) return;
  const std::string plain = page_text(page_sample());
  const std::string page = page_text(hostile());
  for (const char* part :
       {"<script", "</script>", "<!--", "-->", "<section", "<svg", "</noscript>"}) {
    CAPTURE(part);
    CHECK(count_of(page, part) == count_of(plain, part));
  }
  CHECK(between(page, "<title>", "</title>").starts_with("&lt;/script&gt;&lt;script&gt;"));
  CHECK(count_of(page, "{{title}}") > 10);  // the text's own, which is filled in nowhere
}

TEST_CASE("Page: it holds each table once, and every cell as it was") {
  if (!has_libraries()) return;
  const ExportDocument document = page_sample();
  const std::string json = between(
      page_text(document), "<script type=\"application/json\" id=\"document\">", "</script>");
  const JsonDocument parsed = JsonDocument::parse(json, "page");
  JsonObject root = parsed.root().object();
  const std::vector<JsonValue> tables = root.required("tables").array();
  REQUIRE(tables.size() == 5);
  JsonObject first = tables[0].object();
  const ExportTable& table = document.sections[0].tables[0];
  const std::vector<JsonValue> rows = first.required("rows").array();
  REQUIRE(rows.size() == table.rows.size());
  for (std::size_t r = 0; r < rows.size(); ++r)
    for (std::size_t c = 0; c < table.columns.size(); ++c) {
      const JsonValue cell = rows[r].array().at(c);
      if (const auto* number = std::get_if<double>(&table.rows[r][c]))
        CHECK(cell.number() == *number);
      else if (const auto* word = std::get_if<std::string>(&table.rows[r][c]))
        CHECK(cell.string() == *word);
      else
        CHECK(cell.is_null());
    }
  const std::vector<JsonValue> charts = root.required("charts").array();
  REQUIRE(charts.size() == 6);
  for (const JsonValue& chart : charts) {
    JsonObject fields = chart.object();
    const std::vector<std::string> keys = fields.required("spec").object().keys();
    CHECK(std::find(keys.begin(), keys.end(), "data") == keys.end());
  }
}

TEST_CASE("Page: without scripts there are pictures and plain tables") {
  if (!has_libraries()) return;
  const std::string markup = markup_of(page_text(page_sample()));
  CHECK(count_of(markup, "<noscript><svg") == 6);
  CHECK(count_of(markup, "<noscript><p>") == 5);
  CHECK(count_of(markup, "<table") == 5);
}
