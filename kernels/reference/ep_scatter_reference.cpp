#include "kernels/reference/ep_scatter_reference.hpp"

#include <algorithm>

namespace epsim::kernels {
namespace {

bool names_expert(int expert, std::size_t expert_count) {
  return expert >= 0 && static_cast<std::size_t>(expert) < expert_count;
}

// Whether row `a` of one array is row `b` of another, `length` elements each.
template <typename T>
bool same_row(std::span<const T> from,
              std::size_t a,
              std::span<const T> to,
              std::size_t b,
              std::size_t length) {
  return std::ranges::equal(from.subspan(a * length, length), to.subspan(b * length, length));
}

std::string entry_fault(const ScatterOutcome& outcome,
                        std::size_t index,
                        std::vector<bool>& row_is_taken) {
  const std::string entry = "entry " + std::to_string(index) + " of the expert ids ";
  const int expert = outcome.expert_ids[index];
  const int row = outcome.token_rows[index];
  if (!names_expert(expert, outcome.starts.size()))
    return row == -1 ? "" : entry + "names no expert and got a row";
  const std::size_t e = static_cast<std::size_t>(expert);
  if (row < outcome.starts[e] || row >= outcome.ends[e])
    return entry + "got row " + std::to_string(row) + ", outside of its expert's";
  const std::size_t r = static_cast<std::size_t>(row);
  if (r >= row_is_taken.size()) return entry + "got a row past the capacity";
  if (row_is_taken[r]) return entry + "got row " + std::to_string(row) + ", which another has";
  row_is_taken[r] = true;
  const std::size_t token = index / outcome.top_k;
  if (!same_row(outcome.tokens, token, outcome.rows, r, outcome.row_bytes))
    return entry + "has a row that is not its token's";
  if (!same_row(outcome.scales, token, outcome.scales_of_rows, r, outcome.row_scales))
    return entry + "has scales that are not its token's";
  return "";
}

}  // namespace

std::vector<int> expert_starts(std::span<const int> counts) {
  std::vector<int> starts;
  int start = 0;
  for (const int count : counts) {
    starts.push_back(start);
    start += count;
  }
  return starts;
}

std::vector<int> row_experts(std::span<const int> counts) {
  std::vector<int> experts;
  for (std::size_t expert = 0; expert < counts.size(); ++expert)
    experts.insert(
        experts.end(), static_cast<std::size_t>(counts[expert]), static_cast<int>(expert));
  return experts;
}

std::vector<int> tokens_of_experts(std::span<const int> expert_ids, int expert_count) {
  std::vector<int> tokens(static_cast<std::size_t>(expert_count));
  for (const int expert : expert_ids)
    if (names_expert(expert, tokens.size())) ++tokens[static_cast<std::size_t>(expert)];
  return tokens;
}

std::string scatter_fault(const ScatterOutcome& outcome) {
  const std::vector<int> tokens =
      tokens_of_experts(outcome.expert_ids, static_cast<int>(outcome.starts.size()));
  for (std::size_t e = 0; e < outcome.starts.size(); ++e)
    if (outcome.ends[e] - outcome.starts[e] != tokens[e])
      return "expert " + std::to_string(e) + " handed out " +
             std::to_string(outcome.ends[e] - outcome.starts[e]) + " rows for " +
             std::to_string(tokens[e]) + " tokens";
  std::vector<bool> row_is_taken(outcome.rows.size() / outcome.row_bytes);
  for (std::size_t index = 0; index < outcome.expert_ids.size(); ++index)
    if (std::string fault = entry_fault(outcome, index, row_is_taken); !fault.empty()) return fault;
  return "";
}

std::vector<float> ep_gather_reference(const EpGatherInput& input) {
  std::vector<float> tokens(input.token_rows.size() / input.top_k * input.hidden);
  for (std::size_t index = 0; index < input.token_rows.size(); ++index) {
    if (input.token_rows[index] < 0) continue;
    const std::size_t from = static_cast<std::size_t>(input.token_rows[index]) * input.hidden;
    const std::size_t to = index / input.top_k * input.hidden;
    for (std::size_t channel = 0; channel < input.hidden; ++channel)
      tokens[to + channel] += input.weights[index] * input.rows[from + channel];
  }
  return tokens;
}

}  // namespace epsim::kernels
