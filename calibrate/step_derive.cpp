#include "calibrate/step_derive.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <span>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "calibrate/derive.hpp"
#include "calibrate/fit.hpp"
#include "calibrate/robust_stats.hpp"
#include "models/step_constants.hpp"
#include "sim/base/check.hpp"
#include "sim/base/input_error.hpp"
#include "sim/base/json_writer.hpp"

namespace epsim {
namespace {

constexpr std::array kReadings = {
    Derivation{"step", "event_hop", Reading::median, "M2", "hop_ns", "form=event", "", 1e-3},
    Derivation{"step",
               "rank_signal",
               Reading::median,
               "M4",
               "one_way_ns",
               "variant=release_acquire|red",
               "",
               1e-3},
};

// M24's trend has a value each 50 ms. Clocks settle within 100 ms, and around 0.8 s another limiter
// than the power's acts for a while.
constexpr std::size_t kPlateauBegin = 2;  // 100 ms
constexpr std::size_t kPlateauEnd = 15;   // 750 ms
// A clock below this part of the top clock is a step below it, and a GEMM that takes longer by more
// than the second is slower than noise makes it.
constexpr double kTopClock = 0.99;
constexpr double kSlower = 1.002;
constexpr double kDeviation90 = 1.645;

// The law of models/clock_law.hpp, with its constants in this order.
constexpr std::array<std::string_view, 5> kPowerConstants = {
    "power_idle", "power_tensor", "power_memory", "power_exchange", "power_exponent"};
constexpr std::array kPowerPriors = {0.2, 1.0, 0.5, 0.3, 2.5};
constexpr double kPriorSigma = 2;  // of the logarithm: next to nothing is known beforehand
constexpr double kNoise = 0.03;

double law_power(const PowerReading& reading, std::span<const double> values) {
  return values[0] + reading.tensor * values[1] * std::pow(reading.clock, values[4]) +
         reading.memory * values[2] + reading.exchange * values[3];
}

class Deriver {
 public:
  Deriver(const ConstantSet& known, const std::vector<Measurement>& files, std::uint32_t sm_count)
      : known_(known), files_(files), sm_count_(sm_count) {}

  StepDerivation take() {
    result_.constants = known_;
    for (const Derivation& row : kReadings) put(derive(row, known_.at(row.constant).unit, files_));
    cluster_room();
    power();
    return std::move(result_);
  }

 private:
  struct Run {
    const MeasuredPoint* measured;
    const Measurement* file;
  };

  [[noreturn]] void missing(std::string_view what) const {
    std::string names;
    for (const Measurement& file : files_) names += (names.empty() ? "" : ", ") + file.file;
    throw InputError(names, "/points", fmt::format("expected {}", what));
  }

  [[nodiscard]] std::vector<Run> runs_of(std::string_view experiment) const {
    std::vector<Run> found;
    for (const Measurement& file : files_)
      for (const MeasuredPoint& measured : file.points)
        if (measured.experiment == experiment) found.push_back({&measured, &file});
    return found;
  }

  void put(Constant constant) {
    for (const ConstantSpec& spec : step_constants())
      if (spec.name == constant.name)
        constant.value = std::clamp(constant.value, spec.low, spec.high);
    result_.derived.push_back(constant.name);
    result_.constants.put(std::move(constant));
  }

  // Pairs that find room beside single CTAs, over what is free.
  void cluster_room() {
    std::vector<double> rooms;
    std::string source;
    for (const Run& run : runs_of("M23")) {
      const Point& point = run.measured->point;
      const auto* resident = run.measured->find_samples("resident_ctas");
      // Where no newcomer fits beside a holder.
      if (resident == nullptr || point.integer("newcomer_cluster") != 2 ||
          point.integer("holder_cluster") != 1 || point.integer("holder_shared_kib") == 0)
        continue;
      const double left =
          static_cast<double>(sm_count_) - static_cast<double>(point.integer("holder_ctas"));
      rooms.push_back(quantile(*resident, 0.5) / left);
      source = run.file->file;
    }
    if (rooms.empty()) missing("pairs beside single CTAs that leave no room, M23");
    const Quantiles room = quantiles(rooms);
    put({.name = "cluster_room",
         .unit = "1",
         .value = room.median,
         .low = room.p10,
         .high = room.p90,
         .source = fmt::format("{}: M23 resident_ctas over the SMs left, at newcomer_cluster=2 "
                               "holder_cluster=1 holder_shared_kib=160; median, p10 and p90 of {} "
                               "counts of holders",
                               source,
                               rooms.size())});
  }

  // Of M24's runs without a copy beside.
  struct LoadRun {
    const MeasuredPoint* measured;
    double plateau_ns, settled_ns, busy_share, sm_clock_mhz, power_w, limit_w;
  };
  [[nodiscard]] std::vector<LoadRun> load_runs() {
    std::vector<LoadRun> found;
    for (const Run& run : runs_of("M24")) {
      const MeasuredPoint& measured = *run.measured;
      if (measured.point.integer("beside_ctas") != 0) continue;
      std::array<const std::vector<double>*, 5> series{};
      constexpr std::array kSeries = {
          "trend_gemm_ns", "gemm_ns", "period_busy_share", "sm_clock_mhz", "power_w"};
      for (std::size_t i = 0; i < kSeries.size(); ++i) {
        series[i] = measured.find_samples(kSeries[i]);
        if (series[i] == nullptr) missing(fmt::format("{} at each point of M24", kSeries[i]));
      }
      if (series[0]->size() < kPlateauEnd || run.file->provenance.gpus.empty())
        missing("runs of 750 ms and more at each point of M24, and the GPU's power limit");
      const std::span plateau =
          std::span(*series[0]).subspan(kPlateauBegin, kPlateauEnd - kPlateauBegin);
      found.push_back({&measured,
                       quantile(plateau, 0.5),
                       quantile(*series[1], 0.5),
                       quantile(*series[2], 0.5),
                       quantile(*series[3], 0.5),
                       quantile(*series[4], 0.5),
                       run.file->provenance.gpus.front().power_limit_w});
      const LoadRun& last = found.back();
      if (std::min({last.plateau_ns, last.settled_ns, last.busy_share, last.power_w}) <= 0 ||
          last.limit_w <= 0)
        missing("times, shares, powers and a power limit above 0 at each point of M24");
      power_file_ = run.file->file;
    }
    if (found.size() <= kPowerConstants.size()) missing("GEMMs and fillers by share, M24");
    return found;
  }

