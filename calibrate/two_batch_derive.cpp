#include "calibrate/two_batch_derive.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <utility>

#include <fmt/format.h>

#include "calibrate/fit.hpp"
#include "calibrate/robust_stats.hpp"
#include "models/gemm_law.hpp"
#include "sim/base/input_error.hpp"

namespace epsim {
namespace {

constexpr std::array<std::int64_t, 7> kReserved = {0, 4, 8, 16, 20, 32, 64};
constexpr std::array<std::int64_t, 6> kSplits = {4, 8, 16, 20, 32, 64};
constexpr std::array<std::int64_t, 2> kUnsplit = {8, 32};
constexpr std::array<std::int64_t, 4> kLinkCtas = {16, 20, 32, 64};
// GEMMs of so many waves of tiles take longer in proportion to the CTAs that find no room; those of
// one or two take whole waves longer, which says less about how many they are.
constexpr double kManyWaves = 3;
constexpr double kTileElements = 128.0 * 256.0;
// Senders' SMs that fill the link.
constexpr std::int64_t kReceiving = 16;
// Below this a GEMM's time is launch and latency.
constexpr double kLeastOperations = 25e9;

GemmWork gemm_of(const Point& point, std::string_view prefix) {
  return {point.integer(fmt::format("{}_m", prefix)),
          point.integer(fmt::format("{}_n", prefix)),
          point.integer(fmt::format("{}_k", prefix))};
}

double tiles_of(const GemmWork& gemm) {
  return static_cast<double>(gemm.m) * static_cast<double>(gemm.n) / kTileElements;
}

bool is_serial_fit(const MeasuredPoint& measured) {
  return measured.experiment == "M20" && measured.point.text("set") == "fit" &&
         measured.point.text("schedule") == "serial";
}

class Deriver {
 public:
  Deriver(const Measurement& measurement, std::uint32_t sm_count)
      : measurement_(measurement), sm_count_(sm_count) {}

  TwoBatchConstants take() {
    gaps();
    copies();
    exchanges();
    gemms();
    contention();
    crowded();
    return std::move(result_);
  }

 private:
  struct Sample {
    std::int64_t bytes;
    double us;
  };

  [[noreturn]] void missing(const std::string& what) const {
    throw InputError(measurement_.file, "/points", "expected " + what);
  }
  [[nodiscard]] double value(std::string_view name) const {
    return result_.constants.at(name).value;
  }
  void put(std::string name, double value, double low, double high, const std::string& source) {
    for (const ConstantSpec& spec : two_batch_constants())
      if (spec.name == name)
        result_.constants.put({.name = std::move(name),
                               .unit = std::string(spec.unit),
                               .value = std::clamp(value, spec.low, spec.high),
                               .low = low,
                               .high = high,
                               .source = measurement_.file + ": " + source});
  }
  void put(std::string name, std::span<const double> samples, const std::string& source) {
    const Quantiles q = quantiles(samples);
    put(std::move(name), q.median, q.p10, q.p90, source);
  }

  // Of one point of M17; -1 where there is none.
  [[nodiscard]] double split(const GemmWork& gemm,
                             std::string_view partner,
                             std::int64_t ctas,
                             std::int64_t reserved,
                             std::string_view series = "gemm_ns") const {
    for (const MeasuredPoint& measured : measurement_.points) {
      if (measured.experiment != "M17") continue;
      const Point& point = measured.point;
      const GemmWork here = gemm_of(point, "gemm");
      if (here.m != gemm.m || here.n != gemm.n || here.k != gemm.k ||
          point.text("partner") != partner || point.integer("partner_ctas") != ctas ||
          point.integer("reserved_sms") != reserved)
        continue;
      if (const auto* samples = measured.find_samples(series)) return quantile(*samples, 0.5);
    }
    return -1;
  }

  void gaps() {
    const std::vector<double>* stream = nullptr;
    std::vector<double> hops, lows, highs;
    for (const MeasuredPoint& measured : measurement_.points) {
      if (measured.experiment == "M1" && measured.point.text("kernel") == "plain" &&
          measured.point.text("mode") == "stream" && measured.find_samples("gap_ns") != nullptr)
        stream = measured.find_samples("gap_ns");
      if (measured.experiment == "M2" && measured.point.text("form") == "event")
        if (const auto* samples = measured.find_samples("hop_ns")) {
          const Quantiles hop = quantiles(*samples);
          hops.push_back(1e-3 * hop.median);
          lows.push_back(1e-3 * hop.p10);
          highs.push_back(1e-3 * hop.p90);
        }
    }
    if (stream == nullptr || hops.empty()) missing("stream gaps of M1 and event hops of M2");
    const Quantiles gap = quantiles(*stream);
    put("stream_gap", 1e-3 * gap.median, 1e-3 * gap.p10, 1e-3 * gap.p90, "M1 plain stream gap_ns");
    put("event_hop",
        quantile(hops, 0.5),
        *std::min_element(lows.begin(), lows.end()),
        *std::max_element(highs.begin(), highs.end()),
        "M2 form=event hop_ns");
  }

