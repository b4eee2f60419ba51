// LitmusTest: a few threads of a few memory operations, and one question about how they may end.
// Read from litmus-json/1, strictly: a field or a value that nobody knows is an error.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/hazards/sync_program.hpp"
#include "sim/litmus/litmus_condition.hpp"

namespace epsim {

// Revisions of PTX's memory model: 6.0 knows neither proxies nor aliases.
enum class LitmusModel : std::uint8_t { ptx_6_0, ptx_7_5 };
inline constexpr std::array<std::string_view, 2> kLitmusModelNames = {"ptx-v6.0", "ptx-v7.5"};

enum class LitmusOpKind : std::uint8_t {
  load,
  store,
  read_modify_write,  // atom and red
  thread_fence,
  proxy_fence,
  alias_fence,
  barrier,
  move,
  compute,
  label,
  branch,
  jump,
};

// cas alone is no function of two values: the third one is LitmusOp::compare.
enum class Arithmetic : std::uint8_t {
  add,
  sub,
  bit_and,
  bit_or,
  bit_xor,
  exch,
  cas,
  mul,
  div,
  rem,
  min,
  max,
  shl,
  shr
};
inline constexpr std::array<std::string_view, 14> kArithmeticNames = {"add",
                                                                      "sub",
                                                                      "and",
                                                                      "or",
                                                                      "xor",
                                                                      "exch",
                                                                      "cas",
                                                                      "mul",
                                                                      "div",
                                                                      "rem",
                                                                      "min",
                                                                      "max",
                                                                      "shl",
                                                                      "shr"};
inline constexpr std::size_t kAtomicFunctions = 7;  // the first ones: what atom and red can do

// Numbers wrap around as 64-bit words do. A division by zero gives all ones, as on the hardware.
[[nodiscard]] std::int64_t apply(Arithmetic function, std::int64_t left, std::int64_t right);

struct LitmusOperand {
  bool is_register = false;
  std::uint32_t register_index = 0;
  std::int64_t value = 0;
};

struct LitmusOp {
  LitmusOpKind kind{};
  bool is_strong = false;
  Order order = Order::relaxed;
  bool is_sc = false;  // a fence.sc; its order is acq_rel
  Scope scope = Scope::cta;
  Proxy proxy = Proxy::generic;
  std::uint32_t location = 0;
  std::optional<std::uint32_t> target;  // register that is written; a red has none
  Arithmetic function = Arithmetic::add;
  Comparison comparison = Comparison::equal;
  LitmusOperand left, right;  // the value of a store or of an atomic is `right`
  LitmusOperand compare;      // cas
  std::size_t jump_to = 0;    // branch, jump: index of the label
  bool is_arrive = false;     // barrier
  std::int64_t instance = 0;
  std::optional<LitmusOperand> barrier_id;
  std::optional<std::int64_t> quorum;
};

// Two locations of one storage are the same memory; of one address, also the same virtual address.
struct LitmusLocation {
  std::string name;
  std::uint32_t address = 0;
  std::uint32_t storage = 0;
};

struct LitmusThread {
  std::string name;
  Place place;
  bool is_engine = false;  // one asynchronous operation: issue first, completion last
  std::vector<std::string> registers;
  std::vector<std::int64_t> initial;  // of each register
  std::vector<LitmusOp> ops;
};

struct LitmusTest {
  std::string file;
  std::string id, suite, title;
  std::string dup_group;  // same program and question under several names; empty: alone
  bool is_disputed = false;
  bool asks_termination = false;  // instead of whether an end can be reached
  std::vector<LitmusLocation> locations;
  std::vector<std::int64_t> initial;  // of each storage
  std::vector<std::string> storage_names;
  std::vector<LitmusThread> threads;
  LitmusCondition question;  // with the premises of the file
  std::array<std::optional<bool>, kLitmusModelNames.size()> reachable;  // what the file says

  // Whether it says something about proxies, aliases, clusters or engines, which 6.0 has not.
  [[nodiscard]] bool needs_proxies() const;
};

[[nodiscard]] LitmusTest read_litmus_test(const std::filesystem::path& path);
// `name` stands for the file in messages.
[[nodiscard]] LitmusTest parse_litmus_test(std::string_view text, std::string_view name);

}  // namespace epsim
