// crowded_rounds: the law of a persistent GEMM's rounds beside a kernel that holds SMs, against
// M26. The GEMM has a CTA for each of all SMs, and each CTA's first tile is its own. On the SMs
// that are left, the first CTAs run theirs and then share the other tiles; CTAs that found no room
// come last, each for its own tile:
//
//   rounds = 1 + ceil((T - SMs) / slots) + 1,  T = m n / 32768 tiles of 256 x 128
//
// where slots is the even number of SMs left, and 1 where all CTAs with a tile find room at once.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "calibrate/measurement.hpp"

namespace epsim {

struct CrowdedGemm {
  std::int64_t m = 0, n = 0, k = 0;
  std::int64_t holder_ctas = 0;
  std::int64_t holder_cluster = 1;
  double measured_rounds = 0;  // its time, in rounds of the same GEMM alone
  double law_rounds = 0;
};

struct CrowdedRounds {
  std::vector<CrowdedGemm> gemms;
  // A round is shorter by this part of the SMs' share that others hold. No part of the step model.
  double quicker = 0;
};

struct RoundError {
  double median = 0;
  double largest = 0;
};

// Of one GEMM beside holders, by the law: `cluster_room` is the part of the SMs that single CTAs
// leave free where pairs find room.
[[nodiscard]] double crowded_law_rounds(const CrowdedGemm& gemm,
                                        std::uint32_t sm_count,
                                        double cluster_room);

// Throws InputError without M26.
[[nodiscard]] CrowdedRounds crowded_rounds(const std::vector<Measurement>& files,
                                           std::uint32_t sm_count,
                                           double cluster_room);

// Relative, of the law over what was measured. `quicker`: what a round is shorter by.
[[nodiscard]] RoundError round_error(const std::vector<CrowdedGemm>& gemms,
                                     std::uint32_t sm_count,
                                     double quicker = 0);

// A table by the holders' number, as Markdown.
[[nodiscard]] std::string crowded_rounds_markdown(const CrowdedRounds& rounds,
                                                  std::uint32_t sm_count);

}  // namespace epsim
