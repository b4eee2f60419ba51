#include "traces/nsys_reader.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "sim/base/input_error.hpp"
#include "traces/host_call_kind.hpp"
#include "traces/nsys_export.hpp"
#include "traces/sqlite_file.hpp"

namespace epsim {
namespace {

const std::string kCopies = "CUPTI_ACTIVITY_KIND_MEMCPY";
const std::string kFills = "CUPTI_ACTIVITY_KIND_MEMSET";
const std::string kGraphs = "CUPTI_ACTIVITY_KIND_GRAPH_TRACE";
const std::string kCalls = "CUPTI_ACTIVITY_KIND_RUNTIME";
const std::string kWaits = "CUPTI_ACTIVITY_KIND_SYNCHRONIZATION";
const std::string kEventRecords = "CUPTI_ACTIVITY_KIND_CUDA_EVENT";
constexpr std::string_view kWholeGraphs =
    "graph launches recorded without their kernels (nsys profile --cuda-graph-trace=node has them)";

// Columns that kernels, copies and fills share, at the front of each query.
enum SharedColumn : std::size_t {
  kStart,
  kEnd,
  kDevice,
  kContext,
  kStream,
  kCorrelation,
  kProcess,
  kGraphNode,
  kFirstOwn
};
std::vector<std::string> with_shared(const std::vector<std::string>& own) {
  std::vector<std::string> all = {"start",
                                  "end",
                                  "deviceId",
                                  "contextId",
                                  "streamId",
                                  "correlationId",
                                  "globalPid",
                                  "graphNodeId"};
  all.insert(all.end(), own.begin(), own.end());
  return all;
}

// CUpti_ActivityMemcpyKind, from 1; named as the other profilers do.
constexpr std::array kCopyNames = {"Memcpy HtoD",
                                   "Memcpy DtoH",
                                   "Memcpy HtoA",
                                   "Memcpy AtoH",
                                   "Memcpy AtoA",
                                   "Memcpy AtoD",
                                   "Memcpy DtoA",
                                   "Memcpy DtoD",
                                   "Memcpy HtoH",
                                   "Memcpy PtoP"};

// CUpti_ActivitySynchronizationType of a stream that waits for an event.
constexpr std::int64_t kStreamWaitsForEvent = 2;
// NVTX's ranges in ENUM_NSYS_EVENT_TYPE: of one thread and of two, and the same with payloads.
constexpr std::array<std::int64_t, 4> kRangeTypes = {59, 60, 70, 71};

void expect_kernel_table(const SqliteFile& file) {
  if (file.has_table(kNsysKernels)) return;
  std::string found;
  for (const std::string& table : file.tables())
    if (!table.starts_with("ENUM_")) found += (found.empty() ? "" : ", ") + table;
  if (found.empty()) found = "no table";
  if (file.has_table(kGraphs)) found = std::string(kWholeGraphs) + " and " + found;
  throw InputError(
      file.path(),
      "",
      fmt::format(
          "expected an Nsight Systems export with the table {}, found {}", kNsysKernels, found));
}

struct FoundActivity {
  GpuActivity activity{};
  NsSpan span;
};

// What all activities have. Nothing where a row lacks what none can lack.
std::optional<FoundActivity> shared_part(NsysExport& from,
                                         const SqliteRows& rows,
                                         std::string_view what) {
  const auto start = rows.integer(kStart), end = rows.integer(kEnd);
  const auto device = rows.integer(kDevice), stream = rows.integer(kStream);
  if (!start || !end || !device || !stream || !std::in_range<std::uint32_t>(*device) ||
      !std::in_range<std::uint32_t>(*stream)) {
    from.builder().warn(fmt::format("{} without start, end, device or stream dropped", what),
                        rows.where());
    return std::nullopt;
  }
  const std::int64_t process = from.process_at(rows, kProcess);
  const NsysNumbers::Place place =
      from.numbers().place({.on = {process, static_cast<std::uint32_t>(*device)},
                            .context = rows.integer(kContext),
                            .stream = static_cast<std::uint32_t>(*stream)});
  GpuActivity activity{};
  if (const auto correlation = rows.integer(kCorrelation))
    activity.correlation = from.numbers().correlation(process, *correlation);
  activity.graph_node = from.field<std::uint64_t>(rows, kGraphNode);
  activity.device = place.device;
  activity.stream = place.stream;
  return FoundActivity{activity, {*start, *end}};
}

void read_kernels(NsysExport& from) {
  SqliteRows rows = from.file().rows(kNsysKernels,
                                     with_shared({"demangledName",
                                                  "shortName",
                                                  "gridX",
                                                  "gridY",
                                                  "gridZ",
                                                  "blockX",
                                                  "blockY",
                                                  "blockZ",
                                                  "staticSharedMemory",
                                                  "dynamicSharedMemory",
                                                  "registersPerThread"}));
  while (rows.next()) {
    std::optional<FoundActivity> found = shared_part(from, rows, "kernels");
    if (!found) continue;
    GpuActivity& kernel = found->activity;
    std::optional<std::uint32_t> name = from.name_at(rows, kFirstOwn);
    if (!name) name = from.name_at(rows, kFirstOwn + 1);
    if (!name) from.builder().warn("kernels without a name", rows.where());
    kernel.name = name ? *name : from.builder().name("(unnamed kernel)");
    for (std::size_t i = 0; i < 3; ++i) {
      kernel.grid[i] = from.field<std::uint32_t>(rows, kFirstOwn + 2 + i);
      kernel.block[i] = from.field<std::uint32_t>(rows, kFirstOwn + 5 + i);
    }
    kernel.shared_memory = from.field<std::uint32_t>(rows, kFirstOwn + 8);
    const auto dynamic = from.field<std::uint32_t>(rows, kFirstOwn + 9);
    if (dynamic <= std::numeric_limits<std::uint32_t>::max() - kernel.shared_memory)
      kernel.shared_memory += dynamic;
    kernel.registers = from.field<std::uint16_t>(rows, kFirstOwn + 10);
    from.builder().add(kernel, found->span, "kernels", [&] { return rows.where(); });
  }
}

void read_copies(NsysExport& from) {
  SqliteRows rows = from.file().rows(kCopies, with_shared({"bytes", "copyKind"}));
  while (rows.next()) {
    std::optional<FoundActivity> found = shared_part(from, rows, "copies");
    if (!found) continue;
    const std::int64_t kind = rows.integer(kFirstOwn + 1).value_or(0);
    const bool is_known = kind >= 1 && kind <= std::ssize(kCopyNames);
    found->activity.kind = ActivityKind::copy;
    found->activity.bytes = rows.integer(kFirstOwn).value_or(0);
    found->activity.name =
        from.builder().name(is_known ? kCopyNames[static_cast<std::size_t>(kind - 1)] : "Memcpy");
    from.builder().add(found->activity, found->span, "copies", [&] { return rows.where(); });
  }
}

void read_fills(NsysExport& from) {
  SqliteRows rows = from.file().rows(kFills, with_shared({"bytes"}));
  while (rows.next()) {
    std::optional<FoundActivity> found = shared_part(from, rows, "fills");
    if (!found) continue;
    found->activity.kind = ActivityKind::fill;
    found->activity.bytes = rows.integer(kFirstOwn).value_or(0);
    found->activity.name = from.builder().name("Memset");
    from.builder().add(found->activity, found->span, "fills", [&] { return rows.where(); });
  }
}

std::uint64_t count_whole_graphs(NsysExport& from) {
  SqliteRows rows = from.file().rows(kGraphs, {});
  std::uint64_t count = 0;
  std::string first;
  for (; rows.next(); ++count)
    if (count == 0) first = rows.where();
  from.builder().warn(kWholeGraphs, first, count);
  return count;
}

void read_calls(NsysExport& from) {
  SqliteRows rows =
      from.file().rows(kCalls, {"start", "end", "globalTid", "correlationId", "nameId"});
  // Looked up once a name: the calls that we read past are the most.
  std::map<std::uint32_t, std::optional<HostCallKind>> kinds;
  while (rows.next()) {
    const std::optional<std::uint32_t> name = from.name_at(rows, 4);
    if (!name) {
      from.builder().warn("calls without a name dropped", rows.where());
      continue;
    }
    const auto [kind, is_new] = kinds.try_emplace(*name);
    if (is_new) kind->second = host_call_kind(from.builder().trace().names[*name]);
    if (!kind->second) continue;
    const auto start = rows.integer(0), end = rows.integer(1);
    if (!start || !end) {
      from.builder().warn("calls without start or end dropped", rows.where());
      continue;
    }
    HostCall call{};
    call.thread = static_cast<std::uint64_t>(rows.integer(2).value_or(0));
    call.name = *name;
    call.kind = *kind->second;
    if (const auto correlation = rows.integer(3))
      call.correlation = from.numbers().correlation(from.process_at(rows, 2), *correlation);
    from.builder().add(call, {*start, *end}, "calls", [&] { return rows.where(); });
  }
}

// Where events took their places: by process and event, in order of correlation, which counts up.
struct EventRecord {
  std::int64_t correlation = 0;
  std::uint32_t stream = 0;
  auto operator<=>(const EventRecord&) const = default;
};
using EventRecords = std::map<std::pair<std::int64_t, std::int64_t>, std::vector<EventRecord>>;

// Of an event's record or of a wait for one: the columns begin alike.
NsysNumbers::Place place_of_event(NsysExport& from, const SqliteRows& rows) {
  return from.numbers().known_place(
      {.on = {from.process_at(rows, 4), from.field<std::uint32_t>(rows, 0)},
       .context = rows.integer(1),
       .stream = from.field<std::uint32_t>(rows, 2)});
}

EventRecords event_records(NsysExport& from) {
  EventRecords records;
  SqliteRows rows = from.file().rows(
      kEventRecords,
      {"deviceId", "contextId", "streamId", "correlationId", "globalPid", "eventId"});
  while (rows.next()) {
    const auto correlation = rows.integer(3), event = rows.integer(5);
    if (correlation && event)
      records[{from.process_at(rows, 4), *event}].push_back(
          {*correlation, place_of_event(from, rows).stream});
  }
  for (auto& [event, of_event] : records) std::sort(of_event.begin(), of_event.end());
  return records;
}

std::int64_t stream_wait_type(const SqliteFile& file) {
  SqliteRows rows = file.rows("ENUM_CUPTI_SYNC_TYPE", {"id", "name"});
  while (rows.next())
    if (rows.text(1).value_or("").find("STREAM_WAIT_EVENT") != std::string_view::npos)
      return rows.integer(0).value_or(kStreamWaitsForEvent);
  return kStreamWaitsForEvent;
}

void read_waits(NsysExport& from) {
  const EventRecords records = event_records(from);
  const std::int64_t wait_type = stream_wait_type(from.file());
  SqliteRows rows = from.file().rows(
      kWaits,
      {"deviceId", "contextId", "streamId", "correlationId", "globalPid", "eventId", "syncType"});
  while (rows.next()) {
    if (rows.integer(6) != wait_type) continue;
    const auto correlation = rows.integer(3), event = rows.integer(5);
    if (!correlation || !event) {
      from.builder().warn("waits between streams without a correlation or event dropped",
                          rows.where());
      continue;
    }
    const std::int64_t process = from.process_at(rows, 4);
    const NsysNumbers::Place place = place_of_event(from, rows);
    StreamWait wait;
    wait.wait_correlation = from.numbers().correlation(process, *correlation);
    wait.device = place.device;
    wait.stream = place.stream;
    // The event means its last record before the wait.
    if (const auto found = records.find({process, *event}); found != records.end()) {
      const auto later = std::lower_bound(
          found->second.begin(), found->second.end(), EventRecord{*correlation, 0});
      if (later != found->second.begin()) {
        wait.record_correlation =
            from.numbers().correlation(process, std::prev(later)->correlation);
        wait.record_stream = std::prev(later)->stream;
      }
    }
    from.builder().trace().waits.push_back(wait);
  }
}

// With MPI traced, each process says "MPI Rank 3".
std::optional<std::uint32_t> rank_in(std::string_view text) {
  constexpr std::string_view kPrefix = "MPI Rank ";
  if (!text.starts_with(kPrefix)) return std::nullopt;
  text.remove_prefix(kPrefix.size());
  std::uint32_t rank = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), rank);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return rank;
}

