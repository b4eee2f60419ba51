#include "sim/protocols/protocol_file.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "sim/protocols/protocol_builder.hpp"

namespace epsim {
namespace {

constexpr std::string_view kSchema = "epsim.protocol/1";
constexpr std::int64_t kLargestParameter = 1'000'000;

ProtocolExpectation read_expectation(const JsonValue& value) {
  JsonObject object = value.object();
  ProtocolExpectation expect;
  expect.verdict = read_word<Verdict>(object.required("verdict"), kVerdictNames);
  if (const auto kind = object.optional("kind"))
    expect.kind = read_word<HazardKind>(*kind, kHazardKindNames);
  if (const auto closes = object.optional("closes")) expect.closes = closes->string();
  object.finish();
  return expect;
}

void read_parameters(JsonObject& object, bool is_override, Variables& parameters) {
  const auto value = object.optional("parameters");
  if (!value) return;
  JsonObject given = value->object();
  for (const std::string& name : given.keys()) {
    const JsonValue number = given.required(name);
    if (name == "call") number.fail("\"call\" counts the launches of a kernel");
    if (is_override && !parameters.contains(name))
      number.fail("expected a parameter of the whole file");
    parameters[name] = read_number(number, {}, -kLargestParameter, kLargestParameter);
  }
}

struct Variant {
  ProtocolVariant about;
  std::optional<ProtocolExpectation> expect;
};

// `parameters` gets what the variant changes.
Variant read_variant(const std::string& name, const JsonValue& value, Variables& parameters) {
  JsonObject object = value.object();
  Variant variant{{.name = name, .text = "", .measured = {}, .source = ""}, {}};
  if (const auto text = object.optional("text")) variant.about.text = text->string();
  if (const auto measured = object.optional("measured")) {
    JsonObject cost = measured->object();
    variant.about.measured = cost.required("time").duration();
    variant.about.source = cost.required("source").string();
    cost.finish();
  }
  read_parameters(object, true, parameters);
  if (const auto expect = object.optional("expect")) variant.expect = read_expectation(*expect);
  object.finish();
  return variant;
}

void read_paths(JsonObject& root,
                const ProtocolBuilder& builder,
                std::vector<std::pair<OpAt, OpAt>>& ends,
                Protocol& protocol) {
  const auto paths = root.optional("paths");
  if (!paths) return;
  for (const JsonValue& value : paths->array()) {
    JsonObject object = value.object();
    const JsonValue from = object.required("from");
    const JsonValue to = object.required("to");
    PathQuestion question{.from = from.string(), .to = to.string(), .exists = {}};
    const bool is_here = builder.is_present(object);
    if (const auto exists = object.optional("exists")) question.exists = exists->boolean();
    object.finish();
    if (!is_here) continue;
    const OpAt first = builder.labelled(from);
    ends.emplace_back(first, builder.labelled(to));
    protocol.paths.push_back(std::move(question));
  }
}

// Which of the file's variants is meant, and what it says; parameters of the file come first.
std::optional<Variant> choose_variant(JsonObject& root,
                                      std::string_view wanted,
                                      Variables& parameters) {
  const auto value = root.optional("variants");
  if (!value) {
    if (!wanted.empty()) root.value().fail(fmt::format("has no variants, so no \"{}\"", wanted));
    return std::nullopt;
  }
  JsonObject variants = value->object();
  std::optional<Variant> chosen;
  std::string known;
  for (const std::string& name : variants.keys()) {
    Variables own = parameters;
    Variant variant = read_variant(name, variants.required(name), own);
    known += (known.empty() ? "" : ", ") + name;
    if (chosen || (!wanted.empty() && name != wanted)) continue;
    chosen = std::move(variant);
    parameters = own;
  }
  if (!chosen) value->fail(fmt::format("no variant is called \"{}\"; there is {}", wanted, known));
  return chosen;
}

}  // namespace

const Finding* expected_finding(const ProtocolExpectation& expect, const HazardReport& report) {
  for (const Finding& finding : report.findings)
    if (finding.verdict == expect.verdict && (!expect.kind || finding.kind == *expect.kind) &&
        finding.closes.find(expect.closes) != std::string::npos)
      return &finding;
  return nullptr;
}

bool is_protocol(const JsonDocument& document) {
  if (!document.root().is_object()) return false;
  const auto schema = document.root().object().optional("schema");
  return schema && schema->is_string() && schema->string().starts_with("epsim.protocol/");
}

std::vector<ProtocolVariant> protocol_variants(const JsonDocument& document) {
  std::vector<ProtocolVariant> all;
  JsonObject root = document.root().object();
  const auto value = root.optional("variants");
  if (!value) return all;
  Variables parameters;
  read_parameters(root, false, parameters);
  JsonObject variants = value->object();
  for (const std::string& name : variants.keys()) {
    Variables own = parameters;
    all.push_back(read_variant(name, variants.required(name), own).about);
  }
  if (all.empty()) value->fail_expected("at least one variant");
  return all;
}

Protocol read_protocol(const JsonDocument& document, std::string_view wanted) {
  JsonObject root = document.root().object();
  (void)root.required("schema").one_of({kSchema});
  Protocol protocol;
  protocol.file = root.value().file();
  protocol.name = root.required("name").string();
  if (const auto text = root.optional("text")) protocol.text = text->string();
  if (const auto expect = root.optional("expect")) protocol.expect = read_expectation(*expect);
  Variables parameters;
  read_parameters(root, false, parameters);
  if (const auto variant = choose_variant(root, wanted, parameters)) {
    protocol.variant = variant->about.name;
    if (variant->expect) protocol.expect = variant->expect;
  }
  ProtocolBuilder builder(root, protocol.variant, parameters);
  builder.read_agents(root);
  std::vector<std::pair<OpAt, OpAt>> ends;
  read_paths(root, builder, ends, protocol);
  root.finish();
  protocol.program = builder.finish();
  protocol.program.name = protocol.variant.empty()
                              ? protocol.name
                              : fmt::format("{}, {}", protocol.name, protocol.variant);
  protocol.pointers = std::move(builder.draft.pointers);
  for (std::size_t i = 0; i < ends.size(); ++i) {
    protocol.paths[i].first = builder.draft.index_of(ends[i].first);
    protocol.paths[i].second = builder.draft.index_of(ends[i].second);
  }
  return protocol;
}

}  // namespace epsim
