// Table view: the first rows of a table, as a notebook shows them.
#pragma once

#include <cstddef>
#include <string>

#include "notebooks_export/export_document.hpp"

namespace epsim {

inline constexpr std::size_t kShownRows = 20;

// Columns side by side, numbers to the right; what is left out is counted below.
[[nodiscard]] std::string table_plain_text(const ExportTable& table, std::size_t most_rows);
// A <table>, without a page around it.
[[nodiscard]] std::string table_html(const ExportTable& table, std::size_t most_rows);

}  // namespace epsim
