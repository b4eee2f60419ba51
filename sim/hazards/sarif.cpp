#include "sim/hazards/sarif.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <string_view>

#include <fmt/format.h>

#include "sim/base/json_line.hpp"
#include "sim/base/json_writer.hpp"
#include "sim/hazards/finding_text.hpp"
#include "sim/hazards/hazard_rules.hpp"

namespace epsim {
namespace {

constexpr int kInlineDepth = 12;
constexpr std::string_view kSchema =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";
// Our own fingerprint; the name carries the version of how it is made.
constexpr std::string_view kFingerprint = "epsimFinding/v1";

std::string_view level_of(Verdict verdict) {
  constexpr std::array<std::string_view, 4> kLevels = {"none", "note", "warning", "error"};
  static_assert(kLevels.size() == kVerdictNames.size());
  return kLevels[static_cast<std::size_t>(verdict)];
}

void write_message(std::string_view key, std::string_view text, JsonWriter& writer) {
  writer.key(key).begin_object().field("text", text).end_object();
}

void write_driver(JsonWriter& writer) {
  writer.key("tool").begin_object().key("driver").begin_object();
  writer.field("name", "epsim").key("rules").begin_array();
  for (const HazardRule& rule : hazard_rules()) {
    writer.begin_object();
    writer.field("id", kHazardKindNames[static_cast<std::size_t>(rule.kind)]);
    writer.field("name", rule.name);
    write_message("shortDescription", rule.summary, writer);
    write_message("fullDescription", rule.summary, writer);
    write_message("help", rule.help, writer);
    writer.key("defaultConfiguration").begin_object().field("level", "warning").end_object();
    writer.end_object();
  }
  writer.end_array().end_object().end_object();
}

bool is_relative(std::string_view uri) {
  return uri.find("://") == std::string_view::npos;
}

// Where a finding is shown: a line of the file, and the JSON pointer of what asks for it.
void write_location(const CheckedFile& file,
                    const std::string& uri,
                    const std::string& pointer,
                    JsonWriter& writer) {
  writer.key("locations").begin_array().begin_object();
  writer.key("physicalLocation").begin_object().key("artifactLocation").begin_object();
  writer.field("uri", uri);
  if (is_relative(uri)) writer.field("uriBaseId", "%SRCROOT%");
  writer.end_object().key("region").begin_object();
  writer.field("startLine", line_of_pointer(file.text, pointer)).end_object().end_object();
  if (!pointer.empty()) {
    writer.key("logicalLocations").begin_array().begin_object();
    writer.field("fullyQualifiedName", pointer).field("kind", "value");
    writer.end_object().end_array();
  }
  writer.end_object().end_array();
}

void write_properties(const HazardReport& report, const Finding& finding, JsonWriter& writer) {
  writer.key("properties").begin_object();
  writer.field("verdict", kVerdictNames[static_cast<std::size_t>(finding.verdict)]);
  writer.field("basis", kBasisNames[static_cast<std::size_t>(finding.basis)]);
  writer.field("program", report.name).field("lenient", report.lenient);
  if (finding.cost_us) writer.field("closing_cost_us", *finding.cost_us);
  if (finding.gap_us) writer.field("gap_us", *finding.gap_us);
  if (finding.least_gap_us) writer.field("least_gap_us", *finding.least_gap_us);
  writer.end_object();
}

// Numbers change with the size of the scenario, and a finding does not.
std::string without_numbers(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool is_digit = c >= '0' && c <= '9';
    if (!is_digit)
      out += c;
    else if (out.empty() || out.back() != '#')
      out += '#';
  }
  return out;
}

class SarifWriter {
 public:
  SarifWriter(std::span<const CheckedFile> files, const std::filesystem::path& root)
      : files_(files), root_(root) {}

  std::string write() {
    writer_.begin_object().field("$schema", kSchema).field("version", "2.1.0");
    writer_.key("runs").begin_array().begin_object();
    write_driver(writer_);
    writer_.field("columnKind", "unicodeCodePoints").key("results").begin_array();
    for (const CheckedFile& file : files_) {
      const std::string uri = artifact_uri(file.path, root_);
      for (const CheckedProgram& program : file.programs)
        for (std::size_t i = 0; i < program.report.findings.size(); ++i)
          write_result(file, uri, program, i);
    }
    writer_.end_array().end_object().end_array().end_object();
    return writer_.take();
  }

 private:
  void write_result(const CheckedFile& file,
                    const std::string& uri,
                    const CheckedProgram& program,
                    std::size_t index) {
    const Finding& finding = program.report.findings[index];
    const auto kind = static_cast<std::size_t>(finding.kind);
    writer_.begin_object().field("ruleId", kHazardKindNames[kind]).field("ruleIndex", kind);
    writer_.field("level", level_of(finding.verdict)).field("kind", "fail");
    write_message("message", program.report.name + ": " + finding_text(finding), writer_);
    write_location(file, uri, program.pointer_of(index), writer_);
    std::string fingerprint = finding_fingerprint(uri, program.report, finding);
    const std::size_t earlier = seen_[fingerprint]++;  // equal but for numbers
    if (earlier > 0) fingerprint += fmt::format(":{}", earlier + 1);
    writer_.key("partialFingerprints").begin_object().field(kFingerprint, fingerprint);
    writer_.end_object().field("occurrenceCount", finding.instances);
    write_properties(program.report, finding, writer_);
    writer_.end_object();
  }

  std::span<const CheckedFile> files_;
  const std::filesystem::path& root_;
  JsonWriter writer_{kInlineDepth};
  std::map<std::string, std::size_t> seen_;
};

}  // namespace

std::string artifact_uri(const std::filesystem::path& path, const std::filesystem::path& root) {
  const auto whole = std::filesystem::absolute(path).lexically_normal();
  const auto below = whole.lexically_relative(std::filesystem::absolute(root).lexically_normal());
  const bool is_below = !below.empty() && *below.begin() != "..";
  const std::string text = is_below ? below.generic_string() : whole.generic_string();
  constexpr std::string_view kPlain = "-._~/!$&'()*+,;=@";  // beside letters and digits
  std::string uri = is_below ? "" : "file://";
  for (const char c : text) {
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                          (c >= '0' && c <= '9') || kPlain.find(c) != std::string_view::npos;
    uri += is_plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return uri;
}

std::string finding_fingerprint(const std::string& uri,
                                const HazardReport& report,
                                const Finding& finding) {
  const std::string whole = fmt::format("{}\n{}\n{}\n{}\n{}\n{}",
                                        uri,
                                        without_numbers(report.name),
                                        kHazardKindNames[static_cast<std::size_t>(finding.kind)],
                                        without_numbers(finding.first.text),
                                        without_numbers(finding.second.text),
                                        without_numbers(finding.location));
  // FNV-1a, 64 bits.
  std::uint64_t hash = 14'695'981'039'346'656'037U;
  for (const char c : whole) hash = (hash ^ static_cast<unsigned char>(c)) * 1'099'511'628'211U;
  return fmt::format("{:016x}", hash);
}

std::string sarif_text(std::span<const CheckedFile> files, const std::filesystem::path& root) {
  return SarifWriter(files, root).write();
}

}  // namespace epsim
