#include "calibrate/validate.hpp"

#include <cmath>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "sim/base/json.hpp"

using namespace epsim;

namespace {

// Measured 100 us each; predicted 101, 98, 104 (kernel a) and 110, 95 (kernel b): errors of +1, -2,
// +4, +10 and -5 %. Intervals of 3 us to each side: 101, 98 hold 100, the others do not.
std::vector<ValidationRecord> five_records() {
  std::vector<ValidationRecord> records;
  const auto add = [&](const char* id, const char* kernel, double predicted) {
    records.push_back({.id = id,
                       .kernel = kernel,
                       .operation = "dispatch",
                       .measured_us = 100,
                       .predicted_us = predicted,
                       .low_us = predicted - 3,
                       .high_us = predicted + 3,
                       .in_range = predicted < 105,
                       .fitted = predicted < 110});
  };
  add("one", "a", 101);
  add("two", "b", 110);
  add("three", "a", 98);
  add("four", "b", 95);
  add("five", "a", 104);
  return records;
}

bool is_near(double value, double wanted) {
  return std::abs(value - wanted) < 1e-9;
}

}  // namespace

TEST_CASE("validate: quantiles of absolute errors lie between order statistics") {
  // Sorted: 1, 2, 4, 5, 10. Median: place 2 is 4. p90: place 3.6 is 5 + 0.6 x 5 = 8. p95: place 3.8
  // is 9. Two of five are covered: 40 %.
  const ErrorSummary errors = summarize_errors(five_records());
  CHECK(errors.count == 5);
  CHECK(is_near(errors.median_abs_pct, 4));
  CHECK(is_near(errors.p90_abs_pct, 8));
  CHECK(is_near(errors.p95_abs_pct, 9));
  CHECK(is_near(errors.max_abs_pct, 10));
  CHECK(is_near(errors.coverage_pct, 40));
}

TEST_CASE("validate: groups stand in the order in which the records first name them") {
  // a: 1, 2, 4, median 2, two of three covered. b: 5, 10, median 7.5, none covered.
  const std::vector<ErrorGroup> groups = group_errors(five_records());
  REQUIRE(groups.size() == 2);
  CHECK(groups[0].kernel == "a");
  CHECK(groups[0].errors.count == 3);
  CHECK(is_near(groups[0].errors.median_abs_pct, 2));
  CHECK(is_near(groups[0].errors.coverage_pct, 200.0 / 3));
  CHECK(groups[1].kernel == "b");
  CHECK(is_near(groups[1].errors.median_abs_pct, 7.5));
  CHECK(is_near(groups[1].errors.coverage_pct, 0));
}

TEST_CASE("validate: an interval covers its ends, and a single record is all of its quantiles") {
  std::vector<ValidationRecord> one = {five_records()[4]};
  CHECK_FALSE(one[0].covered());
  one[0].low_us = 100;
  CHECK(one[0].covered());
  const ErrorSummary errors = summarize_errors(one);
  CHECK(is_near(errors.median_abs_pct, 4));
  CHECK(is_near(errors.p95_abs_pct, 4));
  CHECK(is_near(errors.coverage_pct, 100));
}

TEST_CASE("validate: no records give an empty summary and no groups") {
  CHECK(summarize_errors({}).count == 0);
  CHECK(summarize_errors({}).coverage_pct == 0);
  CHECK(group_errors({}).empty());
}

