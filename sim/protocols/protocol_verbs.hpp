// ProtocolVerbs: the words of a protocol file's operations, and what each becomes. The table in
// docs/protocol_files.md is made from this one.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "sim/protocols/protocol_builder.hpp"

namespace epsim {

struct ProtocolVerb {
  std::string_view name;
  std::uint8_t performers;  // Performer, or-ed
  std::string_view operand;
  std::string_view keys;  // beyond those that every operation takes
  std::string_view text;
  void (*lower)(OpSite& site);
};

[[nodiscard]] std::span<const ProtocolVerb> memory_verbs();  // of threads, and some of others
[[nodiscard]] std::span<const ProtocolVerb> api_verbs();     // of streams and CPU threads

// The verb that stands in an operation. Throws InputError unless there is one.
[[nodiscard]] const ProtocolVerb& find_verb(JsonObject& object);

// Signal and wait as streams and NICs need them too.
void emit_access(OpSite& site, std::uint32_t agent, const JsonValue& buffer, SyncOpKind kind);
OpAt emit_signal(OpSite& site, std::uint32_t agent, const JsonValue& flag, Order order);
void emit_reset(OpSite& site);
OpAt emit_wait(OpSite& site, const JsonValue& flag, Order order);

}  // namespace epsim
