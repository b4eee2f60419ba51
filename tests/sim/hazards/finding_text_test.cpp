#include "sim/hazards/finding_text.hpp"

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/support/sample_findings.hpp"

using namespace epsim;

TEST_CASE("finding text: a block names both operations, the order, the gap and what closes it") {
  CHECK(finding_text(full_finding()) ==
        "FORMAL stale-read (by analogy)\n"
        "  first     rank 1, CTA 3: bulk store\n"
        "  second    rank 0, CTA 5: bulk load\n"
        "  touching  row 12 of rank 0\n"
        "  order     1. rank 1: release of flag 2\n"
        "            2. rank 0: acquire of flag 2\n"
        "  missing   a fence between the proxies\n"
        "  closed by fence.proxy.async in the load warp; costs 0.10 us\n"
        "  window    6.14 us as planned, -13.9 us at the worst delay\n"
        "  seen      61 times\n");
}

TEST_CASE("finding text: a finding at one operation has no second and no order") {
  CHECK(finding_text(bare_finding()) ==
        "ERROR deadlock (forbidden by the text)\n"
        "  at        rank 0: waits for flag 7\n"
        "  missing   nobody raises the flag\n");
}

TEST_CASE("finding text: two operations without any order say so") {
  Finding finding = full_finding();
  finding.path.clear();
  CHECK(finding_text(finding).find("  order     none\n") != std::string::npos);
}

TEST_CASE("finding text: long lines break at spaces, below their label") {
  Finding finding = bare_finding();
  finding.missing.clear();
  for (int i = 0; i < 20; ++i) finding.missing += "eleven more ";
  const std::string text = finding_text(finding);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    CHECK(end - at <= 100);
    at = end + 1;
  }
  CHECK(text.find("\n            eleven more") != std::string::npos);
}

TEST_CASE("finding text: the last line counts findings by verdict, and what was checked") {
  const std::vector<CheckedFile> files = {sample_file("s.json")};
  const std::string text = hazards_text(files);
  CHECK(text.starts_with("s.json: combine: 2 findings\n\nERROR deadlock"));
  CHECK(text.find("s.json: capture into a graph: OK\n") != std::string::npos);
  CHECK(text.ends_with(
      "\n1 ERROR, 1 FORMAL  2 programs of 1450 operations and 480 pairs of accesses checked\n"));
  CHECK(finding_count(files) == 2);
  CHECK(worst_verdict(files) == Verdict::error);
}

TEST_CASE("finding text: without findings the last line says OK") {
  CheckedFile file = sample_file("s.json");
  file.programs.erase(file.programs.begin());
  file.programs[0].report.lenient = true;
  CHECK(hazards_text(std::vector{file}) ==
        "s.json: capture into a graph: OK\n"
        "OK  1 program of 0 operations and 0 pairs of accesses checked, proxy fences anywhere on "
        "the path\n");
}

TEST_CASE("finding text: a protocol's own words, measurement and questions stand before") {
  CheckedFile file = sample_file("p.json");
  file.programs.erase(file.programs.begin());
  CheckedProgram& program = file.programs[0];
  program.text = "Two warps.";
  program.measured_us = 3.552;
  program.source = "a file";
  program.paths = {{"store", "load", {"store", "barrier", "load"}}, {"load", "store", {}}};
  CHECK(hazards_text(std::vector{file})
            .starts_with("p.json: capture into a graph: OK\n"
                         "  what      Two warps.\n"
                         "  measured  3.55 us (a file)\n"
                         "  before?   store before load: yes\n"
                         "            1. store\n"
                         "            2. barrier\n"
                         "            3. load\n"
                         "  before?   load before store: nothing "
                         "orders them\n"));
}
