// Every protocol of examples/ is checked, and what it gives is compared with the committed table:
// sixteen hazards broken and fixed, further protocols, and the five seeds.
// EPSIM_UPDATE_GOLDEN=1 rewrites the table; git diff reviews.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "sim/base/text_file.hpp"
#include "sim/hazards/happens_before.hpp"
#include "sim/protocols/protocol_file.hpp"

using namespace epsim;

namespace {

const std::filesystem::path kExamples = std::filesystem::path(EPSIM_SOURCE_DIR) / "examples";
const std::filesystem::path kTable =
    std::filesystem::path(EPSIM_SOURCE_DIR) / "tests" / "golden" / "hazard_rows.md";

struct Checked {
  std::string file;  // without folder and ending
  Protocol protocol;
  HazardReport strict, lenient;
};

std::string name_of(Verdict verdict) {
  return std::string(kVerdictNames[static_cast<std::size_t>(verdict)]);
}

// The finding that the file expects; OK expects none.
const Finding* meant(const Checked& checked) {
  REQUIRE(checked.protocol.expect);
  return expected_finding(*checked.protocol.expect, checked.strict);
}

void check_expectation(const Checked& checked) {
  CAPTURE(checked.file);
  CAPTURE(checked.protocol.variant);
  REQUIRE(checked.protocol.expect);
  const Verdict expected = checked.protocol.expect->verdict;
  CHECK(name_of(checked.strict.verdict()) == name_of(expected));
  if (expected != Verdict::ok) CHECK(meant(checked) != nullptr);
  for (const PathQuestion& path : checked.protocol.paths) {
    CAPTURE(path.from);
    CAPTURE(path.to);
    const auto steps = happens_before_path(checked.protocol.program, path.first, path.second);
    CHECK(!steps.empty() == path.exists);
  }
}

Checked check_one(const std::filesystem::path& path,
                  const JsonDocument& document,
                  const std::string& variant) {
  Checked checked{path.stem().string(), read_protocol(document, variant), {}, {}};
  checked.strict = find_hazards(checked.protocol.program);
  checked.lenient = find_hazards(checked.protocol.program, {.lenient = true});
  check_expectation(checked);
  return checked;
}

// All protocols of a folder, by name, each variant apart.
std::vector<Checked> check_folder(const std::string& folder) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(kExamples / folder))
    paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  std::vector<Checked> all;
  for (const auto& path : paths) {
    const JsonDocument document = JsonDocument::read(path);
    if (!is_protocol(document)) continue;
    const auto variants = protocol_variants(document);
    if (variants.empty()) all.push_back(check_one(path, document, ""));
    for (const ProtocolVariant& variant : variants)
      all.push_back(check_one(path, document, variant.name));
  }
  return all;
}

std::string cells(const Checked& checked) {
  const Finding* finding = meant(checked);
  if (finding == nullptr) return fmt::format("{} | | | |", name_of(checked.strict.verdict()));
  return fmt::format("{} | {} | {} | {} |",
                     name_of(checked.strict.verdict()),
                     name_of(checked.lenient.verdict()),
                     kHazardKindNames[static_cast<std::size_t>(finding->kind)],
                     finding->closes);
}

bool is_row(const Checked& checked) {
  return checked.file.starts_with("z");
}

// Broken and fixed form of one row side by side.
std::string rows_table(const std::vector<Checked>& all) {
  std::string text =
      "| row | protocol | broken | lenient | kind | closed by | fixed |\n"
      "|---|---|---|---|---|---|---|\n";
  std::size_t rows = 0;
  for (std::size_t i = 0; i + 1 < all.size(); ++i) {
    if (!is_row(all[i]) || !all[i].file.ends_with("_broken")) continue;
    const std::string stem = all[i].file.substr(0, all[i].file.size() - 7);
    REQUIRE(all[i + 1].file == stem + "_fixed");
    CHECK(all[i].strict.verdict() != Verdict::ok);
    CHECK(name_of(all[i + 1].strict.verdict()) == "OK");
    const std::string& name = all[i].protocol.name;
    text += fmt::format("| Z{} | {} | {} {} |\n",
                        stem.substr(1),
                        name.substr(name.find(": ") + 2),
                        cells(all[i]),
                        name_of(all[i + 1].strict.verdict()));
    ++rows;
  }
  CHECK(rows == 16);  // Z1a to Z1c, Z2a to Z2e, Z3a to Z3d, Z4a to Z4c, Z5
  return text;
}

