// CheckedFile: what the checker said of each program that one file stands for: the operations of a
// scenario, or the one protocol or call sequence that it holds.
#pragma once

#include <algorithm>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "sim/hazards/finding.hpp"

namespace epsim {

// Does one operation happen before another? What the file asks, and the order that was found.
struct PathAnswer {
  std::string from, to;
  std::vector<std::string> steps;  // empty: it does not
};

struct CheckedProgram {
  HazardReport report;
  // JSON pointer into the file, one a finding; fewer, or empty: the file as a whole.
  std::vector<std::string> pointers;
  std::string text;                   // what the file says that this is
  std::optional<double> measured_us;  // what it costs, where the file knows of a measurement
  std::string source;                 // and where that stands
  std::vector<PathAnswer> paths;

  [[nodiscard]] std::string pointer_of(std::size_t finding) const {
    return finding < pointers.size() ? pointers[finding] : std::string();
  }
};

struct CheckedFile {
  std::string path;  // as the user gave it
  std::string text;  // what it holds, to tell the line of a pointer
  std::vector<CheckedProgram> programs;
};

[[nodiscard]] inline std::size_t finding_count(std::span<const CheckedFile> files) {
  std::size_t count = 0;
  for (const CheckedFile& file : files)
    for (const CheckedProgram& program : file.programs) count += program.report.findings.size();
  return count;
}

[[nodiscard]] inline Verdict worst_verdict(std::span<const CheckedFile> files) {
  Verdict worst = Verdict::ok;
  for (const CheckedFile& file : files)
    for (const CheckedProgram& program : file.programs)
      worst = std::max(worst, program.report.verdict());
  return worst;
}

}  // namespace epsim
