#include "calibrate/validate.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <set>

#include <fmt/format.h>

namespace epsim {
namespace {

double quantile(const std::vector<double>& sorted, double share) {
  if (sorted.empty()) return 0;
  const double place = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (place - std::floor(place)) * (sorted[above] - sorted[below]);
}

void write_summary(const ErrorSummary& errors, JsonWriter& writer) {
  writer.field("n", errors.count);
  writer.field("median_abs_pct", errors.median_abs_pct).field("p90_abs_pct", errors.p90_abs_pct);
  writer.field("p95_abs_pct", errors.p95_abs_pct).field("max_abs_pct", errors.max_abs_pct);
  writer.field("coverage_pct", errors.coverage_pct);
}

// Kernels that the records have on more than one system.
std::set<std::string> kernels_of_several(const std::vector<ValidationRecord>& records) {
  std::map<std::string, std::string> system_of;
  std::set<std::string> several;
  for (const ValidationRecord& record : records)
    if (system_of.emplace(record.kernel, record.system).first->second != record.system)
      several.insert(record.kernel);
  return several;
}

std::vector<ErrorGroup> grouped(const std::vector<ValidationRecord>& records, bool by_ranks) {
  const std::set<std::string> several = kernels_of_several(records);
  std::vector<ErrorGroup> groups;
  std::vector<std::vector<ValidationRecord>> members;
  for (const ValidationRecord& record : records) {
    const std::string system = several.contains(record.kernel) ? record.system : "";
    const std::uint32_t ranks = by_ranks ? record.ranks : 0;
    const auto known = std::find_if(groups.begin(), groups.end(), [&](const ErrorGroup& group) {
      return group.kernel == record.kernel && group.operation == record.operation &&
             group.system == system && group.ranks == ranks;
    });
    const auto at = static_cast<std::size_t>(known - groups.begin());
    if (known == groups.end()) {
      groups.push_back({record.kernel, record.operation, {}, system, ranks});
      members.emplace_back();
    }
    members[at].push_back(record);
  }
  for (std::size_t i = 0; i < groups.size(); ++i) groups[i].errors = summarize_errors(members[i]);
  return groups;
}

}  // namespace

ErrorSummary summarize_errors(const std::vector<ValidationRecord>& records) {
  std::vector<double> errors;
  std::size_t covered = 0;
  for (const ValidationRecord& record : records) {
    errors.push_back(std::abs(record.error_pct()));
    if (record.covered()) ++covered;
  }
  std::sort(errors.begin(), errors.end());
  if (errors.empty()) return {};
  return {
      .count = errors.size(),
      .median_abs_pct = quantile(errors, 0.5),
      .p90_abs_pct = quantile(errors, 0.9),
      .p95_abs_pct = quantile(errors, 0.95),
      .max_abs_pct = errors.back(),
      .coverage_pct = 100.0 * static_cast<double>(covered) / static_cast<double>(records.size())};
}

std::string ErrorGroup::kernel_text() const {
  return system.empty() ? kernel : kernel + " on " + system;
}

std::vector<ErrorGroup> group_errors(const std::vector<ValidationRecord>& records) {
  return grouped(records, false);
}

std::vector<ErrorGroup> group_errors_by_ranks(const std::vector<ValidationRecord>& records) {
  const std::vector<ErrorGroup> all = grouped(records, true);
  std::vector<ErrorGroup> several;
  for (const ErrorGroup& group : all)
    if (std::any_of(all.begin(), all.end(), [&](const ErrorGroup& other) {
          return other.kernel == group.kernel && other.operation == group.operation &&
                 other.system == group.system && other.ranks != group.ranks;
        }))
      several.push_back(group);
  return several;
}

std::vector<ValidationRecord> unfitted(const std::vector<ValidationRecord>& records) {
  std::vector<ValidationRecord> others;
  std::copy_if(records.begin(),
               records.end(),
               std::back_inserter(others),
               [](const ValidationRecord& record) { return !record.fitted; });
  return others;
}

std::vector<ErrorGroup> held_out_groups(const std::vector<ValidationRecord>& records) {
  std::vector<ValidationRecord> chosen;
  for (ValidationRecord record : records) {
    if (!record.held_out) continue;
    record.operation = "both";  // a family's held-out records are judged together
    chosen.push_back(std::move(record));
  }
  return group_errors(chosen);
}

void write_validation(const std::vector<ValidationRecord>& records, JsonWriter& writer) {
  writer.begin_object().field("schema", "epsim.validation/1");
  writer.key("records").begin_array();
  for (const ValidationRecord& record : records) {
    writer.begin_object().field("id", record.id);
    writer.field("measured_us", record.measured_us).field("predicted_us", record.predicted_us);
    writer.field("error_pct", record.error_pct());
    writer.key("interval_us").begin_array().value(record.low_us).value(record.high_us).end_array();
    writer.field("in_range", record.in_range).field("fitted", record.fitted).end_object();
  }
  writer.end_array().key("groups").begin_array();
  for (const ErrorGroup& group : group_errors(records)) {
    writer.begin_object().field("kernel", group.kernel).field("op", group.operation);
    if (!group.system.empty()) writer.field("system", group.system);
    write_summary(group.errors, writer);
    writer.end_object();
  }
  writer.end_array().key("summary").begin_object();
  write_summary(summarize_errors(records), writer);
  writer.end_object().end_object();
}

std::string validation_text(const std::vector<ValidationRecord>& records) {
  std::size_t width = 2;
  for (const ValidationRecord& record : records) width = std::max(width, record.id.size());
  std::string text = fmt::format("{:<{}}  {:>9}  {:>9}  {:>7}  {:>19}\n",
                                 "record",
                                 width,
                                 "measured",
                                 "predicted",
                                 "error",
                                 "80 % interval");
  for (const ValidationRecord& record : records)
    text +=
        fmt::format("{:<{}}  {:>6.2f} us  {:>6.2f} us  {:>+6.1f} %  [{:>7.1f}, {:>7.1f}]{}{}{}\n",
                    record.id,
                    width,
                    record.measured_us,
                    record.predicted_us,
                    record.error_pct(),
                    record.low_us,
                    record.high_us,
                    record.covered() ? "" : "  outside",
                    record.held_out ? "  held out"
                    : record.fitted ? ""
                                    : "  not fitted",
                    record.in_range ? "" : "  extrapolated");
  text += fmt::format("\n{:<{}}  {:>4}  {:>7}  {:>7}  {:>7}  {:>8}\n",
                      "group",
                      width,
                      "n",
                      "median",
                      "p90",
                      "max",
                      "coverage");
  const auto row = [&](const std::string& name, const ErrorSummary& errors) {
    text += fmt::format("{:<{}}  {:>4}  {:>5.1f} %  {:>5.1f} %  {:>5.1f} %  {:>6.0f} %\n",
                        name,
                        width,
                        errors.count,
                        errors.median_abs_pct,
                        errors.p90_abs_pct,
                        errors.max_abs_pct,
                        errors.coverage_pct);
  };
  for (const ErrorGroup& group : group_errors(records))
    row(group.kernel_text() + " " + group.operation, group.errors);
  row("all", summarize_errors(records));
  for (const ErrorGroup& group : group_errors(unfitted(records)))
    row(group.kernel_text() + " " + group.operation + ", not fitted", group.errors);
  for (const ErrorGroup& group : held_out_groups(records))
    row(group.kernel_text() + ", held out beforehand", group.errors);
  const std::vector<ErrorGroup> by_ranks = group_errors_by_ranks(records);
  if (!by_ranks.empty()) text += "\nby ranks\n";
  for (const ErrorGroup& group : by_ranks)
    row(fmt::format("{} {}, {} ranks", group.kernel_text(), group.operation, group.ranks),
        group.errors);
  return text;
}

std::string validation_markdown(const std::vector<ValidationRecord>& records,
                                std::string_view heading) {
  std::string text = fmt::format(
      "{}\n\n| kernel | operation | n | median | p90 | max | in the 80 % interval |\n"
      "|---|---|--:|--:|--:|--:|--:|\n",
      heading);
  const auto row =
      [&](const std::string& kernel, const std::string& operation, const ErrorSummary& errors) {
        text += fmt::format("| {} | {} | {} | {:.1f} % | {:.1f} % | {:.1f} % | {:.0f} % |\n",
                            kernel,
                            operation,
                            errors.count,
                            errors.median_abs_pct,
                            errors.p90_abs_pct,
                            errors.max_abs_pct,
                            errors.coverage_pct);
      };
  for (const ErrorGroup& group : group_errors(records))
    row(group.kernel_text(), group.operation, group.errors);
  row("all", "", summarize_errors(records));
  const std::vector<ValidationRecord> others = unfitted(records);
  for (const ErrorGroup& group : group_errors(others))
    row(group.kernel_text(), group.operation + ", not fitted", group.errors);
  for (const ErrorGroup& group : held_out_groups(records))
    row(group.kernel_text(), "both, held out beforehand", group.errors);
  if (!others.empty()) row("not seen by any fit", "", summarize_errors(others));
  return text;
}

}  // namespace epsim
