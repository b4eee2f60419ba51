#include "sim/litmus/litmus_program.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <utility>
#include <vector>

namespace epsim {
namespace {

// Thrown inside this file alone, for what the other side has no word for.
struct NoWord {};

void require(bool condition) {
  if (!condition) throw NoWord{};
}

std::uint32_t word_of(std::int64_t value) {
  require(value >= 0 && value <= std::numeric_limits<std::uint32_t>::max());
  return static_cast<std::uint32_t>(value);
}

bool is_memory(const LitmusOp& op) {
  return op.kind == LitmusOpKind::load || op.kind == LitmusOpKind::store ||
         op.kind == LitmusOpKind::read_modify_write;
}

using RegisterAt = std::pair<std::uint32_t, std::uint32_t>;  // thread and register

class PairBuilder {
 public:
  explicit PairBuilder(const LitmusTest& test) : test_(test), storages_(test.initial.size()) {}

  LitmusPair build() {
    pin_registers(test_.question);
    sort_storages();
    require(pair_.program.locations.size() == 1);
    for (std::uint32_t i = 0; i < test_.threads.size(); ++i) add_thread(i);
    require(writes_ == 1 && reads_ == 1);
    for (std::uint32_t b = 0; b < barrier_sites_.size(); ++b)
      require(barrier_sites_[b].quorum == 0 ||
              barrier_sites_[b].quorum == pair_.program.barriers[b].members);
    pair_.waits.kind = LitmusCondition::Kind::all;
    pair_.program.name = test_.id;
    return std::move(pair_);
  }

 private:
  struct Storage {
    bool is_data = false;
    bool is_token = false;                       // by which an engine is issued
    std::uint32_t engine = 0;                    // that it issues
    std::uint32_t index = 0;                     // location or flag
    bool only_adds = true;                       // a counter
    std::map<std::int64_t, std::size_t> stores;  // by value
  };
  struct BarrierSite {
    std::int64_t instance;
    std::optional<std::int64_t> id;
    std::uint32_t cta;
    std::size_t quorum = 0;
    std::vector<std::uint32_t> threads;
  };

  Storage& storage(const LitmusOp& op) { return storages_[test_.locations[op.location].storage]; }

  // Conjunctions of registers that equal numbers, and nothing else.
  void pin_registers(const LitmusCondition& condition) {
    using Kind = LitmusCondition::Kind;
    if (condition.kind == Kind::all) {
      for (const LitmusCondition& part : condition.parts) pin_registers(part);
      return;
    }
    require(condition.kind == Kind::comparison && condition.comparison == Comparison::equal);
    require(condition.left.kind == LitmusLeaf::Kind::in_register &&
            condition.right.kind == LitmusLeaf::Kind::immediate);
    const RegisterAt at{condition.left.thread, condition.left.index};
    require(pinned_.emplace(at, condition.right.value).second);
    comparisons_.emplace(at, condition);
  }

  // Data is what all touch weakly, a flag what all touch strongly.
  void sort_storages() {
    std::vector<int> seen(storages_.size());  // 1: weakly, 2: strongly
    for (const LitmusThread& thread : test_.threads)
      for (const LitmusOp& op : thread.ops) {
        if (!is_memory(op)) continue;
        const std::uint32_t index = test_.locations[op.location].storage;
        require(test_.locations[op.location].address ==
                addresses_.emplace(index, test_.locations[op.location].address).first->second);
        const int mark = op.is_strong ? 2 : 1;
        require(seen[index] == 0 || seen[index] == mark);
        seen[index] = mark;
        const bool adds = op.kind == LitmusOpKind::read_modify_write &&
                          op.function == Arithmetic::add && !op.right.is_register;
        if (op.kind == LitmusOpKind::store) {
          require(!op.right.is_register);
          ++storages_[index].stores[op.right.value];
        }
        require(op.kind != LitmusOpKind::read_modify_write || adds);
        if (op.kind != LitmusOpKind::load) storages_[index].only_adds &= adds;
      }
    for (std::uint32_t i = 0; i < storages_.size(); ++i) {
      if (seen[i] == 0) continue;
      storages_[i].is_data = seen[i] == 1;
      if (storages_[i].is_data) {
        storages_[i].index = static_cast<std::uint32_t>(pair_.program.locations.size());
        pair_.program.locations.push_back(MemorySpace::global);
        pair_.program.initialised.push_back(true);
        continue;
      }
      require(storages_[i].only_adds || storages_[i].stores.size() > 0);
      require(!storages_[i].only_adds || test_.initial[i] == 0);
      storages_[i].index = static_cast<std::uint32_t>(pair_.program.flags.size());
      pair_.program.flags.push_back({storages_[i].only_adds ? FlagOrder::counter : FlagOrder::word,
                                     storages_[i].only_adds ? 0 : word_of(test_.initial[i])});
    }
    for (std::uint32_t i = 0; i < test_.threads.size(); ++i)
      if (test_.threads[i].is_engine) add_engine(i);
  }

