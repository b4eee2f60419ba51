#include "sim/capacity/exchange_times.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <span>
#include <utility>

#include <fmt/format.h>
#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>

#include "models/kernel_families.hpp"
#include "sim/base/check.hpp"
#include "sim/base/input_error.hpp"
#include "sim/base/json.hpp"
#include "sim/base/json_writer.hpp"
#include "sim/report.hpp"
#include "sim/scenario.hpp"
#include "sim/scenario_reach.hpp"
#include "sim/step_exchange.hpp"

namespace epsim {
namespace {

// Messages up to which an exchange is simulated whatever its tokens: that takes milliseconds.
constexpr std::int64_t kMostMessages = 4'000;

std::int64_t messages_of(const ExchangeQuestion& question) {
  return std::int64_t{question.ranks} * question.tokens * question.top_k;
}

bool folds(const ExchangeQuestion& question, const ServingSystem& system) {
  return system.folds(question.ranks) && find_family(question.kernel)->takes_fold;
}

// Of so many places with equal parts of the experts, those that a token's choices touch, in the
// mean; not more than that, for groups.
double touched_places(const ExchangeQuestion& question, double places) {
  const auto top_k = static_cast<double>(question.top_k);
  if (question.routing == "random") return places * (1 - std::pow(1 - 1 / places, top_k));
  return 1;
}

// The same as `epsim run` would be asked.
Scenario scenario_of(const ExchangeQuestion& question,
                     const ServingSystem& system,
                     std::uint64_t seed,
                     bool is_symmetric) {
  const FamilyKind& kind = *find_family(question.kernel);
  JsonWriter writer;
  writer.begin_object().field("schema", "epsim.scenario/1");
  writer.key("topology").begin_object().field("preset", system.preset);
  writer.key("override").raw(system.topology_override(question.ranks)).end_object();
  writer.field("symmetry", is_symmetric);
  writer.key("traffic").begin_object().field("routing", question.routing);
  writer.field("ranks", question.ranks).field("experts", question.slots);
  writer.field("top_k", question.top_k).field("tokens_per_rank", question.tokens).end_object();
  writer.field("hidden", question.hidden);
  writer.key("kernel").begin_object().field("family", question.kernel);
  if (kind.takes_sms) writer.field("sms", question.sms);
  writer.end_object();
  writer.key("dispatch").begin_object();
  writer.field("format", question.is_fp8 && !kind.takes_exchange ? "fp8" : "bf16").end_object();
  writer.field("calibration", system.calibration.system).field("seed", seed).end_object();
  return read_scenario(JsonDocument::parse(writer.take(), question.kernel), {});
}

// One host stands for all where the fabric's hosts are alike; every host is told where they are
// not.
Scenario scenario_of(const ExchangeQuestion& question,
                     const ServingSystem& system,
                     std::uint64_t seed) {
  if (folds(question, system)) try {
      return scenario_of(question, system, seed, true);
    } catch (const InputError&) {
      // The last leaf is not as full as the others.
    }
  return scenario_of(question, system, seed, false);
}

// Numbers of tokens that are simulated; the others lie on straight lines between two of them.
constexpr std::array<std::int64_t, 5> kKnots = {1, 32, 128, 512, 1024};
// Low-latency kernels move a row for each expert: of many ranks that are all told, fewer tokens
// fill their links as well.
constexpr std::int64_t kManyMessages = 80'000;
constexpr std::size_t kLeastKnots = 3;

std::span<const std::int64_t> knots_of(const ExchangeQuestion& question,
                                       const ServingSystem& system) {
  std::span<const std::int64_t> knots = kKnots;
  if (folds(question, system) || !find_family(question.kernel)->takes_split) return knots;
  while (knots.size() > kLeastKnots &&
         std::int64_t{question.ranks} * question.top_k * knots.back() > kManyMessages)
    knots = knots.first(knots.size() - 1);
  return knots;
}

// Of the way from one number of tokens to another; beyond 1 where there are more.
struct Line {
  double along = 0;
  [[nodiscard]] Duration at(Duration few, Duration many) const {
    return std::max(Duration{}, from_us(to_us(few) + along * (to_us(many) - to_us(few))));
  }
  [[nodiscard]] SplitTimes at(const SplitTimes& few, const SplitTimes& many) const {
    return {at(few.send, many.send), at(few.receive, many.receive)};
  }
};

// A question for fewer tokens and one for more, and where on the line through both it lies.
struct Neighbours {
  ExchangeQuestion few, many;
  Line line;
};

Neighbours neighbours_of(const ExchangeQuestion& question, std::span<const std::int64_t> knots) {
  const auto above = std::lower_bound(knots.begin() + 1, knots.end() - 1, question.tokens);
  Neighbours result{question, question, {}};
  result.few.tokens = *(above - 1);
  result.many.tokens = *above;
  result.line.along = static_cast<double>(question.tokens - result.few.tokens) /
                      static_cast<double>(result.many.tokens - result.few.tokens);
  return result;
}

}  // namespace

ExchangeTimes::ExchangeTimes(const ServingSystem& system, std::uint64_t seed)
    : system_(system), seed_(seed) {}

template <typename Time>
ExchangeTimes::Entry<Time>& ExchangeTimes::entry_of(Entries<Time>& entries,
                                                    const ExchangeQuestion& question) {
  const std::lock_guard lock(mutex_);
  std::unique_ptr<Entry<Time>>& place = entries[question];
  if (!place) place = std::make_unique<Entry<Time>>();
  return *place;
}

const ExchangeTime& ExchangeTimes::find(const ExchangeQuestion& question) {
  Entry<ExchangeTime>& entry = entry_of(whole_, question);
  std::call_once(entry.once, [&] { entry.time = predict_time(question); });
  return entry.time;
}

const SplitExchange& ExchangeTimes::find_split(const ExchangeQuestion& question) {
  Entry<SplitExchange>& entry = entry_of(split_, question);
  std::call_once(entry.once, [&] { entry.time = predict_split(question); });
  return entry.time;
}

bool ExchangeTimes::is_simulated(const ExchangeQuestion& question) const {
  const auto knots = knots_of(question, system_);
  return messages_of(question) <= kMostMessages ||
         std::find(knots.begin(), knots.end(), question.tokens) != knots.end();
}

void ExchangeTimes::prepare(const std::vector<ExchangeQuestion>& questions, bool halves) {
  std::set<ExchangeQuestion> needed;
  for (const ExchangeQuestion& question : questions) {
    if (is_simulated(question)) {
      needed.insert(question);
      continue;
    }
    const Neighbours beside = neighbours_of(question, knots_of(question, system_));
    needed.insert({beside.few, beside.many});
  }
  std::vector<ExchangeQuestion> order(needed.begin(), needed.end());
  // The longest first, so that no thread is left alone with one at the end.
  std::stable_sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
    return messages_of(a) > messages_of(b);
  });
  tbb::parallel_for(
      tbb::blocked_range<std::size_t>(0, order.size(), 1),
      [&](const tbb::blocked_range<std::size_t>& some) {
        for (std::size_t i = some.begin(); i < some.end(); ++i) {
          (void)find(order[i]);
          if (halves && find_family(order[i].kernel)->takes_split) (void)find_split(order[i]);
        }
      },
      tbb::simple_partitioner());
}

