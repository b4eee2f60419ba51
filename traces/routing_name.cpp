#include "traces/routing_name.hpp"

#include <algorithm>
#include <charconv>
#include <stdexcept>
#include <system_error>

#include <fmt/format.h>

#include "sim/base/edit_distance.hpp"
#include "traces/routing_generators.hpp"

namespace epsim {

namespace {

// Beyond 20 the order of draws is as good as fixed, and weights of a thousand experts near zero.
constexpr double kSteepestAlpha = 20.0;

std::string full_form(const RoutingKind& kind) {
  return kind.argument.empty() ? std::string(kind.name)
                               : fmt::format("{}:{}", kind.name, kind.argument);
}

[[noreturn]] void fail_unknown(std::string_view name) {
  const auto kinds = routing_kinds();
  const auto distance = [&](const RoutingKind& kind) { return edit_distance(kind.name, name); };
  const RoutingKind& nearest = *std::ranges::min_element(kinds, {}, distance);
  if (distance(nearest) <= kMisspelt)
    throw std::invalid_argument(
        fmt::format("unknown routing \"{}\"; did you mean \"{}\"?", name, full_form(nearest)));
  std::string known;
  for (const RoutingKind& kind : kinds) known += (known.empty() ? "" : ", ") + full_form(kind);
  throw std::invalid_argument(
      fmt::format("unknown routing \"{}\"; expected one of {}", name, known));
}

double parse_alpha(std::string_view text) {
  double alpha = -1.0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), alpha);
  const bool is_number = error == std::errc() && end == text.data() + text.size();
  if (!is_number || !(alpha >= 0.0 && alpha <= kSteepestAlpha))
    throw std::invalid_argument(
        fmt::format("zipf needs an exponent from 0 to {}, found \"{}\"; write for example "
                    "\"zipf:0.6\"",
                    kSteepestAlpha,
                    text));
  return alpha;
}

// A whole number from 1 to `most`, or 0.
std::uint32_t parse_count(std::string_view text, std::uint32_t most) {
  std::uint32_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  const bool is_number = error == std::errc() && end == text.data() + text.size();
  return is_number && count <= most ? count : 0;
}

NodeLimit parse_node_limit(std::string_view text) {
  const std::size_t colon = std::min(text.find(':'), text.size());
  NodeLimit limit{.groups = parse_count(text.substr(0, colon), kMostExperts), .limit = 0};
  if (colon < text.size()) limit.limit = parse_count(text.substr(colon + 1), limit.groups);
  if (limit.groups == 0 || limit.limit == 0)
    throw std::invalid_argument(
        fmt::format("node-limited needs a number of groups and how many of them a token may reach, "
                    "found \"{}\"; write for example \"node-limited:8:4\"",
                    text));
  return limit;
}

}  // namespace

RoutingName parse_routing_name(std::string_view text) {
  const std::size_t colon = std::min(text.find(':'), text.size());
  const std::string_view word = text.substr(0, colon);
  const bool has_argument = colon < text.size();
  const std::string_view argument = has_argument ? text.substr(colon + 1) : std::string_view();

  const auto kind = std::ranges::find(routing_kinds(), word, &RoutingKind::name);
  if (kind == routing_kinds().end()) fail_unknown(word);
  if (kind->argument.empty() && has_argument)
    throw std::invalid_argument(
        fmt::format("routing \"{}\" takes nothing after its name, found \"{}\"", word, text));

  RoutingName name{.kind = std::string(word), .alpha = 0.0, .path = {}, .node_limit = {}};
  if (kind->argument == "ALPHA") name.alpha = parse_alpha(argument);
  if (kind->argument == "GROUPS:LIMIT") name.node_limit = parse_node_limit(argument);
  if (kind->argument == "PATH") {
    if (argument.empty())
      throw std::invalid_argument("file needs a path; write for example \"file:routing.json.gz\"");
    name.path = argument;
  }
  return name;
}

RoutingName read_routing_name(const JsonValue& value) {
  try {
    return parse_routing_name(value.string());
  } catch (const std::invalid_argument& error) {
    value.fail(error.what());
  }
}

std::string to_text(const RoutingName& name) {
  if (name.kind == "zipf") return fmt::format("zipf:{}", name.alpha);
  if (name.kind == "node-limited")
    return fmt::format("node-limited:{}:{}", name.node_limit.groups, name.node_limit.limit);
  if (name.kind == "file") return "file:" + name.path;
  return name.kind;
}

}  // namespace epsim
