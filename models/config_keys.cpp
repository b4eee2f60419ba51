#include "models/config_keys.hpp"

namespace epsim {

std::optional<JsonValue> ConfigKeys::find(std::string_view key) {
  const std::optional<JsonValue> value = object_.optional(key);
  return value && value->is_null() ? std::nullopt : value;
}

std::int64_t ConfigKeys::count(std::string_view key, std::int64_t largest) {
  return object_.required(key).integer_in(1, largest);
}

std::int64_t ConfigKeys::count_of(std::initializer_list<std::string_view> names,
                                  std::int64_t largest) {
  for (const std::string_view name : names)
    if (find(name)) return count(name, largest);
  return count(*names.begin(), largest);
}

std::int64_t ConfigKeys::count_or(std::string_view key,
                                  std::int64_t otherwise,
                                  std::int64_t largest) {
  const std::optional<JsonValue> value = find(key);
  return value ? value->integer_in(0, largest) : otherwise;
}

bool ConfigKeys::flag_or(std::string_view key, bool otherwise) {
  const std::optional<JsonValue> value = find(key);
  return value ? value->boolean() : otherwise;
}

void ConfigKeys::fail(std::string_view key, std::string_view what) {
  object_.required(key).fail(what);
}

}  // namespace epsim
