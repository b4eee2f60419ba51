#include "sim/protocols/protocol_names.hpp"

#include <array>
#include <stdexcept>

#include <fmt/format.h>

#include "sim/base/edit_distance.hpp"

namespace epsim {
namespace {

constexpr std::int64_t kMostPlaces = 1'000'000;
constexpr std::int64_t kMostWord = 0xffff'fffe;

// What stands in a reference: "rows[2..5]" is rows, 2 and 5.
struct Reference {
  std::string name;
  std::optional<std::int64_t> first, last;
};

Reference read_reference(const JsonValue& value, const Variables& variables) {
  const std::string text = read_filled(value, variables);
  const std::size_t open = text.rfind('[');
  if (open == std::string::npos) return {text, std::nullopt, std::nullopt};
  if (!text.ends_with(']')) value.fail_expected("a name, or a name and an index such as rows[3]");
  Reference reference{text.substr(0, open), std::nullopt, std::nullopt};
  const std::string inside = text.substr(open + 1, text.size() - open - 2);
  const std::size_t dots = inside.find("..");
  try {
    reference.first = evaluate(inside.substr(0, dots), variables);
    if (dots != std::string::npos) reference.last = evaluate(inside.substr(dots + 2), variables);
  } catch (const std::invalid_argument& error) {
    value.fail(error.what());
  }
  return reference;
}

template <typename Entries>
auto& find_entry(Entries& entries,
                 const std::string& name,
                 std::string_view what,
                 const JsonValue& value) {
  const auto found = entries.find(name);
  if (found != entries.end()) return found->second;
  std::string known;
  for (const auto& [word, ignored] : entries) {
    if (edit_distance(word, name) <= kMisspelt)
      value.fail(fmt::format("no {} is called \"{}\"; did you mean \"{}\"?", what, name, word));
    known += (known.empty() ? "" : ", ") + word;
  }
  value.fail(fmt::format(
      "no {} is called \"{}\"; there is {}", what, name, known.empty() ? "none" : known));
}

// The one that is meant out of `count`: an index is needed where there are several.
std::uint32_t read_index(const JsonValue& value, const Reference& reference, std::uint32_t count) {
  if (reference.last) value.fail_expected("one index, not a range");
  if (!reference.first && count == 1) return 0;
  if (!reference.first || *reference.first < 0 || *reference.first >= count)
    value.fail(fmt::format("expected an index from 0 to {} of \"{}\", found {}",
                           count - 1,
                           reference.name,
                           reference.first ? std::to_string(*reference.first) : "none"));
  return static_cast<std::uint32_t>(*reference.first);
}

std::string with_index(const std::string& name, std::uint32_t count, std::uint32_t index) {
  return count == 1 ? name : fmt::format("{}[{}]", name, index);
}

// Calls `read(name, value)` for what a section declares.
template <typename Read>
void for_each_declared(JsonObject& root, std::string_view section, Read read) {
  const auto value = root.optional(section);
  if (!value) return;
  JsonObject object = value->object();
  for (const std::string& name : object.keys()) read(name, object.required(name));
}

std::uint32_t read_count(const JsonValue& value, const Variables& variables) {
  return static_cast<std::uint32_t>(read_number(value, variables, 1, kMostPlaces));
}

}  // namespace

std::string read_filled(const JsonValue& value, const Variables& variables) {
  try {
    return fill_in(value.string(), variables);
  } catch (const std::invalid_argument& error) {
    value.fail(error.what());
  }
}

std::int64_t read_number(const JsonValue& value,
                         const Variables& variables,
                         std::int64_t low,
                         std::int64_t high) {
  if (!value.is_string()) return value.integer_in(low, high);
  std::int64_t number = 0;
  try {
    number = evaluate(value.string(), variables);
  } catch (const std::invalid_argument& error) {
    value.fail(error.what());
  }
  if (number < low || number > high)
    value.fail(fmt::format(
        "expected a whole number from {} to {}, found {} = {}", low, high, value.string(), number));
  return number;
}

ProtocolNames::ProtocolNames(JsonObject& root, const Variables& parameters, SyncProgram& program) {
  read_buffers(root, parameters, program);
  read_flags(root, parameters, program);
  read_mbarriers(root, parameters, program);
  read_barriers(root, parameters, program);
  for_each_declared(root, "communicators", [&](const std::string& name, const JsonValue& value) {
    communicators_[name] = static_cast<std::uint32_t>(program.communicators.size());
    communicators.push_back(name);
    program.communicators.push_back({.members = read_count(value, parameters)});
  });
  for_each_declared(root, "platform", [&](const std::string& name, const JsonValue& value) {
    conditions_[name] = static_cast<std::uint32_t>(program.conditions.size());
    PlatformCondition condition;
    if (value.is_object()) {
      JsonObject object = value.object();
      condition.what = object.required("what").string();
      condition.closes = object.required("closes").string();
      object.finish();
    } else {
      condition.what = value.string();
    }
    program.conditions.push_back(std::move(condition));
  });
}

// One name is one thing: "arrive" takes a barrier or an mbarrier.
void ProtocolNames::claim(const JsonValue& value, const std::string& name) {
  if (name.empty() || name.find_first_of("[]{}") != std::string::npos)
    value.fail("expected a name without brackets");
  const auto [row, is_new] = claimed_.emplace(name, value.place());
  if (!is_new) value.fail(fmt::format("\"{}\" is declared at {} already", name, row->second));
}

void ProtocolNames::read_buffers(JsonObject& root,
                                 const Variables& parameters,
                                 SyncProgram& program) {
  for_each_declared(root, "buffers", [&](const std::string& name, const JsonValue& value) {
    claim(value, name);
    BufferEntry entry;
    entry.first = static_cast<std::uint32_t>(program.locations.size());
    bool is_initialised = false;
    if (value.is_object()) {
      JsonObject object = value.object();
      if (const auto places = object.optional("places"))
        entry.places = read_count(*places, parameters);
      if (const auto space = object.optional("space"))
        entry.space = static_cast<MemorySpace>(space->one_of({"global", "shared"}));
      if (const auto initialised = object.optional("initialised"))
        is_initialised = initialised->boolean();
      object.finish();
    } else {
      entry.places = read_count(value, parameters);
    }
    for (std::uint32_t place = 0; place < entry.places; ++place) {
      program.locations.push_back(entry.space);
      program.initialised.push_back(is_initialised);
      locations.push_back(with_index(name, entry.places, place));
    }
    if (program.locations.size() > static_cast<std::size_t>(kMostPlaces))
      value.fail(fmt::format("more than {} places", kMostPlaces));
    buffers_.emplace(name, entry);
  });
}

void ProtocolNames::add_flags(const std::string& name,
                              const JsonValue& value,
                              const FlagEntry& entry,
                              const SyncFlag& flag,
                              SyncProgram& program) {
  if (program.flags.size() + entry.count > static_cast<std::size_t>(kMostPlaces))
    value.fail(fmt::format("more than {} flags", kMostPlaces));
  for (std::uint32_t i = 0; i < entry.count; ++i) {
    program.flags.push_back(flag);
    flags.push_back(with_index(name, entry.count, i));
  }
  flags_.emplace(name, entry);
}

void ProtocolNames::read_flags(JsonObject& root,
                               const Variables& parameters,
                               SyncProgram& program) {
  for_each_declared(root, "flags", [&](const std::string& name, const JsonValue& value) {
    claim(value, name);
    FlagEntry entry;
    entry.first = static_cast<std::uint32_t>(program.flags.size());
    SyncFlag flag;
    if (value.is_object()) {
      JsonObject object = value.object();
      entry.order = read_word<FlagOrder>(object.required("order"), kFlagOrderNames);
      if (const auto count = object.optional("count")) entry.count = read_count(*count, parameters);
      if (const auto scope = object.optional("scope"))
        entry.scope = read_word<Scope>(*scope, kScopeNames);
      if (const auto initial = object.optional("initial")) {
        if (entry.order != FlagOrder::word) initial->fail("only a word has a value at the start");
        flag.initial = static_cast<std::uint32_t>(read_number(*initial, parameters, 0, kMostWord));
      }
      if (const auto arrivals = object.optional("arrivals")) {
        if (entry.order != FlagOrder::progress) arrivals->fail("only a progress flag has phases");
        entry.arrivals = read_count(*arrivals, parameters);
      }
      object.finish();
    } else {
      entry.order = read_word<FlagOrder>(value, kFlagOrderNames);
    }
    flag.order = entry.order;
    add_flags(name, value, entry, flag, program);
  });
}

// A phase is `arrivals` steps of a progress flag.
void ProtocolNames::read_mbarriers(JsonObject& root,
                                   const Variables& parameters,
                                   SyncProgram& program) {
  for_each_declared(root, "mbarriers", [&](const std::string& name, const JsonValue& value) {
    claim(value, name);
    FlagEntry entry;
    entry.first = static_cast<std::uint32_t>(program.flags.size());
    entry.order = FlagOrder::progress;
    entry.arrivals = 1;
    entry.is_mbarrier = true;
    entry.scope = Scope::cta;
    JsonObject object = value.object();
    if (const auto count = object.optional("count")) entry.count = read_count(*count, parameters);
    if (const auto arrivals = object.optional("arrivals"))
      entry.arrivals = read_count(*arrivals, parameters);
    object.finish();
    add_flags(name, value, entry, {.order = FlagOrder::progress}, program);
  });
}

void ProtocolNames::read_barriers(JsonObject& root,
                                  const Variables& parameters,
                                  SyncProgram& program) {
  for_each_declared(root, "barriers", [&](const std::string& name, const JsonValue& value) {
    claim(value, name);
    BarrierEntry entry;
    entry.first = static_cast<std::uint32_t>(program.barriers.size());
    std::uint32_t members = 0;
    if (value.is_object()) {
      JsonObject object = value.object();
      members = read_count(object.required("members"), parameters);
      if (const auto count = object.optional("count")) entry.count = read_count(*count, parameters);
      object.finish();
    } else {
      members = read_count(value, parameters);
    }
    if (program.barriers.size() + entry.count > static_cast<std::size_t>(kMostPlaces))
      value.fail(fmt::format("more than {} barriers", kMostPlaces));
    program.barriers.resize(program.barriers.size() + entry.count, {.members = members});
    barriers_.emplace(name, entry);
  });
}

BufferRange ProtocolNames::buffer(const JsonValue& value, const Variables& variables) {
  const Reference reference = read_reference(value, variables);
  BufferEntry& entry = find_entry(buffers_, reference.name, "buffer", value);
  if (!reference.first) return {&entry, entry.first, entry.places, reference.name};
  const std::int64_t first = *reference.first;
  const std::int64_t last = reference.last.value_or(first);
  if (first < 0 || last < first || last >= entry.places)
    value.fail(fmt::format("expected places from 0 to {} of \"{}\", found {} to {}",
                           entry.places - 1,
                           reference.name,
                           first,
                           last));
  const std::string index =
      first == last ? std::to_string(first) : fmt::format("{}..{}", first, last);
  return {&entry,
          entry.first + static_cast<std::uint32_t>(first),
          static_cast<std::uint32_t>(last - first + 1),
          entry.places == 1 ? reference.name : fmt::format("{}[{}]", reference.name, index)};
}

FlagUse ProtocolNames::flag(const JsonValue& value, const Variables& variables) const {
  const Reference reference = read_reference(value, variables);
  const FlagEntry& entry = find_entry(flags_, reference.name, "flag or mbarrier", value);
  const std::uint32_t index = read_index(value, reference, entry.count);
  return {&entry, entry.first + index, with_index(reference.name, entry.count, index)};
}

ProtocolNames::BarrierUse ProtocolNames::barrier(const JsonValue& value,
                                                 const Variables& variables) const {
  const Reference reference = read_reference(value, variables);
  const BarrierEntry& entry = find_entry(barriers_, reference.name, "barrier", value);
  const std::uint32_t index = read_index(value, reference, entry.count);
  return {entry.first + index, with_index(reference.name, entry.count, index)};
}

bool ProtocolNames::is_flag(const JsonValue& value, const Variables& variables) const {
  return flags_.contains(read_reference(value, variables).name);
}

std::uint32_t ProtocolNames::communicator(const JsonValue& value,
                                          const Variables& variables) const {
  return find_entry(communicators_, read_filled(value, variables), "communicator", value);
}

std::uint32_t ProtocolNames::condition(const JsonValue& value) const {
  return find_entry(conditions_, value.string(), "condition of the platform", value);
}

}  // namespace epsim
