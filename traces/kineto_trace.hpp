// KinetoTrace: makes a GpuTrace of the events of a PyTorch profiler dump, one at a time: decides
// which are kept, reads their numbers, and counts what is left out or mended.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "traces/gpu_trace.hpp"
#include "traces/gpu_trace_builder.hpp"
#include "traces/kineto_fields.hpp"
#include "traces/kineto_glance.hpp"

namespace epsim {

class KinetoTrace {
 public:
  explicit KinetoTrace(const std::string& file) : builder_(file, "Kineto") {}

  // Whether an event may be kept, so that its fields must be read.
  [[nodiscard]] bool wants(const KinetoGlance& glance);

  // An event, and where it stands for messages. Its texts need not outlive the call.
  void add(const KinetoFields& fields, const TracePlace& where);

  // A member of the dump's outer object that is a number or text.
  void set_member(std::string_view key, std::string_view value, std::string_view where);
  void set_rank(std::optional<std::string_view> rank,
                std::optional<std::string_view> rank_count,
                std::string_view where);
  void add_device(std::string_view id, std::string_view sm_count, std::string_view name);

  void warn(std::string_view what, std::string_view where, std::uint64_t count = 1) {
    builder_.warn(what, where, count);
  }

  // Throws InputError when nothing ran on a GPU; `hint` says what may be the reason.
  [[nodiscard]] GpuTrace finish(std::string_view hint);

 private:
  // What is known of a name, so that one met before costs one look-up.
  struct KnownName {
    std::optional<std::uint32_t> index;  // once it is kept
    std::optional<HostCallKind> call;
  };
  KnownName& known_name(std::string_view text);
  std::uint32_t name_index(std::string_view text);
  std::optional<NsSpan> span_of(const KinetoFields& fields, KinetoCategory category);
  void add_activity(const KinetoFields& fields, KinetoCategory category, NsSpan span);
  void add_call(const KinetoFields& fields, NsSpan span);
  void add_wait(const KinetoFields& fields);
  std::uint32_t small_number(std::optional<std::int64_t> number,
                             KinetoCategory category,
                             std::string_view what);
  void warn_of(KinetoCategory category, std::string_view what);

  GpuTraceBuilder builder_;
  const TracePlace* where_ = nullptr;  // of the event at hand
  std::int64_t base_ns_ = 0;           // of the clock that the events count from
  // Found by key only, never walked through: order cannot matter. Keys view `name_texts_`.
  std::unordered_map<std::string_view, KnownName> names_;
  std::deque<std::string> name_texts_;
};

}  // namespace epsim
