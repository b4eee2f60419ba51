// ScheduleSpec: the `schedule` of a scenario: a model's step around the exchange, how its
// micro-batches take turns, and what the machine does to streams.
#pragma once

#include <cstdint>
#include <optional>

#include "models/moe_step.hpp"
#include "models/step_schedule.hpp"
#include "sim/base/json.hpp"
#include "sim/base/json_writer.hpp"

namespace epsim {

// Which communication an overlap speaks of. Whoever counts the kernels of one library counts what
// that library runs.
enum class CountedKernels : std::uint8_t { all, exchanges, collectives };
inline constexpr std::array<std::string_view, 3> kCountedKernelsNames = {
    "all", "exchanges", "collectives"};

struct ScheduleSpec {
  ScheduleKind kind = ScheduleKind::serial;
  QueueOrder order = QueueOrder::stages;
  std::uint32_t layers = 1, micro_batches = 2;
  StepDtype dtype = StepDtype::bf16;
  std::uint32_t reserved_sms = 0;  // that compute leaves free
  AttentionShape attention;
  ExpertSharing sharing = ExpertSharing::whole;
  std::int64_t intermediate = 0, shared_intermediate = 0;
  bool gathers_ids = false;
  OutputCollective output = OutputCollective::none;
  std::uint32_t collective_ctas = 0;
  // Mechanisms, each a switch.
  bool one_communicator = false;
  std::uint32_t hardware_queues = 0, other_streams = 0;
  Duration skew{};  // by which a collective waits for its last rank
  CountedKernels counted = CountedKernels::all;
};

// What the scenario says elsewhere and a schedule has to fit.
struct ScheduleFrame {
  std::int64_t hidden = 0;
  std::int64_t sm_count = 0;
  std::int64_t ranks = 0;
  std::optional<std::int64_t> tokens_per_rank;  // not known: of a routing file
};

// Throws InputError.
[[nodiscard]] ScheduleSpec read_schedule(const JsonValue& value, const ScheduleFrame& frame);
// With every default written out.
void write_schedule(const ScheduleSpec& schedule, JsonWriter& writer);

}  // namespace epsim
