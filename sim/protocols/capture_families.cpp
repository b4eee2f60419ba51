// What a capture of a kernel family's calls would meet, step by step as the family does it.
#include <fmt/format.h>

#include "sim/base/check.hpp"
#include "sim/protocols/capture.hpp"

namespace epsim {
namespace {

// When a family does a step.
enum class StepUse : std::uint8_t {
  cpu_sync,        // exchange with the CPU in the path
  cpu_sync_bytes,  // likewise, with the copy kernel of a byte a thread
  counted,         // intranode dispatch whose counts the host reads
  cached,          // intranode with the layout of an earlier call
  odd_calls,       // an odd number of calls in the graph
  few_calls,       // fewer than two dispatches and two combines: words that see one call
};

struct FamilyStep {
  std::string_view family;
  StepUse use;
  std::string_view step;
  std::string_view operation;  // of the capture rule that it meets
};

constexpr std::array kSteps = {
    FamilyStep{"epsim-graph",
               StepUse::cpu_sync,
               "counts of all ranks go to the host, which waits for every stream",
               "wait of the CPU for a stream or a device"},
    FamilyStep{"epsim-graph",
               StepUse::cpu_sync,
               "the host adds up counts and places, and copies them back",
               "work of the CPU between the calls"},
    FamilyStep{"epsim-graph",
               StepUse::cpu_sync_bytes,
               "the grid of the copy kernel is the most rows that any peer gets",
               "sizes and addresses that the host knew"},
    FamilyStep{"epsim-graph",
               StepUse::cpu_sync,
               "the host waits for every stream in place of a barrier: all rows are stored",
               "wait of the CPU for a stream or a device"},
    FamilyStep{"deepep-intranode-1.2.1",
               StepUse::counted,
               "the host polls mapped memory until the notify kernel has written every count",
               "poll of the CPU for a word that the GPU writes"},
    FamilyStep{"deepep-intranode-1.2.1",
               StepUse::counted,
               "outputs are allocated for the rows that will come",
               "allocation"},
    FamilyStep{"deepep-intranode-1.2.1",
               StepUse::counted,
               "the data kernel gets the number of rows as an argument",
               "sizes and addresses that the host knew"},
    FamilyStep{"deepep-intranode-1.2.1",
               StepUse::cached,
               "the layout of an earlier dispatch is used: a replay with another routing needs "
               "another",
               "sizes and addresses that the host knew"},
    FamilyStep{"deepep-ll-1.2.1",
               StepUse::odd_calls,
               "the parity of the buffer is chosen by the host at each call",
               "parity that the host counts"},
    FamilyStep{"epsim-ll",
               StepUse::few_calls,
               "the generation of the signal words is an argument of the kernel",
               "generation that the host counts"},
};

bool is_used(const FamilyStep& step, const CaptureQuery& query) {
  switch (step.use) {
    case StepUse::cpu_sync:
      return query.mode == ExchangeMode::cpu_sync;
    case StepUse::cpu_sync_bytes:
      return query.mode == ExchangeMode::cpu_sync && query.copy == ExchangeCopy::byte;
    case StepUse::counted:
      return query.counted;
    case StepUse::cached:
      return !query.counted;
    case StepUse::odd_calls:
      return query.calls % 2 == 1;
    case StepUse::few_calls:
      return query.calls < 4;
  }
  return false;
}

}  // namespace

CaptureQuery capture_query(const Scenario& scenario) {
  return {.family = scenario.kernel,
          .mode = scenario.exchange.mode,
          .copy = scenario.exchange.copy,
          .counted = scenario.counted,
          .calls = std::uint32_t{scenario.run_dispatch} + std::uint32_t{scenario.run_combine}};
}

std::vector<Finding> capture_findings(const CaptureQuery& query) {
  check(find_family(query.family) != nullptr, "the family is one that epsim knows");
  std::vector<Finding> findings;
  for (std::uint32_t i = 0; i < kSteps.size(); ++i) {
    const FamilyStep& step = kSteps[i];
    if (step.family != query.family || !is_used(step, query)) continue;
    findings.push_back(
        capture_finding(rule_of_operation(step.operation),
                        {0, 0, fmt::format("capture of the calls of {}", query.family)},
                        {0, i, std::string(step.step)}));
    findings.back().location = query.family;
  }
  return findings;
}

}  // namespace epsim