TEST_CASE("validate: the JSON has the keys of epsim.validation/1") {
  JsonWriter writer;
  write_validation(five_records(), writer);
  JsonObject root = JsonDocument::parse(writer.take(), "v.json").root().object();
  CHECK(root.required("schema").string() == "epsim.validation/1");
  const auto records = root.required("records").array();
  REQUIRE(records.size() == 5);
  JsonObject record = records[1].object();
  CHECK(record.required("id").string() == "two");
  CHECK(record.required("measured_us").number() == 100);
  CHECK(record.required("predicted_us").number() == 110);
  CHECK(is_near(record.required("error_pct").number(), 10));
  const auto interval = record.required("interval_us").array();
  REQUIRE(interval.size() == 2);
  CHECK(interval[0].number() == 107);
  CHECK(interval[1].number() == 113);
  CHECK_FALSE(record.required("in_range").boolean());
  CHECK_FALSE(record.required("fitted").boolean());
  record.finish();
  const auto check_summary = [](JsonObject& object, std::int64_t count) {
    CHECK(object.required("n").integer_in(0, 100) == count);
    for (const char* key :
         {"median_abs_pct", "p90_abs_pct", "p95_abs_pct", "max_abs_pct", "coverage_pct"})
      CHECK(object.required(key).number() >= 0);
    object.finish();
  };
  const auto groups = root.required("groups").array();
  REQUIRE(groups.size() == 2);
  JsonObject group = groups[0].object();
  CHECK(group.required("kernel").string() == "a");
  CHECK(group.required("op").string() == "dispatch");
  check_summary(group, 3);
  JsonObject summary = root.required("summary").object();
  check_summary(summary, 5);
  root.finish();
}

TEST_CASE("validate: the text marks what is outside, not fitted or extrapolated") {
  const std::string text = validation_text(five_records());
  const auto line_of = [&](const std::string& id) {
    const std::size_t begin = text.find(id);
    REQUIRE(begin != std::string::npos);
    return text.substr(begin, text.find('\n', begin) - begin);
  };
  CHECK(line_of("one").find("outside") == std::string::npos);
  CHECK(line_of("five").find("outside") != std::string::npos);
  CHECK(line_of("two").find("outside  not fitted  extrapolated") != std::string::npos);
}

TEST_CASE("validate: the markdown table has a row a group, one for all and one for the unfitted") {
  const std::string text = validation_markdown(five_records(), "Heading");
  CHECK(text.starts_with("Heading\n\n| kernel |"));
  CHECK(text.find("| a | dispatch | 3 | 2.0 % |") != std::string::npos);
  CHECK(text.find("| b | dispatch | 2 | 7.5 % |") != std::string::npos);
  CHECK(text.find("| all |  | 5 | 4.0 % | 8.0 % | 10.0 % | 40 % |") != std::string::npos);
  CHECK(text.find("| not seen by any fit |  | 1 | 10.0 % |") != std::string::npos);
}

TEST_CASE("validate: a kernel that was measured on several systems has a group for each") {
  std::vector<ValidationRecord> records = five_records();  // a, b, a, b, a
  for (ValidationRecord& record : records) record.system = "old";
  records[4].system = "new";
  const std::vector<ErrorGroup> groups = group_errors(records);
  REQUIRE(groups.size() == 3);
  CHECK(groups[0].kernel_text() == "a on old");
  CHECK(groups[0].errors.count == 2);
  CHECK(groups[1].kernel_text() == "b");  // of one system: the name says enough
  CHECK(groups[2].kernel_text() == "a on new");
  CHECK(is_near(groups[2].errors.median_abs_pct, 4));
}

TEST_CASE("validate: groups by ranks show where several numbers of ranks were measured") {
  std::vector<ValidationRecord> records = five_records();  // a, b, a, b, a
  for (ValidationRecord& record : records) record.ranks = 8;
  CHECK(group_errors_by_ranks(records).empty());
  CHECK(validation_text(records).find("by ranks") == std::string::npos);
  records[2].ranks = 16;
  const std::vector<ErrorGroup> groups = group_errors_by_ranks(records);
  REQUIRE(groups.size() == 2);  // of a alone
  CHECK(groups[0].ranks == 8);
  CHECK(groups[0].errors.count == 2);
  CHECK(groups[1].ranks == 16);
  CHECK(is_near(groups[1].errors.median_abs_pct, 2));
  CHECK(validation_text(records).find("a dispatch, 16 ranks") != std::string::npos);
}
