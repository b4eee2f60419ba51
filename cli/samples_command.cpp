// epsim calibrate show: what a measurement file holds, as medians that a person can read.
#include <algorithm>
#include <memory>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "calibrate/measurement.hpp"
#include "calibrate/robust_stats.hpp"
#include "cli/output.hpp"
#include "cli/verbs.hpp"
#include "sim/base/json_writer.hpp"

namespace epsim {
namespace {

struct ShowOptions {
  std::string path;
  std::vector<std::string> only;
  std::string json;
};

bool is_wanted(const ShowOptions& options, const MeasuredPoint& point) {
  return options.only.empty() ||
         std::find(options.only.begin(), options.only.end(), point.experiment) !=
             options.only.end();
}

std::string samples_text(const Measurement& file, const ShowOptions& options) {
  const Provenance& from = file.provenance;
  std::string text = fmt::format("{} x {}, driver {}, CUDA {}, commit {:.12}{}, {}\n",
                                 from.gpus.size(),
                                 from.gpus.front().name,
                                 from.driver,
                                 from.cuda,
                                 from.commit,
                                 from.dirty ? " (changed)" : "",
                                 from.host_time_utc);
  text += fmt::format(
      "{:>12} {:>12} {:>12} {:>5}  {}\n", "median", "p10", "p90", "n", "series and point");
  for (const MeasuredPoint& point : file.points) {
    if (!is_wanted(options, point)) continue;
    for (const SampleSeries& series : point.result.series) {
      const Quantiles q = quantiles(series.samples);
      text += fmt::format("{:>12.6g} {:>12.6g} {:>12.6g} {:>5}  {} {} {}\n",
                          q.median,
                          q.p10,
                          q.p90,
                          series.samples.size(),
                          point.experiment,
                          series.name,
                          point.point.label());
    }
  }
  return text;
}

std::string samples_json(const Measurement& file, const ShowOptions& options) {
  JsonWriter writer;
  writer.begin_object().field("schema", "epsim.medians/1").field("file", file.file);
  writer.key("points").begin_array();
  for (const MeasuredPoint& point : file.points) {
    if (!is_wanted(options, point)) continue;
    writer.begin_object().field("experiment", point.experiment).key("arguments").begin_object();
    for (const auto& [name, value] : point.point.arguments()) writer.field(name, value);
    writer.end_object().key("series").begin_object();
    for (const SampleSeries& series : point.result.series) {
      const Quantiles q = quantiles(series.samples);
      writer.key(series.name)
          .begin_object()
          .field("median", q.median)
          .field("p10", q.p10)
          .field("p90", q.p90)
          .field("n", series.samples.size())
          .end_object();
    }
    writer.end_object().end_object();
  }
  return writer.end_array().end_object().take();
}

}  // namespace

void add_samples_verb(CLI::App& calibrate) {
  CLI::App* show = calibrate.add_subcommand("show", "medians of a measurement file");
  const auto options = std::make_shared<ShowOptions>();
  show->add_option("FILE", options->path, "epsim.measurement/1 file")->required();
  show->add_option("--only", options->only, "experiments to show, such as M4,M8")
      ->type_name("EXPERIMENTS")
      ->delimiter(',');
  add_json_option(*show, options->json);
  show->footer("Example:\n  epsim calibrate show calibrate/results/h200_x4.json.gz --only M4,M8");
  show->callback([options] {
    const Measurement file = read_measurement(options->path);
    if (!options->json.empty()) write_result(options->json, samples_json(file, *options));
    if (options->json != "-") print_result(samples_text(file, *options));
  });
}

}  // namespace epsim
