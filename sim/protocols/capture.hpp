// Capture: which operations a CUDA graph capture forbids, which it records with a state of the host
// frozen in, why, and what to do instead.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/workload.hpp"
#include "sim/hazards/finding.hpp"
#include "sim/protocols/call_sequence.hpp"
#include "sim/scenario.hpp"

namespace epsim {

enum class CaptureEffect : std::uint8_t {
  fails,     // the capture is invalid, or never ends
  freezes,   // it is recorded, or runs once beside it, with what the host knew then
  recorded,  // it becomes a node
};
inline constexpr std::array<std::string_view, 3> kCaptureEffectNames = {
    "fails", "freezes", "recorded"};

struct CaptureRule {
  std::string_view operation;  // "wait of the CPU for a captured event"
  std::string_view calls;      // functions, separated by blanks; empty: no function of its own
  CaptureEffect effect;
  std::string_view error;  // that the runtime returns; empty: none
  std::string_view why;
  std::string_view instead;
};

[[nodiscard]] std::span<const CaptureRule> capture_rules();

// Every function that a rule names, in the order of the rules.
[[nodiscard]] const std::vector<std::string_view>& capture_calls();
// The rule of a function; nullptr where no rule names it.
[[nodiscard]] const CaptureRule* rule_of_call(std::string_view call);
[[nodiscard]] const CaptureRule& rule_of_operation(std::string_view operation);

// ERROR for what fails, FORMAL for what is frozen. `graph` is what is captured, `operation` what
// meets the rule.
[[nodiscard]] Finding capture_finding(const CaptureRule& rule,
                                      const OperationAt& graph,
                                      const OperationAt& operation);

// What breaks the captures of a call sequence.
[[nodiscard]] std::vector<Finding> capture_findings(const CallSequence& sequence);

// A kernel family as a scenario uses it, its calls in one captured graph.
struct CaptureQuery {
  std::string family;
  ExchangeMode mode = ExchangeMode::graph;       // families that take an exchange
  ExchangeCopy copy = ExchangeCopy::persistent;  // likewise
  bool counted = false;                          // intranode: the host reads the counts
  std::uint32_t calls = 2;                       // in the graph: dispatch, combine or both
};
[[nodiscard]] CaptureQuery capture_query(const Scenario& scenario);

// What would break the capture of the family's calls, and why.
[[nodiscard]] std::vector<Finding> capture_findings(const CaptureQuery& query);

}  // namespace epsim
