// Document tables: what is where in an ExportDocument, and a cell as a word.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "notebooks_export/export_document.hpp"

namespace epsim {

// Exact where the number is whole; otherwise six significant digits: what people read.
[[nodiscard]] std::string number_text(double number);
// In the shortest form that reads back the same; whole numbers without point or exponent.
[[nodiscard]] std::string exact_number_text(double number);

[[nodiscard]] std::optional<double> number_of(const Cell& cell);
// What a person reads in the cell; "" for nothing.
[[nodiscard]] std::string cell_text(const Cell& cell);

// Place of the column, which must be there.
[[nodiscard]] std::size_t column_index(const ExportTable& table, std::string_view name);
[[nodiscard]] const std::string& column_label(const ExportTable& table, std::string_view name);

// What stands along the x axis: that of spans is time, though its column is their start.
[[nodiscard]] std::string x_axis_title(const ExportChart& chart, const ExportTable& table);

// The table that a chart is over, which must be there.
[[nodiscard]] const ExportTable& table_of(const ExportDocument& document, std::string_view name);

}  // namespace epsim
