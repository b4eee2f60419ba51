// ConstantSet: measured numbers by name, each with its unit, interval and source. A table of
// ConstantSpec says which names a model needs, what they mean and where they may lie; a set that
// lacks one or has one too many does not load.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/base/json.hpp"
#include "sim/base/json_writer.hpp"
#include "sim/base/units.hpp"

namespace epsim {

struct ConstantSpec {
  std::string_view name;
  std::string_view unit;  // "us", "ns", "GB/s" or "1" (a pure number)
  double low;             // least and greatest value that makes physical sense
  double high;
  std::string_view meaning;
  bool is_measured = false;  // of a family: a measurement of its own gives it, so no fit moves it
};

struct Constant {
  std::string name;
  std::string unit;
  double value = 0;
  double low = 0;  // interval: 90 % if fitted, p10 to p90 if measured
  double high = 0;
  std::string source;
};

class ConstantSet {
 public:
  ConstantSet() = default;
  explicit ConstantSet(std::vector<Constant> constants) : constants_(std::move(constants)) {}

  // Throw Bug when the name is unknown or has another unit: tables and models belong together.
  [[nodiscard]] Duration duration(std::string_view name) const;
  [[nodiscard]] Bandwidth bandwidth(std::string_view name) const;
  [[nodiscard]] double ratio(std::string_view name) const;

  [[nodiscard]] const Constant& at(std::string_view name) const;
  [[nodiscard]] bool contains(std::string_view name) const;
  // A copy in which one value is another: how a fit asks "what if".
  [[nodiscard]] ConstantSet with(std::string_view name, double value) const;
  [[nodiscard]] std::span<const Constant> all() const { return constants_; }
  void put(Constant constant);

 private:
  std::vector<Constant> constants_;
};

// Reads an object {"name": {"value", "unit", "interval", "source"}, ...} against its table.
[[nodiscard]] ConstantSet read_constants(const JsonValue& value,
                                         std::span<const ConstantSpec> table);
void write_constants(const ConstantSet& constants, JsonWriter& writer);

}  // namespace epsim
