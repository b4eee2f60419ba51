#include "sim/hazards/finding_json.hpp"

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "sim/base/json.hpp"
#include "tests/support/sample_findings.hpp"

using namespace epsim;

TEST_CASE("finding JSON: a document holds every field of every finding") {
  const std::string text = hazards_json(std::vector{sample_file("s.json")});
  JsonObject root = JsonDocument::parse(text, "hazards").root().object();
  CHECK(root.required("schema").string() == "epsim.hazards/1");
  CHECK(root.required("verdict").string() == "ERROR");
  CHECK(root.required("finding_count").integer_in(0, 9) == 2);
  JsonObject file = root.required("files").array().at(0).object();
  CHECK(file.required("file").string() == "s.json");
  const auto programs = file.required("programs").array();
  REQUIRE(programs.size() == 2);
  JsonObject combine = programs[0].object();
  CHECK(combine.required("name").string() == "combine");
  CHECK(combine.required("verdict").string() == "ERROR");
  CHECK_FALSE(combine.required("lenient").boolean());
  CHECK(combine.required("operation_count").integer_in(0, 9999) == 1450);
  CHECK(combine.required("access_pair_count").integer_in(0, 9999) == 480);
  const auto findings = combine.required("findings").array();
  REQUIRE(findings.size() == 2);
  JsonObject full = findings[1].object();
  CHECK(full.required("kind").string() == "stale-read");
  CHECK(full.required("verdict").string() == "FORMAL");
  CHECK(full.required("basis").string() == "by analogy");
  CHECK(full.required("pointer").string() == "/combine/fence");
  JsonObject first = full.required("first").object();
  CHECK(first.required("agent").integer_in(0, 9) == 3);
  CHECK(first.required("operation").integer_in(0, 99) == 17);
  CHECK(first.required("text").string() == "rank 1, CTA 3: bulk store");
  CHECK(full.required("path").array().size() == 2);
  CHECK(full.required("cost_us").number() == 0.1);
  CHECK(full.required("gap_us").number() == 6.14);
  CHECK(full.required("least_gap_us").number() == -13.86);
  CHECK(full.required("instance_count").integer_in(0, 99) == 61);
  CHECK(findings[0].object().required("cost_us").is_null());
  CHECK(programs[1].object().required("verdict").string() == "OK");
}

TEST_CASE("finding JSON: paths that a protocol asks for say whether they exist, and their steps") {
  CheckedFile file = sample_file("p.json");
  file.programs[1].paths = {{"store", "load", {"store", "load"}}, {"load", "store", {}}};
  const std::string text = hazards_json(std::vector{file});
  JsonObject root = JsonDocument::parse(text, "hazards").root().object();
  JsonObject whole = root.required("files").array().at(0).object();
  JsonObject program = whole.required("programs").array().at(1).object();
  const auto paths = program.required("paths").array();
  REQUIRE(paths.size() == 2);
  CHECK(paths[0].object().required("exists").boolean());
  CHECK(paths[0].object().required("steps").array().size() == 2);
  CHECK_FALSE(paths[1].object().required("exists").boolean());
}
