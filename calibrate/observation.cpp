#include "calibrate/observation.hpp"

#include <limits>

#include "models/kernel_families.hpp"
#include "sim/base/json.hpp"
#include "sim/base/json_writer.hpp"

namespace epsim {
namespace {

// Keys that describe where a record comes from: kept in the file, not needed for a prediction.
constexpr std::array kProvenance = {
    "gpu", "gpus_per_node", "iterations", "bandwidth_gb_per_s", "source", "note"};

// Of families that take them; others may not have the keys.
void read_exchange(JsonObject& object, ExchangeOptions& exchange) {
  exchange.mode = static_cast<ExchangeMode>(
      object.required("mode").one_of({kExchangeModeNames.begin(), kExchangeModeNames.end()}));
  exchange.copy = static_cast<ExchangeCopy>(
      object.required("copy").one_of({kExchangeCopyNames.begin(), kExchangeCopyNames.end()}));
  exchange.capacity = read_exchange_capacity(object.required("capacity"));
}

std::optional<Observation> read_record(const JsonValue& value) {
  JsonObject object = value.object();
  Observation record;
  record.id = object.required("id").string();
  record.kernel = object.required("kernel").string();
  record.system = object.required("system").string();
  record.op = static_cast<MoeOperation>(
      object.required("op").one_of({kMoeOperationNames.begin(), kMoeOperationNames.end()}));
  record.ranks = static_cast<std::uint32_t>(object.required("ranks").integer_in(1, 65'535));
  record.tokens = static_cast<std::uint32_t>(object.required("tokens").integer_in(0, 10'000'000));
  record.experts = static_cast<std::uint32_t>(object.required("experts").integer_in(1, 32'767));
  record.top_k = static_cast<std::uint32_t>(object.required("topk").integer_in(1, 64));
  record.hidden = object.required("hidden").integer_in(128, 1'048'576);
  record.dispatch_format = static_cast<DispatchFormat>(
      object.required("dispatch_dtype")
          .one_of({kDispatchFormatNames.begin(), kDispatchFormatNames.end()}));
  record.combine_format = static_cast<CombineFormat>(
      object.required("combine_dtype")
          .one_of({kCombineFormatNames.begin(), kCombineFormatNames.end()}));
  record.routing = object.required("routing").string();
  record.fence = read_fence_placement(object.required("fence"));
  const JsonValue sms = object.required("sms");
  if (!sms.is_null()) record.sms = sms.integer_in(1, 1024);
  if (find_family(record.kernel)->takes_exchange) read_exchange(object, record.exchange);
  const JsonValue latency = object.required("latency_us");
  const bool has_latency = !latency.is_null();
  if (has_latency) record.latency_us = latency.number_in(1e-3, 1e9);
  if (const auto seed = object.optional("seed"))
    record.seed =
        static_cast<std::uint64_t>(seed->integer_in(0, std::numeric_limits<std::int64_t>::max()));
  if (const auto part = object.optional("part"))
    record.part =
        static_cast<SplitPart>(part->one_of({kSplitPartNames.begin(), kSplitPartNames.end()}));
  if (const auto held_out = object.optional("held_out")) record.held_out = held_out->boolean();
  const auto spread = [&](const char* key, double& into) {
    const auto given = object.optional(key);
    if (given && !given->is_null()) into = given->number_in(0, 1e9);
  };
  spread("p10_us", record.p10_us);
  spread("p90_us", record.p90_us);
  for (const char* key : kProvenance) (void)object.optional(key);
  object.finish();
  return has_latency ? std::optional(record) : std::nullopt;
}

void write_record(const Observation& record, JsonWriter& writer) {
  const auto name = [](const auto& names, auto index) {
    return names[static_cast<std::size_t>(index)];
  };
  writer.begin_object()
      .field("id", record.id)
      .field("kernel", record.kernel)
      .field("system", record.system)
      .field("op", name(kMoeOperationNames, record.op))
      .field("ranks", record.ranks)
      .field("tokens", record.tokens)
      .field("hidden", record.hidden)
      .field("experts", record.experts)
      .field("topk", record.top_k)
      .field("dispatch_dtype", name(kDispatchFormatNames, record.dispatch_format))
      .field("combine_dtype", name(kCombineFormatNames, record.combine_format))
      .field("routing", record.routing)
      .field("seed", record.seed)
      .field("fence", name(kFencePlacementNames, record.fence));
  writer.key("sms");
  record.sms > 0 ? writer.value(record.sms) : writer.null();
  if (find_family(record.kernel)->takes_exchange) {
    writer.field("mode", name(kExchangeModeNames, record.exchange.mode))
        .field("copy", name(kExchangeCopyNames, record.exchange.copy))
        .key("capacity");
    record.exchange.capacity > 0 ? writer.value(record.exchange.capacity) : writer.value("worst");
  }
  if (record.part != SplitPart::whole) writer.field("part", name(kSplitPartNames, record.part));
  writer.field("latency_us", record.latency_us)
      .field("p10_us", record.p10_us)
      .field("p90_us", record.p90_us)
      .field("held_out", record.held_out)
      .end_object();
}

}  // namespace

ObservationSet read_observations(const std::filesystem::path& path) {
  const JsonDocument document = JsonDocument::read(path);
  JsonObject object = document.root().object();
  (void)object.required("schema").one_of({"epsim.observations/1"});
  for (const char* key : {"what", "definition"}) (void)object.optional(key);
  ObservationSet set;
  set.file = path.string();
  set.folder = path.parent_path();
  if (const auto source = object.optional("source")) set.source = source->string();
  for (const JsonValue& value : object.required("records").array()) {
    JsonObject entry = value.object();
    if (find_family(entry.required("kernel").string()) == nullptr)
      ++set.unknown_kernels;
    else if (auto record = read_record(value))
      set.records.push_back(std::move(*record));
    else
      ++set.without_latency;
  }
  object.finish();
  return set;
}

std::string observations_text(const ObservationSet& set) {
  JsonWriter writer;
  writer.begin_object()
      .field("schema", "epsim.observations/1")
      .field("definition",
             "latency_us: from the last rank's kernel start to the last rank's kernel end, median "
             "over iterations; held_out: no fit may see it")
      .field("source", set.source)
      .key("records")
      .begin_array();
  for (const Observation& record : set.records) write_record(record, writer);
  return writer.end_array().end_object().take();
}

}  // namespace epsim
