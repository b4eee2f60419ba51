// ProtocolNames: the buffers, flags and barriers that a protocol file declares, and how its
// operations refer to them: "rows", "rows[3]", "rows[0..7]", "full[i % 3]".
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sim/base/json.hpp"
#include "sim/hazards/sync_program.hpp"
#include "sim/protocols/index_expression.hpp"

namespace epsim {

// Text of the file with its expressions filled in, and a number that may be one.
[[nodiscard]] std::string read_filled(const JsonValue& value, const Variables& variables);
[[nodiscard]] std::int64_t read_number(const JsonValue& value,
                                       const Variables& variables,
                                       std::int64_t low,
                                       std::int64_t high);

template <typename Enum, std::size_t N>
[[nodiscard]] Enum read_word(const JsonValue& value, const std::array<std::string_view, N>& words) {
  return static_cast<Enum>(value.one_of({words.begin(), words.end()}));
}

struct BufferEntry {
  std::uint32_t first = 0;
  std::uint32_t places = 1;
  MemorySpace space = MemorySpace::global;
  // Shared memory: where the first agent that touches it runs.
  std::optional<std::pair<std::uint32_t, std::uint32_t>> gpu_and_cluster;
};

struct BufferRange {
  BufferEntry* buffer;
  std::uint32_t first;  // location
  std::uint32_t count;
  std::string text;
};

struct FlagEntry {
  std::uint32_t first = 0;
  std::uint32_t count = 1;
  FlagOrder order = FlagOrder::counter;
  std::uint32_t arrivals = 0;  // of a flag with phases: what completes one
  bool is_mbarrier = false;
  std::optional<Scope> scope;
};

struct FlagUse {
  const FlagEntry* entry;
  std::uint32_t flag;
  std::string text;
};

struct BarrierEntry {
  std::uint32_t first = 0;
  std::uint32_t count = 1;
};

class ProtocolNames {
 public:
  // Reads buffers, flags, mbarriers, barriers, communicators and platform.
  ProtocolNames(JsonObject& root, const Variables& parameters, SyncProgram& program);

  [[nodiscard]] BufferRange buffer(const JsonValue& value, const Variables& variables);
  [[nodiscard]] FlagUse flag(const JsonValue& value, const Variables& variables) const;
  struct BarrierUse {
    std::uint32_t barrier;
    std::string text;
  };
  [[nodiscard]] BarrierUse barrier(const JsonValue& value, const Variables& variables) const;
  // Whether the name is a flag's or an mbarrier's, not a barrier's.
  [[nodiscard]] bool is_flag(const JsonValue& value, const Variables& variables) const;
  [[nodiscard]] std::uint32_t communicator(const JsonValue& value,
                                           const Variables& variables) const;
  [[nodiscard]] std::uint32_t condition(const JsonValue& value) const;

  std::vector<std::string> locations, flags, communicators;  // names, by number

 private:
  void read_buffers(JsonObject& root, const Variables& parameters, SyncProgram& program);
  void read_flags(JsonObject& root, const Variables& parameters, SyncProgram& program);
  void read_mbarriers(JsonObject& root, const Variables& parameters, SyncProgram& program);
  void read_barriers(JsonObject& root, const Variables& parameters, SyncProgram& program);
  void add_flags(const std::string& name,
                 const JsonValue& value,
                 const FlagEntry& entry,
                 const SyncFlag& flag,
                 SyncProgram& program);
  void claim(const JsonValue& value, const std::string& name);

  std::map<std::string, BufferEntry, std::less<>> buffers_;
  std::map<std::string, FlagEntry, std::less<>> flags_;
  std::map<std::string, BarrierEntry, std::less<>> barriers_;
  std::map<std::string, std::uint32_t, std::less<>> communicators_, conditions_;
  std::map<std::string, std::string, std::less<>> claimed_;  // name to where it was declared
};

}  // namespace epsim
