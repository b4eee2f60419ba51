#include "calibrate/validate.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>

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

std::vector<ErrorGroup> group_errors(const std::vector<ValidationRecord>& records) {
  std::vector<ErrorGroup> groups;
  for (const ValidationRecord& record : records) {
    const bool known = std::any_of(groups.begin(), groups.end(), [&](const ErrorGroup& group) {
      return group.kernel == record.kernel && group.operation == record.operation;
    });
    if (!known) groups.push_back({record.kernel, record.operation, {}});
  }
  for (ErrorGroup& group : groups) {
    std::vector<ValidationRecord> members;
    for (const ValidationRecord& record : records)
      if (record.kernel == group.kernel && record.operation == group.operation)
        members.push_back(record);
    group.errors = summarize_errors(members);
  }
  return groups;
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
    row(group.kernel + " " + group.operation, group.errors);
  row("all", summarize_errors(records));
  for (const ErrorGroup& group : group_errors(unfitted(records)))
    row(group.kernel + " " + group.operation + ", not fitted", group.errors);
  for (const ErrorGroup& group : held_out_groups(records))
    row(group.kernel + ", held out beforehand", group.errors);
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
    row(group.kernel, group.operation, group.errors);
  row("all", "", summarize_errors(records));
  const std::vector<ValidationRecord> others = unfitted(records);
  for (const ErrorGroup& group : group_errors(others))
    row(group.kernel, group.operation + ", not fitted", group.errors);
  for (const ErrorGroup& group : held_out_groups(records))
    row(group.kernel, "both, held out beforehand", group.errors);
  if (!others.empty()) row("not seen by any fit", "", summarize_errors(others));
  return text;
}

}  // namespace epsim
