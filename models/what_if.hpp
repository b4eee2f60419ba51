// What if: a user's rules (epsim.whatif/1) that edit a GpuStep, and sentences that say what came of
// each.
//
// A rule chooses tasks by `kernels` (a regular expression searched in their names), `class`,
// `phase` and `family`, all that are given, and makes one edit:
//   "stream": "NAME"              moved there; "consumers": regular expression of who needs them
//   "scale": 0.5                  times multiplied
//   "time": "120 us"              times set
//   "remove": true
//   "insert": {"name": "fence.sys", "time": "2.4 us", "place": "before" or "after"}
//   "ctas": {"count": 16, "law": "left", "inverse" or "saturating", "saturates_at": 8}
//   "replace": {"scenario": "FILE.json", "operation": "dispatch" or "combine", "ctas": 24}
// and may carry a "note". Rules apply in order, each to what the ones before it left. A rule that
// chooses nothing is an error.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "models/gpu_step.hpp"
#include "sim/base/json.hpp"
#include "sim/base/units.hpp"

namespace epsim {

// A dispatch or combine that some scenario describes.
struct ReplacementSpec {
  std::string scenario;   // path; as told, or beside the rules
  std::string operation;  // "dispatch", "combine"
};

// How long it takes; asked once a rule.
using ReplacementTime = std::function<Duration(const ReplacementSpec&)>;

struct EditedStep {
  GpuStep step;
  std::vector<std::string> changes;  // a sentence a rule
};

struct WhatIfRule;  // what_if_rule.hpp

class WhatIfRules {
 public:
  // Throws InputError.
  [[nodiscard]] static WhatIfRules read(const std::filesystem::path& path);
  // `name` stands for the file in messages, and scenarios lie beside it.
  [[nodiscard]] static WhatIfRules parse(std::string_view text, std::string_view name);

  // Throws InputError for a rule that chooses nothing. `replacement` may be empty when no rule
  // replaces. Whether times as recorded still hold (GpuStep::as_recorded) is for the caller to say.
  [[nodiscard]] EditedStep apply(GpuStep step, const ReplacementTime& replacement = {}) const;

  [[nodiscard]] std::size_t size() const;

 private:
  static WhatIfRules parse(const JsonValue& root);

  std::shared_ptr<const std::vector<WhatIfRule>> rules_;
};

}  // namespace epsim
