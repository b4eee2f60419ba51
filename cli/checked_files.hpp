// Checked files: what `epsim check` makes of a file, by the schema that it names.
#pragma once

#include <string>
#include <vector>

#include "sim/hazards/checked_file.hpp"
#include "sim/hazards/happens_before.hpp"
#include "sim/hazards/placement_table.hpp"

namespace epsim {

struct CheckRequest {
  std::vector<std::string> paths;
  std::vector<std::string> settings;  // dotted.key=value, applied to each file
  std::string variant;                // of protocols; empty: all
  bool eager = false;                 // calls of a scenario are not captured into a graph
  CheckOptions options;
};

// Scenarios, protocols and call sequences. Throws InputError.
[[nodiscard]] std::vector<CheckedFile> check_files(const CheckRequest& request);

// Of scenarios alone; one table an operation that has placements.
[[nodiscard]] std::vector<PlacementTable> placement_tables(const CheckRequest& request);

}  // namespace epsim
