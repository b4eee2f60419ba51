#include "traces/nsys_export.hpp"

#include <algorithm>
#include <set>
#include <vector>

#include <fmt/format.h>

namespace epsim {
namespace {

constexpr std::int64_t kLatestSessionNs = std::int64_t{1} << 61;

struct MetaData {
  std::string product_version, schema_version;
};

// Its table changed names between schemas 2 and 3.
MetaData meta_data(const SqliteFile& file) {
  MetaData found;
  for (const char* table : {"EXPORT_META_DATA", "META_DATA_EXPORT"}) {
    SqliteRows rows = file.rows(table, {"name", "value"});
    while (rows.next()) {
      const auto name = rows.text(0), value = rows.text(1);
      if (!name || !value) continue;
      if (*name == "EXPORT_PRODUCT_VERSION") found.product_version = *value;
      if (*name == "EXPORT_SCHEMA_VERSION") found.schema_version = *value;
    }
  }
  return found;
}

std::string profiler(const MetaData& meta) {
  return "Nsight Systems" + (meta.product_version.empty() ? "" : " " + meta.product_version);
}

}  // namespace

NsysExport::NsysExport(const SqliteFile& file)
    : file_(file), builder_(file.path(), profiler(meta_data(file))) {
  const std::string schema = meta_data(file).schema_version;
  if (!schema.empty() && !schema.starts_with("2.") && !schema.starts_with("3."))
    builder_.warn("schema " + schema + " is none that is known (2.x, 3.x); read as 3.x", "");
  const std::vector<std::string> columns = file.columns(kNsysKernels);
  tells_processes_ = std::find(columns.begin(), columns.end(), "globalPid") != columns.end();
}

std::optional<std::uint32_t> NsysExport::name_at(const SqliteRows& rows, std::size_t column) {
  if (const auto text = rows.text(column)) return builder_.name(*text);
  const std::optional<std::int64_t> id = rows.integer(column);
  if (!id) return std::nullopt;
  const auto [known, is_new] = names_.try_emplace(*id);
  if (is_new) {
    SqliteRows strings = file_.rows_where("StringIds", {"value"}, "id", *id);
    if (strings.next())
      if (const auto text = strings.text(0)) known->second = builder_.name(*text);
  }
  return known->second;
}

// A process's device is a CUDA number; TARGET_INFO_CUDA_DEVICE, or else a column of the GPU itself,
// tells which GPU that is.
void NsysExport::add_devices() {
  std::map<std::pair<std::int64_t, std::int64_t>, std::int64_t> gpu_of;  // process id, CUDA number
  SqliteRows links = file_.rows("TARGET_INFO_CUDA_DEVICE", {"pid", "cudaId", "gpuId"});
  while (links.next())
    if (const auto pid = links.integer(0), cuda = links.integer(1), gpu = links.integer(2);
        pid && cuda && gpu)
      gpu_of[{*pid, *cuda}] = *gpu;

  struct Gpu {
    std::int64_t id = 0, cuda_number = 0;
    TraceDevice device;
  };
  std::vector<Gpu> gpus;
  SqliteRows rows = file_.rows("TARGET_INFO_GPU", {"id", "cuDevice", "name", "smCount"});
  while (rows.next()) {
    const std::int64_t id = rows.integer(0).value_or(0);
    Gpu gpu{.id = id, .cuda_number = rows.integer(1).value_or(id), .device = {}};
    gpu.device.name = rows.text(2).value_or("");
    gpu.device.sm_count = field<std::uint32_t>(rows, 3);
    gpus.push_back(std::move(gpu));
  }
  std::set<std::uint32_t> used;
  for (const GpuActivity& activity : builder_.trace().activities) used.insert(activity.device);
  for (const auto& [of_process, number] : numbers_.devices()) {
    if (!used.contains(number)) continue;
    const auto link = gpu_of.find({nsys_process_id(of_process.process), of_process.device});
    const auto gpu = std::find_if(gpus.begin(), gpus.end(), [&](const Gpu& candidate) {
      return link != gpu_of.end() ? candidate.id == link->second
                                  : candidate.cuda_number == of_process.device;
    });
    TraceDevice device = gpu == gpus.end() ? TraceDevice{} : gpu->device;
    device.device = number;
    builder_.trace().devices.push_back(std::move(device));
  }
  std::sort(builder_.trace().devices.begin(),
            builder_.trace().devices.end(),
            [](const TraceDevice& a, const TraceDevice& b) { return a.device < b.device; });
}

std::string NsysExport::process_name(std::int64_t process) const {
  SqliteRows rows = file_.rows_where("PROCESSES", {"name"}, "globalPid", process);
  const bool is_known = rows.next();
  return fmt::format("process {}{}",
                     nsys_process_id(process),
                     is_known && rows.text(0) ? fmt::format(" ({})", *rows.text(0)) : "");
}

void NsysExport::note_processes() {
  std::map<std::uint32_t, std::uint64_t> activities;  // by device
  for (const GpuActivity& activity : builder_.trace().activities) ++activities[activity.device];
  std::set<std::int64_t> processes;
  for (const auto& [device, number] : numbers_.devices())
    if (activities.contains(number)) processes.insert(device.process);
  if (processes.size() < 2) return;
  for (const auto& [device, number] : numbers_.devices())
    builder_.warn(fmt::format("activities on GPU {} of {} told as GPU {}: the file holds several "
                              "processes",
                              device.device,
                              process_name(device.process),
                              number),
                  "",
                  activities[number]);
}

void NsysExport::note_streams() {
  for (const auto& [stream, number] : numbers_.streams())
    if (number != stream.stream)
      builder_.warn(fmt::format("stream {} of context {} on GPU {} told as stream {}: another "
                                "context has a stream of that number",
                                stream.stream,
                                stream.context.value_or(0),
                                numbers_.device(stream.on),
                                number),
                    "");
}

std::int64_t NsysExport::session_start_ns() const {
  SqliteRows rows = file_.rows("TARGET_INFO_SESSION_START_TIME", {"utcEpochNs"});
  const std::int64_t start = rows.next() ? rows.integer(0).value_or(0) : 0;
  return start >= 0 && start <= kLatestSessionNs ? start : 0;
}

GpuTrace NsysExport::finish(std::string_view hint) {
  add_devices();
  note_processes();
  note_streams();
  GpuTrace trace = builder_.finish(hint);
  trace.epoch_ns += session_start_ns();
  return trace;
}

}  // namespace epsim
