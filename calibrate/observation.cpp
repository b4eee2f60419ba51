#include "calibrate/observation.hpp"

#include <limits>

#include "calibrate/observed_traffic.hpp"
#include "models/kernel_families.hpp"
#include "sim/base/json.hpp"
#include "sim/base/json_writer.hpp"

namespace epsim {
namespace {

// Keys that describe where a record comes from: kept in the file, not needed for a prediction.
constexpr std::array kProvenance = {"gpu", "iterations", "source", "note"};

// Of families that take them; others may not have the keys.
void read_exchange(JsonObject& object, ExchangeOptions& exchange) {
  exchange.mode = static_cast<ExchangeMode>(
      object.required("mode").one_of({kExchangeModeNames.begin(), kExchangeModeNames.end()}));
  exchange.copy = static_cast<ExchangeCopy>(
      object.required("copy").one_of({kExchangeCopyNames.begin(), kExchangeCopyNames.end()}));
  exchange.capacity = read_exchange_capacity(object.required("capacity"));
}

// The latency, as far as the record states it: directly, or by a bandwidth and the bytes that its
// source divides by it. Whether there is one.
bool read_latency(JsonObject& object,
                  const ObservationSet& set,
                  const FamilyKind& kind,
                  Observation& record) {
  const JsonValue latency = object.required("latency_us");
  const auto bandwidth = object.optional("bandwidth_gb_per_s");
  const double gb_per_s =
      bandwidth && !bandwidth->is_null() ? bandwidth->number_in(1e-9, 1e9) : 0.0;
  if (!latency.is_null()) {
    record.latency_us = latency.number_in(1e-3, 1e9);
    return true;
  }
  if (gb_per_s == 0.0) return false;
  const std::optional<double> bytes = stated_bytes(record, set, kind);
  if (!bytes || *bytes <= 0) return false;
  record.latency_us = *bytes / gb_per_s * 1e-3;  // 1 GB/s is 1000 bytes a microsecond
  record.from_bandwidth = true;
  return true;
}

std::optional<Observation> read_record(const JsonValue& value, const ObservationSet& set) {
  JsonObject object = value.object();
  Observation record;
  record.id = object.required("id").string();
  record.kernel = object.required("kernel").string();
  record.system = object.required("system").string();
  record.op = static_cast<MoeOperation>(
      object.required("op").one_of({kMoeOperationNames.begin(), kMoeOperationNames.end()}));
  record.ranks = static_cast<std::uint32_t>(object.required("ranks").integer_in(1, 65'535));
  if (const auto node = object.optional("gpus_per_node"); node && !node->is_null())
    record.gpus_per_node = static_cast<std::uint32_t>(node->integer_in(1, 1024));
  record.tokens = static_cast<std::uint32_t>(object.required("tokens").integer_in(0, 10'000'000));
  record.experts = static_cast<std::uint32_t>(object.required("experts").integer_in(1, 32'767));
  record.top_k = static_cast<std::uint32_t>(object.required("topk").integer_in(1, 64));
  record.hidden = object.required("hidden").integer_in(128, 1'048'576);
  const auto formats = dispatch_formats(*find_family(record.kernel));
  record.dispatch_format = static_cast<DispatchFormat>(
      object.required("dispatch_dtype").one_of({formats.begin(), formats.end()}));
  record.combine_format = static_cast<CombineFormat>(
      object.required("combine_dtype")
          .one_of({kCombineFormatNames.begin(), kCombineFormatNames.end()}));
  record.routing = object.required("routing").string();
  record.fence = read_fence_placement(object.required("fence"));
  const JsonValue sms = object.required("sms");
  if (!sms.is_null()) record.sms = sms.integer_in(1, 1024);
  const FamilyKind& kind = *find_family(record.kernel);
  if (kind.takes_exchange) read_exchange(object, record.exchange);
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
  const bool has_latency = read_latency(object, set, kind, record);
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
      .field("ranks", record.ranks);
  if (record.gpus_per_node > 0) writer.field("gpus_per_node", record.gpus_per_node);
  writer.field("tokens", record.tokens)
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
    else if (auto record = read_record(value, set))
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
