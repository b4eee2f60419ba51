// A SyncProgram by hand: agents one after the other, each with its operations in order.
#pragma once

#include <fmt/format.h>

#include "sim/hazards/sync_program.hpp"

namespace epsim {

class HandMadeProgram {
 public:
  explicit HandMadeProgram(std::uint32_t locations, MemorySpace space = MemorySpace::global) {
    program_.locations.assign(locations, space);
  }

  std::uint32_t flag(FlagOrder order = FlagOrder::counter, std::uint32_t initial = 0) {
    program_.flags.push_back({order, initial});
    return static_cast<std::uint32_t>(program_.flags.size()) - 1;
  }
  std::uint32_t barrier(std::uint32_t members) {
    program_.barriers.push_back({members});
    return static_cast<std::uint32_t>(program_.barriers.size()) - 1;
  }

  // The following operations are of this agent.
  HandMadeProgram& agent(Place place, AgentKind kind = AgentKind::threads) {
    program_.agents.push_back({static_cast<std::uint32_t>(program_.ops.size()), 0, place, kind});
    return *this;
  }
  HandMadeProgram& op(const SyncOp& op) {
    program_.ops.push_back(op);
    ++program_.agents.back().op_count;
    return *this;
  }

  HandMadeProgram& read(std::uint32_t location, Proxy proxy = Proxy::generic) {
    return op({.kind = SyncOpKind::read, .proxy = proxy, .target = location});
  }
  HandMadeProgram& write(std::uint32_t location, Proxy proxy = Proxy::generic) {
    return op({.kind = SyncOpKind::write, .proxy = proxy, .target = location});
  }
  HandMadeProgram& release(std::uint32_t flag, Scope scope, std::uint32_t count = 1) {
    return op({.kind = SyncOpKind::signal,
               .scope = scope,
               .order = Order::release,
               .target = flag,
               .count = count});
  }
  HandMadeProgram& acquire(std::uint32_t flag, Scope scope, std::uint32_t count = 1) {
    return op({.kind = SyncOpKind::wait,
               .scope = scope,
               .order = Order::acquire,
               .target = flag,
               .count = count});
  }
  HandMadeProgram& meet(std::uint32_t barrier) {
    return op({.kind = SyncOpKind::barrier, .target = barrier});
  }
  HandMadeProgram& proxy_fence(MemorySpace space = MemorySpace::both, Proxy proxy = Proxy::async) {
    return op({.kind = SyncOpKind::proxy_fence, .proxy = proxy, .space = space});
  }
  HandMadeProgram& copy(const EngineOp& engine) {
    program_.engine_ops.push_back(engine);
    return op({.kind = SyncOpKind::issue,
               .proxy = Proxy::async,
               .target = static_cast<std::uint32_t>(program_.engine_ops.size()) - 1});
  }
  HandMadeProgram& wait_group(std::uint32_t newest, bool read_only = false) {
    return op({.kind = SyncOpKind::wait_group,
               .traits = read_only ? kReadOnly : std::uint8_t{0},
               .count = newest});
  }

  [[nodiscard]] SyncProgram take() const { return program_; }

 private:
  SyncProgram program_;
};

}  // namespace epsim
