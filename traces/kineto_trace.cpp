#include "traces/kineto_trace.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "traces/host_call_kind.hpp"
#include "traces/profiler_time.hpp"

namespace epsim {
namespace {

constexpr std::string_view kStepPrefix = "ProfilerStep";
// What PyTorch's own profiler, the one before Kineto, has for a process of its kernels.
constexpr std::string_view kLegacyGpuProcess = "CUDA functions";

constexpr std::string_view plural_of(KinetoCategory category) {
  switch (category) {
    case KinetoCategory::kernel:
      return "kernels";
    case KinetoCategory::copy:
      return "copies";
    case KinetoCategory::fill:
      return "fills";
    case KinetoCategory::host_call:
      return "host calls";
    case KinetoCategory::synchronisation:
      return "waits of streams";
    default:
      return "ranges";
  }
}

ActivityKind activity_kind(KinetoCategory category) {
  if (category == KinetoCategory::copy) return ActivityKind::copy;
  if (category == KinetoCategory::fill) return ActivityKind::fill;
  return ActivityKind::kernel;
}

// A count that is not told, or is -1 as profilers say "none", is 0.
std::uint64_t count_of(std::string_view token) {
  if (token.empty()) return 0;
  return static_cast<std::uint64_t>(std::max<std::int64_t>(read_integer(token).value_or(0), 0));
}

// Threads were text once: "stream 7" of a range on a GPU.
std::uint64_t thread_of(std::string_view token) {
  return static_cast<std::uint64_t>(
      std::max<std::int64_t>(read_last_integer(token).value_or(0), 0));
}

template <typename Number>
Number limited(std::uint64_t count) {
  return static_cast<Number>(std::min<std::uint64_t>(count, std::numeric_limits<Number>::max()));
}

}  // namespace

KinetoTrace::KnownName& KinetoTrace::known_name(std::string_view text) {
  const auto known = names_.find(text);
  if (known != names_.end()) return known->second;
  name_texts_.emplace_back(text);
  return names_.emplace(name_texts_.back(), KnownName{.index = {}, .call = host_call_kind(text)})
      .first->second;
}

std::uint32_t KinetoTrace::name_index(std::string_view text) {
  KnownName& known = known_name(text);
  if (!known.index) known.index = builder_.name(text);
  return *known.index;
}

bool KinetoTrace::wants(const KinetoGlance& glance) {
  if (!glance.is_whole) return true;
  switch (glance.category) {
    case KinetoCategory::other:
      return false;
    case KinetoCategory::host_operator:
      return glance.name.starts_with(kStepPrefix);
    case KinetoCategory::host_call:
      return known_name(glance.name).call.has_value();
    default:
      return true;
  }
}

void KinetoTrace::warn_of(KinetoCategory category, std::string_view what) {
  builder_.warn(fmt::format("{} {}", plural_of(category), what), (*where_)());
}

void KinetoTrace::add(const KinetoFields& fields, const TracePlace& where) {
  where_ = &where;
  KinetoCategory category = kineto_category(fields.category);
  if (category == KinetoCategory::none && bare_text(fields.process) == kLegacyGpuProcess)
    category = KinetoCategory::kernel;
  if (category == KinetoCategory::none || category == KinetoCategory::other) return;
  if (category == KinetoCategory::host_operator) {
    if (!fields.name.starts_with(kStepPrefix)) return;
    category = KinetoCategory::range;
  }
  if (category == KinetoCategory::host_call && !known_name(fields.name).call) return;
  if (!fields.phase.empty() && fields.phase != "X") {
    if (fields.phase == "B") warn_of(category, "told in two halves dropped");
    return;  // a flow, a counter, an instant
  }
  if (category == KinetoCategory::synchronisation) return add_wait(fields);

  const std::optional<NsSpan> span = span_of(fields, category);
  if (!span) return;
  if (category == KinetoCategory::host_call) return add_call(fields, *span);
  if (category != KinetoCategory::range) return add_activity(fields, category, *span);
  const TraceRange range{
      .start = {}, .time = {}, .thread = thread_of(fields.thread), .name = name_index(fields.name)};
  builder_.add(range, *span, plural_of(category), *where_);
}

std::optional<NsSpan> KinetoTrace::span_of(const KinetoFields& fields, KinetoCategory category) {
  if (fields.start.empty() || fields.time.empty()) {
    warn_of(category,
            fields.start.empty() ? "without a start dropped" : "without a duration dropped");
    return std::nullopt;
  }
  const ProfilerUnit unit = unit_of_moment(fields.start);
  const std::optional<std::int64_t> start = read_nanoseconds(fields.start, unit);
  const std::optional<std::int64_t> time = read_nanoseconds(fields.time, unit);
  if (!start || !time) {
    warn_of(category,
            start ? "whose duration is no number dropped" : "whose start is no number dropped");
    return std::nullopt;
  }
  return NsSpan{.start_ns = *start, .end_ns = *start + *time};  // neither is beyond 2^62
}

// A number of a GPU or stream.
std::uint32_t KinetoTrace::small_number(std::optional<std::int64_t> number,
                                        KinetoCategory category,
                                        std::string_view what) {
  if (!number) {
    warn_of(category, fmt::format("that do not tell their {} taken as {} 0", what, what));
    return 0;
  }
  if (*number < 0 || *number > std::numeric_limits<std::uint32_t>::max())
    warn_of(category, fmt::format("whose {} has no number of 32 bits: its low bits taken", what));
  return static_cast<std::uint32_t>(static_cast<std::uint64_t>(*number) & 0xffff'ffffU);
}

void KinetoTrace::add_activity(const KinetoFields& fields, KinetoCategory category, NsSpan span) {
  const bool is_legacy = bare_text(fields.process) == kLegacyGpuProcess;
  if (!fields.has_args && !is_legacy)
    warn_of(category, "without args: GPU and stream taken from pid and tid");
  std::optional<std::int64_t> device = read_integer(fields.device);
  if (!device) device = read_last_integer(is_legacy ? fields.thread : fields.process);
  std::optional<std::int64_t> stream = read_integer(fields.stream);
  // What is told as -1 is not told.
  if (!stream || *stream < 0) stream = is_legacy ? 0 : read_last_integer(fields.thread);
  GpuActivity activity;
  activity.device = small_number(device, category, "GPU");
  activity.stream = small_number(stream, category, "stream");
  activity.correlation = count_of(fields.correlation);
  activity.graph_node = count_of(fields.graph_node);
  activity.name = name_index(fields.name);
  activity.kind = activity_kind(category);
  if (category == KinetoCategory::kernel) {
    activity.grid = read_triple(fields.grid);
    activity.block = read_triple(fields.block);
    activity.shared_memory = limited<std::uint32_t>(count_of(fields.shared_memory));
    activity.registers = limited<std::uint16_t>(count_of(fields.registers));
  } else {
    activity.bytes = limited<std::int64_t>(count_of(fields.bytes));
  }
  builder_.add(activity, span, plural_of(category), *where_);
}

void KinetoTrace::add_call(const KinetoFields& fields, NsSpan span) {
  HostCall call;
  call.kind = *known_name(fields.name).call;
  call.name = name_index(fields.name);
  call.correlation = count_of(fields.correlation);
  call.thread = thread_of(fields.thread);
  if (call.correlation == 0 && call.kind == HostCallKind::launch)
    warn_of(KinetoCategory::host_call, "that launch something without a correlation");
  builder_.add(call, span, plural_of(KinetoCategory::host_call), *where_);
}

void KinetoTrace::add_wait(const KinetoFields& fields) {
  const std::string_view kind =
      fields.synchronisation.empty() ? fields.name : bare_text(fields.synchronisation);
  if (kind != "Stream Wait Event") return;  // the host waits: a host call says so too
  const StreamWait wait{.wait_correlation = count_of(fields.correlation),
                        .record_correlation = count_of(fields.waited_record),
                        .device = limited<std::uint32_t>(count_of(fields.device)),
                        .stream = small_number(
                            read_integer(fields.stream), KinetoCategory::synchronisation, "stream"),
                        .record_stream = limited<std::uint32_t>(count_of(fields.waited_stream))};
  builder_.trace().waits.push_back(wait);
}

void KinetoTrace::set_member(std::string_view key, std::string_view value, std::string_view where) {
  if (key == "baseTimeNanoseconds") {
    const std::optional<std::int64_t> base = read_nanoseconds(value, ProfilerUnit::nanosecond);
    if (base && *base >= 0)
      base_ns_ = *base;
    else
      builder_.warn("baseTimeNanoseconds that is no time left out", where);
  }
  if (key == "schemaVersion" && read_integer(value) != 1)
    builder_.warn(fmt::format("schemaVersion {:.20} instead of 1 read as 1", bare_text(value)),
                  where);
}

void KinetoTrace::set_rank(std::optional<std::string_view> rank,
                           std::optional<std::string_view> rank_count,
                           std::string_view where) {
  const auto set = [&](std::optional<std::string_view> token, std::optional<std::uint32_t>& to) {
    if (!token) return;
    const std::optional<std::int64_t> number = read_integer(*token);
    if (number && *number >= 0 && *number <= std::numeric_limits<std::int32_t>::max())
      to = static_cast<std::uint32_t>(*number);
    else
      builder_.warn("rank or world_size of distributedInfo that is no number left out", where);
  };
  set(rank, builder_.trace().rank);
  set(rank_count, builder_.trace().rank_count);
}

void KinetoTrace::add_device(std::string_view id,
                             std::string_view sm_count,
                             std::string_view name) {
  builder_.trace().devices.push_back({.device = limited<std::uint32_t>(count_of(id)),
                                      .sm_count = limited<std::uint32_t>(count_of(sm_count)),
                                      .name = std::string(name)});
}

GpuTrace KinetoTrace::finish(std::string_view hint) {
  GpuTrace trace = builder_.finish(hint);
  if (base_ns_ <= std::numeric_limits<std::int64_t>::max() - trace.epoch_ns)
    trace.epoch_ns += base_ns_;
  return trace;
}

}  // namespace epsim
