// Json: strict reading. Every value knows the file it came from and its place in it, so that each
// error names both; an object must be read to its last key, so that a misspelt key is an error
// and not a silent default. The only door to nlohmann_json.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "sim/base/units.hpp"

namespace epsim {

class JsonObject;

// A value inside a document. Cheap to copy; keeps the document alive.
class JsonValue {
 public:
  [[nodiscard]] bool is_null() const;
  [[nodiscard]] bool is_string() const;
  [[nodiscard]] bool is_object() const;
  [[nodiscard]] bool is_array() const;

  // Each throws InputError unless the value has that type and range.
  [[nodiscard]] std::string string() const;
  [[nodiscard]] bool boolean() const;
  [[nodiscard]] double number() const;
  [[nodiscard]] double number_in(double low, double high) const;
  [[nodiscard]] std::int64_t integer_in(std::int64_t low, std::int64_t high) const;
  [[nodiscard]] Duration duration() const;    // "1.1 us"
  [[nodiscard]] Bytes bytes() const;          // "7168 B"
  [[nodiscard]] Bandwidth bandwidth() const;  // "450 GB/s"
  [[nodiscard]] std::vector<JsonValue> array() const;
  [[nodiscard]] JsonObject object() const;

  // `words` lists what is allowed; the answer is an index into it.
  [[nodiscard]] std::size_t one_of(const std::vector<std::string_view>& words) const;

  // Appends the integers of an array to `out`: the fast way through millions of them.
  void append_integers(std::int64_t low, std::int64_t high, std::vector<std::int32_t>& out) const;

  // "expected ..., found ..." with file and place.
  [[noreturn]] void fail_expected(std::string_view expected) const;
  [[noreturn]] void fail(std::string_view what) const;

  [[nodiscard]] const std::string& file() const;
  [[nodiscard]] const std::string& place() const { return place_; }
  [[nodiscard]] std::string dump() const;  // compact JSON text

 private:
  friend class JsonObject;
  friend class JsonDocument;
  struct Document;
  JsonValue(std::shared_ptr<const Document> document,
            const nlohmann::ordered_json* value,
            std::string place);

  std::shared_ptr<const Document> document_;
  const nlohmann::ordered_json* value_;
  std::string place_;
};

// An object being read. Call finish() when every key you know has been asked for.
class JsonObject {
 public:
  [[nodiscard]] JsonValue required(std::string_view key);
  [[nodiscard]] std::optional<JsonValue> optional(std::string_view key);
  [[nodiscard]] std::vector<std::string> keys() const;

  // Throws InputError for the first key nobody asked for, and names the ones it could have been.
  void finish() const;

  [[nodiscard]] const JsonValue& value() const { return value_; }

 private:
  friend class JsonValue;
  explicit JsonObject(JsonValue value) : value_(std::move(value)) {}

  JsonValue value_;
  std::set<std::string, std::less<>> asked_;
};

// A parsed file. Reading refuses duplicate keys, junk, and anything that is not one JSON value.
class JsonDocument {
 public:
  [[nodiscard]] static JsonDocument read(const std::filesystem::path& path);
  // `name` stands for the file in messages.
  [[nodiscard]] static JsonDocument parse(std::string_view text, std::string_view name);

  // Replaces or adds the value at a dotted path ("combine.fence"). `text` is JSON, or else a plain
  // string. Throws InputError when the path runs through something that is not an object. Values
  // that were read before are void.
  void set(std::string_view dotted_path, std::string_view text);

  [[nodiscard]] JsonValue root() const;

 private:
  std::shared_ptr<JsonValue::Document> document_;
};

}  // namespace epsim
