#include "sim/sweep/sweep_point.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "models/kernel_families.hpp"
#include "models/step_constants.hpp"
#include "sim/base/check.hpp"
#include "sim/base/input_error.hpp"
#include "sim/base/json_writer.hpp"
#include "sim/base/text_file.hpp"
#include "sim/report.hpp"
#include "sim/scenario_reach.hpp"
#include "sim/step_report.hpp"

namespace epsim {
namespace {

constexpr std::size_t column_of(std::string_view name) {
  std::size_t column = 0;
  while (column < kSweepColumns.size() && kSweepColumns[column].name != name) ++column;
  return column;
}

SweepCell& cell(SweepRow& row, std::string_view name) {
  const std::size_t column = column_of(name);
  check(column < row.size(), "a row is filled by the names of its columns");
  return row[column];
}

// As in reports: divided, so that the double nearest to the picoseconds prints short.
double us_of(Duration length) {
  return static_cast<double>(length.count()) / 1e6;
}

std::string joined(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : "; ") + part;
  return text;
}

SweepRow operation_row(const Report& report) {
  SweepRow row;
  cell(row, "operation") =
      std::string(kMoeOperationNames[static_cast<std::size_t>(report.operation)]);
  cell(row, "latency_us") = us_of(report.latency);
  cell(row, "low_us") = report.interval.low_us;
  cell(row, "high_us") = report.interval.high_us;
  cell(row, "bound_us") = us_of(report.bounds.tightest().latency);
  cell(row, "bound_by") = report.bound_name;
  if (const ResourceUse* use = report.bottleneck()) cell(row, "bottleneck") = use->name();
  double busy = 0;
  for (const ResourceUse& use : report.busiest) busy = std::max(busy, use.busy);
  cell(row, "busy_pct") = 100.0 * busy;
  cell(row, "in_range") = report.beyond_range.empty();
  if (!report.beyond_range.empty()) cell(row, "beyond") = joined(report.beyond_range);
  return row;
}

std::vector<SweepRow> exchange_rows(const Scenario& scenario, const Calibration& calibration) {
  const KernelFamily& family = calibration.family(scenario.kernel);
  const FamilyKind& kind = *find_family(scenario.kernel);
  const Workload workload = make_workload(scenario);
  std::vector<MoeOperation> operations;
  if (scenario.run_dispatch) operations.push_back(MoeOperation::dispatch);
  if (scenario.run_combine) operations.push_back(MoeOperation::combine);
  std::vector<SweepRow> rows;
  for (const MoeOperation operation : operations) {
    const Prediction prediction =
        predict(operation, workload, kind, calibration.hardware, family.constants);
    const LatencyInterval interval = interval_of(prediction, workload, calibration, family);
    rows.push_back(operation_row(summarize(prediction, workload, family, interval)));
  }
  return rows;
}

SweepRow step_row(const Scenario& scenario,
                  const Calibration& calibration,
                  const ConstantSet& constants) {
  const StepReport report = report_step(scenario, calibration, constants);
  SweepRow row;
  cell(row, "operation") = std::string("step");
  cell(row, "step_us") = to_us(report.run.step);
  cell(row, "serial_us") = to_us(report.serial);
  cell(row, "compute_us") = to_us(report.run.compute);
  cell(row, "communication_us") = to_us(report.counted.communication);
  cell(row, "exposed_us") = to_us(report.counted.exposed());
  cell(row, "overlap_pct") = report.counted.percent();
  return row;
}

// FNV-1a, 64 bit: tells a changed file, and need not withstand anybody's cunning.
std::string fingerprint(std::string_view text) {
  std::uint64_t hash = 14695981039346656037U;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
  return fmt::format("{:016x}", hash);
}

SweepCell read_cell(const JsonValue& value, SweepCellKind kind) {
  if (value.is_null()) return {};
  switch (kind) {
    case SweepCellKind::number:
      return value.number();
    case SweepCellKind::flag:
      return value.boolean();
    case SweepCellKind::text:
      break;
  }
  return value.string();
}

}  // namespace

