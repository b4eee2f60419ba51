#include "sim/step_trace.hpp"

#include <fmt/format.h>

#include "sim/base/check.hpp"
#include "sim/base/json_writer.hpp"

namespace epsim {
namespace {

constexpr int kProcess = 1;

// Microseconds, to the nanosecond.
std::string time_text(Duration time) {
  const std::int64_t ns = time.count() / 1000;
  return fmt::format("{}.{:03}", ns / 1000, ns % 1000);
}

void write_name(JsonWriter& writer,
                std::string_view kind,
                std::uint32_t thread,
                std::string_view name) {
  writer.begin_object().field("ph", "M").field("pid", kProcess).field("tid", thread);
  writer.field("name", kind).key("args").begin_object().field("name", name);
  writer.end_object().end_object();
}

void write_task(JsonWriter& writer, const GpuStep& step, const StepRun& run, std::size_t i) {
  const StepTask& task = step.tasks[i];
  writer.begin_object().field("ph", "X").field("pid", kProcess).field("tid", task.stream + 1);
  writer.key("ts").raw(time_text(run.start[i] - Instant{}));
  writer.key("dur").raw(time_text(run.end[i] - run.start[i]));
  writer.field("name", task.name);
  writer.field("cat", kKernelClassNames[static_cast<std::size_t>(task.kernel_class)]);
  writer.key("args").begin_object().field("layer", task.layer);
  writer.field("micro-batch", task.micro_batch).field("alone us", to_us(task.time));
  writer.field("CTAs", task.cta_count).key("waits for").begin_array();
  for (const std::uint32_t earlier : task.after) {
    const StepTask& other = step.tasks[earlier];
    writer.value(fmt::format("{} of {}", other.name, step.streams[other.stream]));
  }
  writer.end_array().end_object().end_object();
}

}  // namespace

std::string step_trace(std::string_view name, const GpuStep& step, const StepRun& run) {
  check(run.start.size() == step.tasks.size(), "each task of a step ran");
  JsonWriter writer;
  writer.begin_object().field("displayTimeUnit", "ns").key("traceEvents").begin_array();
  write_name(writer, "process_name", 0, name);
  for (std::uint32_t s = 0; s < step.streams.size(); ++s)
    write_name(writer, "thread_name", s + 1, step.streams[s]);
  for (std::size_t i = 0; i < step.tasks.size(); ++i) write_task(writer, step, run, i);
  writer.end_array().end_object();
  return writer.take();
}

}  // namespace epsim
