// LitmusNames: what the parts of a litmus file call each other, while it is being read.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "sim/base/json.hpp"
#include "sim/litmus/litmus_test.hpp"

namespace epsim {

class LitmusNames {
 public:
  explicit LitmusNames(LitmusTest& test) : test_(test) {}

  // The value of "locations".
  void read_locations(const JsonValue& locations);
  [[nodiscard]] std::uint32_t location(const JsonValue& name) const;
  void check_address(const JsonValue& virt, const JsonValue& phys, std::uint32_t location) const;
  [[nodiscard]] std::uint32_t thread(const JsonValue& name) const;
  // Registers come into being by being named; they hold 0 unless "regs" says otherwise.
  [[nodiscard]] std::uint32_t register_of(std::uint32_t thread, const JsonValue& name);
  [[nodiscard]] LitmusOperand operand(std::uint32_t thread, const JsonValue& value);
  [[nodiscard]] LitmusCondition condition(const JsonValue& value);

 private:
  [[nodiscard]] LitmusLeaf leaf(const JsonValue& value);

  LitmusTest& test_;
  std::map<std::string, std::uint32_t> locations_, addresses_, storages_;
  std::map<std::uint32_t, std::string> address_names_;
};

[[nodiscard]] std::int64_t litmus_number(const JsonValue& value);

}  // namespace epsim