std::string others_table(const std::vector<Checked>& all) {
  std::string text =
      "| protocol | variant | verdict | lenient | kind | closed by |\n"
      "|---|---|---|---|---|---|\n";
  for (const Checked& checked : all)
    if (!is_row(checked))
      text +=
          fmt::format("| {} | {} | {}\n", checked.file, checked.protocol.variant, cells(checked));
  return text;
}

}  // namespace

TEST_CASE("hazard rows: every example gives the verdict, kind and remedy of the committed table") {
  const std::vector<Checked> hazards = check_folder("hazards");
  const std::vector<Checked> seeds = check_folder("seeds");
  const std::string text =
      "# What `epsim check` says of every protocol in examples/\n\n"
      "Written by tests/sim/hazards/hazard_rows_test.cpp.\n\n" +
      rows_table(hazards) + "\n" + others_table(hazards) + "\n" + others_table(seeds);
  if (std::getenv("EPSIM_UPDATE_GOLDEN") != nullptr) replace_text_file(kTable, text);
  INFO("EPSIM_UPDATE_GOLDEN=1 rewrites it; see what changed with git diff");
  const bool is_same = read_text_file(kTable) == text;
  CHECK(is_same);
}

TEST_CASE("hazard rows: correct protocols have no finding, strict or lenient") {
  std::size_t controls = 0;
  for (const Checked& checked : check_folder("hazards")) {
    if (checked.protocol.expect->verdict != Verdict::ok) continue;
    CAPTURE(checked.file);
    CHECK(checked.strict.findings.empty());
    CHECK(checked.lenient.findings.empty());
    ++controls;
  }
  CHECK(controls >= 20);  // 16 fixed rows, queue, barrier, exchange and what else there is
}

TEST_CASE("hazard rows: each fence placement of a combine closes the edges that it is said to") {
  struct Placement {
    const char* name;
    bool e1, e2, e1_if_lenient;  // open edges
  };
  const JsonDocument document = JsonDocument::read(kExamples / "hazards" / "fence_placements.json");
  for (const Placement& placement : {Placement{"P0", true, true, true},
                                     Placement{"P1", true, true, false},
                                     Placement{"P1b", false, true, false},
                                     Placement{"P2", false, true, false},
                                     Placement{"P3", false, false, false},
                                     Placement{"P3g", false, true, false},
                                     Placement{"P3s", true, false, true},
                                     Placement{"P4", true, false, true},
                                     Placement{"P5", true, true, true},
                                     Placement{"P6", false, false, false},
                                     Placement{"P7", false, true, false},
                                     Placement{"P1b+P4", false, false, false},
                                     Placement{"P7+P4", false, false, false}}) {
    CAPTURE(placement.name);
    const SyncProgram program = read_protocol(document, placement.name).program;
    const auto has = [&](HazardKind kind, bool lenient) {
      const HazardReport report = find_hazards(program, {.lenient = lenient});
      return std::any_of(report.findings.begin(),
                         report.findings.end(),
                         [&](const Finding& finding) { return finding.kind == kind; });
    };
    CHECK(has(HazardKind::stale_read, false) == placement.e1);
    CHECK(has(HazardKind::overwritten_read, false) == placement.e2);
    CHECK(has(HazardKind::stale_read, true) == placement.e1_if_lenient);
  }
}

TEST_CASE("hazard rows: the deeper the queue before a gather, the earlier the NIC reads too soon") {
  const JsonDocument document = JsonDocument::read(kExamples / "seeds" / "s3_staging_gather.json");
  // A kernel in front takes 16.8 us, of which the next launch hides 2 us; the reader starts 3.6 us
  // after the call, the gather ends 1.6 us after its start: 2 us - depth * 14.8 us.
  for (const auto& [variant, gap_us] : {std::pair{"unsynchronised, idle GPU", 2.0},
                                        std::pair{"unsynchronised, 1 kernel in front", -12.8},
                                        std::pair{"unsynchronised, 4 kernels in front", -57.2},
                                        std::pair{"unsynchronised, 16 kernels in front", -234.8}}) {
    CAPTURE(variant);
    const HazardReport report = find_hazards(read_protocol(document, variant).program);
    REQUIRE(report.findings.size() == 1);
    REQUIRE(report.findings[0].gap_us);
    CHECK(*report.findings[0].gap_us == doctest::Approx(gap_us).epsilon(0.01));
    CHECK(*report.findings[0].least_gap_us < 0);
  }
}
