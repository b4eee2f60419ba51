// Results of any kind, told apart by what stands in them.
#include <array>
#include <cctype>
#include <fstream>
#include <string>
#include <system_error>

#include <fmt/format.h>

#include "notebooks_export/export_document.hpp"
#include "notebooks_export/result_file.hpp"
#include "sim/base/input_error.hpp"
#include "traces/sqlite_file.hpp"

namespace epsim {
namespace {

struct ResultKind {
  std::string_view schema;
  ResultSections (*read)(const ResultFile& file);
};
constexpr std::array kResultKinds = {
    ResultKind{"epsim.capacity/1", read_capacity},
    ResultKind{"epsim.report/1", read_report},
    ResultKind{"epsim.step/1", read_step},
    ResultKind{"epsim.placements/1", read_placements},
    ResultKind{"epsim.validation/1", read_validation},
    ResultKind{"epsim.replay/1", read_replay},
};

constexpr std::size_t kSqliteBytes = 16;  // by which a database is known

bool is_database(const std::filesystem::path& path) {
  std::error_code unknown;
  // What another program pipes in can be read once only.
  if (!std::filesystem::is_regular_file(path, unknown)) return false;
  std::string first(kSqliteBytes, '\0');
  std::ifstream file(path, std::ios::binary);
  file.read(first.data(), static_cast<std::streamsize>(first.size()));
  first.resize(static_cast<std::size_t>(file.gcount()));
  return begins_as_sqlite(first);
}

ResultSections read_json(const std::filesystem::path& path, std::size_t number) {
  const JsonDocument document = JsonDocument::read(path);
  const ResultFile file{.root = document.root(), .number = number};
  JsonObject root = file.root.object();
  std::vector<std::string_view> schemas;
  for (const ResultKind& kind : kResultKinds) schemas.push_back(kind.schema);
  return kResultKinds[root.required("schema").one_of(schemas)].read(file);
}

}  // namespace

std::string shell_word(const std::string& text) {
  bool is_plain = !text.empty();
  for (const char c : text)
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 &&
        std::string_view("/._-+,:@%=").find(c) == std::string_view::npos)
      is_plain = false;
  if (is_plain) return text;
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? "'\\''" : std::string(1, c);
  return quoted + "'";
}

ExportDocument read_results(const std::vector<std::filesystem::path>& files) {
  if (files.empty()) throw InputError("RESULT", "", "expected a file at least, found none");
  ExportDocument document{.title = "", .command = "epsim export", .sections = {}};
  for (std::size_t i = 0; i < files.size(); ++i) {
    ResultSections sections =
        is_database(files[i]) ? read_sweep(files[i], i + 1) : read_json(files[i], i + 1);
    for (ExportSection& section : sections) document.sections.push_back(std::move(section));
    document.command += " " + shell_word(files[i].string());
  }
  document.title = files.size() == 1 && !document.sections.empty()
                       ? document.sections.front().heading
                       : fmt::format("{} results of epsim", files.size());
  return document;
}

}  // namespace epsim
