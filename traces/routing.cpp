#include "traces/routing.hpp"

#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "sim/base/check.hpp"
#include "sim/base/json.hpp"
#include "sim/base/json_writer.hpp"
#include "sim/base/text_file.hpp"

namespace epsim {

namespace {

constexpr std::string_view kSchema = "epsim.routing/1";

// Finds an expert that stands twice in one token. Linear in the choices: each token leaves its own
// number at the experts it names, so nothing has to be cleared between tokens.
class RepeatFinder {
 public:
  explicit RepeatFinder(std::uint32_t experts) : last_token_(experts, 0) {}

  // Position of the first choice that repeats an earlier one, or the number of choices.
  template <typename Choice>
  [[nodiscard]] std::size_t first_repeat(std::span<const Choice> token) {
    ++token_;
    for (std::size_t k = 0; k < token.size(); ++k) {
      if (token[k] == kMasked) continue;
      std::uint64_t& last = last_token_[static_cast<std::size_t>(token[k])];
      if (last == token_) return k;
      last = token_;
    }
    return token.size();
  }

 private:
  std::vector<std::uint64_t> last_token_;
  std::uint64_t token_ = 0;
};

std::uint32_t read_count(JsonValue value, std::optional<std::uint32_t> wanted) {
  const auto count = static_cast<std::uint32_t>(value.integer_in(1, kMostExperts));
  if (wanted && count != *wanted) value.fail_expected(fmt::format("{}, as asked for", *wanted));
  return count;
}

RoutingShape read_shape(JsonObject& file, const std::optional<RoutingShape>& wanted) {
  const auto part = [&](std::uint32_t RoutingShape::*member) {
    return wanted ? std::optional((*wanted).*member) : std::nullopt;
  };
  const JsonValue experts = file.required("experts");
  const JsonValue ranks = file.required("ranks");
  const JsonValue top_k = file.required("topk");
  const RoutingShape shape{.ranks = read_count(ranks, part(&RoutingShape::ranks)),
                           .experts = read_count(experts, part(&RoutingShape::experts)),
                           .top_k = read_count(top_k, part(&RoutingShape::top_k))};
  if (shape.experts % shape.ranks != 0)
    experts.fail_expected(fmt::format("a multiple of the {} ranks", shape.ranks));
  if (shape.top_k > shape.experts)
    top_k.fail_expected(fmt::format("at most the {} experts", shape.experts));
  return shape;
}

Routing read_document(const JsonDocument& document, const std::optional<RoutingShape>& wanted) {
  JsonObject file = document.root().object();
  (void)file.required("schema").one_of({kSchema});
  const RoutingShape shape = read_shape(file, wanted);
  const JsonValue tokens = file.required("tokens");
  file.finish();

  const std::vector<JsonValue> ranks = tokens.array();
  if (ranks.size() != shape.ranks)
    tokens.fail_expected(fmt::format("{} arrays, one a rank", shape.ranks));

  RepeatFinder repeats(shape.experts);
  std::vector<std::uint32_t> tokens_of_rank;
  std::vector<ExpertChoice> choices;
  std::vector<std::int32_t> token_choices;
  for (const JsonValue& rank : ranks) {
    const std::vector<JsonValue> rank_tokens = rank.array();
    tokens_of_rank.push_back(static_cast<std::uint32_t>(rank_tokens.size()));
    for (const JsonValue& token : rank_tokens) {
      token_choices.clear();
      token.append_integers(kMasked, shape.experts - 1, token_choices);
      if (token_choices.size() != shape.top_k)
        token.fail_expected(fmt::format("an array of {}, the topk", shape.top_k));
      const std::size_t repeat = repeats.first_repeat(std::span<const std::int32_t>(token_choices));
      if (repeat != token_choices.size())
        token.array()[repeat].fail(
            fmt::format("expert {} stands twice in one token", token_choices[repeat]));
      for (const std::int32_t choice : token_choices)
        choices.push_back(static_cast<ExpertChoice>(choice));
    }
  }
  return Routing(shape, tokens_of_rank, std::move(choices));
}

}  // namespace

Routing::Routing(const RoutingShape& shape,
                 std::span<const std::uint32_t> tokens_of_rank,
                 std::vector<ExpertChoice> choices)
    : shape_(shape), first_token_{0}, choices_(std::move(choices)) {
  check(shape.ranks > 0 && shape.top_k > 0, "a routing has a rank and a choice");
  check(shape.experts <= kMostExperts, "an expert fits an ExpertChoice");
  check(shape.experts % shape.ranks == 0, "every rank has as many experts as another");
  check(shape.top_k <= shape.experts, "a token can name top_k different experts");
  check(tokens_of_rank.size() == shape.ranks, "every rank has a number of tokens");
  for (const std::uint32_t count : tokens_of_rank)
    first_token_.push_back(first_token_.back() + count);
  check(choices_.size() == token_count() * shape.top_k, "every token has top_k choices");

  for (const ExpertChoice choice : choices_) {
    check(choice >= kMasked, "a choice is an expert or masked");
    check(choice < static_cast<std::int32_t>(shape.experts), "a choice is one of the experts");
  }
  RepeatFinder repeats(shape.experts);
  for (std::size_t first = 0; first < choices_.size(); first += shape.top_k) {
    const auto token = std::span<const ExpertChoice>(choices_).subspan(first, shape.top_k);
    check(repeats.first_repeat(token) == shape.top_k, "a token names no expert twice");
  }
}

Routing read_routing(const std::filesystem::path& path, const std::optional<RoutingShape>& wanted) {
  return read_document(JsonDocument::read(path), wanted);
}

Routing parse_routing(std::string_view text,
                      std::string_view name,
                      const std::optional<RoutingShape>& wanted) {
  return read_document(JsonDocument::parse(text, name), wanted);
}

std::string to_json(const Routing& routing) {
  JsonWriter json;
  json.begin_object().field("schema", kSchema);
  json.field("experts", routing.expert_count()).field("ranks", routing.rank_count());
  json.field("topk", routing.top_k()).key("tokens").begin_array();
  for (std::uint32_t rank = 0; rank < routing.rank_count(); ++rank) {
    json.begin_array();
    for (std::size_t token = 0; token < routing.token_count(RankId{rank}); ++token) {
      json.begin_array();
      for (const ExpertChoice choice : routing.choices(RankId{rank}, token)) json.value(choice);
      json.end_array();
    }
    json.end_array();
  }
  return json.end_array().end_object().take();
}

void write_routing(const std::filesystem::path& path, const Routing& routing) {
  replace_text_file(path, to_json(routing));
}

}  // namespace epsim
