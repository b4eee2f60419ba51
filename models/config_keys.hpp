// ConfigKeys: what a Hugging Face config.json says, asked for key by key. As Hugging Face has it, a
// key that is null is a key that is not there; keys that nobody asks for are passed over.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "sim/base/json.hpp"

namespace epsim {

class ConfigKeys {
 public:
  // No dimension of a model is larger; products of three still fit where they are formed.
  static constexpr std::int64_t kLargest = 16'777'216;

  explicit ConfigKeys(const JsonValue& value) : object_(value.object()) {}

  [[nodiscard]] std::optional<JsonValue> find(std::string_view key);

  // A whole number from 1. Throws InputError where it is missing or is something else.
  [[nodiscard]] std::int64_t count(std::string_view key, std::int64_t largest = kLargest);
  // The same for a key that other versions call by another name.
  [[nodiscard]] std::int64_t count_of(std::initializer_list<std::string_view> names,
                                      std::int64_t largest = kLargest);
  // A whole number from 0, or `otherwise` where the key is not there.
  [[nodiscard]] std::int64_t count_or(std::string_view key,
                                      std::int64_t otherwise,
                                      std::int64_t largest = kLargest);
  [[nodiscard]] bool flag_or(std::string_view key, bool otherwise);

  // Throws InputError that names the key.
  [[noreturn]] void fail(std::string_view key, std::string_view what);

 private:
  JsonObject object_;
};

}  // namespace epsim
