#include "sim/litmus/litmus_search.hpp"

#include <algorithm>
#include <numeric>
#include <set>

#include "sim/litmus/litmus_executions.hpp"
#include "sim/litmus/litmus_runs.hpp"

namespace epsim {
namespace {

using Stored = std::set<std::pair<std::uint32_t, std::int64_t>>;  // storage and value

// Chooses a run of each thread, and turns back as soon as no choice of the others can help.
class Combinations {
 public:
  Combinations(const LitmusTest& test, LitmusModel model)
      : test_(test), model_(model), runs_(litmus_runs(test)), chosen_(runs_.size(), nullptr) {
    order_.resize(runs_.size());
    std::iota(order_.begin(), order_.end(), 0U);
    // Threads with few runs first: what they hold cuts off most.
    std::stable_sort(order_.begin(), order_.end(), [&](std::uint32_t a, std::uint32_t b) {
      return runs_[a].size() < runs_[b].size();
    });
    // What threads from a point of that order on may store, whichever of their runs is taken.
    may_store_.resize(runs_.size() + 1);
    for (std::uint32_t storage = 0; storage < test.initial.size(); ++storage)
      may_store_.back().emplace(storage, test.initial[storage]);
    for (std::size_t i = runs_.size(); i-- > 0;) {
      may_store_[i] = may_store_[i + 1];
      for (const LitmusRun& run : runs_[order_[i]]) add_stored(run, may_store_[i]);
    }
  }

  LitmusVerdict decide() {
    verdict_.is_reachable = choose(0, {});
    return std::move(verdict_);
  }

 private:
  static void add_stored(const LitmusRun& run, Stored& stored) {
    for (const LitmusEvent& event : run.events)
      if (event.is_write()) stored.emplace(event.storage, event.value);
  }

  bool choose(std::size_t next, const Stored& stored) {
    if (next == order_.size()) return LitmusExecutions(test_, model_, chosen_).find(verdict_);
    const std::uint32_t thread = order_[next];
    for (const LitmusRun& run : runs_[thread]) {
      chosen_[thread] = &run;
      if (!may_be_asked_for()) continue;
      Stored more = stored;
      add_stored(run, more);
      if (has_sources(next, more) && choose(next + 1, more)) return true;
    }
    chosen_[thread] = nullptr;
    return false;
  }

  // Each value that was read so far is stored by somebody, or may be by those who come.
  [[nodiscard]] bool has_sources(std::size_t last, const Stored& stored) const {
    for (std::size_t i = 0; i <= last; ++i)
      for (const LitmusEvent& event : chosen_[order_[i]]->events) {
        if (!event.is_read()) continue;
        const std::pair source(event.storage, event.value);
        if (!stored.contains(source) && !may_store_[last + 1].contains(source)) return false;
      }
    return true;
  }

  [[nodiscard]] bool may_be_asked_for() const {
    const auto value_of = [&](const LitmusLeaf& leaf) -> std::optional<std::int64_t> {
      if (leaf.kind == LitmusLeaf::Kind::immediate) return leaf.value;
      if (leaf.kind == LitmusLeaf::Kind::in_memory || chosen_[leaf.thread] == nullptr)
        return std::nullopt;
      return chosen_[leaf.thread]->registers[leaf.index];
    };
    return evaluate(test_.question, value_of) != Truth::no;
  }

  const LitmusTest& test_;
  LitmusModel model_;
  std::vector<std::vector<LitmusRun>> runs_;
  std::vector<const LitmusRun*> chosen_;
  std::vector<std::uint32_t> order_;
  std::vector<Stored> may_store_;
  LitmusVerdict verdict_;
};

}  // namespace

LitmusVerdict decide(const LitmusTest& test, LitmusModel model) {
  return Combinations(test, model).decide();
}

}  // namespace epsim