  // Issue by an acquire of a token that one store releases; at most one read and one write; the
  // fence that a completion holds; completion by a release.
  void add_engine(std::uint32_t index) {
    const LitmusThread& engine = test_.threads[index];
    const std::vector<LitmusOp>& ops = engine.ops;
    require(ops.size() >= 4 && ops.front().kind == LitmusOpKind::load &&
            ops.back().kind == LitmusOpKind::store && ops.front().is_strong);
    require(ops.front().order == Order::acquire && ops.back().order == Order::release);
    // A completion releases at cluster scope, so that what says less must not be looked for there.
    for (const LitmusThread& other : test_.threads)
      for (const LitmusOp& op : other.ops)
        require(ops.back().scope >= Scope::cluster || op.kind != LitmusOpKind::load ||
                op.location != ops.back().location || other.place == engine.place);
    const LitmusOp& fence = ops[ops.size() - 2];
    require(fence.kind == LitmusOpKind::proxy_fence && fence.proxy == Proxy::async);
    Storage& token = storage(ops.front());
    Storage& done = storage(ops.back());
    const auto asked = pinned_.find({index, *ops.front().target});
    require(asked != pinned_.end() && !token.is_token && token.stores.size() == 1 &&
            token.stores.begin()->second == 1 && token.stores.begin()->first == asked->second);
    require(done.stores.size() == 1 && done.stores.begin()->second == 1);
    require(test_.initial[test_.locations[ops.front().location].storage] != asked->second);
    EngineOp copy;
    for (std::size_t i = 1; i + 2 < ops.size(); ++i) {
      require(is_memory(ops[i]) && ops[i].proxy == Proxy::async && storage(ops[i]).is_data);
      const bool is_read = ops[i].kind == LitmusOpKind::load;
      (is_read ? copy.read_from : copy.write_to) = storage(ops[i]).index;
      std::uint32_t& count = is_read ? copy.read_count : copy.write_count;
      require(++count == 1);
    }
    token.is_token = true;
    token.engine = static_cast<std::uint32_t>(pair_.program.engine_ops.size());
    copy.landed = done.index;
    pair_.program.flags[done.index].order = FlagOrder::progress;
    pair_.program.engine_ops.push_back(copy);
    engines_.push_back(index);
    keep(index, *ops.front().target);
  }

  void add_thread(std::uint32_t index) {
    const LitmusThread& thread = test_.threads[index];
    if (thread.is_engine) return;
    SyncAgent agent{.first_op = static_cast<std::uint32_t>(pair_.program.ops.size()),
                    .op_count = 0,
                    .place = thread.place};
    for (const LitmusOp& op : thread.ops) {
      SyncOp made{};
      made.source = static_cast<std::uint32_t>(&op - thread.ops.data());
      if (translate(index, op, made)) pair_.program.ops.push_back(made);
    }
    agent.op_count = static_cast<std::uint32_t>(pair_.program.ops.size()) - agent.first_op;
    pair_.program.agents.push_back(agent);
  }

  [[nodiscard]] std::uint32_t next_op() const {
    return static_cast<std::uint32_t>(pair_.program.ops.size());
  }

  // False for what needs no operation.
  bool translate(std::uint32_t thread, const LitmusOp& op, SyncOp& made) {
    made.proxy = op.proxy;
    made.scope = op.scope;
    made.order = op.order;
    switch (op.kind) {
      case LitmusOpKind::load:
        written_once(thread, *op.target);
        return storage(op).is_data ? read(thread, op, made) : wait(thread, op, made);
      case LitmusOpKind::store:
        return storage(op).is_data ? write(op, made) : signal(thread, op, made);
      case LitmusOpKind::read_modify_write:
        if (op.target) written_once(thread, *op.target);
        require(storage(op).only_adds);
        made.kind = SyncOpKind::signal;
        made.target = storage(op).index;
        made.count = word_of(op.right.value);
        // Nothing is made of what its read acquires: that can only lose order.
        made.order = op.order == Order::release || op.order == Order::acq_rel ? Order::release
                                                                              : Order::relaxed;
        return true;
      case LitmusOpKind::thread_fence:
        made.kind = SyncOpKind::fence;
        return true;
      case LitmusOpKind::proxy_fence:
        made.kind = SyncOpKind::proxy_fence;
        made.order = Order::acq_rel;
        return true;
      case LitmusOpKind::barrier:
        return barrier(thread, op, made);
      case LitmusOpKind::label:
      case LitmusOpKind::alias_fence:
        return false;
      default:
        throw NoWord{};
    }
  }

  void written_once(std::uint32_t thread, std::uint32_t target) {
    const RegisterAt at{thread, target};
    require(std::find(written_.begin(), written_.end(), at) == written_.end());
    written_.push_back(at);
  }

  void note_read(std::uint32_t thread, std::uint32_t target) {
    ++reads_;
    pair_.read = next_op();
    pair_.seen = {LitmusLeaf::Kind::in_register, thread, target, 0};
  }