void write_cell(const SweepCell& cell, JsonWriter& writer) {
  if (const auto* flag = std::get_if<bool>(&cell))
    writer.value(*flag);
  else if (const auto* number = std::get_if<double>(&cell))
    writer.value(*number);
  else if (const auto* text = std::get_if<std::string>(&cell))
    writer.value(*text);
  else
    writer.null();
}

std::string sweep_rows_text(const std::vector<SweepRow>& rows) {
  JsonWriter writer(0);
  writer.begin_array();
  for (const SweepRow& row : rows) {
    writer.begin_array();
    for (const SweepCell& cell : row) write_cell(cell, writer);
    writer.end_array();
  }
  return writer.end_array().take();
}

std::vector<SweepRow> read_sweep_rows(std::string_view text, const std::string& name) {
  std::vector<SweepRow> rows;
  for (const JsonValue& listed : JsonDocument::parse(text, name).root().array()) {
    const std::vector<JsonValue> cells = listed.array();
    SweepRow& row = rows.emplace_back();
    if (cells.size() != row.size()) listed.fail_expected(fmt::format("{} cells", row.size()));
    for (std::size_t c = 0; c < row.size(); ++c)
      row[c] = read_cell(cells[c], kSweepColumns[c].kind);
  }
  return rows;
}

std::shared_ptr<const SweepSimulator::System> SweepSimulator::system_of(const Scenario& scenario) {
  const std::string key = (scenario.schedule ? "step " : "") + scenario.calibration;
  const std::lock_guard lock(mutex_);
  std::shared_ptr<const System>& known = systems_[key];
  if (known) return known;
  System system{.calibration = load_calibration(scenario.calibration), .step_constants = {}};
  if (scenario.schedule) system.step_constants = load_step_constants(system.calibration.system);
  return known = std::make_shared<const System>(std::move(system));
}

void SweepSimulator::note_inputs(const Scenario& scenario, const System& system) {
  const std::filesystem::path folder = std::filesystem::path(sweep_.scenario_file).parent_path();
  const RoutingName& routing = scenario.routing.name;
  const std::lock_guard lock(mutex_);
  const auto note = [&](const std::string& what, const auto& content) {
    if (!inputs_.contains(what)) inputs_[what] = fingerprint(content());
  };
  note("calibration " + scenario.calibration, [&] { return calibration_text(system.calibration); });
  if (!routing.path.empty())
    note("routing " + routing.path, [&] { return read_text_file(folder / routing.path); });
  // A preset is no path; a topology of the user's is one, from the scenario's folder.
  const std::filesystem::path topology = folder / scenario.topology_name;
  if (std::filesystem::is_regular_file(topology))
    note("topology " + scenario.topology_name, [&] { return read_text_file(topology); });
}

std::optional<std::string> SweepSimulator::refusal(std::uint64_t point) {
  try {
    const Scenario scenario = scenario_at(sweep_, point);
    const auto system = system_of(scenario);
    require_network(scenario, system->calibration);
    if (!scenario.kernel.empty()) (void)system->calibration.family(scenario.kernel);
    note_inputs(scenario, *system);
  } catch (const InputError& error) {
    return sweep_.placeless(error.what());
  }
  return std::nullopt;
}

std::vector<SweepRow> SweepSimulator::run(std::uint64_t point) {
  try {
    const Scenario scenario = scenario_at(sweep_, point);
    const auto system = system_of(scenario);
    require_network(scenario, system->calibration);
    if (!scenario.schedule) return exchange_rows(scenario, system->calibration);
    return {step_row(scenario, system->calibration, *system->step_constants)};
  } catch (const InputError& error) {
    SweepRow row;
    cell(row, "error") = sweep_.placeless(error.what());
    return {row};
  }
}

std::string SweepSimulator::inputs() {
  const std::lock_guard lock(mutex_);
  std::string text;
  for (const auto& [what, print] : inputs_) text += what + " " + print + "\n";
  return text;
}

}  // namespace epsim
