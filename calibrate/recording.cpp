#include "calibrate/recording.hpp"

#include <array>
#include <cerrno>
#include <string_view>
#include <system_error>
#include <utility>

#include "sim/base/input_error.hpp"
#include "sim/base/json_writer.hpp"

namespace epsim {
namespace {

// By GpuRecordKind.
constexpr std::array<std::string_view, 4> kKindNames = {"kernel", "copy", "fill", "synchronize"};

void add_sizes(JsonWriter& line, std::string_view key, const std::array<std::uint32_t, 3>& sizes) {
  line.key(key).begin_array();
  for (const std::uint32_t size : sizes) line.value(size);
  line.end_array();
}

std::string line_of(const GpuRecord& record) {
  const bool is_kernel = record.activity == GpuRecordKind::kernel;
  JsonWriter line(0);
  line.begin_object()
      .field("kind", kKindNames.at(static_cast<std::size_t>(record.activity)))
      .field("start_ns", record.start_ns)
      .field("end_ns", record.end_ns)
      .field("correlation", record.correlation);
  if (record.activity != GpuRecordKind::synchronization)
    line.field("device", record.gpu).field("stream", record.stream);
  if (!record.name.empty()) line.field("name", record.name);
  if (is_kernel) {
    add_sizes(line, "grid", record.grid);
    add_sizes(line, "block", record.block);
    line.field("shared_memory_bytes", record.shared_memory_bytes)
        .field("registers", record.registers);
  } else if (record.activity != GpuRecordKind::synchronization) {
    line.field("bytes", record.bytes);
  }
  if (record.graph_node != 0) line.field("graph_node", record.graph_node);
  return line.end_object().take();
}

}  // namespace

RecordingWriter::RecordingWriter(std::filesystem::path path,
                                 const std::string& profiler,
                                 const std::vector<RecordedGpu>& gpus)
    : path_(std::move(path)) {
  if (path_.extension() == ".gz")
    throw InputError(path_.string(),
                     "",
                     "a recording is written plain; expected a name without .gz (compress it "
                     "afterwards: both are read)");
  file_.open(path_, std::ios::binary | std::ios::trunc);
  JsonWriter head(0);
  head.begin_object().field("schema", "epsim.recording/1").field("profiler", profiler);
  head.key("devices").begin_array();
  for (std::size_t gpu = 0; gpu < gpus.size(); ++gpu)
    head.begin_object()
        .field("device", gpu)
        .field("name", gpus[gpu].name)
        .field("sm_count", gpus[gpu].sm_count)
        .end_object();
  append(head.end_array().end_object().take());
}

void RecordingWriter::write(const std::vector<GpuRecord>& records) {
  std::string text;
  for (const GpuRecord& record : records) {
    if (record.activity == GpuRecordKind::overhead) continue;
    text += line_of(record);
    ++count_;
  }
  append(text);
}

void RecordingWriter::finish() {
  JsonWriter line(0);
  append(line.begin_object().field("records", count_).end_object().take());
  file_.close();
}

// To the disk at once: what was recorded is there whatever happens next.
void RecordingWriter::append(const std::string& text) {
  errno = 0;
  file_ << text << std::flush;
  if (!file_)
    throw std::system_error(errno != 0 ? errno : EIO, std::generic_category(), path_.string());
}

}  // namespace epsim
