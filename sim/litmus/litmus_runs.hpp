// LitmusRun: one way through one thread, from its start to its end, with a value for everything it
// reads. Which values are worth trying is found by running all threads until no new one comes up.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "sim/litmus/litmus_test.hpp"

namespace epsim {

enum class LitmusEventKind : std::uint8_t {
  read,
  write,
  thread_fence,
  proxy_fence,
  alias_fence,
  barrier
};

inline constexpr std::uint32_t kNoThread = 0xffff'ffff;  // of an initial write

// An atomic is two events, a read and then a write.
struct LitmusEvent {
  LitmusEventKind kind{};
  Proxy proxy = Proxy::generic;
  Scope scope = Scope::cta;
  bool is_strong = false;
  bool acquires = false;
  bool releases = false;
  bool is_sc = false;
  bool is_red = false;   // the read inside a red: it starts no acquire pattern
  bool is_half = false;  // read or write of an atomic
  std::uint32_t thread = kNoThread;
  std::uint32_t op = 0;          // index into the thread's operations
  std::uint32_t address = 0;     // read, write
  std::uint32_t storage = 0;     // read, write
  std::int64_t value = 0;        // read, write
  std::uint64_t depends_on = 0;  // write: on these reads of the run, counted from 0
  std::uint32_t visit = 0;       // barrier: how often the run was at this barrier before
  std::optional<std::int64_t> barrier_id;

  [[nodiscard]] bool is_read() const { return kind == LitmusEventKind::read; }
  [[nodiscard]] bool is_write() const { return kind == LitmusEventKind::write; }
  [[nodiscard]] bool is_access() const { return is_read() || is_write(); }
};

struct LitmusRun {
  std::vector<LitmusEvent> events;
  std::vector<std::int64_t> registers;  // at the end
};

// For each thread, every complete run that does not make the question false by itself. Each
// backward jump is taken at most once. Throws InputError for a test that is too large to run
// exhaustively.
[[nodiscard]] std::vector<std::vector<LitmusRun>> litmus_runs(const LitmusTest& test);

}  // namespace epsim
