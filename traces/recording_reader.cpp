#include "traces/recording_reader.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "sim/base/input_error.hpp"
#include "sim/base/json.hpp"
#include "traces/byte_stream.hpp"
#include "traces/gpu_trace_builder.hpp"

namespace epsim {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{1} << 16;
constexpr std::size_t kLongestLine = std::size_t{1} << 20;
constexpr std::int64_t kLargest = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kSmallest = std::numeric_limits<std::int64_t>::min();

// The lines of a stream, one after the other, without their ends.
class Lines {
 public:
  explicit Lines(ByteStream& stream) : stream_(stream) {}

  // The text stays until the next call. False at the end.
  bool next(std::string_view& line) {
    begin_ = end_;
    for (;;) {
      const std::size_t found = buffer_.find('\n', std::max(begin_, searched_));
      searched_ = std::min(found, buffer_.size());
      if (searched_ - begin_ > kLongestLine)
        throw InputError(stream_.name(),
                         fmt::format("line {}", number_ + 1),
                         fmt::format("longer than {} bytes; expected a record", kLongestLine));
      if (found != std::string::npos) {
        end_ = searched_ = found + 1;
        return give(line, found);
      }
      if (!refill()) break;
    }
    end_ = buffer_.size();
    is_cut_ = end_ > begin_;
    return is_cut_ && give(line, end_);
  }

  [[nodiscard]] std::uint64_t number() const { return number_; }  // of the line at hand, from 1
  [[nodiscard]] bool is_cut() const { return is_cut_; }           // it has no end
  [[nodiscard]] std::string place() const {
    return fmt::format("{}: line {}", stream_.name(), number_);
  }

 private:
  bool give(std::string_view& line, std::size_t end) {
    ++number_;
    line = std::string_view(buffer_).substr(begin_, end - begin_);
    return true;
  }
  bool refill() {
    buffer_.erase(0, begin_);
    searched_ -= begin_;
    begin_ = 0;
    const std::size_t filled = buffer_.size();
    buffer_.resize(filled + kPieceBytes);
    const std::size_t size = stream_.read(buffer_.data() + filled, kPieceBytes);
    buffer_.resize(filled + size);
    return size > 0;
  }

  ByteStream& stream_;
  std::string buffer_;
  std::size_t begin_ = 0, end_ = 0;  // of the line at hand
  std::size_t searched_ = 0;         // no line ends before
  std::uint64_t number_ = 0;
  bool is_cut_ = false;
};

template <typename T>
T number_or_0(JsonObject& object, std::string_view key) {
  const std::optional<JsonValue> value = object.optional(key);
  constexpr std::int64_t highest = std::in_range<std::int64_t>(std::numeric_limits<T>::max())
                                       ? static_cast<std::int64_t>(std::numeric_limits<T>::max())
                                       : kLargest;
  return value ? static_cast<T>(value->integer_in(0, highest)) : T{0};
}

std::array<std::uint32_t, 3> sizes_or_0(JsonObject& object, std::string_view key) {
  std::array<std::uint32_t, 3> sizes{};
  const std::optional<JsonValue> value = object.optional(key);
  if (!value) return sizes;
  const std::vector<JsonValue> items = value->array();
  if (items.size() != sizes.size()) value->fail_expected("three sizes, of x, y and z");
  for (std::size_t i = 0; i < sizes.size(); ++i)
    sizes[i] = static_cast<std::uint32_t>(
        items[i].integer_in(0, std::numeric_limits<std::uint32_t>::max()));
  return sizes;
}

class RecordingReader {
 public:
  explicit RecordingReader(ByteStream stream)
      : stream_(std::move(stream)), lines_(stream_), builder_(stream_.name(), "epsim") {}

  GpuTrace read() {
    std::string_view line;
    if (!lines_.next(line))
      throw InputError(stream_.name(), "", "empty; expected a recording of epsim");
    read_head(JsonDocument::parse(line, lines_.place()).root().object());
    while (lines_.next(line)) {
      if (lines_.is_cut() && !is_whole(line)) {
        builder_.warn("records cut off in their middle dropped",
                      fmt::format("line {}", lines_.number()));
        break;
      }
      read_line(JsonDocument::parse(line, lines_.place()).root().object());
    }
    if (!told_count_)
      builder_.warn("recording cut short: its last line, with the count, is missing",
                    fmt::format("line {}", lines_.number()));
    return builder_.finish();
  }

