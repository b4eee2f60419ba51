#include "cli/replay_truth.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "cli/output.hpp"
#include "cli/truth_table.hpp"
#include "sim/base/json_writer.hpp"

namespace epsim {
namespace {

constexpr double kTolerance = 0.1;  // points
constexpr int kDisagrees = 1;

// The table's values are rounded to a tenth; so is what they are compared with.
bool is_met(const TruthDump& dump) {
  return std::abs(dump.difference()) < kTolerance + 1e-9;
}

double error_pct(double value, double truth) {
  const double error = 100.0 * (value / truth - 1.0);
  return std::abs(error) < 0.005 ? 0.0 : error;  // no "-0.00"
}

std::string overlap_text(const TruthTable& table) {
  std::string text =
      "| dump | communication | overlap, % | truth, % | difference, points |\n"
      "|---|---|---:|---:|---:|\n";
  double worst = 0;
  for (const TruthDump& dump : table.dumps) {
    text += fmt::format("| {} | {} | {:.2f} | {:.1f} | {:+.2f} |\n",
                        dump.file,
                        dump.families,
                        dump.overlap_pct,
                        dump.truth_pct,
                        dump.difference());
    worst = std::max(worst, std::abs(dump.difference()));
  }
  return text +
         fmt::format("\n{} dumps, largest difference {:.2f} points\n", table.dumps.size(), worst);
}

std::string played_text(const TruthTable& table) {
  std::string text =
      "\nEach step played again as recorded; \"unprofiled\" is the known step without a "
      "profiler:\n\n"
      "| dump | recorded, us | played again, us | error, % | unprofiled, us | error, % |\n"
      "|---|---:|---:|---:|---:|---:|\n";
  for (const TruthDump& dump : table.dumps) {
    if (!dump.refusal.empty()) continue;
    text += fmt::format("| {} | {:.1f} | {:.1f} | {:+.2f} |",
                        dump.file,
                        dump.recorded_us,
                        dump.played_us,
                        error_pct(dump.played_us, dump.recorded_us));
    text += dump.truth_step_us ? fmt::format(" {:.1f} | {:+.1f} |\n",
                                             *dump.truth_step_us,
                                             error_pct(dump.played_us, *dump.truth_step_us))
                               : std::string(" | |\n");
  }
  return text;
}

std::string forecast_rows(const TruthTable& table, const TruthForecast& forecast) {
  const TruthDump& of = table.dumps[forecast.of];
  const auto row = [&](const std::string& first, const StepTimes& times, const std::string& range) {
    return fmt::format("| {} | {:.1f} | {} | {:.1f} | {:+.1f} | {:.1f} | {:.1f} | {:+.1f} |\n",
                       first,
                       times.step_us,
                       range,
                       *of.truth_step_us,
                       table.step_error_pct(forecast, times.step_us),
                       times.overlap_pct,
                       of.truth_pct,
                       table.points(forecast, times.overlap_pct));
  };
  const StepPrediction& prediction = forecast.prediction;
  std::string text = row(fmt::format("{} | {} | epsim", of.config, of.schedule),
                         prediction.times,
                         fmt::format("{:.0f} to {:.0f}", prediction.low_us, prediction.high_us));
  if (prediction.free) text += row("| | hidden for free", *prediction.free, "");
  return text;
}

std::string forecast_text(const TruthTable& table) {
  std::string rows;
  for (const TruthForecast& forecast : table.forecasts)
    if (forecast.refusal.empty()) rows += forecast_rows(table, forecast);
  if (rows.empty()) return rows;
  return "\nA schedule predicted from the dump of the other schedule alone, and what hiding "
         "communication for free would give:\n\n"
         "| configuration | schedule | model | step, us | interval | truth, us | error, % | "
         "overlap, % | truth, % | points |\n"
         "|---|---|---|---:|---:|---:|---:|---:|---:|---:|\n" +
         rows;
}

std::string refusal_text(const TruthTable& table) {
  std::string text;
  for (const TruthDump& dump : table.dumps)
    if (!dump.refusal.empty())
      text += fmt::format("\n{} was not played: {}\n", dump.file, dump.refusal);
  for (const TruthForecast& forecast : table.forecasts)
    if (!forecast.refusal.empty())
      text += fmt::format("\nNo prediction of {} from {}: {}\n",
                          table.dumps[forecast.of].schedule,
                          table.dumps[forecast.from].file,
                          forecast.refusal);
  return text;
}

void write_dump(JsonWriter& writer, const TruthDump& dump) {
  writer.begin_object()
      .field("file", dump.file)
      .field("overlap_pct", dump.overlap_pct)
      .field("truth_pct", dump.truth_pct)
      .field("difference", dump.difference());
  if (!dump.refusal.empty()) {
    writer.field("refusal", dump.refusal);
  } else {
    writer.field("recorded_step_us", dump.recorded_us).field("played_step_us", dump.played_us);
  }
  if (dump.truth_step_us) writer.field("truth_step_us", *dump.truth_step_us);
  writer.end_object();
}

void write_times(JsonWriter& writer,
                 const TruthTable& table,
                 const TruthForecast& forecast,
                 const StepTimes& times) {
  writer.field("step_us", times.step_us)
      .field("error_pct", table.step_error_pct(forecast, times.step_us))
      .field("overlap_pct", times.overlap_pct)
      .field("difference", table.points(forecast, times.overlap_pct));
}

void write_forecast(JsonWriter& writer, const TruthTable& table, const TruthForecast& forecast) {
  const TruthDump& of = table.dumps[forecast.of];
  const StepPrediction& prediction = forecast.prediction;
  writer.begin_object()
      .field("config", of.config)
      .field("from", table.dumps[forecast.from].file)
      .field("of", of.file)
      .field("schedule", of.schedule);
  if (forecast.refusal.empty()) {
    writer.field("truth_step_us", *of.truth_step_us).field("truth_pct", of.truth_pct);
    write_times(writer, table, forecast, prediction.times);
    writer.key("interval_us")
        .begin_array()
        .value(prediction.low_us)
        .value(prediction.high_us)
        .end_array();
    if (prediction.free) {
      writer.key("hidden_for_free").begin_object();
      write_times(writer, table, forecast, *prediction.free);
      writer.end_object();
    }
  } else {
    writer.field("refusal", forecast.refusal);
  }
  writer.end_object();
}

std::string truth_json(const TruthTable& table) {
  JsonWriter writer;
  writer.begin_object().field("schema", "epsim.replay_truth/1").key("traces").begin_array();
  for (const TruthDump& dump : table.dumps) write_dump(writer, dump);
  writer.end_array().key("predictions").begin_array();
  for (const TruthForecast& forecast : table.forecasts) write_forecast(writer, table, forecast);
  writer.end_array().end_object();
  return writer.take();
}

}  // namespace

void compare_with_truth(const std::string& path,
                        const KernelClassTable& classes,
                        const std::string& json,
                        const std::string& system) {
  const TruthTable table = replay_truth_table(path, classes, system);
  if (!json.empty()) write_result(json, truth_json(table));
  if (json != "-")
    print_result(overlap_text(table) + played_text(table) + forecast_text(table) +
                 refusal_text(table));
  if (!std::all_of(table.dumps.begin(), table.dumps.end(), is_met))
    throw CLI::RuntimeError(kDisagrees);
}

}  // namespace epsim
