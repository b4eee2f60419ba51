// NsysExport: an Nsight Systems export while it is read: the database, the numbers and names in it,
// and the trace that grows. What every table's reader needs of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "traces/gpu_trace_builder.hpp"
#include "traces/nsys_numbers.hpp"
#include "traces/sqlite_file.hpp"

namespace epsim {

inline const std::string kNsysKernels = "CUPTI_ACTIVITY_KIND_KERNEL";

// The upper bits of a thread's id in an export are its process's.
[[nodiscard]] constexpr std::int64_t nsys_process_of_thread(std::int64_t global_tid) {
  return global_tid & ~std::int64_t{0xff'ffff};
}

[[nodiscard]] constexpr std::int64_t nsys_process_id(std::int64_t global_pid) {
  return (global_pid >> 24) & 0xff'ffff;
}

class NsysExport {
 public:
  // The file must outlive the export.
  explicit NsysExport(const SqliteFile& file);

  [[nodiscard]] const SqliteFile& file() const { return file_; }
  [[nodiscard]] GpuTraceBuilder& builder() { return builder_; }
  [[nodiscard]] NsysNumbers& numbers() { return numbers_; }

  // Index of a name that a cell holds, or that it names by its id in StringIds.
  [[nodiscard]] std::optional<std::uint32_t> name_at(const SqliteRows& rows, std::size_t column);

  // A cell that must fit its field. What does not is told as 0 and counted.
  template <typename T>
  [[nodiscard]] T field(const SqliteRows& rows, std::size_t column) {
    const std::optional<std::int64_t> value = rows.integer(column);
    if (!value) return 0;
    if (std::in_range<T>(*value)) return static_cast<T>(*value);
    builder_.warn("fields out of range read as 0", rows.where());
    return 0;
  }

  // Of a cell with a globalPid or a globalTid. Exports that tell no processes of kernels have one.
  [[nodiscard]] std::int64_t process_at(const SqliteRows& rows, std::size_t column) const {
    return tells_processes_ ? nsys_process_of_thread(rows.integer(column).value_or(0)) : 0;
  }

  // Devices, notes on numbers that were changed, the session's start: after all activities.
  [[nodiscard]] GpuTrace finish(std::string_view hint);

 private:
  void add_devices();
  void note_processes();
  void note_streams();
  [[nodiscard]] std::string process_name(std::int64_t process) const;
  [[nodiscard]] std::int64_t session_start_ns() const;

  const SqliteFile& file_;
  GpuTraceBuilder builder_;
  NsysNumbers numbers_;
  std::map<std::int64_t, std::optional<std::uint32_t>> names_;  // by StringIds.id
  bool tells_processes_ = false;
};

}  // namespace epsim
