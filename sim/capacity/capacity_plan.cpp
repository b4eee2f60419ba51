#include "sim/capacity/capacity_plan.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

#include <fmt/format.h>
#include <tbb/global_control.h>
#include <tbb/parallel_for.h>

#include "sim/capacity/capacity_words.hpp"
#include "sim/capacity/deployment_step.hpp"
#include "sim/capacity/expert_slots.hpp"
#include "sim/capacity/memory_use.hpp"
#include "sim/capacity/search_space.hpp"

namespace epsim {
namespace {

// Simulated at once before what they rule out is looked at again: the same for any number of
// threads, so that results are.
constexpr std::size_t kRound = 16;
// Batches from which two micro-batches count as paying: less is within the step model's noise.
constexpr double kPaysPct = 0.5;
// Throughputs that differ by less are taken as equal: then the faster one is the better one.
constexpr double kAsGood = 0.98;

struct Candidate {
  std::size_t index = 0;  // in the order of enumeration
  DeploymentWork work;
  MemoryUse memory;
  DeploymentBound bound;
};

class CapacitySearch {
 public:
  explicit CapacitySearch(const CapacityQuestion& question)
      : system_(load_serving_system(question.system, question.topology)),
        serving_{.question = question,
                 .system = system_,
                 .shares = expert_shares(question),
                 .measured = question.measured},
        exchanges_(system_, question.seed) {
    plan_.question = question;
    plan_.topology = system_.preset;
    plan_.gpu = system_.gpu.model;
    plan_.notes = system_.compute.notes;
  }

  CapacityPlan take() {
    const std::vector<Candidate> all = candidates();
    const std::vector<Candidate> open = survivors(all);
    simulate(open);
    if (plan_.results.empty()) simulate_nearest(all);
    mark_pareto();
    recommend();
    return std::move(plan_);
  }

 private:
  [[nodiscard]] const CapacityQuestion& question() const { return serving_.question; }
  [[nodiscard]] bool meets_slo(double latency_ms) const {
    return !question().slo_ms || latency_ms <= *question().slo_ms;
  }

  [[nodiscard]] MemoryUse memory_of(const DeploymentWork& work) const {
    return memory_use(question().model,
                      work.deployment,
                      question().phase,
                      question().lengths,
                      system_.gpu,
                      question().memory_share,
                      system_.domain,
                      work.imbalance);
  }

  std::vector<Candidate> candidates() {
    const bool is_skewed = is_uneven(serving_.shares);
    const SearchSpace space = search_space(question(), system_, is_skewed);
    plan_.notes.insert(plan_.notes.end(), space.notes.begin(), space.notes.end());
    ask_laws(space.deployments.front());
    plan_.counts.impossible = space.impossible;
    plan_.counts.enumerated = space.deployments.size() + space.impossible;
    std::vector<Candidate> result(space.deployments.size());
    tbb::parallel_for(std::size_t{0}, result.size(), [&](std::size_t i) {
      Candidate& candidate = result[i];
      candidate.index = i;
      candidate.work = deployment_work(serving_, space.deployments[i]);
      candidate.memory = memory_of(candidate.work);
      if (candidate.memory.fits())
        candidate.bound = deployment_bound(serving_, candidate.work, exchanges_);
    });
    return result;
  }

  // Measured times are taken to be of the first deployment's layout.
  void ask_laws(const Deployment& deployment) {
    if (serving_.measured.rows.empty()) return;
    const std::vector<std::string> unknown =
        set_laws(serving_.measured, [&](std::int64_t tokens, std::int64_t context) {
          return layer_alone(serving_, deployment, tokens, context);
        });
    plan_.notes.push_back(fmt::format("compute as measured ({}), taken to be of EP {} with TP {}",
                                      serving_.measured.source,
                                      deployment.ranks,
                                      deployment.attention_ranks));
    for (const std::string& row : unknown)
      plan_.notes.push_back("measured times of " + row + " are of no stage that this model has");
  }

  // What fits and may meet the SLO, the most promising first.
  std::vector<Candidate> survivors(const std::vector<Candidate>& all) {
    std::vector<Candidate> open;
    for (const Candidate& candidate : all) {
      if (!candidate.memory.fits())
        ++plan_.counts.too_large;
      else if (!meets_slo(candidate.bound.latency_ms))
        ++plan_.counts.too_slow;
      else
        open.push_back(candidate);
    }
    std::stable_sort(open.begin(), open.end(), [](const Candidate& a, const Candidate& b) {
      return a.bound.tokens_per_s_per_gpu > b.bound.tokens_per_s_per_gpu;
    });
    return open;
  }

