#include "sim/hazards/finding_json.hpp"

#include <array>
#include <optional>
#include <string_view>

namespace epsim {
namespace {

constexpr int kInlineDepth = 8;  // what stands in a finding goes on one line

template <typename Enum, std::size_t N>
std::string_view name_of(const std::array<std::string_view, N>& names, Enum value) {
  return names[static_cast<std::size_t>(value)];
}

void write_operation(std::string_view key, const OperationAt& operation, JsonWriter& writer) {
  writer.key(key);
  if (operation.text.empty()) {
    writer.null();
    return;
  }
  writer.begin_object().field("agent", operation.agent).field("operation", operation.op);
  writer.field("text", operation.text).end_object();
}

void write_us(std::string_view key, const std::optional<double>& time, JsonWriter& writer) {
  writer.key(key);
  time ? writer.value(*time) : writer.null();
}

void write_program(const CheckedProgram& program, JsonWriter& writer) {
  const HazardReport& report = program.report;
  writer.begin_object().field("name", report.name);
  writer.field("verdict", name_of(kVerdictNames, report.verdict()));
  writer.field("lenient", report.lenient).field("operation_count", report.operations);
  writer.field("access_pair_count", report.accesses).field("schedule_count", report.schedules);
  writer.key("findings").begin_array();
  for (std::size_t i = 0; i < report.findings.size(); ++i)
    write_finding(report.findings[i], program.pointer_of(i), writer);
  writer.end_array().field("text", program.text);
  write_us("measured_us", program.measured_us, writer);
  writer.field("measured_source", program.source).key("paths").begin_array();
  for (const PathAnswer& path : program.paths) {
    writer.begin_object().field("from", path.from).field("to", path.to);
    writer.field("exists", !path.steps.empty()).key("steps").begin_array();
    for (const std::string& step : path.steps) writer.value(step);
    writer.end_array().end_object();
  }
  writer.end_array().end_object();
}

}  // namespace

void write_finding(const Finding& finding, std::string_view pointer, JsonWriter& writer) {
  writer.begin_object().field("kind", name_of(kHazardKindNames, finding.kind));
  writer.field("verdict", name_of(kVerdictNames, finding.verdict));
  writer.field("basis", name_of(kBasisNames, finding.basis)).field("pointer", pointer);
  write_operation("first", finding.first, writer);
  write_operation("second", finding.second, writer);
  writer.field("location", finding.location).key("path").begin_array();
  for (const std::string& step : finding.path) writer.value(step);
  writer.end_array().field("missing", finding.missing).field("closes", finding.closes);
  write_us("cost_us", finding.cost_us, writer);
  write_us("gap_us", finding.gap_us, writer);
  write_us("least_gap_us", finding.least_gap_us, writer);
  writer.field("instance_count", finding.instances).end_object();
}

std::string hazards_json(std::span<const CheckedFile> files) {
  JsonWriter writer(kInlineDepth);
  writer.begin_object().field("schema", "epsim.hazards/1");
  writer.field("verdict", name_of(kVerdictNames, worst_verdict(files)));
  writer.field("finding_count", finding_count(files)).key("files").begin_array();
  for (const CheckedFile& file : files) {
    writer.begin_object().field("file", file.path).key("programs").begin_array();
    for (const CheckedProgram& program : file.programs) write_program(program, writer);
    writer.end_array().end_object();
  }
  writer.end_array().end_object();
  return writer.take();
}

}  // namespace epsim
