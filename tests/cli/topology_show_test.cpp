// Topologies as the program lists and shows them.
#include <sstream>
#include <string>

#include <doctest/doctest.h>

#include "sim/base/text_file.hpp"
#include "tests/base/temporary_folder.hpp"
#include "tests/support/shell.hpp"
#include "topologies/registry.hpp"

using namespace epsim;

TEST_CASE("Command line: list topologies tells every preset in a line of its own") {
  const Outcome outcome = shell("list topologies");
  CHECK(outcome.code == 0);
  for (const TopologyPreset& preset : topology_presets()) {
    CAPTURE(preset.name);
    std::istringstream lines(outcome.out);
    bool is_told = false;
    for (std::string line; std::getline(lines, line);)
      if (has(line, preset.name + " ") && has(line, preset.description)) is_told = true;
    CHECK(is_told);
  }
}

TEST_CASE("Command line: topology show draws a picture into a file, and prints what it prints") {
  const TemporaryFolder folder;
  for (const TopologyPreset& preset : topology_presets()) {
    CAPTURE(preset.name);
    const std::string file = (folder.path() / (preset.name + ".svg")).string();
    const Outcome drawn = shell("topology show " + preset.name + " --svg " + file);
    CHECK(drawn.code == 0);
    CHECK(drawn.err.empty());
    CHECK(drawn.out.starts_with(preset.name));
    const std::string svg = read_text_file(file);
    CHECK(svg.starts_with("<svg "));
    CHECK(svg.ends_with("</svg>\n"));
  }
}

TEST_CASE("Command line: a picture on stdout stands there alone") {
  const Outcome outcome = shell("topology show hgx-h800-cx7 --svg -");
  CHECK(outcome.code == 0);
  CHECK(outcome.out.starts_with("<svg "));
  CHECK(outcome.out.ends_with("</svg>\n"));
  check_refused({"topology show hgx-h200 --json - --svg -", "only one result goes to stdout"});
  const Outcome lost = shell("topology show hgx-h200 --svg /no/such/folder/a.svg");
  CHECK(lost.code == 1);
  CHECK(lost.out.empty());
}
