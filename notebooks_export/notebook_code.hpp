// Notebook code: Python that holds tables and draws charts, with pandas and matplotlib alone. What
// it draws are the marks of chart_data.
#pragma once

#include <cstddef>
#include <string>

#include "notebooks_export/chart_data.hpp"
#include "notebooks_export/export_document.hpp"

namespace epsim {

// A table with more rows is written as lines of JSON, which Python reads faster than its own code.
inline constexpr std::size_t kMostCodeRows = 2000;

// What the other cells use: imports, colours, the look of charts.
[[nodiscard]] std::string setup_code();
// Assigns the table to its name and shows its first rows.
[[nodiscard]] std::string table_code(const ExportTable& table);
[[nodiscard]] std::string chart_code(const ExportChart& chart,
                                     const ExportTable& table,
                                     const ChartData& data);

}  // namespace epsim
