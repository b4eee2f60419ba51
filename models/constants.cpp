#include "models/constants.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "sim/base/check.hpp"

namespace epsim {

const Constant& ConstantSet::at(std::string_view name) const {
  for (const Constant& constant : constants_)
    if (constant.name == name) return constant;
  throw Bug(fmt::format("no constant \"{}\" in this set", name));
}

bool ConstantSet::contains(std::string_view name) const {
  return std::any_of(constants_.begin(), constants_.end(), [&](const Constant& constant) {
    return constant.name == name;
  });
}

Duration ConstantSet::duration(std::string_view name) const {
  const Constant& constant = at(name);
  check(constant.unit == "us" || constant.unit == "ns", "a time constant is in us or ns");
  return constant.unit == "us" ? from_us(constant.value) : from_ns(constant.value);
}

Bandwidth ConstantSet::bandwidth(std::string_view name) const {
  const Constant& constant = at(name);
  check(constant.unit == "GB/s", "a rate constant is in GB/s");
  return Bandwidth{constant.value * 1e9};
}

double ConstantSet::ratio(std::string_view name) const {
  const Constant& constant = at(name);
  check(constant.unit == "1", "a pure number has unit 1");
  return constant.value;
}

ConstantSet ConstantSet::with(std::string_view name, double value) const {
  ConstantSet copy = *this;
  for (Constant& constant : copy.constants_)
    if (constant.name == name) {
      constant.value = value;
      return copy;
    }
  throw Bug(fmt::format("no constant \"{}\" in this set", name));
}

void ConstantSet::put(Constant constant) {
  for (Constant& old : constants_)
    if (old.name == constant.name) {
      old = std::move(constant);
      return;
    }
  constants_.push_back(std::move(constant));
}

ConstantSet read_constants(const JsonValue& value, std::span<const ConstantSpec> table) {
  JsonObject object = value.object();
  std::vector<Constant> constants;
  for (const ConstantSpec& spec : table) {
    JsonObject entry = object.required(spec.name).object();
    Constant constant;
    constant.name = spec.name;
    constant.unit = entry.required("unit").string();
    if (constant.unit != spec.unit)
      entry.required("unit").fail_expected(fmt::format("\"{}\"", spec.unit));
    constant.value = entry.required("value").number_in(spec.low, spec.high);
    const auto interval = entry.required("interval").array();
    if (interval.size() != 2) entry.required("interval").fail_expected("[low, high]");
    constant.low = interval[0].number();
    constant.high = interval[1].number();
    constant.source = entry.required("source").string();
    entry.finish();
    constants.push_back(std::move(constant));
  }
  object.finish();
  return ConstantSet(std::move(constants));
}

void write_constants(const ConstantSet& constants, JsonWriter& writer) {
  writer.begin_object();
  for (const Constant& constant : constants.all()) {
    writer.key(constant.name).begin_object();
    writer.field("value", constant.value).field("unit", constant.unit);
    writer.key("interval").begin_array().value(constant.low).value(constant.high).end_array();
    writer.field("source", constant.source).end_object();
  }
  writer.end_object();
}

}  // namespace epsim