 private:
  // A last line without a line end may yet be whole.
  static bool is_whole(std::string_view line) { return line.ends_with('}'); }

  void read_head(JsonObject head) {
    const JsonValue schema = head.required("schema");
    if (schema.string() != kRecordingSchema)
      schema.fail_expected(fmt::format("\"{}\"", kRecordingSchema));
    if (const auto profiler = head.optional("profiler"))
      builder_.trace().profiler = "epsim (" + profiler->string() + ")";
    for (const JsonValue& item : head.required("devices").array()) {
      JsonObject device = item.object();
      TraceDevice& added = builder_.trace().devices.emplace_back();
      added.device = static_cast<std::uint32_t>(
          device.required("device").integer_in(0, std::numeric_limits<std::uint32_t>::max()));
      added.sm_count = number_or_0<std::uint32_t>(device, "sm_count");
      if (const auto name = device.optional("name")) added.name = name->string();
      device.finish();
    }
    for (const auto& [key, to] : {std::pair{"rank", &builder_.trace().rank},
                                  std::pair{"rank_count", &builder_.trace().rank_count}})
      if (const auto value = head.optional(key))
        *to = static_cast<std::uint32_t>(
            value->integer_in(0, std::numeric_limits<std::uint32_t>::max()));
    head.finish();
  }

  void read_line(JsonObject line) {
    if (told_count_) line.value().fail("stands behind the line with the count; expected the end");
    if (const auto count = line.optional("records")) {
      told_count_ = count->integer_in(0, kLargest);
      if (*told_count_ != record_count_)
        count->fail(fmt::format(
            "expected {}, which are in the file, found {}", record_count_, *told_count_));
    } else {
      ++record_count_;
      read_record(line);
    }
    line.finish();
  }

  void read_record(JsonObject& record) {
    const std::size_t kind =
        record.required("kind").one_of({"kernel", "copy", "fill", "synchronize"});
    const NsSpan span{record.required("start_ns").integer_in(kSmallest, kLargest),
                      record.required("end_ns").integer_in(kSmallest, kLargest)};
    const auto correlation = number_or_0<std::uint64_t>(record, "correlation");
    const auto where = [&] { return fmt::format("line {}", lines_.number()); };
    if (kind == 3) {
      HostCall wait{};
      wait.correlation = correlation;
      wait.kind = HostCallKind::synchronize;
      wait.name = builder_.name("synchronize");
      builder_.add(wait, span, "waits of the host", where);
      return;
    }
    GpuActivity activity{};
    activity.correlation = correlation;
    activity.kind = static_cast<ActivityKind>(kind);
    activity.device = static_cast<std::uint32_t>(
        record.required("device").integer_in(0, std::numeric_limits<std::uint32_t>::max()));
    activity.stream = static_cast<std::uint32_t>(
        record.required("stream").integer_in(0, std::numeric_limits<std::uint32_t>::max()));
    activity.grid = sizes_or_0(record, "grid");
    activity.block = sizes_or_0(record, "block");
    activity.shared_memory = number_or_0<std::uint32_t>(record, "shared_memory_bytes");
    activity.registers = number_or_0<std::uint16_t>(record, "registers");
    activity.graph_node = number_or_0<std::uint64_t>(record, "graph_node");
    activity.bytes = number_or_0<std::int64_t>(record, "bytes");
    const std::optional<JsonValue> name = record.optional("name");
    activity.name = builder_.name(name ? name->string() : std::string(kNames[kind]));
    builder_.add(activity, span, kPlurals[kind], where);
  }

  static constexpr std::array<std::string_view, 3> kNames = {
      "(unnamed kernel)", "Memcpy", "Memset"};
  static constexpr std::array<std::string_view, 3> kPlurals = {"kernels", "copies", "fills"};

  ByteStream stream_;
  Lines lines_;
  GpuTraceBuilder builder_;
  std::int64_t record_count_ = 0;
  std::optional<std::int64_t> told_count_;
};

}  // namespace

GpuTrace read_recording(const std::string& path) {
  return RecordingReader(ByteStream::of_file(path)).read();
}

GpuTrace parse_recording(std::string_view bytes, const std::string& name) {
  return RecordingReader(ByteStream::of_bytes(bytes, name)).read();
}

bool begins_as_recording(std::string_view first_bytes) {
  constexpr std::size_t kWithin = 200;  // of the file's start, the schema's name is found
  return first_bytes.substr(0, kWithin).find("\"epsim.recording/") != std::string_view::npos;
}

}  // namespace epsim
