#include "sim/litmus/litmus_runs.hpp"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "sim/base/check.hpp"
#include "sim/base/input_error.hpp"

namespace epsim {
namespace {

constexpr std::size_t kMostRuns = 1'000'000;  // of one thread
constexpr std::size_t kMostReads = 64;        // of one run: dependencies are one word

// How many writes must have come before a value can be read: of the same storage, and of any. A
// chain of values never runs through one write twice, so a value that needs more than there are
// never comes up.
struct Depth {
  std::uint32_t own = 0;
  std::uint32_t any = 0;
};

using Values = std::map<std::int64_t, Depth>;  // of one storage

struct Reading {
  std::uint32_t storage;
  Depth depth;
};

// A register, and the reads that its value depends on.
struct Register {
  std::int64_t value = 0;
  std::uint64_t depends_on = 0;
};

struct Progress {
  std::size_t next = 0;
  std::vector<Register> registers;
  std::uint64_t control = 0;  // reads that decided a branch so far
  std::vector<Reading> readings;
  std::vector<bool> jumped;  // backward, by operation
  LitmusRun run;
};

// Writes there can be at most: a backward jump lets what lies between run once more.
std::vector<std::uint32_t> most_writes(const LitmusTest& test) {
  std::vector<std::uint32_t> most(test.initial.size());
  for (const LitmusThread& thread : test.threads)
    for (std::size_t i = 0; i < thread.ops.size(); ++i) {
      const LitmusOp& op = thread.ops[i];
      if (op.kind != LitmusOpKind::store && op.kind != LitmusOpKind::read_modify_write) continue;
      std::uint32_t times = 1;
      for (std::size_t jump = i + 1; jump < thread.ops.size(); ++jump) {
        const LitmusOpKind kind = thread.ops[jump].kind;
        if (kind != LitmusOpKind::jump && kind != LitmusOpKind::branch) continue;
        if (thread.ops[jump].jump_to <= i) ++times;
      }
      most[test.locations[op.location].storage] += times;
    }
  return most;
}

class RunEnumerator {
 public:
  explicit RunEnumerator(const LitmusTest& test)
      : test_(test), most_writes_(most_writes(test)), values_(test.initial.size()) {
    for (const std::uint32_t count : most_writes_) all_writes_ += count;
    for (std::size_t i = 0; i < values_.size(); ++i) values_[i][test.initial[i]] = Depth{};
  }

  std::vector<std::vector<LitmusRun>> all() {
    do {
      has_news_ = false;
      runs_.assign(test_.threads.size(), {});
      for (thread_ = 0; thread_ < test_.threads.size(); ++thread_) start();
    } while (has_news_);
    return std::move(runs_);
  }

 private:
  [[nodiscard]] const LitmusThread& thread() const { return test_.threads[thread_]; }

  void start() {
    Progress progress;
    for (const std::int64_t value : thread().initial) progress.registers.push_back({value, 0});
    progress.jumped.resize(thread().ops.size());
    go_on(std::move(progress));
  }

  static Register value_of(const LitmusOperand& operand, const Progress& progress) {
    if (operand.is_register) return progress.registers[operand.register_index];
    return {operand.value, 0};
  }

  void go_on(Progress progress) {
    while (progress.next < thread().ops.size()) {
      const LitmusOp& op = thread().ops[progress.next];
      if (op.kind == LitmusOpKind::load || op.kind == LitmusOpKind::read_modify_write)
        return read_each_value(progress, op);
      if (!step(progress, op)) return;
    }
    finish(std::move(progress));
  }

  void read_each_value(const Progress& progress, const LitmusOp& op) {
    if (progress.readings.size() == kMostReads)
      refuse(fmt::format("more than {} reads in one run", kMostReads));
    // A copy: what is written below may add values, which the next round tries.
    const Values values = values_[test_.locations[op.location].storage];
    for (const auto& [value, depth] : values) {
      Progress branch = progress;
      if (read(branch, op, value, depth)) go_on(std::move(branch));
    }
  }

  bool read(Progress& progress, const LitmusOp& op, std::int64_t value, Depth depth) {
    LitmusEvent event = access(progress, op, LitmusEventKind::read, value);
    const Register right = value_of(op.right, progress);
    const Register compared = value_of(op.compare, progress);
    const std::uint64_t self = std::uint64_t{1} << progress.readings.size();
    progress.readings.push_back({event.storage, depth});
    event.is_red = event.is_half && !op.target;
    progress.run.events.push_back(event);
    if (op.target) progress.registers[*op.target] = {value, self};
    if (event.is_half) {
      Register written{apply(op.function, value, right.value), right.depends_on};
      if (op.function != Arithmetic::exch) written.depends_on |= self;
      if (op.function == Arithmetic::cas) {
        written.depends_on |= compared.depends_on;
        if (value != compared.value) written.value = value;  // it failed: the old value stays
      }
      if (!write(progress, op, written)) return false;
    }
    ++progress.next;
    return true;
  }

  // False for a value that needs more writes than there are.
  bool write(Progress& progress, const LitmusOp& op, const Register& written) {
    LitmusEvent event = access(progress, op, LitmusEventKind::write, written.value);
    event.depends_on = written.depends_on | progress.control;
    Depth depth{1, 1};
    for (std::size_t i = 0; i < progress.readings.size(); ++i) {
      if (((event.depends_on >> i) & 1U) == 0) continue;
      const Reading& reading = progress.readings[i];
      depth.any = std::max(depth.any, reading.depth.any + 1);
      if (reading.storage == event.storage) depth.own = std::max(depth.own, reading.depth.own + 1);
    }
    progress.run.events.push_back(event);
    if (depth.own > most_writes_[event.storage] || depth.any > all_writes_) return false;
    learn(event, depth);
    return true;
  }

