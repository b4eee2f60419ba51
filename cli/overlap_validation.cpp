#include "cli/overlap_validation.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include <fmt/format.h>
#include <tbb/global_control.h>
#include <tbb/parallel_for.h>

#include "calibrate/experiments/two_batch_schedule.hpp"
#include "calibrate/robust_stats.hpp"
#include "calibrate/two_batch_derive.hpp"
#include "cli/output.hpp"
#include "cli/progress.hpp"
#include "models/two_batch.hpp"
#include "sim/base/input_error.hpp"
#include "sim/execute.hpp"
#include "topologies/registry.hpp"

namespace epsim {
namespace {

constexpr std::uint64_t kSeeds = 9;

struct Row {
  const MeasuredPoint* measured;
  double step_us = 0, overlap_percent = 0;  // measured medians
  StepTimes predicted;

  [[nodiscard]] bool held_out() const { return measured->point.text("set") == "held_out"; }
  [[nodiscard]] bool overlaps() const {
    return measured->point.text("schedule").starts_with("tbo");
  }
  [[nodiscard]] double step_error_percent() const {
    return 100.0 * (1e-3 * predicted.step_ns / step_us - 1.0);
  }
  [[nodiscard]] double overlap_difference() const {
    return predicted.overlap_percent - overlap_percent;
  }
};

TwoBatchStep step_of(const Point& point, const std::vector<StepOp>& ops) {
  const auto gemm = [&](const char* prefix) {
    return GemmWork{point.integer(fmt::format("{}_m", prefix)),
                    point.integer(fmt::format("{}_n", prefix)),
                    point.integer(fmt::format("{}_k", prefix))};
  };
  TwoBatchStep step{
      .rank_count = static_cast<std::uint32_t>(point.integer("ranks")),
      .communication_ctas = static_cast<std::uint32_t>(point.integer("communication_ctas")),
      .reserved_sms = static_cast<std::uint32_t>(point.integer("reserved_sms")),
      .kernels = {}};
  for (const StepOp& op : ops) {
    StepKernel kernel{.on_communication_stream = op.lane == Lane::communication,
                      .gemm = {},
                      .exchange_size = {},
                      .after = op.after};
    if (op.kind == StepOpKind::attention) kernel.gemm = gemm("attention");
    if (op.kind == StepOpKind::experts) kernel.gemm = gemm("experts");
    if (op.kind == StepOpKind::dispatch)
      kernel.exchange_size = Bytes{point.integer("dispatch_bytes_per_pair")};
    if (op.kind == StepOpKind::combine)
      kernel.exchange_size = Bytes{point.integer("combine_bytes_per_pair")};
    if (op.kind == StepOpKind::collective)
      kernel.exchange_size = Bytes{point.integer("collective_bytes_per_pair")};
    step.kernels.push_back(std::move(kernel));
  }
  return step;
}

std::int64_t whole_ns(Instant at) {
  return static_cast<std::int64_t>(std::llround(1e3 * to_us(at - Instant{})));
}

StepTimes one_step(const Point& point,
                   const ConstantSet& constants,
                   const Topology& topology,
                   std::uint64_t seed) {
  const std::vector<StepOp> ops =
      two_batch_step(point.text("schedule"), static_cast<int>(point.integer("layers")));
  TwoBatchStep step = step_of(point, ops);
  step.seed = seed;
  const Timeline timeline = execute(plan_two_batch(step, constants, topology), topology);
  std::vector<std::vector<Interval>> by_rank(step.rank_count);
  for (std::size_t i = 0; i < ops.size(); ++i)
    for (std::size_t r = 0; r < step.rank_count; ++r) {
      const std::size_t kernel = i * step.rank_count + r;
      by_rank[r].push_back(
          {whole_ns(timeline.kernel_start[kernel]), whole_ns(timeline.kernel_end[kernel])});
    }
  return step_times(ops, by_rank);
}

// Medians over steps, as measured ones are.
StepTimes predicted_step(const Point& point,
                         const ConstantSet& constants,
                         const Topology& topology) {
  std::vector<StepTimes> steps;
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed)
    steps.push_back(one_step(point, constants, topology, seed));
  const auto median = [&](const auto& value_of) {
    std::vector<double> values;
    for (const StepTimes& step : steps) values.push_back(value_of(step));
    return quantile(values, 0.5);
  };
  const auto op = [&](OpTimes StepTimes::*kind) {
    return OpTimes{median([&](const StepTimes& s) { return (s.*kind).own_ns; }),
                   median([&](const StepTimes& s) { return (s.*kind).aligned_ns; })};
  };
  StepTimes result;
  result.step_ns = median([](const StepTimes& s) { return s.step_ns; });
  result.communication_ns = median([](const StepTimes& s) { return s.communication_ns; });
  result.compute_ns = median([](const StepTimes& s) { return s.compute_ns; });
  result.overlap_percent = median([](const StepTimes& s) { return s.overlap_percent; });
  result.exchange_overlap_percent =
      median([](const StepTimes& s) { return s.exchange_overlap_percent; });
  result.attention = op(&StepTimes::attention);
  result.dispatch = op(&StepTimes::dispatch);
  result.experts = op(&StepTimes::experts);
  result.combine = op(&StepTimes::combine);
  result.collective = op(&StepTimes::collective);
  return result;
}

double median_of(const MeasuredPoint& measured, std::string_view series, const std::string& file) {
  const std::vector<double>* samples = measured.find_samples(series);
  if (samples == nullptr)
    throw InputError(file, "/points", fmt::format("expected {} in M20", series));
  return quantile(*samples, 0.5);
}

std::vector<Row> rows_of(const Measurement& measurement) {
  std::vector<Row> rows;
  for (const MeasuredPoint& measured : measurement.points)
    if (measured.experiment == "M20" && !separates_exchanges(measured.point))
      rows.push_back({&measured,
                      1e-3 * median_of(measured, "step_ns", measurement.file),
                      median_of(measured, "overlap_pct", measurement.file),
                      {}});
  if (rows.empty()) throw InputError(measurement.file, "/points", "expected steps of M20");
  return rows;
}

struct Group {
  const char* name;
  std::function<bool(const Row&)> holds;
};

const std::vector<Group>& groups() {
  static const std::vector<Group> all = {
      {"fit, serial", [](const Row& r) { return !r.held_out() && !r.overlaps(); }},
      {"fit, overlapped", [](const Row& r) { return !r.held_out() && r.overlaps(); }},
      {"held out, serial", [](const Row& r) { return r.held_out() && !r.overlaps(); }},
      {"held out, overlapped", [](const Row& r) { return r.held_out() && r.overlaps(); }},
      {"held out", [](const Row& r) { return r.held_out(); }}};
  return all;
}

struct Errors {
  std::vector<double> step, overlap;  // absolute
};

Errors errors_of(const std::vector<Row>& rows, const Group& group) {
  Errors errors;
  for (const Row& row : rows) {
    if (!group.holds(row)) continue;
    errors.step.push_back(std::abs(row.step_error_percent()));
    errors.overlap.push_back(std::abs(row.overlap_difference()));
  }
  return errors;
}

std::string shape_text(const Point& point) {
  return fmt::format("{}x{}+{}x{}x{} {}r {}/{}",
                     point.text("attention_m"),
                     point.text("attention_n"),
                     point.text("experts_m"),
                     point.text("experts_n"),
                     point.text("hidden"),
                     point.text("ranks"),
                     point.text("communication_ctas"),
                     point.text("reserved_sms"));
}

std::string table_text(const std::vector<Row>& rows) {
  std::string text = fmt::format("{:<9}{:<38}{:<22}{:>9}{:>10}{:>8}{:>9}{:>10}{:>7}\n",
                                 "set",
                                 "shape",
                                 "schedule",
                                 "step us",
                                 "predicted",
                                 "error",
                                 "overlap",
                                 "predicted",
                                 "diff");
  for (const Row& row : rows)
    text += fmt::format("{:<9}{:<38}{:<22}{:>9.0f}{:>10.0f}{:>7.1f}%{:>8.1f}%{:>9.1f}%{:>7.1f}\n",
                        row.measured->point.text("set"),
                        shape_text(row.measured->point),
                        row.measured->point.text("schedule"),
                        row.step_us,
                        1e-3 * row.predicted.step_ns,
                        row.step_error_percent(),
                        row.overlap_percent,
                        row.predicted.overlap_percent,
                        row.overlap_difference());
  text += fmt::format("\n{:<22}{:>4}  {:<26}{}\n",
                      "absolute errors",
                      "n",
                      "step: median p90 max, %",
                      "overlap: median p90 max, points");
  for (const Group& group : groups()) {
    const Errors e = errors_of(rows, group);
    if (e.step.empty()) continue;
    text += fmt::format("{:<22}{:>4}  {:>6.1f}{:>6.1f}{:>6.1f}        {:>6.1f}{:>6.1f}{:>6.1f}\n",
                        group.name,
                        e.step.size(),
                        quantile(e.step, 0.5),
                        quantile(e.step, 0.9),
                        quantile(e.step, 1.0),
                        quantile(e.overlap, 0.5),
                        quantile(e.overlap, 0.9),
                        quantile(e.overlap, 1.0));
  }
  return text;
}

void write_op(JsonWriter& writer, std::string_view name, const OpTimes& times) {
  writer.field(fmt::format("{}_us", name), 1e-3 * times.own_ns);
  writer.field(fmt::format("{}_aligned_us", name), 1e-3 * times.aligned_ns);
}

std::string json_text(const std::vector<Row>& rows, const TwoBatchConstants& derived) {
  JsonWriter writer;
  writer.begin_object().field("schema", "epsim.overlap-validation/1").key("records").begin_array();
  for (const Row& row : rows) {
    writer.begin_object();
    for (const auto& [name, value] : row.measured->point.arguments()) writer.field(name, value);
    writer.field("measured_step_us", row.step_us)
        .field("predicted_step_us", 1e-3 * row.predicted.step_ns)
        .field("step_error_pct", row.step_error_percent())
        .field("measured_overlap_pct", row.overlap_percent)
        .field("predicted_compute_us", 1e-3 * row.predicted.compute_ns)
        .field("predicted_communication_us", 1e-3 * row.predicted.communication_ns)
        .field("predicted_overlap_pct", row.predicted.overlap_percent)
        .field("overlap_difference_points", row.overlap_difference());
    write_op(writer, "attention", row.predicted.attention);
    write_op(writer, "dispatch", row.predicted.dispatch);
    write_op(writer, "experts", row.predicted.experts);
    write_op(writer, "combine", row.predicted.combine);
    write_op(writer, "collective", row.predicted.collective);
    writer.end_object();
  }
  writer.end_array().key("groups").begin_array();
  for (const Group& group : groups()) {
    const Errors e = errors_of(rows, group);
    if (e.step.empty()) continue;
    writer.begin_object().field("name", group.name).field("n", e.step.size());
    for (const auto& [name, q] : {std::pair{"median", 0.5}, {"p90", 0.9}, {"max", 1.0}})
      writer.field(fmt::format("step_{}_abs_pct", name), quantile(e.step, q))
          .field(fmt::format("overlap_{}_abs_points", name), quantile(e.overlap, q));
    writer.end_object();
  }
  writer.end_array().key("constants");
  write_constants(derived.constants, writer);
  writer.key("gemm_residuals").begin_array();
  for (const GemmResidual& residual : derived.residuals)
    writer.begin_object()
        .field("id", residual.id)
        .field("measured_us", residual.measured_us)
        .field("predicted_us", residual.predicted_us)
        .end_object();
  writer.end_array().end_object();
  return writer.take();
}

}  // namespace

void validate_overlap(const std::string& measurement,
                      const std::string& system,
                      const std::string& json,
                      int jobs) {
  const tbb::global_control threads(tbb::global_control::max_allowed_parallelism,
                                    static_cast<std::size_t>(jobs));
  const Measurement file = read_measurement(measurement);
  const Topology topology = load_topology(system).topology;
  const TwoBatchConstants derived =
      derive_two_batch(file, static_cast<std::uint32_t>(topology.gpu_spec().sm_count));
  std::vector<Row> rows = rows_of(file);
  Progress progress("validate", rows.size());
  tbb::parallel_for(std::size_t{0}, rows.size(), [&](std::size_t i) {
    rows[i].predicted = predicted_step(rows[i].measured->point, derived.constants, topology);
    progress.step();
  });
  progress.finish();
  if (!json.empty()) write_result(json, json_text(rows, derived));
  if (json != "-") print_result(table_text(rows));
}

}  // namespace epsim
