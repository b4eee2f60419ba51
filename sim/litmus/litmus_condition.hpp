// LitmusCondition: a question about the end of an execution, over registers and memory. Part of it
// may be unknown still: then the answer may be, too.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

namespace epsim {

enum class Comparison : std::uint8_t { equal, unequal, less, less_equal, greater, greater_equal };
inline constexpr std::array<std::string_view, 6> kComparisonNames = {
    "==", "!=", "<", "<=", ">", ">="};

[[nodiscard]] bool compare(Comparison comparison, std::int64_t left, std::int64_t right);

enum class Truth : std::uint8_t { no, unknown, yes };

struct LitmusLeaf {
  enum class Kind : std::uint8_t { immediate, in_register, in_memory };
  Kind kind = Kind::immediate;
  std::uint32_t thread = 0;  // in_register
  std::uint32_t index = 0;   // of the register in its thread, or of the storage
  std::int64_t value = 0;    // immediate
};

struct LitmusCondition {
  enum class Kind : std::uint8_t { all, any, negation, comparison };
  Kind kind = Kind::all;
  std::vector<LitmusCondition> parts;  // one for a negation
  Comparison comparison = Comparison::equal;
  LitmusLeaf left, right;
};

// What a register or a storage holds, if that is known.
using LeafValue = std::function<std::optional<std::int64_t>(const LitmusLeaf&)>;

[[nodiscard]] Truth evaluate(const LitmusCondition& condition, const LeafValue& value_of);

// The storages that the condition asks about are added to `storages`, each once.
void collect_storages(const LitmusCondition& condition, std::vector<std::uint32_t>& storages);

}  // namespace epsim
