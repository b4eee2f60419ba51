#include "sim/capacity/exchange_times.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>

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

// Messages up to which an exchange is simulated as it is, and tokens of the two that stand for one
// of more.
constexpr std::int64_t kMostMessages = 24'000;
constexpr std::int64_t kManyTokens = 1024, kFewTokens = 512;
// Outside the fitted shapes residuals grow by half, as interval_of() has it.
constexpr double kFarther = 1.5;

std::int64_t messages_of(const ExchangeQuestion& question) {
  return std::int64_t{question.ranks} * question.tokens * question.top_k;
}

bool folds(const ExchangeQuestion& question, const ServingSystem& system) {
  return system.folds(question.ranks) && find_family(question.kernel)->takes_fold;
}

// The same as `epsim run` would be asked.
Scenario scenario_of(const ExchangeQuestion& question,
                     const ServingSystem& system,
                     std::uint64_t seed) {
  const FamilyKind& kind = *find_family(question.kernel);
  JsonWriter writer;
  writer.begin_object().field("schema", "epsim.scenario/1");
  writer.key("topology").begin_object().field("preset", system.preset);
  writer.key("override").raw(system.topology_override(question.ranks)).end_object();
  writer.field("symmetry", folds(question, system));
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

// Both kernels of a split launch: what sending takes, and what receiving takes once all is there.
void split_part(MoeOperation operation,
                Workload workload,
                const FamilyKind& kind,
                const Calibration& calibration,
                ExchangePart& part) {
  const ConstantSet& constants = calibration.family(kind.name).constants;
  const auto time_of = [&](SplitPart which, Duration gap) {
    workload.split = {.split = true, .part = which, .gap = gap};
    return predict(operation, workload, kind, calibration.hardware, constants).latency;
  };
  part.send = time_of(SplitPart::send, Duration{});
  part.receive = time_of(SplitPart::receive, 2 * part.whole.time);
}

// A point of the straight line through two times, not below the later one's share of it.
Duration on_line(Duration few, Duration many, std::int64_t tokens) {
  const double slope = (to_us(many) - to_us(few)) / static_cast<double>(kManyTokens - kFewTokens);
  return from_us(to_us(many) + std::max(0.0, slope) * static_cast<double>(tokens - kManyTokens));
}

void follow(const ExchangePart& few, ExchangePart& many, std::int64_t tokens) {
  many.whole.time = on_line(few.whole.time, many.whole.time, tokens);
  many.send = on_line(few.send, many.send, tokens);
  many.receive = on_line(few.receive, many.receive, tokens);
}

}  // namespace

ExchangeTimes::ExchangeTimes(const ServingSystem& system, std::uint64_t seed)
    : system_(system), seed_(seed) {}

const ExchangeTime& ExchangeTimes::find(const ExchangeQuestion& question) {
  Entry* entry = nullptr;
  {
    const std::lock_guard lock(mutex_);
    std::unique_ptr<Entry>& place = entries_[question];
    if (!place) place = std::make_unique<Entry>();
    entry = place.get();
  }
  std::call_once(entry->once, [&] { entry->time = predict_time(question); });
  return entry->time;
}

ExchangeTime ExchangeTimes::predict_time(const ExchangeQuestion& question) {
  if (question.tokens <= kManyTokens || messages_of(question) <= kMostMessages)
    return simulate(question);
  ExchangeQuestion smaller = question;
  smaller.tokens = kFewTokens;
  const ExchangeTime& few = find(smaller);
  smaller.tokens = kManyTokens;
  ExchangeTime time = find(smaller);
  follow(few.dispatch, time.dispatch, question.tokens);
  follow(few.combine, time.combine, question.tokens);
  return time;
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
    ExchangePart& part = operation == MoeOperation::dispatch ? time.dispatch : time.combine;
    part.whole = step_exchange(prediction, question.kernel, system_.nvlink, machine);
    if (kind.takes_split) split_part(operation, workload, kind, calibration, part);
  }
  time.beyond_range = beyond_range(workload, family);
  time.sigma = family.fit.residual_sigma * (time.beyond_range.empty() ? 1.0 : kFarther);
  return time;
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
  // Low-latency kernels send a row for each expert; the others one for each host or rank, of which
  // there is one at least.
  const double rows = kind.takes_fences ? static_cast<double>(question.top_k) : 1.0;
  const double bytes = rows * static_cast<double>(question.tokens) * static_cast<double>(row.count);
  // Of random numbers of tokens the busiest rank has no fewer than the mean.
  if (domains > 1) return from_us(1e6 * bytes * beyond / system_.nic.bytes_per_second);
  const double others = 1 - 1.0 / question.ranks;
  return from_us(1e6 * bytes * others / std::max(system_.nvlink.bytes_per_second, 1.0));
}

}  // namespace epsim
