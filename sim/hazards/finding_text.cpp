#include "sim/hazards/finding_text.hpp"

#include <array>
#include <cmath>
#include <cstdint>
#include <string_view>

#include <fmt/format.h>

#include "sim/base/wrapped_text.hpp"

namespace epsim {
namespace {

constexpr std::size_t kWidth = 100;  // columns of a line
constexpr std::size_t kIndent = 12;  // where what follows a label begins

template <typename Enum, std::size_t N>
std::string_view name_of(const std::array<std::string_view, N>& names, Enum value) {
  return names[static_cast<std::size_t>(value)];
}

std::string labelled(std::string_view label, std::string_view text) {
  if (text.empty()) return {};
  return fmt::format("  {:<{}}{}\n", label, kIndent - 2, wrapped(text, kIndent, kWidth));
}

// Small times with more digits; the sign only where it says something.
std::string us_text(double us) {
  return std::abs(us) < 10 ? fmt::format("{:.2f} us", us) : fmt::format("{:.1f} us", us);
}

std::string order_text(const std::vector<std::string>& path) {
  std::string text;
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (i > 0) text += '\n' + std::string(kIndent, ' ');
    text += wrapped(fmt::format("{}. {}", i + 1, path[i]), kIndent, kWidth);
  }
  return path.empty() ? "none" : text;
}

std::string closing_text(const Finding& finding) {
  if (finding.closes.empty() || !finding.cost_us) return finding.closes;
  return fmt::format("{}; costs {}", finding.closes, us_text(*finding.cost_us));
}

std::string window_text(const Finding& finding) {
  std::string text;
  if (finding.gap_us) text = fmt::format("{} as planned", us_text(*finding.gap_us));
  if (finding.least_gap_us)
    text += fmt::format(
        "{}{} at the worst delay", text.empty() ? "" : ", ", us_text(*finding.least_gap_us));
  return text;
}

std::string counted(std::uint64_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

// What the file says of a program, and what it asks beside hazards.
std::string preface(const CheckedFile& file, const CheckedProgram& program) {
  const HazardReport& report = program.report;
  std::string text =
      fmt::format("{}: {}: {}\n",
                  file.path,
                  report.name,
                  report.findings.empty() ? "OK" : counted(report.findings.size(), "finding"));
  text += labelled("what", program.text);
  if (program.measured_us)
    text +=
        labelled("measured", fmt::format("{} ({})", us_text(*program.measured_us), program.source));
  for (const PathAnswer& path : program.paths) {
    text += labelled("before?",
                     fmt::format("{} before {}: {}",
                                 path.from,
                                 path.to,
                                 path.steps.empty() ? "nothing orders them" : "yes"));
    if (!path.steps.empty()) text += fmt::format("{:<{}}{}\n", "", kIndent, order_text(path.steps));
  }
  return text;
}

std::string summary(std::span<const CheckedFile> files) {
  std::array<std::size_t, kVerdictNames.size()> of_verdict{};
  std::uint64_t operations = 0;
  std::uint64_t accesses = 0;
  std::size_t programs = 0;
  bool lenient = false;
  for (const CheckedFile& file : files)
    for (const CheckedProgram& program : file.programs) {
      ++programs;
      operations += program.report.operations;
      accesses += program.report.accesses;
      lenient = lenient || program.report.lenient;
      for (const Finding& finding : program.report.findings)
        ++of_verdict[static_cast<std::size_t>(finding.verdict)];
    }
  std::string found;
  for (std::size_t v = of_verdict.size(); v-- > 1;)
    if (of_verdict[v] > 0)
      found += fmt::format("{}{} {}", found.empty() ? "" : ", ", of_verdict[v], kVerdictNames[v]);
  return fmt::format("{}  {} of {} and {} checked{}\n",
                     found.empty() ? "OK" : found,
                     counted(programs, "program"),
                     counted(operations, "operation"),
                     counted(accesses, "pair") + " of accesses",
                     lenient ? ", proxy fences anywhere on the path" : "");
}

// Of calls it is not the order in memory that matters.
bool is_about_memory(HazardKind kind) {
  return kind != HazardKind::collective_order && kind != HazardKind::capture &&
         kind != HazardKind::call_order && kind != HazardKind::deadlock;
}

}  // namespace

std::string finding_text(const Finding& finding) {
  const bool is_pair = !finding.second.text.empty() && finding.second.text != finding.first.text;
  std::string text = fmt::format("{} {} ({})\n",
                                 name_of(kVerdictNames, finding.verdict),
                                 name_of(kHazardKindNames, finding.kind),
                                 name_of(kBasisNames, finding.basis));
  text += labelled(is_pair ? "first" : "at", finding.first.text);
  if (is_pair) text += labelled("second", finding.second.text);
  text += labelled("touching", finding.location);
  if ((is_pair && is_about_memory(finding.kind)) || !finding.path.empty())
    text += fmt::format("  {:<{}}{}\n", "order", kIndent - 2, order_text(finding.path));
  text += labelled("missing", finding.missing);
  text += labelled("closed by", closing_text(finding));
  text += labelled("window", window_text(finding));
  if (finding.instances > 1) text += labelled("seen", counted(finding.instances, "time"));
  return text;
}

std::string hazards_text(std::span<const CheckedFile> files) {
  std::string text;
  for (const CheckedFile& file : files)
    for (const CheckedProgram& program : file.programs) {
      text += preface(file, program);
      for (const Finding& finding : program.report.findings) text += '\n' + finding_text(finding);
      if (!program.report.findings.empty() || !program.text.empty()) text += '\n';
    }
  return text + summary(files);
}

}  // namespace epsim
