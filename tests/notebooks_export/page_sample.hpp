// A document as a page shows it, with as many marks and rows as its test counts on.
#pragma once

#include "notebooks_export/export_document.hpp"

namespace epsim {

// Section by section: 48 deployments as points over two axes, 12 of them joined; 8 ranks with 6
// spans each; 16 links in 60 bins; 2 streams with 40 tasks; 6 bars.
[[nodiscard]] ExportDocument page_sample();

}  // namespace epsim