  void note_write(const LitmusOp& op) {
    ++writes_;
    pair_.write = next_op();
    pair_.old_value = test_.initial[test_.locations[op.location].storage];
    pair_.new_value = op.right.value;
    require(pair_.old_value != pair_.new_value);
  }

  bool read(std::uint32_t thread, const LitmusOp& op, SyncOp& made) {
    made.kind = SyncOpKind::read;
    made.target = storage(op).index;
    note_read(thread, *op.target);
    return true;
  }

  bool write(const LitmusOp& op, SyncOp& made) {
    made.kind = SyncOpKind::write;
    made.target = storage(op).index;
    note_write(op);
    return true;
  }

  // A strong read of a value that one write alone can have left. What the question does not fix,
  // and what it fixes to the value at the start, waits for nothing.
  bool wait(std::uint32_t thread, const LitmusOp& op, SyncOp& made) {
    Storage& flag = storage(op);
    const auto asked = pinned_.find({thread, *op.target});
    if (asked == pinned_.end()) return false;
    keep(thread, *op.target);
    const std::int64_t initial = test_.initial[test_.locations[op.location].storage];
    if (asked->second == initial) {
      require(flag.only_adds || !flag.stores.contains(initial));
      return false;
    }
    require(!flag.is_token);
    made.kind = SyncOpKind::wait;
    made.target = flag.index;
    made.count = word_of(asked->second);
    if (flag.only_adds) return true;
    const auto stored = flag.stores.find(asked->second);
    require(stored != flag.stores.end() && stored->second == 1);
    if (pair_.program.flags[flag.index].order == FlagOrder::progress) made.count = 1;
    return true;
  }

  bool signal(std::uint32_t thread, const LitmusOp& op, SyncOp& made) {
    Storage& flag = storage(op);
    if (!flag.is_token) {
      made.kind = SyncOpKind::signal;
      made.target = flag.index;
      made.count = word_of(op.right.value);
      made.traits = kStore;
      return true;
    }
    require(op.order == Order::release);
    const LitmusThread& engine = test_.threads[engines_[flag.engine]];
    require(engine.place == test_.threads[thread].place);
    made = {.kind = SyncOpKind::issue, .target = flag.engine, .source = made.source};
    for (std::size_t i = 1; i + 2 < engine.ops.size(); ++i) {
      if (engine.ops[i].kind == LitmusOpKind::load)
        note_read(engines_[flag.engine], *engine.ops[i].target);
      else
        note_write(engine.ops[i]);
    }
    return true;
  }

  bool barrier(std::uint32_t thread, const LitmusOp& op, SyncOp& made) {
    require(op.scope == Scope::cta && (!op.barrier_id || !op.barrier_id->is_register));
    BarrierSite site{.instance = op.instance,
                     .id = {},
                     .cta = test_.threads[thread].place.cta,
                     .quorum = static_cast<std::size_t>(op.quorum.value_or(0)),
                     .threads = {}};
    if (op.barrier_id) site.id = op.barrier_id->value;
    auto found = std::find_if(barrier_sites_.begin(), barrier_sites_.end(), [&](const auto& other) {
      return other.instance == site.instance && other.id == site.id && other.cta == site.cta;
    });
    if (found == barrier_sites_.end()) {
      found = barrier_sites_.insert(barrier_sites_.end(), site);
      pair_.program.barriers.push_back({});
    }
    require(found->quorum == site.quorum &&
            std::find(found->threads.begin(), found->threads.end(), thread) ==
                found->threads.end());
    found->threads.push_back(thread);
    made.kind = op.is_arrive ? SyncOpKind::arrive : SyncOpKind::barrier;
    made.target = static_cast<std::uint32_t>(found - barrier_sites_.begin());
    ++pair_.program.barriers[made.target].members;
    return true;
  }

  // The question's word about this register stays.
  void keep(std::uint32_t thread, std::uint32_t target) {
    pair_.waits.parts.push_back(comparisons_.at({thread, target}));
  }

  const LitmusTest& test_;
  LitmusPair pair_;
  std::vector<Storage> storages_;
  std::map<std::uint32_t, std::uint32_t> addresses_;  // the one of each storage
  std::map<RegisterAt, std::int64_t> pinned_;
  std::map<RegisterAt, LitmusCondition> comparisons_;
  std::vector<RegisterAt> written_;
  std::vector<std::uint32_t> engines_;  // threads, by engine operation
  std::vector<BarrierSite> barrier_sites_;
  std::size_t writes_ = 0, reads_ = 0;
};

}  // namespace

std::optional<LitmusPair> litmus_pair(const LitmusTest& test) {
  if (test.asks_termination) return std::nullopt;
  try {
    return PairBuilder(test).build();
  } catch (const NoWord&) {
    return std::nullopt;
  }
}

LitmusTest asking(const LitmusTest& test, const LitmusPair& pair, std::int64_t value) {
  LitmusTest other = test;
  other.question = pair.waits;
  LitmusCondition sees;
  sees.kind = LitmusCondition::Kind::comparison;
  sees.left = pair.seen;
  sees.right.value = value;
  other.question.parts.push_back(sees);
  return other;
}

}  // namespace epsim
