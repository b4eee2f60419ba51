#include <algorithm>
#include <chrono>
#include <utility>

#include <fmt/format.h>

#include "sim/step_report.hpp"

namespace epsim {
namespace {

// A change that adds less than this does not explain anything.
constexpr double kLeastGainPoints = 1;
// Of the rows that set a switch which the scenario leaves alone.
constexpr std::uint32_t kHipQueues = 4;  // GPU_MAX_HW_QUEUES of HIP, unless it is set
constexpr Duration kSkew = std::chrono::milliseconds(1);

class VariantList {
 public:
  explicit VariantList(const ScheduleSpec& schedule) : schedule_(schedule) {}

  template <typename Change>
  void add(std::string what, std::string cause, const Change& change) {
    for (const ScheduleKind kind : {ScheduleKind::tbo, ScheduleKind::tbo_aux}) {
      StepVariant variant{.what = what, .cause = cause, .schedule = schedule_};
      change(variant.schedule);
      variant.schedule.kind = kind;
      variants_.push_back(std::move(variant));
    }
  }

  void communicator() {
    if (schedule_.one_communicator)
      add("a communicator for each kernel",
          "one communicator: exchanges and collectives run in the order in which they were queued, "
          "so one waits for the compute in front of another",
          [](ScheduleSpec& s) { s.one_communicator = false; });
    else
      add("one communicator", "", [](ScheduleSpec& s) { s.one_communicator = true; });
  }

  void queues() {
    if (schedule_.hardware_queues > 0)
      add("a hardware queue for each stream",
          "hardware queues: streams that share one run in the order in which they were queued",
          [](ScheduleSpec& s) { s.hardware_queues = 0; });
    else
      add(fmt::format("{} hardware queues, compute's shared", kHipQueues), "", [](ScheduleSpec& s) {
        s.hardware_queues = kHipQueues;
        s.other_streams = kHipQueues - 1;
      });
  }

  void skew() {
    if (schedule_.skew > Duration{})
      add("no skew between ranks",
          "skew: a collective waits for its last rank",
          [](ScheduleSpec& s) { s.skew = {}; });
    else
      add("1 ms of skew in each collective", "", [](ScheduleSpec& s) { s.skew = kSkew; });
  }

  void order() {
    const bool is_baton = schedule_.order == QueueOrder::baton;
    add(is_baton ? "queued in stages" : "queued by baton",
        "order: what is queued behind a wait waits, too",
        [&](ScheduleSpec& s) { s.order = is_baton ? QueueOrder::stages : QueueOrder::baton; });
  }

  void counted() {
    for (std::size_t i = 0; i < kCountedKernelsNames.size(); ++i) {
      const auto counted = static_cast<CountedKernels>(i);
      if (counted == schedule_.counted) continue;
      add(fmt::format("counting {}", kCountedKernelsNames[i]), "", [&](ScheduleSpec& s) {
        s.counted = counted;
      });
    }
  }

  std::vector<StepVariant> take() { return std::move(variants_); }

 private:
  const ScheduleSpec& schedule_;
  std::vector<StepVariant> variants_;
};

}  // namespace

std::vector<StepVariant> step_variants(const ScheduleSpec& schedule) {
  if (schedule.micro_batches != 2) return {};
  VariantList list(schedule);
  list.add("as the scenario says", "", [](ScheduleSpec&) {});
  list.communicator();
  list.queues();
  list.skew();
  list.order();
  list.counted();
  return list.take();
}

std::vector<StepMechanism> step_mechanisms(const ScheduleSpec& schedule,
                                           const std::vector<StepVariant>& variants) {
  std::vector<StepMechanism> mechanisms;
  if (schedule.kind == ScheduleKind::serial || variants.empty()) return mechanisms;
  const std::size_t own = schedule.kind == ScheduleKind::tbo ? 0 : 1;
  const double now = variants[own].counted.percent();
  const auto add = [&](std::string what, std::string change, const StepVariant& variant) {
    if (variant.counted.percent() - now < kLeastGainPoints) return;
    mechanisms.push_back(
        {std::move(what), std::move(change), variant.counted.percent(), variant.step});
  };
  if (own == 0)
    add("stream order: what is queued behind a collective on the compute stream waits for it",
        "collectives on an auxiliary stream",
        variants[1]);
  for (std::size_t i = 2 + own; i < variants.size(); i += 2)
    if (!variants[i].cause.empty()) add(variants[i].cause, variants[i].what, variants[i]);
  std::stable_sort(
      mechanisms.begin(), mechanisms.end(), [](const StepMechanism& a, const StepMechanism& b) {
        return a.overlap_pct > b.overlap_pct;
      });
  return mechanisms;
}

}  // namespace epsim
