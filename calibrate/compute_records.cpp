#include "calibrate/compute_records.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "models/model_description.hpp"
#include "models/model_layers.hpp"
#include "sim/base/check.hpp"
#include "sim/base/input_error.hpp"
#include "sim/base/json.hpp"

namespace epsim {
namespace {

constexpr std::int64_t kMost = 100'000'000;
// DeepSeek-V3's latent row.
constexpr std::int64_t kLatentSize = 512, kRopeSize = 64;

StepDtype read_dtype(const JsonValue& value) {
  return static_cast<StepDtype>(value.one_of({kStepDtypeNames.begin(), kStepDtypeNames.end()}));
}

void read_gemm(JsonObject& object, ComputeRecord& record) {
  const JsonValue rows = object.required("rows");
  for (const JsonValue& count : rows.array()) record.rows.push_back(count.integer_in(0, kMost));
  if (std::ranges::all_of(record.rows, [](auto count) { return count == 0; }))
    rows.fail_expected("a group with rows");
  record.columns = object.required("columns").integer_in(1, kMost);
  record.depth = object.required("depth").integer_in(1, kMost);
}

void read_attention(JsonObject& object, ComputeRecord& record) {
  record.heads = object.required("heads").integer_in(1, 1024);
  if (record.kind == ComputeKind::attention_prefill) {
    record.tokens = object.required("tokens").integer_in(1, kMost);
    record.key_size = object.required("key_size").integer_in(kRopeSize + 1, 4096);
    record.value_size = object.required("value_size").integer_in(1, 4096);
    return;
  }
  record.sequences = object.required("sequences").integer_in(1, kMost);
  record.keys = object.required("keys").integer_in(1, kMost);
  if (const auto chosen = object.optional("chosen_keys"))
    record.chosen_keys = chosen->integer_in(1, kMost);
  if (const auto cache = object.optional("cache")) record.cache = read_dtype(*cache);
}

ComputeRecord read_record(const JsonValue& value) {
  JsonObject object = value.object();
  ComputeRecord record;
  record.id = object.required("id").string();
  record.kind = static_cast<ComputeKind>(
      object.required("kind").one_of({kComputeKindNames.begin(), kComputeKindNames.end()}));
  record.kernel = object.required("kernel").string();
  record.dtype = read_dtype(object.required("dtype"));
  record.time_us = object.required("time_us").number_in(1e-3, 1e9);
  record.held_out = object.required("held_out").boolean();
  record.source = object.required("source").string();
  if (record.kind == ComputeKind::gemm || record.kind == ComputeKind::grouped_gemm)
    read_gemm(object, record);
  else
    read_attention(object, record);
  object.finish();
  return record;
}

double gemm_law_us(const ComputeRecord& record, const StepMachine& machine, const ComputeLaw& law) {
  const bool is_fp8 = record.dtype == StepDtype::fp8;
  const GemmFormat format{.dtype = record.dtype, .weight_bits = is_fp8 ? 8.0 : 16.0};
  return to_us(formatted_gemm_time(
                   record.rows, record.columns, record.depth, format, machine, law.block_scaled)
                   .time);
}

double attention_law_us(const ComputeRecord& record,
                        const StepMachine& machine,
                        const ComputeLaw& law) {
  ModelDescription model;
  model.layers = 1;
  model.attention = {.kind = AttentionKind::mla,
                     .heads = record.heads,
                     .key_size = record.key_size,
                     .value_size = record.value_size,
                     .latent_size = kLatentSize,
                     .rope_size = kRopeSize};
  model.attention.chosen_keys = record.chosen_keys;
  model.cache_bits = record.cache == StepDtype::fp8 ? 8 : 16;
  LayerWork work;
  const bool is_decode = record.kind == ComputeKind::mla_decode;
  work.phase = is_decode ? ServingPhase::decode : ServingPhase::prefill;
  work.tokens = is_decode ? record.sequences : record.tokens;
  work.sequences = is_decode ? record.sequences : 1;
  work.context = is_decode ? record.keys - 1 : 0;
  AttentionCore core = attention_shape(model, work).core;
  core.tokens = work.tokens;
  if (is_decode && record.chosen_keys == 0) {
    core.fixed = from_us(law.latent_fixed_us);
    core.efficiency *= law.latent_tflops / kLatentDecodeTflops;
  }
  return to_us(attention_core_time(core, machine).time);
}

// Two numbers at which `cost` is least, by grids that close in.
struct Grid {
  double low = 0, high = 0;
};
struct Place {
  double x = 0, y = 0;
};
Place least(Grid x, Grid y, const std::function<double(Place)>& cost) {
  constexpr int kSteps = 16, kGrids = 6;
  Place best;
  double best_cost = std::numeric_limits<double>::infinity();
  for (int grid = 0; grid < kGrids; ++grid) {
    const double dx = (x.high - x.low) / kSteps, dy = (y.high - y.low) / kSteps;
    for (int i = 0; i <= kSteps; ++i) {
      for (int j = 0; j <= kSteps; ++j) {
        const Place place{x.low + i * dx, y.low + j * dy};
        const double found = cost(place);
        if (found >= best_cost) continue;
        best_cost = found;
        best = place;
      }
    }
    // Two steps to either side: a crooked valley may leave the nearest cells.
    x = {std::max(x.low, best.x - 2 * dx), std::min(x.high, best.x + 2 * dx)};
    y = {std::max(y.low, best.y - 2 * dy), std::min(y.high, best.y + 2 * dy)};
  }
  return best;
}

double mean_error(const std::vector<ComputeRecord>& records,
                  const StepMachine& machine,
                  const ComputeLaw& law) {
  double sum = 0;
  for (const ComputeRecord& record : records)
    sum += std::abs(std::log(compute_law_us(record, machine, law) / record.time_us));
  return sum / static_cast<double>(records.size());
}

std::vector<ComputeRecord> fitted_ones(const std::vector<ComputeRecord>& records,
                                       std::string_view file,
                                       std::string_view what,
                                       const std::function<bool(const ComputeRecord&)>& fits) {
  std::vector<ComputeRecord> chosen;
  for (const ComputeRecord& record : records)
    if (!record.held_out && fits(record)) chosen.push_back(record);
  if (chosen.empty())
    throw InputError(
        file, "/records", "expected " + std::string(what) + " not held out, found none");
  return chosen;
}

}  // namespace

std::vector<ComputeRecord> read_compute_records(const std::filesystem::path& file) {
  const JsonDocument document = JsonDocument::read(file);
  JsonObject object = document.root().object();
  (void)object.required("schema").one_of({"epsim.compute_records/1"});
  (void)object.optional("what");
  std::vector<ComputeRecord> records;
  const JsonValue list = object.required("records");
  for (const JsonValue& value : list.array()) records.push_back(read_record(value));
  if (records.empty()) list.fail_expected("a record");
  object.finish();
  return records;
}

double compute_law_us(const ComputeRecord& record,
                      const StepMachine& machine,
                      const ComputeLaw& law) {
  if (record.kind == ComputeKind::gemm || record.kind == ComputeKind::grouped_gemm)
    return gemm_law_us(record, machine, law);
  return attention_law_us(record, machine, law);
}

ComputeLaw fit_compute_law(const std::vector<ComputeRecord>& records,
                           const StepMachine& machine,
                           std::string_view file) {
  const auto gemms = fitted_ones(records, file, "FP8 GEMMs", [](const ComputeRecord& record) {
    return !record.rows.empty() && record.dtype == StepDtype::fp8;
  });
  const auto decodes =
      fitted_ones(records, file, "mla_decode of all keys", [](const ComputeRecord& record) {
        return record.kind == ComputeKind::mla_decode && record.chosen_keys == 0;
      });
  ComputeLaw law;
  const Place block = least({0, 16}, {0, 0.32}, [&](Place place) {
    return mean_error(gemms, machine, {.block_scaled = {.fixed_us = place.x, .block_us = place.y}});
  });
  law.block_scaled = {.fixed_us = block.x, .block_us = block.y};
  const Place latent = least({0, 64}, {300, 940}, [&](Place place) {
    return mean_error(decodes, machine, {.latent_fixed_us = place.x, .latent_tflops = place.y});
  });
  law.latent_fixed_us = latent.x;
  law.latent_tflops = latent.y;
  return law;
}

}  // namespace epsim
