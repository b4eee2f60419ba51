// What-if rule: one rule of an epsim.whatif/1 file, which tasks it chooses and what it does to
// them. what_if.hpp says how a rule is written.
#pragma once

#include <cstdint>
#include <optional>
#include <regex>
#include <string>
#include <variant>

#include "models/gpu_step.hpp"
#include "models/step_edit.hpp"
#include "models/what_if.hpp"
#include "sim/base/json.hpp"
#include "sim/base/units.hpp"
#include "traces/kernel_class.hpp"

namespace epsim {

// A regular expression, and which names it is found in: each name is searched once.
class NamePattern {
 public:
  explicit NamePattern(const JsonValue& value);

  // One a task.
  [[nodiscard]] TaskChoice found_in(const GpuStep& step) const;
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
  std::regex regex_;
};

struct MoveEdit {
  std::string stream;
  std::optional<NamePattern> consumers;
};
struct ScaleEdit {
  double factor = 1;
};
struct TimeEdit {
  Duration time{};
};
struct RemoveEdit {};
struct InsertEdit {
  std::string name;
  Duration time{};
  InsertPlace place = InsertPlace::before;
};
struct CtaEdit {
  std::uint32_t count = 0;
  CtaLaw law = CtaLaw::left;
  std::uint32_t saturates_at = 0;
};
struct ReplaceEdit {
  ReplacementSpec spec;
  std::uint32_t ctas = 0;  // 0: as recorded
};
using StepEdit =
    std::variant<MoveEdit, ScaleEdit, TimeEdit, RemoveEdit, InsertEdit, CtaEdit, ReplaceEdit>;

struct WhatIfRule {
  std::string file, place;
  std::string note;
  std::optional<NamePattern> kernels;
  std::optional<KernelClass> kernel_class;
  std::optional<CommunicationPhase> phase;
  std::optional<std::string> family;
  StepEdit edit;

  [[nodiscard]] static WhatIfRule read(const JsonValue& value);
  [[nodiscard]] TaskChoice chosen(const GpuStep& step) const;
};

}  // namespace epsim