  [[nodiscard]] bool is_dominated(const DeploymentBound& bound) const {
    return std::any_of(
        plan_.results.begin(), plan_.results.end(), [&](const DeploymentResult& result) {
          return result.tokens_per_s_per_gpu >= bound.tokens_per_s_per_gpu &&
                 result.latency_ms <= bound.latency_ms;
        });
  }

  DeploymentResult result_of(const Candidate& candidate) {
    DeploymentResult result = simulate_deployment(serving_, candidate.work, exchanges_);
    result.memory = candidate.memory;
    result.meets_slo = meets_slo(result.latency_ms);
    return result;
  }

  // One micro-batch first: that costs nothing but its exchange, and rules out much of the rest.
  void simulate(const std::vector<Candidate>& open) {
    for (const MicroBatching turns : {MicroBatching::none, MicroBatching::tbo}) {
      std::vector<const Candidate*> left;
      for (const Candidate& candidate : open)
        if (candidate.work.deployment.micro_batching == turns) left.push_back(&candidate);
      const std::vector<Promise> promises = promises_of(left);
      std::vector<const Candidate*> round;
      for (const Promise& promise : promises) {
        is_dominated(promise.bound) ? void(++plan_.counts.dominated)
                                    : round.push_back(promise.candidate);
        if (round.size() == kRound) simulate_round(std::exchange(round, {}));
      }
      simulate_round(round);
    }
    sort_results();
  }

  // What a candidate can give at best once its exchange is known.
  struct Promise {
    const Candidate* candidate = nullptr;
    DeploymentBound bound;
  };

  // Of those that nothing rules out, the most promising first. Exchanges are only asked for where
  // what is simulated so far leaves a chance.
  std::vector<Promise> promises_of(const std::vector<const Candidate*>& candidates) {
    std::vector<Promise> promises;
    for (const Candidate* candidate : candidates)
      is_dominated(candidate->bound) ? void(++plan_.counts.dominated)
                                     : promises.push_back({candidate, {}});
    std::vector<ExchangeQuestion> questions;
    bool halves = false;
    for (const Promise& promise : promises) {
      const DeploymentWork& work = promise.candidate->work;
      if (work.deployment.ranks == 1) continue;
      questions.push_back(work.exchange);
      halves = halves || work.deployment.micro_batching == MicroBatching::tbo;
    }
    exchanges_.prepare(questions, halves);
    tbb::parallel_for(std::size_t{0}, promises.size(), [&](std::size_t i) {
      promises[i].bound = exchange_bound(serving_, promises[i].candidate->work, exchanges_);
    });
    const auto too_slow = std::erase_if(
        promises, [&](const Promise& promise) { return !meets_slo(promise.bound.latency_ms); });
    plan_.counts.too_slow += too_slow;
    std::stable_sort(promises.begin(), promises.end(), [](const Promise& a, const Promise& b) {
      return a.bound.tokens_per_s_per_gpu > b.bound.tokens_per_s_per_gpu;
    });
    return promises;
  }

  void simulate_round(const std::vector<const Candidate*>& round) {
    const std::size_t before = plan_.results.size();
    plan_.results.resize(before + round.size());
    for (const Candidate* candidate : round) order_.push_back(candidate->index);
    tbb::parallel_for(std::size_t{0}, round.size(), [&](std::size_t i) {
      plan_.results[before + i] = result_of(*round[i]);
    });
    plan_.counts.simulated += round.size();
  }

  void sort_results() {
    std::vector<std::size_t> by_index(order_.size());
    std::iota(by_index.begin(), by_index.end(), std::size_t{0});
    std::sort(by_index.begin(), by_index.end(), [&](std::size_t a, std::size_t b) {
      return order_[a] < order_[b];
    });
    std::vector<DeploymentResult> sorted;
    for (const std::size_t i : by_index) sorted.push_back(std::move(plan_.results[i]));
    plan_.results = std::move(sorted);
  }

