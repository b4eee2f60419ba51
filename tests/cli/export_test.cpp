#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "sim/base/json.hpp"
#include "tests/support/shell.hpp"

using namespace epsim;

namespace {

std::string example(const std::string& name) {
  return EPSIM_SOURCE_DIR "/examples/" + name;
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1))
    ++found;
  return found;
}

}  // namespace

TEST_CASE("cli: export reads what run, check and replay write") {
  const TemporaryFolder folder;
  const std::string decode = example("deepseek_v3_decode_h200.json");
  const std::string few = " --set traffic.tokens_per_rank=8 --json ";
  const std::string files = (folder / "run.json").string() + " " +
                            (folder / "check.json").string() + " " +
                            (folder / "replay.json").string();
  REQUIRE(shell("run " + decode + " --timeline" + few + (folder / "run.json").string()).code == 0);
  (void)shell("check " + decode + " --placements" + few + (folder / "check.json").string());
  REQUIRE(shell("replay " + example("traces/deepep_t8192_serial.json.gz") +
                " --schedule tbo --json " + (folder / "replay.json").string())
              .code == 0);
  const Outcome outcome = shell("export " + files + " --notebook -");
  CAPTURE(outcome.err);
  REQUIRE(outcome.code == 0);
  const JsonDocument document = JsonDocument::parse(outcome.out, "notebook");
  std::vector<std::string> headings;
  JsonObject root = document.root().object();
  for (const JsonValue& value : root.required("cells").array()) {
    JsonObject cell = value.object();
    if (cell.required("id").string().starts_with("section"))
      headings.push_back(cell.required("source").array().front().string());
  }
  REQUIRE(headings.size() == 4);
  CHECK(headings[0] == "## DeepSeek-V3 decode on one HGX H200\n");
  CHECK(headings[1] == "## Timeline");
  CHECK(headings[2].starts_with("## Fences of combine: "));
  CHECK(headings[3].starts_with("## Replay of "));
  // Phases and bounds; a timeline and links of two operations; fences; a step, streams, families.
  CHECK(count(outcome.out, "\"output_type\": \"display_data\"") == 2 + 4 + 1 + 3);
}

TEST_CASE("cli: export writes the same bytes again, as a notebook and as a page") {
  const TemporaryFolder folder;
  const std::string result = (folder / "run.json").string();
  REQUIRE(shell("run " + example("deepseek_v3_decode_h200.json") +
                " --set traffic.tokens_per_rank=4 --json " + result)
              .code == 0);
  const std::string notebook = (folder / "run.ipynb").string();
  const std::string page = (folder / "run.html").string();
  const std::string command = "export " + result + " --notebook " + notebook + " --html " + page;
  REQUIRE(shell(command).code == 0);
  const std::string first = read_text_file(notebook);
  const std::string first_page = read_text_file(page);
  REQUIRE(shell(command).code == 0);
  CHECK(read_text_file(notebook) == first);
  CHECK(read_text_file(page) == first_page);
  CHECK(has(first, "`epsim " + command + "`"));
}

TEST_CASE("cli: export refuses what is no result, and results that go nowhere") {
  const std::string scenario = example("deepseek_v3_decode_h200.json");
  const std::vector<BadInput> bad = {
      {"export " + scenario, "expected --notebook or --html"},
      {"export " + scenario + " --notebook - --html -", "only one result goes to stdout"},
      {"export " + scenario + " --notebook -", "/schema: expected one of epsim.capacity/1"},
      {"export nowhere.json --notebook -", "nowhere.json: no such file"},
      {"export --notebook -", "RESULT"},
  };
  for (const BadInput& each : bad) check_refused(each);
}
