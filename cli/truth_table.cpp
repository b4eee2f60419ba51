#include "cli/truth_table.hpp"

#include <filesystem>
#include <utility>

#include "cli/progress.hpp"
#include "cli/replay_prediction.hpp"
#include "models/step_constants.hpp"
#include "sim/base/input_error.hpp"
#include "sim/base/json.hpp"
#include "sim/replay_report.hpp"

namespace epsim {
namespace {

std::string text_of(const std::optional<JsonValue>& value) {
  return value ? value->string() : std::string();
}

std::vector<TruthDump> read_dumps(const std::string& path) {
  JsonObject root = JsonDocument::read(path).root().object();
  (void)root.optional("definition");
  (void)root.optional("system");
  std::vector<TruthDump> dumps;
  for (const JsonValue& value : root.required("traces").array()) {
    JsonObject object = value.object();
    TruthDump& dump = dumps.emplace_back();
    dump.file = object.required("file").string();
    dump.config = text_of(object.optional("config"));
    dump.schedule = text_of(object.optional("schedule"));
    if (const auto step = object.optional("step_us")) dump.truth_step_us = step->number_in(1, 1e9);
    dump.truth_pct = object.required("overlap_pct").number_in(0, 100);
    (void)object.optional("comm");
    object.finish();
  }
  root.finish();
  return dumps;
}

// "tbo_same" has its collectives on the compute stream: another schedule than the one that
// --schedule tbo makes.
bool is_two_batch(const TruthDump& dump) {
  return dump.schedule == "tbo" || dump.schedule == "tbo_comm";
}

bool is_forecast(const TruthDump& from, const TruthDump& of) {
  const bool to_two = from.schedule == "serial" && is_two_batch(of);
  const bool to_serial = is_two_batch(from) && of.schedule == "serial";
  return !from.config.empty() && from.config == of.config && of.truth_step_us &&
         (to_two || to_serial);
}

ReplayReport read_report(const std::filesystem::path& path, const KernelClassTable& classes) {
  std::vector<GpuTrace> traces;
  traces.push_back(read_gpu_trace(path.string()));
  // Refusals are printed into tables that should not depend on where the dumps lie.
  traces.back().file = path.filename().string();
  return replay_report(std::move(traces), classes);
}

void measure(const ReplayReport& report, const ReplayQuestion& question, TruthDump& dump) {
  dump.overlap_pct = report.totals().overlap_pct;
  for (const FamilyUse& family : report.families())
    if (family.kernel_class == KernelClass::communication)
      dump.families += (dump.families.empty() ? "" : ", ") + family.name;
  try {
    const StepPrediction played = predict_replay(report, question);
    dump.recorded_us = played.recorded_us;
    dump.played_us = played.times.step_us;
  } catch (const InputError& error) {
    dump.refusal = error.what();
  }
}

TruthForecast forecast(const ReplayReport& report,
                       ReplayQuestion question,
                       const TruthTable& table,
                       std::size_t from,
                       std::size_t of) {
  TruthForecast result{.from = from, .of = of, .prediction = {}, .refusal = {}};
  question.schedule = is_two_batch(table.dumps[of]) ? "tbo" : "serial";
  try {
    result.prediction = predict_replay(report, question);
  } catch (const InputError& error) {
    result.refusal = error.what();
  }
  return result;
}

}  // namespace

TruthTable replay_truth_table(const std::string& path,
                              const KernelClassTable& classes,
                              const std::string& system) {
  (void)load_step_constants(system);  // a broken system is an error, not every dump's refusal
  TruthTable table{.dumps = read_dumps(path), .forecasts = {}};
  ReplayQuestion question;
  question.system = system;
  Progress progress("replay", table.dumps.size());
  for (std::size_t from = 0; from < table.dumps.size(); ++from) {
    const ReplayReport report =
        read_report(std::filesystem::path(path).parent_path() / table.dumps[from].file, classes);
    measure(report, question, table.dumps[from]);
    for (std::size_t of = 0; of < table.dumps.size(); ++of)
      if (is_forecast(table.dumps[from], table.dumps[of]))
        table.forecasts.push_back(forecast(report, question, table, from, of));
    progress.step();
  }
  progress.finish();
  return table;
}

}  // namespace epsim
