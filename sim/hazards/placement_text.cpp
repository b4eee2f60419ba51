#include <algorithm>

#include <fmt/format.h>

#include "models/fence_sites.hpp"
#include "sim/base/json_writer.hpp"
#include "sim/hazards/placement_table.hpp"

namespace epsim {
namespace {

constexpr int kInlineDepth = 5;  // a row of the table on one line

template <typename Enum, std::size_t N>
std::string_view name_of(const std::array<std::string_view, N>& names, Enum value) {
  return names[static_cast<std::size_t>(value)];
}

// One number a role: of its busiest agent.
std::string serial_text(const PlacementRow& row) {
  std::string text;
  for (const RoleFences& role : row.serial)
    text += fmt::format("{}{}", text.empty() ? "" : " + ", role.serial);
  return text.empty() ? "0" : text;
}

std::string verdict_text(const PlacementRow& row) {
  std::string text(name_of(kVerdictNames, row.strict));
  if (row.lenient != row.strict)
    text += fmt::format(" ({} if lenient)", name_of(kVerdictNames, row.lenient));
  return row.is_cheapest ? text + "  <- cheapest" : text;
}

std::string table_text(const PlacementTable& table) {
  constexpr std::string_view kLine = "{:<8}{:>11}  {:<16}{:>9}{:>9}{:>9}  {:<12}{:<12}{}\n";
  std::string text = fmt::format("{}: fence placements of the {}\n\n",
                                 table.file,
                                 name_of(kMoeOperationNames, table.operation));
  text += fmt::format(kLine,
                      "",
                      "latency us",
                      "[80 %]",
                      "delta us",
                      "a rank",
                      "serial",
                      kFenceEdgeNames[0],
                      kFenceEdgeNames[1],
                      "verdict");
  for (const PlacementRow& row : table.rows)
    text += fmt::format(kLine,
                        name_of(kFencePlacementNames, row.fence.placement),
                        fmt::format("{:.2f}", to_us(row.latency)),
                        fmt::format("[{:.1f}, {:.1f}]", row.interval.low_us, row.interval.high_us),
                        fmt::format("{:+.2f}", to_us(row.delta)),
                        row.executions,
                        serial_text(row),
                        name_of(kCoverageNames, row.edges[0]),
                        name_of(kCoverageNames, row.edges[1]),
                        verdict_text(row));
  return text + '\n';
}

std::string last_line(const PlacementTable& table) {
  const auto cheapest = std::find_if(table.rows.begin(),
                                     table.rows.end(),
                                     [](const PlacementRow& row) { return row.is_cheapest; });
  const std::string_view operation = name_of(kMoeOperationNames, table.operation);
  if (cheapest == table.rows.end())
    return fmt::format("{}: no placement is OK in the strict reading\n", operation);
  return fmt::format("{}: cheapest that is OK in the strict reading: {} ({:+.2f} us): {}\n",
                     operation,
                     name_of(kFencePlacementNames, cheapest->fence.placement),
                     to_us(cheapest->delta),
                     placement_text(table.operation, cheapest->fence));
}

void write_row(const PlacementTable& table, const PlacementRow& row, JsonWriter& writer) {
  writer.begin_object().field("fence", name_of(kFencePlacementNames, row.fence.placement));
  writer.field("latency_us", to_us(row.latency)).key("interval_us").begin_array();
  writer.value(row.interval.low_us).value(row.interval.high_us).end_array();
  writer.field("delta_us", to_us(row.delta)).field("execution_count", row.executions);
  writer.field("serial_count", row.most_serial()).key("serial").begin_array();
  for (const RoleFences& role : row.serial)
    writer.begin_object()
        .field("role", name_of(kRoleNames, role.role))
        .field("count", role.serial)
        .end_object();
  writer.end_array();
  for (std::size_t e = 0; e < row.edges.size(); ++e)
    writer.field(kFenceEdgeNames[e], name_of(kCoverageNames, row.edges[e]));
  writer.field("verdict", name_of(kVerdictNames, row.strict));
  writer.field("lenient_verdict", name_of(kVerdictNames, row.lenient));
  writer.field("cheapest", row.is_cheapest).field("chosen", row.fence == table.chosen);
  writer.field("text", placement_text(table.operation, row.fence)).end_object();
}

}  // namespace

std::string placement_text(MoeOperation operation, const FenceChoice& fence) {
  const bool is_ring = operation == MoeOperation::dispatch;
  const FenceSites sites = fence_sites(fence.placement, fence.form);
  std::string text;
  const auto add = [&](FenceKind kind, std::string_view where) {
    if (kind == FenceKind::none) return;
    text += fmt::format(
        "{}fence.{} {}", text.empty() ? "" : ", and ", name_of(kFenceNames, kind), where);
  };
  add(sites.poller,
      is_ring ? "in the thread that acquires the tail, once a chunk"
              : "in each poller, after its acquire");
  add(sites.after_grid_sync,
      is_ring ? "in each warp, before its first row of a chunk"
              : "in each load warp, once, after the grid sync");
  add(sites.token, "in the load warp, before the first row of a token");
  add(sites.load,
      is_ring ? "in each warp, before every row" : "in the load warp, before every row");
  add(sites.stage_release, "in each decode warp, before it hands a stage back");
  if (sites.generic_copy) return "rows come by ordinary loads";
  if (sites.second_kernel) return "the reduction is a kernel of its own";
  return text.empty() ? "no fence" : text;
}

std::string placements_text(std::span<const PlacementTable> tables) {
  std::string text;
  for (const PlacementTable& table : tables) text += table_text(table);
  text +=
      "E1: a row that a flag published, read by a bulk copy. E2: a ring stage, refilled by one.\n"
      "a rank: fences that warps of a rank execute; serial: of one agent, by role.\n"
      "lenient: closed only if a proxy fence may stand anywhere on the path.\n";
  for (const PlacementTable& table : tables) text += last_line(table);
  return text;
}

std::string placements_json(std::span<const PlacementTable> tables) {
  JsonWriter writer(kInlineDepth);
  writer.begin_object().field("schema", "epsim.placements/1").key("tables").begin_array();
  for (const PlacementTable& table : tables) {
    writer.begin_object().field("file", table.file).field("scenario", table.scenario);
    writer.field("operation", name_of(kMoeOperationNames, table.operation));
    writer.key("placements").begin_array();
    for (const PlacementRow& row : table.rows) write_row(table, row, writer);
    writer.end_array().end_object();
  }
  writer.end_array().end_object();
  return writer.take();
}

}  // namespace epsim
