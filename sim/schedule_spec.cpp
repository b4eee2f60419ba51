#include "sim/schedule_spec.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "sim/base/quantity_text.hpp"

namespace epsim {
namespace {

constexpr std::int64_t kMostLayers = 128;
constexpr std::int64_t kMostWidth = 1'048'576;
constexpr std::int64_t kMostTokens = 16'777'216;
constexpr std::uint32_t kTurns = 2;  // micro-batches of a two-batch schedule
// DeepSeek's FlashMLA names 640 TFLOP/s for sparse prefill on an H800 (its README); an SM count of
// 132 and a clock of 1.98 GHz make a peak of 1070.
constexpr double kAttentionEfficiency = 0.6;
// Those of M20's exchanges, which fill a link.
constexpr std::int64_t kCollectiveCtas = 20;

template <typename Enum, std::size_t N>
Enum read_word(const JsonValue& value, const std::array<std::string_view, N>& names) {
  return static_cast<Enum>(value.one_of({names.begin(), names.end()}));
}

std::vector<MatrixShape> read_matrices(const JsonValue& value) {
  std::vector<MatrixShape> shapes;
  for (const JsonValue& entry : value.array()) {
    const std::vector<JsonValue> sides = entry.array();
    if (sides.size() != 2) entry.fail_expected("[columns, depth] of a GEMM over the tokens");
    shapes.push_back({sides[0].integer_in(1, kMostWidth), sides[1].integer_in(1, kMostWidth)});
  }
  return shapes;
}

// Where projections are not told: queries, keys and values in one GEMM, the heads' outputs in one.
void read_attention(const JsonValue& value, const ScheduleFrame& frame, AttentionShape& shape) {
  JsonObject object = value.object();
  AttentionCore& core = shape.core;
  core.heads = object.required("heads").integer_in(1, 4096);
  core.key_size = object.required("key_size").integer_in(1, 4096);
  const auto value_size = object.optional("value_size");
  core.value_size = value_size ? value_size->integer_in(1, 4096) : core.key_size;
  const auto key_heads = object.optional("key_heads");
  core.key_heads = key_heads ? key_heads->integer_in(1, core.heads) : core.heads;
  core.attended = object.required("attended").integer_in(1, kMostTokens);
  const auto cached = object.optional("cached_tokens");
  core.cached_tokens = cached ? cached->integer_in(0, kMostTokens) : core.attended;
  const auto efficiency = object.optional("efficiency");
  core.efficiency = efficiency ? efficiency->number_in(0.01, 1) : kAttentionEfficiency;
  const std::int64_t queries = core.heads * core.key_size;
  const std::int64_t cache = core.key_heads * (core.key_size + core.value_size);
  const auto projections = object.optional("projections");
  shape.projections = projections ? read_matrices(*projections)
                                  : std::vector<MatrixShape>{{queries + cache, frame.hidden}};
  const auto output = object.optional("output");
  shape.output = output ? read_matrices(*output)
                        : std::vector<MatrixShape>{{frame.hidden, core.heads * core.value_size}};
  object.finish();
}

void read_experts(const JsonValue& value, ScheduleSpec& schedule) {
  JsonObject object = value.object();
  schedule.intermediate = object.required("intermediate").integer_in(1, kMostWidth);
  if (const auto shared = object.optional("shared_intermediate"))
    schedule.shared_intermediate = shared->integer_in(0, kMostWidth);
  if (const auto sharing = object.optional("sharing"))
    schedule.sharing = read_word<ExpertSharing>(*sharing, kExpertSharingNames);
  object.finish();
}

void read_collectives(const JsonValue& value, const ScheduleFrame& frame, ScheduleSpec& schedule) {
  JsonObject object = value.object();
  if (const auto ids = object.optional("gather_ids")) schedule.gathers_ids = ids->boolean();
  if (const auto output = object.optional("output")) {
    schedule.output = read_word<OutputCollective>(*output, kOutputCollectiveNames);
    if (schedule.output != OutputCollective::none && schedule.sharing == ExpertSharing::whole)
      output->fail_expected(
          "\"none\": whole experts give whole rows, which the combine brings home");
  }
  if (const auto ctas = object.optional("ctas"))
    schedule.collective_ctas = static_cast<std::uint32_t>(ctas->integer_in(1, frame.sm_count));
  object.finish();
}

void read_mechanisms(const JsonValue& value, ScheduleSpec& schedule) {
  JsonObject object = value.object();
  if (const auto one = object.optional("one_communicator"))
    schedule.one_communicator = one->boolean();
  if (const auto queues = object.optional("hardware_queues"))
    schedule.hardware_queues = static_cast<std::uint32_t>(queues->integer_in(0, 128));
  if (const auto streams = object.optional("other_streams"))
    schedule.other_streams = static_cast<std::uint32_t>(streams->integer_in(0, 128));
  if (const auto skew = object.optional("skew")) {
    schedule.skew = skew->duration();
    if (schedule.skew < Duration{}) skew->fail_expected("a time that is not negative");
  }
  if (const auto counted = object.optional("counted"))
    schedule.counted = read_word<CountedKernels>(*counted, kCountedKernelsNames);
  object.finish();
}

void read_batches(JsonObject& object, const ScheduleFrame& frame, ScheduleSpec& schedule) {
  if (const auto batches = object.optional("micro_batches")) {
    schedule.micro_batches = static_cast<std::uint32_t>(batches->integer_in(1, 64));
    if (schedule.kind != ScheduleKind::serial && schedule.micro_batches != kTurns)
      batches->fail_expected("2: a two-batch schedule has two micro-batches");
  }
  if (frame.tokens_per_rank && *frame.tokens_per_rank % schedule.micro_batches != 0)
    object.value().fail(
        fmt::format("expected tokens_per_rank to be a multiple of the {} micro-batches, found {}",
                    schedule.micro_batches,
                    *frame.tokens_per_rank));
}

}  // namespace

ScheduleSpec read_schedule(const JsonValue& value, const ScheduleFrame& frame) {
  JsonObject object = value.object();
  ScheduleSpec schedule;
  schedule.collective_ctas = static_cast<std::uint32_t>(std::min(kCollectiveCtas, frame.sm_count));
  schedule.kind = read_word<ScheduleKind>(object.required("kind"), kScheduleKindNames);
  if (const auto order = object.optional("order"))
    schedule.order = read_word<QueueOrder>(*order, kQueueOrderNames);
  schedule.layers =
      static_cast<std::uint32_t>(object.required("layers").integer_in(1, kMostLayers));
  read_batches(object, frame, schedule);
  if (const auto dtype = object.optional("dtype"))
    schedule.dtype = read_word<StepDtype>(*dtype, kStepDtypeNames);
  if (const auto reserved = object.optional("reserved_sms"))
    schedule.reserved_sms = static_cast<std::uint32_t>(reserved->integer_in(0, frame.sm_count - 1));
  read_attention(object.required("attention"), frame, schedule.attention);
  read_experts(object.required("experts"), schedule);
  if (const auto collectives = object.optional("collectives"))
    read_collectives(*collectives, frame, schedule);
  if (const auto mechanisms = object.optional("mechanisms")) read_mechanisms(*mechanisms, schedule);
  object.finish();
  return schedule;
}

void write_schedule(const ScheduleSpec& schedule, JsonWriter& writer) {
  const auto word = [](const auto& names, auto index) {
    return names[static_cast<std::size_t>(index)];
  };
  const auto matrices = [&](std::string_view key, const std::vector<MatrixShape>& shapes) {
    writer.key(key).begin_array();
    for (const MatrixShape& shape : shapes)
      writer.begin_array().value(shape.columns).value(shape.depth).end_array();
    writer.end_array();
  };
  writer.begin_object().field("kind", word(kScheduleKindNames, schedule.kind));
  writer.field("order", word(kQueueOrderNames, schedule.order)).field("layers", schedule.layers);
  writer.field("micro_batches", schedule.micro_batches);
  writer.field("dtype", word(kStepDtypeNames, schedule.dtype));
  writer.field("reserved_sms", schedule.reserved_sms);
  const AttentionCore& core = schedule.attention.core;
  writer.key("attention").begin_object().field("heads", core.heads);
  writer.field("key_size", core.key_size).field("value_size", core.value_size);
  writer.field("key_heads", core.key_heads).field("attended", core.attended);
  writer.field("cached_tokens", core.cached_tokens).field("efficiency", core.efficiency);
  matrices("projections", schedule.attention.projections);
  matrices("output", schedule.attention.output);
  writer.end_object().key("experts").begin_object();
  writer.field("sharing", word(kExpertSharingNames, schedule.sharing));
  writer.field("intermediate", schedule.intermediate);
  writer.field("shared_intermediate", schedule.shared_intermediate).end_object();
  writer.key("collectives").begin_object().field("gather_ids", schedule.gathers_ids);
  writer.field("output", word(kOutputCollectiveNames, schedule.output));
  writer.field("ctas", schedule.collective_ctas).end_object();
  writer.key("mechanisms").begin_object().field("one_communicator", schedule.one_communicator);
  writer.field("hardware_queues", schedule.hardware_queues);
  writer.field("other_streams", schedule.other_streams);
  writer.field("skew", to_exact_text(schedule.skew));
  writer.field("counted", word(kCountedKernelsNames, schedule.counted)).end_object();
  writer.end_object();
}

}  // namespace epsim
