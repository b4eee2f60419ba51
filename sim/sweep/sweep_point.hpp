// SweepPoint: one point of a sweep simulated: what `epsim run` answers to its scenario, as rows of
// a table, one an operation. A point whose scenario is refused has one row that says why.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "models/calibration.hpp"
#include "sim/base/json_writer.hpp"
#include "sim/sweep/scenario_sweep.hpp"

namespace epsim {

enum class SweepCellKind : std::uint8_t { number, text, flag };

struct SweepColumn {
  std::string_view name;
  SweepCellKind kind;
};

// Of every sweep's table, after the point's number and the keys of the axes.
inline constexpr std::array kSweepColumns = {
    SweepColumn{"operation", SweepCellKind::text},
    SweepColumn{"latency_us", SweepCellKind::number},
    SweepColumn{"low_us", SweepCellKind::number},
    SweepColumn{"high_us", SweepCellKind::number},
    SweepColumn{"bound_us", SweepCellKind::number},
    SweepColumn{"bound_by", SweepCellKind::text},
    SweepColumn{"bottleneck", SweepCellKind::text},
    SweepColumn{"busy_pct", SweepCellKind::number},
    SweepColumn{"in_range", SweepCellKind::flag},
    SweepColumn{"beyond", SweepCellKind::text},
    SweepColumn{"step_us", SweepCellKind::number},
    SweepColumn{"serial_us", SweepCellKind::number},
    SweepColumn{"compute_us", SweepCellKind::number},
    SweepColumn{"communication_us", SweepCellKind::number},
    SweepColumn{"exposed_us", SweepCellKind::number},
    SweepColumn{"overlap_pct", SweepCellKind::number},
    SweepColumn{"error", SweepCellKind::text},
};

using SweepCell = std::variant<std::monostate, bool, double, std::string>;  // monostate: none
using SweepRow = std::array<SweepCell, kSweepColumns.size()>;

void write_cell(const SweepCell& cell, JsonWriter& writer);

// Rows as text and back: JSON, in which doubles are exact. `name` stands for it in messages.
[[nodiscard]] std::string sweep_rows_text(const std::vector<SweepRow>& rows);
[[nodiscard]] std::vector<SweepRow> read_sweep_rows(std::string_view text, const std::string& name);

// Simulates points; threads may share one. Keeps each calibration that it has read.
class SweepSimulator {
 public:
  explicit SweepSimulator(const ScenarioSweep& sweep) : sweep_(sweep) {}

  // What a glance at the scenario refuses, or nothing.
  [[nodiscard]] std::optional<std::string> refusal(std::uint64_t point);
  [[nodiscard]] std::vector<SweepRow> run(std::uint64_t point);

  // What the points glanced at read from elsewhere than the sweep: a line each, with a fingerprint
  // of its content.
  [[nodiscard]] std::string inputs();

 private:
  // With step constants, where a scenario with a schedule has asked for them.
  struct System {
    Calibration calibration;
    std::optional<ConstantSet> step_constants;
  };

  [[nodiscard]] std::shared_ptr<const System> system_of(const Scenario& scenario);
  void note_inputs(const Scenario& scenario, const System& system);

  const ScenarioSweep& sweep_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<const System>> systems_;  // "step " before those of steps
  std::map<std::string, std::string> inputs_;
};

}  // namespace epsim