ExchangeTime ExchangeTimes::predict_time(const ExchangeQuestion& question) {
  if (is_simulated(question)) return simulate(question);
  const Neighbours beside = neighbours_of(question, knots_of(question, system_));
  const ExchangeTime& few = find(beside.few);
  ExchangeTime time = find(beside.many);
  time.dispatch.time = beside.line.at(few.dispatch.time, time.dispatch.time);
  time.combine.time = beside.line.at(few.combine.time, time.combine.time);
  return time;
}

SplitExchange ExchangeTimes::predict_split(const ExchangeQuestion& question) {
  if (is_simulated(question)) return simulate_split(question);
  const Neighbours beside = neighbours_of(question, knots_of(question, system_));
  const SplitExchange& few = find_split(beside.few);
  const SplitExchange& many = find_split(beside.many);
  return {beside.line.at(few.dispatch, many.dispatch), beside.line.at(few.combine, many.combine)};
}

ExchangeTime ExchangeTimes::simulate(const ExchangeQuestion& question) const {
  const Calibration& calibration = system_.calibration;
  const FamilyKind& kind = *find_family(question.kernel);
  const Scenario scenario = scenario_of(question, system_, seed_);
  require_network(scenario, calibration);
  const KernelFamily& family = calibration.family(question.kernel);
  const Workload workload = make_workload(scenario);
  const StepMachine machine = system_.machine(0);
  ExchangeTime time;
  for (const MoeOperation operation : {MoeOperation::dispatch, MoeOperation::combine}) {
    const Prediction prediction =
        predict(operation, workload, kind, calibration.hardware, family.constants);
    StepExchange& part = operation == MoeOperation::dispatch ? time.dispatch : time.combine;
    part = step_exchange(prediction, question.kernel, system_.nvlink, machine);
  }
  time.beyond_range = beyond_range(workload, family);
  time.sigma = residual_sigma(workload, family);
  return time;
}

