#include "cli/checked_files.hpp"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>
#include <tbb/parallel_for.h>

#include "cli/commands.hpp"
#include "cli/progress.hpp"
#include "sim/base/input_error.hpp"
#include "sim/base/text_file.hpp"
#include "sim/hazards/check_scenario.hpp"
#include "sim/protocols/call_sequence.hpp"
#include "sim/protocols/protocol_file.hpp"
#include "sim/scenario_reach.hpp"

namespace epsim {
namespace {

enum class CheckedSchema : std::uint8_t { scenario, protocol, calls };

// A file with the settings of the command line applied.
struct OpenedFile {
  std::filesystem::path path;
  JsonDocument document;
  CheckedSchema schema;
};

OpenedFile open_file(const std::string& path, const std::vector<std::string>& settings) {
  OpenedFile file{path, JsonDocument::read(path), {}};
  apply_settings(file.document, settings);
  JsonObject root = file.document.root().object();
  file.schema = static_cast<CheckedSchema>(
      root.required("schema").one_of({"epsim.scenario/1", "epsim.protocol/1", "epsim.calls/1"}));
  return file;
}

std::vector<CheckedProgram> check_scenario_file(const OpenedFile& file,
                                                const CheckRequest& request) {
  const Scenario scenario = read_scenario(file.document, file.path.parent_path());
  require_every_access(scenario);
  const Calibration calibration = load_calibration(scenario.calibration);
  const Workload workload = make_workload(scenario);
  const std::vector<MoeOperation> operations = scenario_operations(scenario);
  std::vector<CheckedProgram> programs(operations.size());
  Progress progress("check", operations.size());
  tbb::parallel_for(std::size_t{0}, operations.size(), [&](std::size_t i) {
    programs[i] =
        check_operation({scenario, workload, calibration, request.options}, operations[i]);
    progress.step();
  });
  progress.finish();
  if (!request.eager) programs.push_back(check_capture(scenario));
  return programs;
}

CheckedProgram check_protocol(const Protocol& protocol, const CheckOptions& options) {
  const SyncProgram& program = protocol.program;
  CheckedProgram checked;
  checked.report = find_hazards(program, options);
  checked.report.name = protocol.variant.empty()
                            ? protocol.name
                            : fmt::format("{} ({})", protocol.name, protocol.variant);
  checked.text = protocol.text;
  for (const Finding& finding : checked.report.findings) {
    const std::size_t op = finding.second.op;
    const std::size_t source = op < program.ops.size() ? program.ops[op].source : kNone;
    checked.pointers.push_back(source < protocol.pointers.size() ? protocol.pointers[source] : "");
  }
  for (const PathQuestion& path : protocol.paths)
    checked.paths.push_back(
        {path.from, path.to, happens_before_path(program, path.first, path.second)});
  return checked;
}

std::vector<CheckedProgram> check_protocol_file(const OpenedFile& file,
                                                const CheckRequest& request) {
  const std::vector<ProtocolVariant> variants = protocol_variants(file.document);
  std::vector<CheckedProgram> programs;
  for (const ProtocolVariant& variant : variants) {
    if (!request.variant.empty() && variant.name != request.variant) continue;
    CheckedProgram checked =
        check_protocol(read_protocol(file.document, variant.name), request.options);
    checked.text = variant.text;
    if (variant.measured) checked.measured_us = to_us(*variant.measured);
    checked.source = variant.source;
    programs.push_back(std::move(checked));
  }
  if (programs.empty())  // a file without variants; or none of that name, which is refused
    programs.push_back(
        check_protocol(read_protocol(file.document, request.variant), request.options));
  return programs;
}

std::vector<CheckedProgram> check_file(const OpenedFile& file, const CheckRequest& request) {
  switch (file.schema) {
    case CheckedSchema::scenario:
      return check_scenario_file(file, request);
    case CheckedSchema::protocol:
      return check_protocol_file(file, request);
    case CheckedSchema::calls:
      break;
  }
  return {check_call_file(read_call_sequence(file.document), request.options)};
}

std::vector<PlacementTable> tables_of(const OpenedFile& file) {
  const Scenario scenario = read_scenario(file.document, file.path.parent_path());
  require_every_access(scenario);
  const Calibration calibration = load_calibration(scenario.calibration);
  const Workload workload = make_workload(scenario);
  const FamilyKind& kind = *find_family(scenario.kernel);
  std::vector<PlacementTable> tables;
  for (const MoeOperation operation : scenario_operations(scenario)) {
    std::vector<FenceChoice> choices = possible_placements(kind, operation);
    if (choices.empty()) continue;
    const FenceChoice chosen = chosen_fence(workload, operation);
    if (std::find(choices.begin(), choices.end(), chosen) == choices.end())
      choices.push_back(chosen);
    PlacementTable table{.scenario = scenario.name,
                         .file = file.path.string(),
                         .operation = operation,
                         .chosen = chosen,
                         .rows = std::vector<PlacementRow>(choices.size())};
    const PlacementQuestion question{workload, calibration, kind, operation};
    Progress progress("placements", choices.size());
    tbb::parallel_for(std::size_t{0}, choices.size(), [&](std::size_t i) {
      table.rows[i] = evaluate_placement(question, choices[i]);
      progress.step();
    });
    progress.finish();
    compare_placements(table.rows);
    tables.push_back(std::move(table));
  }
  if (tables.empty())
    throw InputError(
        scenario.file,
        "/kernel/family",
        fmt::format("no operation of {} that runs here has fence placements", scenario.kernel));
  return tables;
}

}  // namespace

std::vector<CheckedFile> check_files(const CheckRequest& request) {
  std::vector<CheckedFile> files;
  for (const std::string& path : request.paths) {
    const OpenedFile file = open_file(path, request.settings);
    files.push_back({path, read_text_file(path), check_file(file, request)});
  }
  return files;
}

std::vector<PlacementTable> placement_tables(const CheckRequest& request) {
  std::vector<PlacementTable> tables;
  for (const std::string& path : request.paths) {
    const OpenedFile file = open_file(path, request.settings);
    if (file.schema != CheckedSchema::scenario)
      throw InputError(path, "/schema", "only a scenario has fence placements to compare");
    for (PlacementTable& table : tables_of(file)) tables.push_back(std::move(table));
  }
  return tables;
}

}  // namespace epsim
