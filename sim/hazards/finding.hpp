// Finding: one hazard: two operations that nothing orders well enough, what order there is, what is
// missing, and what would close it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace epsim {

enum class Verdict : std::uint8_t { ok, platform, formal, error };
inline constexpr std::array<std::string_view, 4> kVerdictNames = {
    "OK", "PLATFORM", "FORMAL", "ERROR"};

enum class HazardKind : std::uint8_t {
  stale_read,         // read after write: the read need not see the write
  overwritten_read,   // write after read: the write may be seen by the read
  overwritten_write,  // write after write: either may stay
  non_coherent_read,  // ld.global.nc of what the same kernel's time saw written
  stale_signal,       // a wait takes a word that was meant for another
  lost_signal,        // a signal may be erased before anyone saw it
  deadlock,           // a wait that nothing can end
  collective_order,   // members of one communicator may enter collectives in different orders
  use_after_end,      // an access to memory that was freed or given back
  capture,            // an operation that a graph capture forbids
  call_order,         // calls of a library that its protocol does not allow
};
inline constexpr std::array<std::string_view, 11> kHazardKindNames = {"stale-read",
                                                                      "overwritten-read",
                                                                      "overwritten-write",
                                                                      "non-coherent-read",
                                                                      "stale-signal",
                                                                      "lost-signal",
                                                                      "deadlock",
                                                                      "collective-order",
                                                                      "use-after-end",
                                                                      "capture",
                                                                      "call-order"};

// What the finding rests on.
enum class Basis : std::uint8_t {
  forbidden_by_text,
  by_analogy,
  platform_dependent,
  outside_model
};
inline constexpr std::array<std::string_view, 4> kBasisNames = {
    "forbidden by the text", "by analogy", "platform-dependent", "outside the model"};

struct OperationAt {
  std::uint32_t agent = 0;
  std::uint32_t op = 0;  // index into SyncProgram::ops
  std::string text;      // "load warp of rank 0, CTA 3: bulk load of row 17"
};

struct Finding {
  HazardKind kind{};
  Verdict verdict{};
  Basis basis{};
  OperationAt first, second;      // in the order that the program means
  std::string location;           // what both touch, or the flag
  std::vector<std::string> path;  // the order that exists, step by step; empty if there is none
  std::string missing;            // the edge that is not there
  std::string closes;             // the cheapest operation that closes it, and where
  std::optional<double> cost_us;  // what that costs, if a plan can say
  // Between the end of the first and the start of the second: as planned, and at the worst delay.
  // Negative: the second comes that much too early.
  std::optional<double> gap_us, least_gap_us;
  std::uint64_t instances = 1;
};

// Findings, worst first, and what was checked to get there.
struct HazardReport {
  std::string name;
  std::vector<Finding> findings;
  std::uint64_t operations = 0;
  std::uint64_t accesses = 0;  // pairs of conflicting accesses that were looked at
  std::uint32_t schedules = 1;
  bool lenient = false;

  [[nodiscard]] Verdict verdict() const {
    Verdict worst = Verdict::ok;
    for (const Finding& finding : findings)
      if (finding.verdict > worst) worst = finding.verdict;
    return worst;
  }
};

}  // namespace epsim
