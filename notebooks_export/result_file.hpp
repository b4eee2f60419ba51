// ResultFile: one result of epsim being read into sections. Its writer is epsim of some version, so
// that keys which nobody here knows are no mistake; those that are asked for have to be there.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "notebooks_export/export_document.hpp"
#include "sim/base/json.hpp"

namespace epsim {

struct ResultFile {
  JsonValue root;
  std::size_t number = 1;  // among the files of a document
  // Unique in the document: "phases_2".
  [[nodiscard]] std::string table_name(std::string_view what) const;
};

using ResultSections = std::vector<ExportSection>;

// One a kind of result. Each throws InputError.
[[nodiscard]] ResultSections read_capacity(const ResultFile& file);
[[nodiscard]] ResultSections read_report(const ResultFile& file);
[[nodiscard]] ResultSections read_step(const ResultFile& file);
[[nodiscard]] ResultSections read_placements(const ResultFile& file);
[[nodiscard]] ResultSections read_validation(const ResultFile& file);
[[nodiscard]] ResultSections read_replay(const ResultFile& file);
// A table of epsim sweep.
[[nodiscard]] ResultSections read_sweep(const std::filesystem::path& path, std::size_t number);

// What many results hold.
[[nodiscard]] double number_at(JsonObject& object, std::string_view key);
[[nodiscard]] std::string text_at(JsonObject& object, std::string_view key);
// 1 or 0: a table has no other truth.
[[nodiscard]] double flag_at(JsonObject& object, std::string_view key);
[[nodiscard]] std::vector<JsonValue> array_at(JsonObject& object, std::string_view key);
struct NumberPair {
  double low = 0, high = 0;
};
[[nodiscard]] NumberPair pair_at(JsonObject& object, std::string_view key);
// An array of texts, put together: "a; b".
[[nodiscard]] std::string texts_at(JsonObject& object, std::string_view key);

// "34.8": what a sentence says of a number.
[[nodiscard]] std::string spoken(double number);
// A time in the unit that a person would choose: "34.8 us", "76.3 ms".
[[nodiscard]] std::string spoken_us(double time_us);

}  // namespace epsim