SplitExchange ExchangeTimes::simulate_split(const ExchangeQuestion& question) {
  const Calibration& calibration = system_.calibration;
  const FamilyKind& kind = *find_family(question.kernel);
  check(kind.takes_split, "only what can be split is asked for its halves");
  const ExchangeTime& whole = find(question);
  Workload workload = make_workload(scenario_of(question, system_, seed_));
  const ConstantSet& constants = calibration.family(question.kernel).constants;
  // By twice the whole time everything has arrived; what sends is over long before.
  const auto halves = [&](MoeOperation operation, Duration time) -> SplitTimes {
    workload.split = {.split = true, .part = SplitPart::receive, .gap = 2 * time};
    const Prediction both = predict(operation, workload, kind, calibration.hardware, constants);
    const auto name = kMoeOperationNames[static_cast<std::size_t>(operation)];
    return {both.timeline.aligned_latency(both.plan, fmt::format("{} send", name)), both.latency};
  };
  return {halves(MoeOperation::dispatch, whole.dispatch.time),
          halves(MoeOperation::combine, whole.combine.time)};
}

Duration ExchangeTimes::bound(const ExchangeQuestion& question, MoeOperation operation) const {
  const FamilyKind& kind = *find_family(question.kernel);
  const bool is_dispatch = operation == MoeOperation::dispatch;
  const Bytes row =
      is_dispatch ? dispatch_message(question.hidden,
                                     question.is_fp8 ? DispatchFormat::fp8 : DispatchFormat::bf16)
                  : combine_message(question.hidden, CombineFormat::bf16);
  const double domains = std::max(1.0, static_cast<double>(question.ranks) / system_.domain);
  const double beyond = 1 - 1 / domains;
  // Low-latency kernels send a row for each expert; the others one for each host, or for each rank
  // inside one.
  const double places = domains > 1 ? domains : static_cast<double>(question.ranks);
  const double rows =
      kind.takes_split ? static_cast<double>(question.top_k) : touched_places(question, places);
  const double bytes = rows * static_cast<double>(question.tokens) * static_cast<double>(row.count);
  // Of random numbers of tokens the busiest rank has no fewer than the mean.
  if (domains > 1) return from_us(1e6 * bytes * beyond / system_.nic.bytes_per_second);
  const double others = 1 - 1.0 / question.ranks;
  return from_us(1e6 * bytes * others / std::max(system_.nvlink.bytes_per_second, 1.0));
}

}  // namespace epsim
