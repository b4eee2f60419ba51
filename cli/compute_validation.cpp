#include "cli/compute_validation.hpp"

#include <algorithm>
#include <cmath>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "calibrate/compute_records.hpp"
#include "calibrate/robust_stats.hpp"
#include "cli/output.hpp"
#include "sim/base/json_writer.hpp"
#include "topologies/registry.hpp"

namespace epsim {
namespace {

struct Row {
  ComputeRecord record;
  double law_us = 0;
  [[nodiscard]] double error_percent() const { return 100 * (law_us / record.time_us - 1); }
};

struct Group {
  ComputeKind kind = ComputeKind::gemm;
  std::string kernel;
  bool held_out = false;
  std::vector<double> errors;  // percent, without sign
  double bias = 0;             // median, with sign
};

std::string_view kind_name(ComputeKind kind) {
  return kComputeKindNames[static_cast<std::size_t>(kind)];
}

// In the order in which records first name them, fitted before held out.
std::vector<Group> groups_of(const std::vector<Row>& rows) {
  std::vector<Group> groups;
  for (const Row& row : rows) {
    const auto known = std::ranges::find_if(groups, [&](const Group& group) {
      return group.kind == row.record.kind && group.kernel == row.record.kernel;
    });
    if (known != groups.end()) continue;
    for (const bool held_out : {false, true}) {
      Group group{
          .kind = row.record.kind, .kernel = row.record.kernel, .held_out = held_out, .errors = {}};
      std::vector<double> with_sign;
      for (const Row& one : rows) {
        if (one.record.kind != group.kind || one.record.kernel != group.kernel ||
            one.record.held_out != held_out)
          continue;
        with_sign.push_back(one.error_percent());
        group.errors.push_back(std::abs(one.error_percent()));
      }
      // Where all are held out, the empty group still keeps the pair from being found again.
      group.bias = with_sign.empty() ? 0 : quantile(with_sign, 0.5);
      groups.push_back(std::move(group));
    }
  }
  std::erase_if(groups, [](const Group& group) { return group.errors.empty(); });
  return groups;
}

std::string table_text(const std::vector<Row>& rows) {
  std::string text = fmt::format("{:<18} {:<27} {:<9} {:>4} {:>8} {:>8} {:>8}\n",
                                 "kind",
                                 "kernel",
                                 "records",
                                 "n",
                                 "median",
                                 "p90",
                                 "bias");
  for (const Group& group : groups_of(rows))
    text += fmt::format("{:<18} {:<27} {:<9} {:>4} {:>6.1f} % {:>6.1f} % {:>+6.1f} %\n",
                        kind_name(group.kind),
                        group.kernel,
                        group.held_out ? "held out" : "fitted",
                        group.errors.size(),
                        quantile(group.errors, 0.5),
                        quantile(group.errors, 0.9),
                        group.bias);
  text += fmt::format(
      "\n{:<28} {:<27} {:>11} {:>11} {:>9}\n", "record", "kernel", "measured", "law", "error");
  for (const Row& row : rows)
    text += fmt::format("{:<28} {:<27} {:>8.1f} us {:>8.1f} us {:>+7.1f} %{}\n",
                        row.record.id,
                        row.record.kernel,
                        row.record.time_us,
                        row.law_us,
                        row.error_percent(),
                        row.record.held_out ? "  held out" : "");
  return text;
}

std::string json_text(const std::vector<Row>& rows, const std::string& system) {
  JsonWriter writer;
  writer.begin_object().field("schema", "epsim.compute_validation/1").field("system", system);
  writer.key("groups").begin_array();
  for (const Group& group : groups_of(rows))
    writer.begin_object()
        .field("kind", kind_name(group.kind))
        .field("kernel", group.kernel)
        .field("held_out", group.held_out)
        .field("n", group.errors.size())
        .field("median_abs_pct", quantile(group.errors, 0.5))
        .field("p90_abs_pct", quantile(group.errors, 0.9))
        .field("median_pct", group.bias)
        .end_object();
  writer.end_array().key("records").begin_array();
  for (const Row& row : rows)
    writer.begin_object()
        .field("id", row.record.id)
        .field("kind", kind_name(row.record.kind))
        .field("kernel", row.record.kernel)
        .field("held_out", row.record.held_out)
        .field("measured_us", row.record.time_us)
        .field("law_us", row.law_us)
        .field("error_pct", row.error_percent())
        .field("source", row.record.source)
        .end_object();
  writer.end_array().end_object();
  return writer.take();
}

}  // namespace

ComputeSystem::ComputeSystem(const std::string& system)
    : calibration_(load_calibration(system)),
      topology_(load_topology(calibration_.topology).topology),
      constants_(compute_constants(calibration_, topology_)) {}

StepMachine ComputeSystem::machine() const {
  return step_machine(constants_, calibration_.hardware, topology_.gpu_spec(), 0);
}

void validate_compute(const std::string& records,
                      const std::string& system,
                      const std::string& json) {
  const ComputeSystem loaded(system);
  const StepMachine machine = loaded.machine();
  std::vector<Row> rows;
  for (ComputeRecord& record : read_compute_records(records)) {
    const double law_us = compute_law_us(record, machine);
    rows.push_back({std::move(record), law_us});
  }
  if (!json.empty()) write_result(json, json_text(rows, system));
  if (json != "-") print_result(table_text(rows));
}

}  // namespace epsim
