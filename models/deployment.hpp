// Deployment: one way of serving a model: how many ranks share its experts, how attention is
// split, how much is served at once, and by which kernels rows are exchanged.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace epsim {

enum class ServingPhase : std::uint8_t { prefill, decode };
inline constexpr std::array<std::string_view, 2> kServingPhaseNames = {"prefill", "decode"};

// tbo: a step's sequences in two micro-batches, one exchanges while the other computes.
enum class MicroBatching : std::uint8_t { none, tbo };
inline constexpr std::array<std::string_view, 2> kMicroBatchingNames = {"none", "tbo"};

struct Deployment {
  std::uint32_t ranks = 0;            // that share the experts: the EP degree
  std::uint32_t attention_ranks = 1;  // that share the attention of a sequence: TP; DP is the rest
  std::int64_t batch = 0;  // tokens of an attention group in a step: of decode, sequences
  MicroBatching micro_batching = MicroBatching::none;
  std::uint32_t redundant_experts = 0;  // slots of all ranks beyond the model's experts
  std::string kernel;                   // a kernel family's name
  std::int64_t sms = 0;                 // that it communicates on; 0: it has no such choice
  bool operator==(const Deployment&) const = default;

  [[nodiscard]] std::uint32_t attention_groups() const { return ranks / attention_ranks; }
  [[nodiscard]] std::uint32_t micro_batches() const {
    return micro_batching == MicroBatching::tbo ? 2 : 1;
  }
  // Tokens that a rank hands to the exchange in one micro-batch, rounded up.
  [[nodiscard]] std::int64_t exchanged_tokens() const {
    const std::int64_t parts = std::int64_t{attention_ranks} * micro_batches();
    return (batch + parts - 1) / parts;
  }
};

// What is served: prompts of `input` tokens, answers of `output`. Decode's sequences are on
// average half way through their answers.
struct ServedLengths {
  std::int64_t input = 0, output = 0;
  [[nodiscard]] std::int64_t longest() const { return input + output; }
  [[nodiscard]] std::int64_t decode_context() const { return input + output / 2; }
};

}  // namespace epsim
