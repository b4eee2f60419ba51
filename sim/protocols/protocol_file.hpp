// Protocol file: who writes what, who reads it and what orders them, as a person writes it down
// (epsim.protocol/1, described in docs/protocol_files.md). It becomes a SyncProgram.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/base/json.hpp"
#include "sim/hazards/finding.hpp"
#include "sim/hazards/sync_program.hpp"

namespace epsim {

// What a file says that a check of it finds; for tests.
struct ProtocolExpectation {
  Verdict verdict{};               // of the worst finding
  std::optional<HazardKind> kind;  // of one of the worst findings
  std::string closes;              // part of what closes that one
};

// The finding that an expectation means: of its verdict, its kind and closed by what it says.
// nullptr where there is none.
[[nodiscard]] const Finding* expected_finding(const ProtocolExpectation& expect,
                                              const HazardReport& report);

// One form of a protocol: a file holds its operations side by side.
struct ProtocolVariant {
  std::string name;
  std::string text;
  std::optional<Duration> measured;  // what it costs, where somebody measured it
  std::string source;                // and where that stands
};

// Does the first operation happen before the second? By their labels.
struct PathQuestion {
  std::string from, to;
  std::uint32_t first = 0, second = 0;  // indices into SyncProgram::ops
  std::optional<bool> exists;           // what the file expects
};

struct Protocol {
  std::string file;
  std::string name;
  std::string text;
  std::string variant;  // which one this is; empty where the file has none
  SyncProgram program;
  std::vector<std::string> pointers;  // SyncOp::source: the operation's place in the file
  std::vector<PathQuestion> paths;
  std::optional<ProtocolExpectation> expect;
};

// Whether the document says that it is a protocol.
[[nodiscard]] bool is_protocol(const JsonDocument& document);

// In the order of the file; none if it has only one form.
[[nodiscard]] std::vector<ProtocolVariant> protocol_variants(const JsonDocument& document);

// Reads one variant, the first if none is named. Throws InputError.
[[nodiscard]] Protocol read_protocol(const JsonDocument& document, std::string_view variant = "");

}  // namespace epsim
