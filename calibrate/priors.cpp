#include "calibrate/priors.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "models/kernel_families.hpp"
#include "models/network_constants.hpp"
#include "sim/base/json.hpp"

namespace epsim {
namespace {

// The specs of the keys that an object has, in the order of the table.
std::vector<ConstantSpec> specs_of(const JsonValue& value, std::span<const ConstantSpec> table) {
  const std::vector<std::string> keys = value.object().keys();
  std::vector<ConstantSpec> specs;
  for (const ConstantSpec& spec : table)
    if (std::find(keys.begin(), keys.end(), spec.name) != keys.end()) specs.push_back(spec);
  return specs;
}

ConstantSet* find_family(Priors& priors, const std::string& name) {
  for (auto& [family, constants] : priors.families)
    if (family == name) return &constants;
  return nullptr;
}

}  // namespace

const Constant* Priors::find(const std::string& family, std::string_view constant) const {
  for (const auto& [name, constants] : families)
    if (name == family && constants.contains(constant)) return &constants.at(constant);
  return nullptr;
}

Priors read_priors(const std::filesystem::path& path) {
  JsonObject object = JsonDocument::read(path).root().object();
  (void)object.required("schema").one_of({"epsim.priors/1"});
  (void)object.optional("what");
  Priors priors;
  if (const auto network = object.optional("network"))
    priors.network = read_constants(*network, network_constants());
  if (const auto value = object.optional("families")) {
    JsonObject families = value->object();
    for (const std::string& name : families.keys()) {
      const JsonValue constants = families.required(name);
      const FamilyKind* kind = find_family(name);
      if (kind == nullptr) constants.fail(fmt::format("unknown kernel family \"{}\"", name));
      priors.families.emplace_back(
          name, read_constants(constants, specs_of(constants, kind->constants())));
    }
  }
  object.finish();
  return priors;
}

Priors merge(Priors first, const Priors& later) {
  for (const Constant& constant : later.network.all()) first.network.put(constant);
  for (const auto& [name, constants] : later.families) {
    ConstantSet* known = find_family(first, name);
    if (known == nullptr) {
      first.families.emplace_back(name, constants);
      continue;
    }
    for (const Constant& constant : constants.all()) known->put(constant);
  }
  return first;
}

}  // namespace epsim
