// Routing: which experts each token of each rank goes to. What a gate decided, and nothing else.
//
// Values only, fixed once built. Choices lie flat, two bytes each (256 ranks x 128 tokens x top-8
// is half a megabyte), token after token and rank after rank, so that a model walks them in order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/base/ids.hpp"

namespace epsim {

using ExpertChoice = std::int16_t;  // a global expert, or kMasked
inline constexpr ExpertChoice kMasked = -1;
inline constexpr std::uint32_t kMostExperts = 32'767;            // what an ExpertChoice can hold
inline constexpr std::uint64_t kMostChoices = 1'073'741'824ULL;  // 2 GiB of them

// The expert of a choice that is not masked.
[[nodiscard]] constexpr ExpertId expert_of(ExpertChoice choice) {
  return ExpertId{static_cast<std::uint32_t>(choice)};
}

struct RoutingShape {
  std::uint32_t ranks = 0;
  std::uint32_t experts = 0;  // of all ranks together; a multiple of `ranks`
  std::uint32_t top_k = 0;    // choices a token has, masked ones included
  bool operator==(const RoutingShape&) const = default;
  [[nodiscard]] constexpr std::uint32_t experts_per_rank() const { return experts / ranks; }
};

class Routing {
 public:
  // `choices` holds top_k entries a token, of rank 0 first. Throws Bug unless the lengths agree and
  // every token names experts of the shape, none of them twice.
  Routing(const RoutingShape& shape,
          std::span<const std::uint32_t> tokens_of_rank,
          std::vector<ExpertChoice> choices);

  [[nodiscard]] const RoutingShape& shape() const { return shape_; }
  [[nodiscard]] std::uint32_t rank_count() const { return shape_.ranks; }
  [[nodiscard]] std::uint32_t expert_count() const { return shape_.experts; }
  [[nodiscard]] std::uint32_t top_k() const { return shape_.top_k; }
  [[nodiscard]] std::uint32_t token_count(RankId rank) const {
    return static_cast<std::uint32_t>(first_token_[rank.index() + 1] - first_token_[rank.index()]);
  }
  [[nodiscard]] std::uint64_t token_count() const { return first_token_.back(); }

  // The top_k choices of one token, in the order the gate gave them.
  [[nodiscard]] std::span<const ExpertChoice> choices(RankId rank, std::size_t token) const {
    return choices(rank).subspan(token * shape_.top_k, shape_.top_k);
  }
  // Those of all tokens of one rank.
  [[nodiscard]] std::span<const ExpertChoice> choices(RankId rank) const {
    const std::uint64_t first = first_token_[rank.index()];
    const std::uint64_t last = first_token_[rank.index() + 1];
    return std::span(choices_).subspan(first * shape_.top_k, (last - first) * shape_.top_k);
  }

  bool operator==(const Routing&) const = default;

 private:
  RoutingShape shape_;
  std::vector<std::uint64_t> first_token_;  // of each rank, counted over all; one more at the end
  std::vector<ExpertChoice> choices_;
};

// Reads epsim.routing/1, plain or gzip'd. Throws InputError when the file breaks the format or,
// where `wanted` is given, has another shape.
[[nodiscard]] Routing read_routing(const std::filesystem::path& path,
                                   const std::optional<RoutingShape>& wanted = std::nullopt);
// The same from text; `name` stands for the file in messages.
[[nodiscard]] Routing parse_routing(std::string_view text,
                                    std::string_view name,
                                    const std::optional<RoutingShape>& wanted = std::nullopt);

// epsim.routing/1 text, one line a rank, and the file with it (gzip'd when its name ends in .gz).
[[nodiscard]] std::string to_json(const Routing& routing);
void write_routing(const std::filesystem::path& path, const Routing& routing);

}  // namespace epsim
