// Sample findings: what a checker might have said, with every field filled in or none.
#pragma once

#include <string>
#include <vector>

#include "sim/hazards/checked_file.hpp"

namespace epsim {

inline Finding full_finding() {
  Finding finding;
  finding.kind = HazardKind::stale_read;
  finding.verdict = Verdict::formal;
  finding.basis = Basis::by_analogy;
  finding.first = {3, 17, "rank 1, CTA 3: bulk store"};
  finding.second = {8, 42, "rank 0, CTA 5: bulk load"};
  finding.location = "row 12 of rank 0";
  finding.path = {"rank 1: release of flag 2", "rank 0: acquire of flag 2"};
  finding.missing = "a fence between the proxies";
  finding.closes = "fence.proxy.async in the load warp";
  finding.cost_us = 0.1;
  finding.gap_us = 6.14;
  finding.least_gap_us = -13.86;
  finding.instances = 61;
  return finding;
}

inline Finding bare_finding() {
  Finding finding;
  finding.kind = HazardKind::deadlock;
  finding.verdict = Verdict::error;
  finding.basis = Basis::forbidden_by_text;
  finding.first = finding.second = {0, 1, "rank 0: waits for flag 7"};
  finding.missing = "nobody raises the flag";
  return finding;
}

// A file of two programs: one with both findings, one that is clean.
inline CheckedFile sample_file(const std::string& path) {
  CheckedFile file;
  file.path = path;
  file.text =
      "{\n  \"schema\": \"epsim.scenario/1\",\n  \"combine\": {\n    \"fence\": \"P0\"\n  }\n}\n";
  file.programs.resize(2);
  CheckedProgram& combine = file.programs[0];
  combine.report.name = "combine";
  combine.report.findings = {bare_finding(), full_finding()};
  combine.report.operations = 1450;
  combine.report.accesses = 480;
  combine.pointers = {"", "/combine/fence"};
  file.programs[1].report.name = "capture into a graph";
  return file;
}

}  // namespace epsim