  void copies() {
    const double few = split({}, "hbm_copy", 4, 0, "partner_rate_gb_per_s");
    const double many = split({}, "hbm_copy", 64, 0, "partner_rate_gb_per_s");
    if (few < 0 || many < 0) missing("M17 copies within a GPU, alone, on 4 and 64 SMs");
    put("sm_copy", few / 4, few / 4, few / 4, "M17 hbm_copy on 4 SMs alone");
    put("memory_rate", 2 * many, 2 * many, 2 * many, "M17 hbm_copy on 64 SMs alone, both ways");
  }

  // Exchanges of serial steps, last rank's start to last rank's end.
  [[nodiscard]] std::vector<Sample> exchange_samples(std::int64_t ranks, std::int64_t ctas) const {
    std::vector<Sample> found;
    for (const MeasuredPoint& measured : measurement_.points) {
      if (!is_serial_fit(measured) || measured.point.integer("ranks") != ranks ||
          measured.point.integer("communication_ctas") != ctas)
        continue;
      for (const char* kind : {"dispatch", "combine"})
        if (const auto* samples = measured.find_samples(std::string(1, kind[0]) + "_aligned_ns"))
          found.push_back({measured.point.integer(fmt::format("{}_bytes_per_pair", kind)),
                           1e-3 * quantile(*samples, 0.5)});
    }
    if (found.size() < 2)
      missing(fmt::format("serial exchanges of {} ranks, {} CTAs", ranks, ctas));
    return found;
  }

  // Through the shortest time and the longest.
  static std::pair<double, double> line(std::vector<Sample> samples) {
    std::sort(samples.begin(), samples.end(), [](const Sample& a, const Sample& b) {
      return a.bytes < b.bytes;
    });
    const Sample& first = samples.front();
    const Sample& last = samples.back();
    const double slope = (last.us - first.us) / static_cast<double>(last.bytes - first.bytes);
    return {first.us - slope * static_cast<double>(first.bytes), slope};
  }

  // Of the time a byte for each rank takes, the own part passes the SMs; the rest is the link's.
  [[nodiscard]] double link_rate(std::int64_t ranks, std::int64_t ctas) const {
    const double slope = line(exchange_samples(ranks, ctas)).second;
    const double own = 1e-3 / (static_cast<double>(ctas) * value("sm_copy"));
    return 1e-3 * static_cast<double>(ranks - 1) / (slope - own);
  }

  void exchanges() {
    std::vector<double> fixed;
    for (const std::int64_t ctas : kLinkCtas) {
      const double rate = link_rate(4, ctas);
      put(fmt::format("link_rate_{}", ctas),
          rate,
          rate,
          rate,
          fmt::format("M20 serial fit, exchanges of 4 ranks on {} SMs by bytes", ctas));
      fixed.push_back(line(exchange_samples(4, ctas)).first);
    }
    put("exchange_fixed", fixed, "M20 serial fit, exchanges of 4 ranks: intercepts over bytes");
    const double pair = link_rate(2, 20);
    put("link_rate_pair", pair, pair, pair, "M20 serial fit, exchanges of 2 ranks on 20 SMs");
  }

  struct GemmSample {
    GemmWork gemm;
    std::int64_t reserved;
    double us;
    std::string id;
  };

  void add_gemm(std::vector<GemmSample>& found,
                const MeasuredPoint& measured,
                std::string_view prefix,
                std::string_view series) const {
    const GemmWork gemm = gemm_of(measured.point, prefix);
    const auto* samples = measured.find_samples(series);
    if (samples == nullptr) return;
    const std::int64_t reserved = measured.point.integer("reserved_sms");
    found.push_back(
        {gemm,
         reserved,
         1e-3 * quantile(*samples, 0.5),
         fmt::format(
             "{} {}x{}x{} reserved {}", measured.experiment, gemm.m, gemm.n, gemm.k, reserved)});
  }

  [[nodiscard]] std::vector<GemmSample> gemm_samples() const {
    std::vector<GemmSample> found;
    for (const MeasuredPoint& measured : measurement_.points) {
      if (measured.experiment == "M17" && measured.point.text("partner") == "none" &&
          gemm_operations(gemm_of(measured.point, "gemm")) >= kLeastOperations)
        add_gemm(found, measured, "gemm", "gemm_ns");
      if (!is_serial_fit(measured) || separates_exchanges(measured.point)) continue;
      add_gemm(found, measured, "attention", "a_ns");
      add_gemm(found, measured, "experts", "e_ns");
    }
    if (found.size() < kReserved.size()) missing("GEMMs alone of M17 and serial steps of M20");
    return found;
  }

