// SweepTable: where the rows of a sweep are kept: an SQLite file that stands complete or not at
// all, and beside it, until then, one of the points that are finished. The door to SQLite for what
// we write; traces/sqlite_file reads what others wrote.
//
// A point once kept is neither lost nor done again, whenever the program ends. The complete file is
// written anew from first to last point, so its bytes depend on the sweep alone and not on who ran
// which point when.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sim/sweep/scenario_sweep.hpp"
#include "sim/sweep/sweep_point.hpp"

namespace epsim {

// What a table must agree on before more is added to it.
struct SweepIdentity {
  std::string sweep;    // ScenarioSweep::resolved()
  std::string inputs;   // SweepSimulator::inputs()
  std::string version;  // of epsim
};

// Whether a complete table of this sweep stands at `path`. Throws InputError where something else
// stands there.
[[nodiscard]] bool is_complete_table(const std::string& path, const SweepIdentity& identity);

// A table that is being filled. One at a time: another one of the same path is refused.
class SweepTable {
 public:
  // Takes up what an interrupted run of the same sweep has left. Throws InputError where another
  // sweep left it, or another process fills it.
  SweepTable(const std::string& path, const SweepIdentity& identity);
  ~SweepTable();
  SweepTable(const SweepTable&) = delete;
  SweepTable& operator=(const SweepTable&) = delete;

  [[nodiscard]] std::vector<std::uint64_t> finished() const;  // points, in their order
  // `rows` as sweep_rows_text() gives them. Kept when this returns.
  void keep(std::uint64_t point, std::string_view rows);
  // Once every point is kept: puts the complete table in place.
  void complete(const ScenarioSweep& sweep);

 private:
  struct Database;
  std::string path_;
  SweepIdentity identity_;
  std::unique_ptr<Database> database_;
};

// Removes what a run leaves that ends just after its table is complete.
void remove_unfinished_table(const std::string& path);

// The rows of a complete table, in its order.
void for_each_sweep_row(const std::string& path,
                        const std::function<void(std::uint64_t point, const SweepRow& row)>& visit);

}  // namespace epsim
