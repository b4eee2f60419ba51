#include "calibrate/crowded_rounds.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "calibrate/robust_stats.hpp"
#include "sim/base/check.hpp"
#include "sim/base/input_error.hpp"

namespace epsim {
namespace {

constexpr double kTileElements = 256.0 * 128.0;
// The table shows this GEMM's rounds: seven alone.
constexpr std::int64_t kShownRows = 4096, kShownColumns = 7168, kShownDepth = 4096;

double tiles_of(const CrowdedGemm& gemm) {
  return static_cast<double>(gemm.m) * static_cast<double>(gemm.n) / kTileElements;
}

double error_of(const CrowdedGemm& gemm, std::uint32_t sm_count, double quicker) {
  const double held = static_cast<double>(gemm.holder_ctas) / sm_count;
  return gemm.law_rounds * (1.0 - quicker * held) / gemm.measured_rounds - 1.0;
}

// The line through the origin of what rounds are shorter by, over the share of SMs held, that has
// the least absolute errors: few GEMMs that need another number of rounds cannot move it.
double fit_quicker(const std::vector<CrowdedGemm>& gemms, std::uint32_t sm_count) {
  std::vector<std::pair<double, double>> slopes;  // with its weight
  double all = 0;
  for (const CrowdedGemm& gemm : gemms) {
    const double held = static_cast<double>(gemm.holder_ctas) / sm_count;
    slopes.emplace_back((1.0 - gemm.measured_rounds / gemm.law_rounds) / held, held);
    all += held;
  }
  std::sort(slopes.begin(), slopes.end());
  double below = 0;
  for (const auto& [slope, weight] : slopes) {
    below += weight;
    if (below >= all / 2) return slope;
  }
  return 0;
}

std::string shown_rounds(const CrowdedRounds& rounds, std::int64_t ctas, std::int64_t cluster) {
  for (const CrowdedGemm& gemm : rounds.gemms)
    if (gemm.m == kShownRows && gemm.n == kShownColumns && gemm.k == kShownDepth &&
        gemm.holder_ctas == ctas && gemm.holder_cluster == cluster)
      return fmt::format("{:.2f} / {:.0f}", gemm.measured_rounds, gemm.law_rounds);
  return "-";
}

}  // namespace

double crowded_law_rounds(const CrowdedGemm& gemm, std::uint32_t sm_count, double cluster_room) {
  const double tiles = tiles_of(gemm);
  const double left = static_cast<double>(sm_count) - static_cast<double>(gemm.holder_ctas);
  const double room = gemm.holder_cluster < 2 ? cluster_room : 1.0;
  const double slots = std::max(2.0, 2.0 * std::floor(room * left / 2.0));
  if (tiles <= slots) return 1.0;
  return 2.0 + std::ceil(std::max(0.0, tiles - sm_count) / slots);
}

CrowdedRounds crowded_rounds(const std::vector<Measurement>& files,
                             std::uint32_t sm_count,
                             double cluster_room) {
  std::map<std::tuple<std::int64_t, std::int64_t, std::int64_t>, double> alone_ns;
  CrowdedRounds found;
  for (const Measurement& file : files)
    for (const MeasuredPoint& measured : file.points) {
      const auto* samples = measured.find_samples("gemm_ns");
      if (measured.experiment != "M26" || samples == nullptr) continue;
      CrowdedGemm gemm{.m = measured.point.integer("gemm_m"),
                       .n = measured.point.integer("gemm_n"),
                       .k = measured.point.integer("gemm_k"),
                       .holder_ctas = measured.point.integer("holder_ctas"),
                       .holder_cluster = measured.point.integer("holder_cluster"),
                       .measured_rounds = quantile(*samples, 0.5)};
      if (gemm.measured_rounds <= 0 || gemm.m <= 0 || gemm.n <= 0)
        throw InputError(file.file, "/points", "expected GEMMs of M26 that take time");
      if (gemm.holder_ctas <= 0)
        alone_ns[{gemm.m, gemm.n, gemm.k}] = gemm.measured_rounds;
      else
        found.gemms.push_back(gemm);
    }
  const std::string where = files.empty() ? "" : files.back().file;
  if (found.gemms.empty()) throw InputError(where, "/points", "expected GEMMs beside holders, M26");
  for (CrowdedGemm& gemm : found.gemms) {
    const auto alone = alone_ns.find({gemm.m, gemm.n, gemm.k});
    if (alone == alone_ns.end())
      throw InputError(
          where,
          "/points",
          fmt::format("expected the GEMM {} x {} x {} of M26 alone", gemm.m, gemm.n, gemm.k));
    gemm.measured_rounds /= alone->second / std::ceil(tiles_of(gemm) / sm_count);
    gemm.law_rounds = crowded_law_rounds(gemm, sm_count, cluster_room);
  }
  found.quicker = fit_quicker(found.gemms, sm_count);
  return found;
}

RoundError round_error(const std::vector<CrowdedGemm>& gemms,
                       std::uint32_t sm_count,
                       double quicker) {
  check(!gemms.empty(), "an error is of something");
  std::vector<double> errors;
  for (const CrowdedGemm& gemm : gemms)
    errors.push_back(std::abs(error_of(gemm, sm_count, quicker)));
  return {quantile(errors, 0.5), *std::max_element(errors.begin(), errors.end())};
}

std::string crowded_rounds_markdown(const CrowdedRounds& rounds, std::uint32_t sm_count) {
  std::string text = fmt::format(
      "| SMs held | rounds of {} x {} x {}, measured / law: single CTAs | pairs | fours | law's "
      "error, all GEMMs: median | largest | median with quicker rounds |\n"
      "|---|---|---|---|---|---|---|\n",
      kShownRows,
      kShownColumns,
      kShownDepth);
  std::set<std::int64_t> counts;
  for (const CrowdedGemm& gemm : rounds.gemms) counts.insert(gemm.holder_ctas);
  const auto errors = [&](const std::vector<CrowdedGemm>& gemms) {
    const RoundError plain = round_error(gemms, sm_count);
    return fmt::format("{:.1f} % | {:.1f} % | {:.1f} %",
                       100 * plain.median,
                       100 * plain.largest,
                       100 * round_error(gemms, sm_count, rounds.quicker).median);
  };
  for (const std::int64_t count : counts) {
    std::vector<CrowdedGemm> gemms;
    for (const CrowdedGemm& gemm : rounds.gemms)
      if (gemm.holder_ctas == count) gemms.push_back(gemm);
    text += fmt::format("| {} | {} | {} | {} | {} |\n",
                        count,
                        shown_rounds(rounds, count, 1),
                        shown_rounds(rounds, count, 2),
                        shown_rounds(rounds, count, 4),
                        errors(gemms));
  }
  text += fmt::format("| all | | | | {} |\n", errors(rounds.gemms));
  return text + fmt::format(
                    "\n{} GEMMs. Quicker rounds: each shorter by {:.2f} times the share of "
                    "the SMs that are held; the step model leaves that out.\n",
                    rounds.gemms.size(),
                    rounds.quicker);
}

}  // namespace epsim