  // What each run says: the board's power where clocks were at the top to the end, or else that
  // the plateau's clock is the one at which power meets the limit. Neither, where only the other
  // limiter slowed clocks down.
  void read_power() {
    const std::vector<LoadRun> runs = load_runs();
    double rested_ns = runs.front().plateau_ns, top_mhz = 0;
    for (const LoadRun& run : runs) {
      rested_ns = std::min(rested_ns, run.plateau_ns);
      top_mhz = std::max(top_mhz, run.sm_clock_mhz);
    }
    for (const LoadRun& run : runs) {
      const Point& point = run.measured->point;
      PowerReading reading;
      reading.id = fmt::format(
          "gemm_percent={} filler={}", point.text("gemm_percent"), point.text("filler"));
      reading.is_limited = run.sm_clock_mhz < kTopClock * top_mhz;
      if (reading.is_limited && run.plateau_ns < kSlower * rested_ns) continue;
      reading.clock = reading.is_limited ? rested_ns / run.plateau_ns : 1.0;
      reading.power = reading.is_limited ? 1.0 : run.power_w / run.limit_w;
      // The share was taken at the end. Fillers took as long before, GEMMs did not.
      const double rest = (1.0 - run.busy_share) / run.busy_share * run.settled_ns / run.plateau_ns;
      reading.tensor = reading.is_limited ? 1.0 / (1.0 + rest) : run.busy_share;
      if (point.text("filler") == "elementwise") reading.memory = 1.0 - reading.tensor;
      if (point.text("filler") == "copy") reading.exchange = 1.0 - reading.tensor;
      result_.power.push_back(reading);
    }
    if (result_.power.size() <= kPowerConstants.size())
      missing("M24 at more shares: few runs say something of power");
  }

  void power() {
    read_power();
    FitProblem problem;
    problem.noise = kNoise;
    for (std::size_t i = 0; i < kPowerConstants.size(); ++i)
      problem.constants.push_back(
          {std::string(kPowerConstants[i]), kPowerPriors[i], kPriorSigma, 0.01, 5.0});
    for (const PowerReading& reading : result_.power) problem.measured.push_back(reading.power);
    problem.predict = [&](std::span<const double> values) {
      std::vector<double> predicted;
      for (const PowerReading& reading : result_.power)
        predicted.push_back(law_power(reading, values));
      return predicted;
    };
    const FitSolution solution = solve_fit(problem);
    std::size_t sensed = 0;
    for (std::size_t i = 0; i < result_.power.size(); ++i) {
      result_.power[i].predicted = solution.predicted[i];
      if (!result_.power[i].is_limited) ++sensed;
    }
    for (std::size_t i = 0; i < kPowerConstants.size(); ++i) {
      // The covariance is for the noise assumed; what is left over may be more.
      const double spread = std::exp(kDeviation90 * std::sqrt(solution.log_covariance[i][i]) *
                                     std::max(1.0, solution.residual_sigma / kNoise));
      put({.name = std::string(kPowerConstants[i]),
           .unit = "1",
           .value = solution.values[i],
           .low = solution.values[i] / spread,
           .high = solution.values[i] * spread,
           .source = fmt::format("{}: M24, fit of the power law to power_w of {} runs at the top "
                                 "clock and to clocks of {} at the limit, 100 to 750 ms; {:.1f} % "
                                 "left over",
                                 power_file_,
                                 sensed,
                                 result_.power.size() - sensed,
                                 100 * solution.residual_sigma)});
    }
  }

  const ConstantSet& known_;
  const std::vector<Measurement>& files_;
  std::uint32_t sm_count_;
  std::string power_file_;
  StepDerivation result_;
};

}  // namespace

StepDerivation derive_step(const ConstantSet& known,
                           const std::vector<Measurement>& files,
                           std::uint32_t sm_count) {
  for (const ConstantSpec& spec : step_constants())
    check(known.contains(spec.name), "what is known holds every constant of a step");
  return Deriver(known, files, sm_count).take();
}

bool agree(const Constant& a, const Constant& b) {
  const auto holds = [](const Constant& interval, double value) {
    return interval.low <= value && value <= interval.high;
  };
  return holds(a, b.value) || holds(b, a.value);
}

std::string step_constants_text(const std::string& system, const ConstantSet& constants) {
  ConstantSet ordered;
  for (const ConstantSpec& spec : step_constants()) ordered.put(constants.at(spec.name));
  JsonWriter writer;
  writer.begin_object();
  writer.field("schema", "epsim.step_constants/1").field("system", system);
  writer.key("constants");
  write_constants(ordered, writer);
  return writer.end_object().take();
}

}  // namespace epsim
