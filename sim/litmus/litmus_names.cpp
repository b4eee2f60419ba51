#include "sim/litmus/litmus_names.hpp"

#include <algorithm>
#include <limits>

#include <fmt/format.h>

namespace epsim {
namespace {

// The number of `name` in `numbers`, which grows by it if it is new.
std::uint32_t number_of(std::map<std::string, std::uint32_t>& numbers, const std::string& name) {
  const auto next = static_cast<std::uint32_t>(numbers.size());
  return numbers.emplace(name, next).first->second;
}

template <std::size_t N>
std::vector<std::string_view> words_of(const std::array<std::string_view, N>& names) {
  return {names.begin(), names.end()};
}

}  // namespace

std::int64_t litmus_number(const JsonValue& value) {
  return value.integer_in(std::numeric_limits<std::int64_t>::min(),
                          std::numeric_limits<std::int64_t>::max());
}

void LitmusNames::read_locations(const JsonValue& value) {
  JsonObject locations = value.object();
  for (const std::string& name : locations.keys()) {
    const JsonValue entry = locations.required(name);
    JsonObject object = entry.object();
    const JsonValue init = object.required("init");
    const std::string phys = object.required("phys").string();
    LitmusLocation location{.name = name,
                            .address = number_of(addresses_, object.required("virt").string()),
                            .storage = number_of(storages_, phys)};
    if (const auto proxy = object.optional("declared_proxy"))
      (void)proxy->one_of(words_of(kProxyNames));
    object.finish();
    if (location.storage == test_.initial.size()) {
      test_.initial.push_back(0);
      test_.storage_names.push_back(phys);
    }
    // Names of one storage start with one value. A name that only stands for another says 0.
    const std::int64_t initial = litmus_number(init);
    std::int64_t& known = test_.initial[location.storage];
    if (initial != 0 && known != 0 && initial != known)
      init.fail(fmt::format("expected {}, with which \"{}\" starts under another name, found {}",
                            known,
                            phys,
                            initial));
    if (initial != 0) known = initial;
    locations_.emplace(name, static_cast<std::uint32_t>(test_.locations.size()));
    test_.locations.push_back(std::move(location));
  }
}

std::uint32_t LitmusNames::location(const JsonValue& name) const {
  const auto found = locations_.find(name.string());
  if (found == locations_.end()) name.fail(fmt::format("\"{}\": no such location", name.string()));
  return found->second;
}

void LitmusNames::check_address(const JsonValue& virt,
                                const JsonValue& phys,
                                std::uint32_t location) const {
  const LitmusLocation& named = test_.locations[location];
  const auto expect = [](const JsonValue& value, const auto& numbers, std::uint32_t number) {
    const auto found = numbers.find(value.string());
    if (found == numbers.end() || found->second != number)
      value.fail_expected("what the location says");
  };
  expect(virt, addresses_, named.address);
  expect(phys, storages_, named.storage);
}

std::uint32_t LitmusNames::thread(const JsonValue& name) const {
  for (std::uint32_t i = 0; i < test_.threads.size(); ++i)
    if (test_.threads[i].name == name.string()) return i;
  name.fail(fmt::format("\"{}\": no such thread", name.string()));
}

std::uint32_t LitmusNames::register_of(std::uint32_t thread, const JsonValue& name) {
  LitmusThread& owner = test_.threads[thread];
  const std::string text = name.string();
  const auto found = std::find(owner.registers.begin(), owner.registers.end(), text);
  if (found != owner.registers.end())
    return static_cast<std::uint32_t>(found - owner.registers.begin());
  owner.registers.push_back(text);
  owner.initial.push_back(0);
  return static_cast<std::uint32_t>(owner.registers.size() - 1);
}

LitmusOperand LitmusNames::operand(std::uint32_t thread, const JsonValue& value) {
  if (value.is_string()) return {.is_register = true, .register_index = register_of(thread, value)};
  return {.value = litmus_number(value)};
}

LitmusLeaf LitmusNames::leaf(const JsonValue& value) {
  JsonObject object = value.object();
  LitmusLeaf leaf;
  if (const auto found = object.optional("reg")) {
    const std::vector<JsonValue> pair = found->array();
    if (pair.size() != 2) found->fail_expected("[thread, register]");
    leaf.kind = LitmusLeaf::Kind::in_register;
    leaf.thread = thread(pair[0]);
    leaf.index = register_of(leaf.thread, pair[1]);
  } else if (const auto memory = object.optional("mem")) {
    leaf.kind = LitmusLeaf::Kind::in_memory;
    leaf.index = test_.locations[location(*memory)].storage;
  } else {
    leaf.value = litmus_number(object.required("imm"));
  }
  object.finish();
  return leaf;
}

LitmusCondition LitmusNames::condition(const JsonValue& value) {
  JsonObject object = value.object();
  LitmusCondition result;
  const auto parts_from = [&](const JsonValue& parts) {
    for (const JsonValue& part : parts.array()) result.parts.push_back(condition(part));
  };
  if (const auto all = object.optional("and")) {
    result.kind = LitmusCondition::Kind::all;
    parts_from(*all);
  } else if (const auto any = object.optional("or")) {
    result.kind = LitmusCondition::Kind::any;
    parts_from(*any);
  } else if (const auto inner = object.optional("not")) {
    result.kind = LitmusCondition::Kind::negation;
    result.parts.push_back(condition(*inner));
  } else {
    result.kind = LitmusCondition::Kind::comparison;
    result.comparison =
        static_cast<Comparison>(object.required("cmp").one_of(words_of(kComparisonNames)));
    result.left = leaf(object.required("l"));
    result.right = leaf(object.required("r"));
  }
  object.finish();
  return result;
}

}  // namespace epsim
