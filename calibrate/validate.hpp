// validate: predicted against measured. One record an observation, groups by kernel and operation
// (and system, where a kernel was measured on several), and a summary; as JSON
// (epsim.validation/1), as text and as the README's table.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sim/base/json_writer.hpp"

namespace epsim {

struct ValidationRecord {
  std::string id;
  std::string kernel;
  std::string operation;
  std::string system{};     // calibration
  std::uint32_t ranks = 0;  // 0: not told
  double measured_us = 0;
  double predicted_us = 0;
  double low_us = 0;  // interval of the prediction
  double high_us = 0;
  bool in_range = false;
  bool fitted = false;    // the calibration's fit saw this record
  bool held_out = false;  // the observations say so: chosen before any fit

  [[nodiscard]] double error_pct() const { return (predicted_us / measured_us - 1.0) * 100.0; }
  [[nodiscard]] bool covered() const { return measured_us >= low_us && measured_us <= high_us; }
};

// Absolute errors of a set of records; quantiles by linear interpolation between order statistics.
struct ErrorSummary {
  std::size_t count = 0;
  double median_abs_pct = 0;
  double p90_abs_pct = 0;
  double p95_abs_pct = 0;
  double max_abs_pct = 0;
  double coverage_pct = 0;
};
[[nodiscard]] ErrorSummary summarize_errors(const std::vector<ValidationRecord>& records);

struct ErrorGroup {
  std::string kernel;
  std::string operation;
  ErrorSummary errors{};
  std::string system{};     // empty where all records of the kernel are of one
  std::uint32_t ranks = 0;  // 0: of any number

  // "deepep-ll-v1 on hgx-h800-cx7"
  [[nodiscard]] std::string kernel_text() const;
};
// In the order in which the records first name them.
[[nodiscard]] std::vector<ErrorGroup> group_errors(const std::vector<ValidationRecord>& records);
// The same, by number of ranks as well: only groups that have several, since others say no more.
[[nodiscard]] std::vector<ErrorGroup> group_errors_by_ranks(
    const std::vector<ValidationRecord>& records);

// Those that no fit has seen.
[[nodiscard]] std::vector<ValidationRecord> unfitted(const std::vector<ValidationRecord>& records);
// Those that were held out before any fit, by family.
[[nodiscard]] std::vector<ErrorGroup> held_out_groups(const std::vector<ValidationRecord>& records);

void write_validation(const std::vector<ValidationRecord>& records, JsonWriter& writer);
[[nodiscard]] std::string validation_text(const std::vector<ValidationRecord>& records);
// Markdown with one row a group and one for all. `heading` says what was compared with what.
[[nodiscard]] std::string validation_markdown(const std::vector<ValidationRecord>& records,
                                              std::string_view heading);

}  // namespace epsim