  // Nothing can meet the SLO: what comes nearest of what fits.
  void simulate_nearest(const std::vector<Candidate>& all) {
    std::vector<const Candidate*> fitting;
    for (const Candidate& candidate : all)
      if (candidate.memory.fits()) fitting.push_back(&candidate);
    if (fitting.empty()) {
      least_memory(all);
      return;
    }
    std::stable_sort(fitting.begin(), fitting.end(), [](const Candidate* a, const Candidate* b) {
      return a->bound.latency_ms < b->bound.latency_ms;
    });
    fitting.resize(std::min(fitting.size(), kRound));
    plan_.counts.too_slow -= fitting.size();
    simulate_round(fitting);
    sort_results();
  }

  void least_memory(const std::vector<Candidate>& all) {
    const auto least =
        std::min_element(all.begin(), all.end(), [](const Candidate& a, const Candidate& b) {
          return a.memory.total() < b.memory.total();
        });
    const bool can_spread =
        question().limits.ranks.empty() && (system_.can_grow || question().gpus < system_.domain);
    plan_.reason = memory_refusal(least->work.deployment, least->memory, can_spread);
  }

  void mark_pareto() {
    std::vector<std::size_t> by_latency(plan_.results.size());
    std::iota(by_latency.begin(), by_latency.end(), std::size_t{0});
    const auto& results = plan_.results;
    std::stable_sort(by_latency.begin(), by_latency.end(), [&](std::size_t a, std::size_t b) {
      if (results[a].latency_ms != results[b].latency_ms)
        return results[a].latency_ms < results[b].latency_ms;
      return results[a].tokens_per_s_per_gpu > results[b].tokens_per_s_per_gpu;
    });
    double best = 0;
    for (const std::size_t i : by_latency)
      if (results[i].tokens_per_s_per_gpu > best) {
        best = results[i].tokens_per_s_per_gpu;
        plan_.pareto.push_back(i);
      }
  }

  void recommend() {
    if (plan_.results.empty()) return;
    double most = 0;  // the Pareto set rises in throughput
    for (const std::size_t i : plan_.pareto)
      if (plan_.results[i].meets_slo) most = plan_.results[i].tokens_per_s_per_gpu;
    for (const std::size_t i : plan_.pareto)
      if (!plan_.recommended && plan_.results[i].meets_slo &&
          plan_.results[i].tokens_per_s_per_gpu >= kAsGood * most)
        plan_.recommended = i;
    if (!plan_.recommended) {
      plan_.nearest = plan_.pareto.front();
      plan_.reason = slo_refusal(plan_);
      return;
    }
    plan_.two_batch = two_batch_verdict(plan_.results[*plan_.recommended].deployment);
    plan_.reason = recommendation(plan_);
  }

  TwoBatchVerdict two_batch_verdict(Deployment deployment) {
    TwoBatchVerdict verdict;
    if (deployment.ranks == 1) return verdict;
    for (const std::int64_t batch : usual_batches(question())) {
      deployment.batch = batch;
      deployment.micro_batching = MicroBatching::tbo;
      if (batch >= 2 && memory_of(deployment_work(serving_, deployment)).fits())
        verdict.batches.push_back(batch);
    }
    verdict.gain_pct.resize(verdict.batches.size());
    tbb::parallel_for(std::size_t{0}, verdict.batches.size(), [&](std::size_t i) {
      Deployment one = deployment;
      one.batch = verdict.batches[i];
      one.micro_batching = MicroBatching::none;
      const double single = throughput_of(one);
      one.micro_batching = MicroBatching::tbo;
      verdict.gain_pct[i] = 100 * (throughput_of(one) / single - 1);
    });
    for (std::size_t i = verdict.batches.size(); i-- > 0 && verdict.gain_pct[i] > kPaysPct;)
      verdict.pays_from = verdict.batches[i];
    return verdict;
  }

  double throughput_of(const Deployment& deployment) {
    return simulate_deployment(serving_, deployment_work(serving_, deployment), exchanges_)
        .tokens_per_s_per_gpu;
  }

  CapacityPlan plan_;
  ServingSystem system_;
  ServingQuestion serving_;
  ExchangeTimes exchanges_;
  std::vector<std::size_t> order_;  // of enumeration, one a result until they are sorted
};

}  // namespace

CapacityPlan plan_capacity(const CapacityQuestion& question, std::size_t jobs) {
  const tbb::global_control limit(tbb::global_control::max_allowed_parallelism, jobs);
  return CapacitySearch(question).take();
}

}  // namespace epsim
