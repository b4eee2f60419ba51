// nvbandwidth -j: testcases with a matrix of figures each, as text, "N/A" where there is none.
// Format: json_output.cpp of github.com/NVIDIA/nvbandwidth. GB there are 10^9 bytes.
#include <array>
#include <optional>

#include <fmt/format.h>

#include "calibrate/transfer_import.hpp"
#include "sim/base/input_error.hpp"
#include "sim/base/json.hpp"

namespace epsim {
namespace {

constexpr std::string_view kNone = "N/A";
constexpr double kNsToUs = 1e-3;

struct OperationName {
  std::string_view testcase;  // without how it copies
  std::string_view operation;
};
// Others keep the name of the testcase.
constexpr std::array kOperations = {
    OperationName{"device_to_device_memcpy_read", "peer_read"},
    OperationName{"device_to_device_memcpy_write", "peer_write"},
    OperationName{"device_to_device_bidirectional_memcpy_read", "peer_read_bidirectional"},
    OperationName{"device_to_device_bidirectional_memcpy_write", "peer_write_bidirectional"},
    OperationName{"device_to_device_latency", "peer_latency"},
};

struct Testcase {
  std::string name;
  std::string operation;
  std::string variant;  // "ce": copy engines, "sm": kernels
  TransferUnit unit = TransferUnit::gb_per_s;
  double scale = 1;
  bool is_of_pairs = false;
  bool is_reversed = false;  // from the column to the row
};

Testcase describe(const JsonValue& name, const JsonValue& description) {
  Testcase testcase;
  testcase.name = name.string();
  std::string_view base = testcase.name;
  if (const std::size_t end = base.rfind('_'); end != std::string_view::npos) {
    const std::string_view how = base.substr(end + 1);
    if (how == "ce" || how == "sm" || how == "tma") {
      testcase.variant = how;
      base = base.substr(0, end);
    }
  }
  testcase.operation = base;
  for (const OperationName& known : kOperations)
    if (known.testcase == base) testcase.operation = known.operation;
  const std::string text = description.string();
  if (text.find("(ns)") != std::string::npos) {
    testcase.unit = TransferUnit::us;
    testcase.scale = kNsToUs;
  } else if (text.find("GB/s") == std::string::npos) {
    description.fail_expected("a description that ends in its unit, (GB/s) or (ns)");
  }
  testcase.is_of_pairs = text.find("GPU(row)") != std::string::npos;
  testcase.is_reversed = text.find("GPU(row) <- ") != std::string::npos;
  return testcase;
}

std::optional<double> cell_value(const JsonValue& cell) {
  double value = 0;
  if (cell.is_string()) {
    const std::string text = cell.string();
    if (text == kNone) return std::nullopt;
    if (!parse_decimal(text, value) || value <= 0)
      cell.fail_expected("a number above 0 as text, or \"N/A\"");
    return value;
  }
  value = cell.number();
  if (value <= 0) cell.fail_expected("a number above 0");
  return value;
}

void add_matrix(const Testcase& testcase,
                const JsonValue& matrix,
                const std::string& file,
                TransferSet& set) {
  const auto rows = matrix.array();
  if (rows.empty()) matrix.fail_expected("at least one row");
  const std::size_t columns = rows[0].array().size();
  for (std::uint32_t row = 0; row < rows.size(); ++row) {
    const auto cells = rows[row].array();
    if (cells.size() != columns)
      rows[row].fail(fmt::format("expected {} cells, found {}", columns, cells.size()));
    for (std::uint32_t column = 0; column < cells.size(); ++column) {
      const std::optional<double> value = cell_value(cells[column]);
      if (!value) continue;
      Transfer transfer;
      transfer.id = fmt::format("{}/{}/{}-{}", stem_of(file), testcase.name, row, column);
      transfer.tool = "nvbandwidth";
      transfer.operation = testcase.operation;
      transfer.variant = testcase.variant;
      if (testcase.is_of_pairs)
        transfer.pair = testcase.is_reversed ? std::pair{column, row} : std::pair{row, column};
      transfer.value = *value * testcase.scale;
      transfer.unit = testcase.unit;
      transfer.file = file;
      transfer.place = cells[column].place();
      set.records.push_back(std::move(transfer));
    }
  }
}

void add_testcase(const JsonValue& value, const std::string& file, TransferSet& set) {
  JsonObject object = value.object();
  const JsonValue name = object.required("name");
  const JsonValue status = object.required("status");
  if (status.string() == "Waived") {
    set.notes.push_back(fmt::format("{}: {} was waived by the tool", file, name.string()));
    return;
  }
  if (status.string() != "Passed") {
    const auto error = object.optional("error");
    status.fail(fmt::format("expected \"Passed\" or \"Waived\", found {}{}",
                            status.dump(),
                            error ? ": " + error->string() : ""));
  }
  add_matrix(describe(name, object.required("bandwidth_description")),
             object.required("bandwidth_matrix"),
             file,
             set);
}

}  // namespace

// Keys that we do not need differ from version to version, so that none is refused.
void import_nvbandwidth(std::string_view text, const std::string& file, TransferSet& set) {
  const JsonDocument document = JsonDocument::parse(text, file);
  JsonObject tool = document.root().object().required("nvbandwidth").object();
  if (const auto error = tool.optional("error"))
    error->fail(fmt::format("expected a run without error, found {}", error->dump()));
  for (const JsonValue& testcase : tool.required("testcases").array())
    add_testcase(testcase, file, set);
}

}  // namespace epsim
