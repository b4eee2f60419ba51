#include "sim/litmus/litmus_condition.hpp"

#include <algorithm>

namespace epsim {

bool compare(Comparison comparison, std::int64_t left, std::int64_t right) {
  switch (comparison) {
    case Comparison::equal:
      return left == right;
    case Comparison::unequal:
      return left != right;
    case Comparison::less:
      return left < right;
    case Comparison::less_equal:
      return left <= right;
    case Comparison::greater:
      return left > right;
    case Comparison::greater_equal:
      return left >= right;
  }
  return false;
}

Truth evaluate(const LitmusCondition& condition, const LeafValue& value_of) {
  using Kind = LitmusCondition::Kind;
  if (condition.kind == Kind::comparison) {
    const std::optional<std::int64_t> left = value_of(condition.left);
    const std::optional<std::int64_t> right = value_of(condition.right);
    if (!left || !right) return Truth::unknown;
    return compare(condition.comparison, *left, *right) ? Truth::yes : Truth::no;
  }
  if (condition.kind == Kind::negation) {
    const Truth inner = evaluate(condition.parts.front(), value_of);
    if (inner == Truth::unknown) return inner;
    return inner == Truth::yes ? Truth::no : Truth::yes;
  }
  // The enumerators rise from no to yes: `all` is the least of its parts, `any` the greatest.
  const bool is_all = condition.kind == Kind::all;
  Truth result = is_all ? Truth::yes : Truth::no;
  for (const LitmusCondition& part : condition.parts) {
    const Truth truth = evaluate(part, value_of);
    result = is_all ? std::min(result, truth) : std::max(result, truth);
  }
  return result;
}

void collect_storages(const LitmusCondition& condition, std::vector<std::uint32_t>& storages) {
  for (const LitmusCondition& part : condition.parts) collect_storages(part, storages);
  if (condition.kind != LitmusCondition::Kind::comparison) return;
  for (const LitmusLeaf* leaf : {&condition.left, &condition.right})
    if (leaf->kind == LitmusLeaf::Kind::in_memory &&
        std::find(storages.begin(), storages.end(), leaf->index) == storages.end())
      storages.push_back(leaf->index);
}

}  // namespace epsim