  // The law is linear in few numbers; the fit weighs relative errors and stays within bounds.
  void gemms() {
    const std::vector<GemmSample> samples = gemm_samples();
    FitProblem problem;
    for (const std::int64_t reserved : kReserved)
      problem.constants.push_back(
          {fmt::format("gemm_efficiency_{}", reserved), 0.8, 0.3, 0.2, 1.0});
    problem.constants.push_back({"gemm_memory_exposed", 0.3, 1.0, 0.01, 1.0});
    problem.constants.push_back({"gemm_fixed", 2.0, 0.7, 0.1, 20.0});
    for (const GemmSample& sample : samples) problem.measured.push_back(sample.us);
    problem.predict = [&](std::span<const double> values) {
      ConstantSet trial = result_.constants;
      for (std::size_t i = 0; i < values.size(); ++i)
        trial.put({.name = problem.constants[i].name,
                   .unit = i + 1 == values.size() ? "us" : "1",
                   .value = values[i],
                   .source = {}});
      std::vector<double> predicted;
      for (const GemmSample& sample : samples)
        predicted.push_back(gemm_time_us(
            sample.gemm, sm_count_, static_cast<std::uint32_t>(sample.reserved), trial));
      return predicted;
    };
    const FitSolution solution = solve_fit(problem);
    for (std::size_t i = 0; i < problem.constants.size(); ++i) {
      const double spread = std::exp(1.645 * std::sqrt(solution.log_covariance[i][i]));
      put(problem.constants[i].name,
          solution.values[i],
          solution.values[i] / spread,
          solution.values[i] * spread,
          "fit to GEMMs alone of M17 and of M20's serial fit steps");
    }
    for (std::size_t i = 0; i < samples.size(); ++i)
      result_.residuals.push_back({samples[i].id, samples[i].us, solution.predicted[i]});
  }

  // A copy from another GPU takes no SM here, but so much of the memory's rate.
  void contention() {
    std::vector<double> shares;
    for (const MeasuredPoint& measured : measurement_.points) {
      if (measured.experiment != "M17" || measured.point.text("partner") != "peer_receive")
        continue;
      const GemmWork gemm = gemm_of(measured.point, "gemm");
      const auto* rates = measured.find_samples("partner_rate_gb_per_s");
      const auto* times = measured.find_samples("gemm_ns");
      const double alone = split(gemm, "none", 0, 0);
      if (rates == nullptr || times == nullptr || alone < 0 ||
          measured.point.integer("partner_ctas") < kReceiving)
        continue;
      const double taken = quantile(*rates, 0.5) / value("memory_rate");
      shares.push_back((quantile(*times, 0.5) / alone - 1.0) * (1.0 - taken) / taken);
    }
    if (shares.empty()) missing("M17 GEMMs beside peer_receive");
    put("gemm_memory_share", shares, "M17 GEMMs beside peer_receive at the link's rate");
  }

  // Beside a copy that only reads and writes memory from outside, a GEMM pays contention but keeps
  // its SMs; what it pays beyond that beside a copy on this GPU, it pays for CTAs without room.
  void crowded() {
    std::vector<GemmWork> large;
    for (const MeasuredPoint& measured : measurement_.points) {
      if (measured.experiment != "M17" || measured.point.text("partner") != "none" ||
          measured.point.integer("reserved_sms") != 0)
        continue;
      const GemmWork gemm = gemm_of(measured.point, "gemm");
      if (tiles_of(gemm) > kManyWaves * sm_count_) large.push_back(gemm);
    }
    if (large.empty()) missing("GEMMs of many tiles alone in M17");
    for (const std::int64_t ctas : kSplits)
      put_crowded(fmt::format("crowded_share_{}", ctas), large, ctas, ctas);
    for (const std::int64_t ctas : kUnsplit)
      put_crowded(fmt::format("crowded_share_unsplit_{}", ctas), large, ctas, 0);
  }

  void put_crowded(const std::string& name,
                   const std::vector<GemmWork>& gemms,
                   std::int64_t ctas,
                   std::int64_t reserved) {
    std::vector<double> shares;
    for (const GemmWork& gemm : gemms) {
      const double alone = split(gemm, "none", 0, reserved);
      const double beside = split(gemm, "peer_send", ctas, reserved);
      const double whole = split(gemm, "none", 0, 0);
      const double received = split(gemm, "peer_receive", 8, 0);
      if (alone < 0 || beside < 0 || whole < 0 || received < 0)
        missing(fmt::format("M17 GEMMs beside sends and receives of {} SMs", ctas));
      const double share = std::min(1.0, alone / beside * received / whole);
      // A CTA that finds no room costs a whole wave: less than half of one is no missing CTA.
      const double waves =
          std::ceil(tiles_of(gemm) / static_cast<double>(std::int64_t{sm_count_} - reserved));
      shares.push_back(1.0 / share - 1.0 < 0.5 / waves ? 1.0 : share);
    }
    put(name,
        shares,
        fmt::format("M17 GEMMs of many waves, alone over beside peer_send on {} SMs, {} reserved",
                    ctas,
                    reserved));
  }

  const Measurement& measurement_;
  std::uint32_t sm_count_;
  TwoBatchConstants result_;
};

}  // namespace

bool separates_exchanges(const Point& point) {
  return point.integer("attention_m") <= 128;
}

TwoBatchConstants derive_two_batch(const Measurement& measurement, std::uint32_t sm_count) {
  return Deriver(measurement, sm_count).take();
}

}  // namespace epsim
