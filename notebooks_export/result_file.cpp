#include "notebooks_export/result_file.hpp"

#include <cmath>

#include <fmt/format.h>

namespace epsim {

std::string ResultFile::table_name(std::string_view what) const {
  return fmt::format("{}_{}", what, number);
}

double number_at(JsonObject& object, std::string_view key) {
  return object.required(key).number();
}

std::string text_at(JsonObject& object, std::string_view key) {
  return object.required(key).string();
}

double flag_at(JsonObject& object, std::string_view key) {
  return object.required(key).boolean() ? 1.0 : 0.0;
}

std::vector<JsonValue> array_at(JsonObject& object, std::string_view key) {
  return object.required(key).array();
}

NumberPair pair_at(JsonObject& object, std::string_view key) {
  const JsonValue value = object.required(key);
  const std::vector<JsonValue> ends = value.array();
  if (ends.size() != 2) value.fail_expected("two numbers, the ends of an interval");
  return {ends[0].number(), ends[1].number()};
}

std::string texts_at(JsonObject& object, std::string_view key) {
  std::string all;
  for (const JsonValue& text : array_at(object, key))
    all += (all.empty() ? "" : "; ") + text.string();
  return all;
}

std::string spoken(double number) {
  const double size = std::abs(number);
  if (size >= 100) return fmt::format("{:.0f}", number);
  return size >= 10 ? fmt::format("{:.1f}", number) : fmt::format("{:.3g}", number);
}

std::string spoken_us(double time_us) {
  return std::abs(time_us) >= 1e4 ? spoken(time_us / 1e3) + " ms" : spoken(time_us) + " us";
}

}  // namespace epsim
