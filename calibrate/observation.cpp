#include "calibrate/observation.hpp"

#include "models/kernel_families.hpp"
#include "sim/base/json.hpp"

namespace epsim {
namespace {

// Keys that describe where a record comes from: kept in the file, not needed for a prediction.
constexpr std::array kProvenance = {"gpu",
                                    "gpus_per_node",
                                    "p10_us",
                                    "p90_us",
                                    "iterations",
                                    "bandwidth_gb_per_s",
                                    "source",
                                    "note"};

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
  const JsonValue latency = object.required("latency_us");
  const bool has_latency = !latency.is_null();
  if (has_latency) record.latency_us = latency.number_in(1e-3, 1e9);
  for (const char* key : kProvenance) (void)object.optional(key);
  object.finish();
  return has_latency ? std::optional(record) : std::nullopt;
}

}  // namespace

ObservationSet read_observations(const std::filesystem::path& path) {
  const JsonDocument document = JsonDocument::read(path);
  JsonObject object = document.root().object();
  (void)object.required("schema").one_of({"epsim.observations/1"});
  for (const char* key : {"what", "definition", "source"}) (void)object.optional(key);
  ObservationSet set{.file = path.string(), .folder = path.parent_path(), .records = {}};
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

}  // namespace epsim