void read_ranges(NsysExport& from) {
  std::map<std::int64_t, std::uint32_t> ranks;  // by process
  SqliteRows rows =
      from.file().rows("NVTX_EVENTS", {"start", "end", "eventType", "text", "textId", "globalTid"});
  while (rows.next()) {
    if (const auto rank = rank_in(rows.text(3).value_or("")))
      ranks.emplace(from.process_at(rows, 5), *rank);
    const auto type = rows.integer(2);
    if (!type || std::find(kRangeTypes.begin(), kRangeTypes.end(), *type) == kRangeTypes.end())
      continue;
    const auto start = rows.integer(0), end = rows.integer(1);
    if (!start || !end) {
      from.builder().warn("NVTX ranges that never end dropped", rows.where());
      continue;
    }
    std::optional<std::uint32_t> name = from.name_at(rows, 3);
    if (!name) name = from.name_at(rows, 4);
    TraceRange range{};
    range.thread = static_cast<std::uint64_t>(rows.integer(5).value_or(0));
    range.name = name ? *name : from.builder().name("(unnamed range)");
    from.builder().add(range, {*start, *end}, "NVTX ranges", [&] { return rows.where(); });
  }
  // An export of several ranks is of none of them.
  if (ranks.size() == 1) from.builder().trace().rank = ranks.begin()->second;
}

GpuTrace read_export(const SqliteFile& file) {
  expect_kernel_table(file);
  NsysExport from(file);
  read_kernels(from);
  read_copies(from);
  read_fills(from);
  const std::uint64_t whole_graphs = count_whole_graphs(from);
  read_calls(from);
  read_waits(from);
  read_ranges(from);
  return from.finish(whole_graphs > 0 ? kWholeGraphs : "");
}

}  // namespace

GpuTrace read_nsys(const std::string& path) {
  return read_export(SqliteFile::open(path));
}

GpuTrace parse_nsys(std::string_view bytes, const std::string& name) {
  return read_export(SqliteFile::from_bytes(bytes, name));
}

}  // namespace epsim