  // An operation that reads no memory. False if the run must not go on.
  bool step(Progress& progress, const LitmusOp& op) {
    switch (op.kind) {
      case LitmusOpKind::store:
        if (!write(progress, op, value_of(op.right, progress))) return false;
        break;
      case LitmusOpKind::move:
        progress.registers[*op.target] = value_of(op.right, progress);
        break;
      case LitmusOpKind::compute: {
        const Register left = value_of(op.left, progress);
        const Register right = value_of(op.right, progress);
        progress.registers[*op.target] = {apply(op.function, left.value, right.value),
                                          left.depends_on | right.depends_on};
        break;
      }
      case LitmusOpKind::branch: {
        const Register left = value_of(op.left, progress);
        const Register right = value_of(op.right, progress);
        progress.control |= left.depends_on | right.depends_on;
        if (compare(op.comparison, left.value, right.value)) return jump(progress, op);
        break;
      }
      case LitmusOpKind::jump:
        return jump(progress, op);
      case LitmusOpKind::label:
        break;
      default:
        progress.run.events.push_back(fence_or_barrier(progress, op));
        break;
    }
    ++progress.next;
    return true;
  }

  static bool jump(Progress& progress, const LitmusOp& op) {
    if (op.jump_to <= progress.next) {
      if (progress.jumped[progress.next]) return false;
      progress.jumped[progress.next] = true;
    }
    progress.next = op.jump_to;
    return true;
  }

  [[nodiscard]] LitmusEvent event_of(const Progress& progress, const LitmusOp& op) const {
    LitmusEvent event;
    event.thread = thread_;
    event.op = static_cast<std::uint32_t>(progress.next);
    event.proxy = op.proxy;
    event.scope = op.scope;
    event.is_strong = op.is_strong;
    event.is_sc = op.is_sc;
    event.acquires = op.is_strong && (op.order == Order::acquire || op.order == Order::acq_rel);
    event.releases = op.is_strong && (op.order == Order::release || op.order == Order::acq_rel);
    return event;
  }

  // The read of an acquire or acq_rel atomic acquires, the write of a release or acq_rel one
  // releases; what is left of the order makes it strong.
  [[nodiscard]] LitmusEvent access(const Progress& progress,
                                   const LitmusOp& op,
                                   LitmusEventKind kind,
                                   std::int64_t value) const {
    LitmusEvent event = event_of(progress, op);
    event.kind = kind;
    event.acquires = event.acquires && event.is_read();
    event.releases = event.releases && event.is_write();
    event.is_half = op.kind == LitmusOpKind::read_modify_write;
    event.address = test_.locations[op.location].address;
    event.storage = test_.locations[op.location].storage;
    event.value = value;
    return event;
  }

  [[nodiscard]] LitmusEvent fence_or_barrier(const Progress& progress, const LitmusOp& op) const {
    LitmusEvent event = event_of(progress, op);
    event.kind = op.kind == LitmusOpKind::thread_fence  ? LitmusEventKind::thread_fence
                 : op.kind == LitmusOpKind::proxy_fence ? LitmusEventKind::proxy_fence
                 : op.kind == LitmusOpKind::alias_fence ? LitmusEventKind::alias_fence
                                                        : LitmusEventKind::barrier;
    if (event.kind != LitmusEventKind::barrier) return event;
    if (op.barrier_id) event.barrier_id = value_of(*op.barrier_id, progress).value;
    for (const LitmusEvent& before : progress.run.events)
      if (before.kind == LitmusEventKind::barrier && before.barrier_id == event.barrier_id &&
          thread().ops[before.op].instance == op.instance)
        ++event.visit;
    return event;
  }

  // Keeps the run unless the question is false whatever the other threads do.
  void finish(Progress progress) {
    for (const Register& held : progress.registers) progress.run.registers.push_back(held.value);
    const Truth truth = evaluate(test_.question, [&](const LitmusLeaf& leaf) {
      std::optional<std::int64_t> value;
      if (leaf.kind == LitmusLeaf::Kind::immediate) value = leaf.value;
      if (leaf.kind == LitmusLeaf::Kind::in_register && leaf.thread == thread_)
        value = progress.run.registers[leaf.index];
      return value;
    });
    if (truth == Truth::no) return;
    runs_[thread_].push_back(std::move(progress.run));
    if (runs_[thread_].size() > kMostRuns)
      refuse(fmt::format("more than {} runs: too large to try them all", kMostRuns));
  }

  // At once, and not when the run has ended: it may need what another thread makes of this value to
  // come to its end, or to end as asked.
  void learn(const LitmusEvent& write, Depth depth) {
    const auto [known, is_new] = values_[write.storage].emplace(write.value, depth);
    const Depth least{std::min(known->second.own, depth.own),
                      std::min(known->second.any, depth.any)};
    if (is_new || least.own != known->second.own || least.any != known->second.any)
      has_news_ = true;
    known->second = least;
  }

  [[noreturn]] void refuse(const std::string& what) const {
    throw InputError(test_.file, fmt::format("/threads/{}/ops", thread_), what);
  }

  const LitmusTest& test_;
  std::vector<std::uint32_t> most_writes_;
  std::uint32_t all_writes_ = 0;
  std::vector<Values> values_;
  std::vector<std::vector<LitmusRun>> runs_;
  std::uint32_t thread_ = 0;
  bool has_news_ = false;
};

}  // namespace

std::vector<std::vector<LitmusRun>> litmus_runs(const LitmusTest& test) {
  return RunEnumerator(test).all();
}

}  // namespace epsim
