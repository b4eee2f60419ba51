#include "models/what_if.hpp"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "models/step_edit.hpp"
#include "models/what_if_rule.hpp"
#include "sim/base/check.hpp"
#include "sim/base/input_error.hpp"
#include "sim/base/quantity_text.hpp"

namespace epsim {
namespace {

constexpr std::string_view kSchema = "epsim.whatif/1";

Duration total_time(const GpuStep& step, const TaskChoice& chosen) {
  Duration total{};
  for (std::size_t i = 0; i < chosen.size(); ++i)
    if (chosen[i]) total += step.tasks[i].time;
  return total;
}

// "12 tasks of 2 names"
std::string count_text(const GpuStep& step, const TaskChoice& chosen) {
  std::set<std::string_view> names;
  std::size_t count = 0;
  for (std::size_t i = 0; i < chosen.size(); ++i)
    if (chosen[i]) {
      ++count;
      names.insert(step.tasks[i].name);
    }
  return fmt::format("{} task{} of {} name{}",
                     count,
                     count == 1 ? "" : "s",
                     names.size(),
                     names.size() == 1 ? "" : "s");
}

// Makes an edit and says what came of it.
class Editor {
 public:
  Editor(GpuStep& step, const TaskChoice& chosen, const ReplacementTime& replacement)
      : step_(step),
        chosen_(chosen),
        replacement_(replacement),
        what_(count_text(step, chosen)),
        before_(total_time(step, chosen)) {}

  std::string operator()(const MoveEdit& edit) const {
    std::optional<TaskChoice> consumers;
    if (edit.consumers) consumers = edit.consumers->found_in(step_);
    const MoveCounts counts = move_to_stream(step_, chosen_, edit.stream, consumers);
    return fmt::format(
        "{}: {} moved to stream \"{}\", {} waits for what came before them, {} of {}{}",
        what_,
        counts.moved,
        edit.stream,
        counts.waits_for_producers,
        counts.waits_of_consumers,
        edit.consumers ? fmt::format("the next \"{}\"", edit.consumers->text())
                       : "the next of their stream",
        counts.without_consumer == 0
            ? ""
            : fmt::format("; {} with none behind on that stream", counts.without_consumer));
  }

  std::string operator()(const ScaleEdit& edit) const {
    for_each([&](StepTask& task) {
      task.time = scaled(task.time, edit.factor);
      task.skew = scaled(task.skew, edit.factor);
    });
    return fmt::format("{}: times multiplied by {}, {}", what_, edit.factor, totals());
  }

  std::string operator()(const TimeEdit& edit) const {
    for_each([&](StepTask& task) {
      task.time = edit.time;
      task.skew = std::min(task.skew, edit.time);
    });
    return fmt::format("{}: times set to {}, {}", what_, to_text(edit.time), totals());
  }

  std::string operator()(const RemoveEdit&) const {
    remove_tasks(step_, chosen_);
    return fmt::format("{}: removed, {} of work", what_, to_text(before_));
  }

  std::string operator()(const InsertEdit& edit) const {
    insert_beside(step_, chosen_, edit.place, edit.name, edit.time);
    return fmt::format("{}: \"{}\" of {} inserted {} each",
                       what_,
                       edit.name,
                       to_text(edit.time),
                       edit.place == InsertPlace::before ? "before" : "after");
  }

  std::string operator()(const CtaEdit& edit) const {
    std::size_t kernels = 0;
    for_each([&](StepTask& task) { kernels += task.cta_count > 0 ? 1 : 0; });
    set_cta_count(step_, chosen_, edit.count, edit.law, edit.saturates_at);
    std::string law = "times left as they were";
    if (edit.law == CtaLaw::inverse) law = "times by the inverse of the blocks, " + totals();
    if (edit.law == CtaLaw::saturating)
      law = fmt::format(
          "times by the inverse of the blocks up to {}, {}", edit.saturates_at, totals());
    return fmt::format("{}: {} with {} blocks now, {}", what_, kernels, edit.count, law);
  }

  std::string operator()(const ReplaceEdit& edit) const {
    check(static_cast<bool>(replacement_), "who applies rules can tell a replacement's time");
    const Duration time = replacement_(edit.spec);
    const bool is_dispatch = edit.spec.operation == "dispatch";
    for_each([&](StepTask& task) {
      task.name = fmt::format("{} of {}", edit.spec.operation, edit.spec.scenario);
      task.kernel_class = KernelClass::communication;
      task.phase = is_dispatch ? CommunicationPhase::dispatch : CommunicationPhase::combine;
      task.family = "modelled";
      task.time = time;
      task.skew = {};
      if (edit.ctas > 0) task.cta_count = edit.ctas;
    });
    return fmt::format(
        "{}: replaced by the {} of {}, {} each, {}{}",
        what_,
        edit.spec.operation,
        edit.spec.scenario,
        to_text(time),
        totals(),
        edit.ctas > 0 ? fmt::format(", {} blocks", edit.ctas) : ", blocks left as they were");
  }

 private:
  template <typename Change>
  void for_each(Change change) const {
    for (std::size_t i = 0; i < chosen_.size(); ++i)
      if (chosen_[i]) change(step_.tasks[i]);
  }

  static Duration scaled(Duration time, double factor) {
    return Duration{std::llround(static_cast<double>(time.count()) * factor)};
  }

  [[nodiscard]] std::string totals() const {
    return fmt::format(
        "{} in all, {} before", to_text(total_time(step_, chosen_)), to_text(before_));
  }

  GpuStep& step_;
  const TaskChoice& chosen_;
  const ReplacementTime& replacement_;
  std::string what_;
  Duration before_;
};

}  // namespace

WhatIfRules WhatIfRules::read(const std::filesystem::path& path) {
  return parse(JsonDocument::read(path).root());
}

WhatIfRules WhatIfRules::parse(std::string_view text, std::string_view name) {
  return parse(JsonDocument::parse(text, name).root());
}

WhatIfRules WhatIfRules::parse(const JsonValue& root) {
  JsonObject object = root.object();
  if (const JsonValue schema = object.required("schema"); schema.string() != kSchema)
    schema.fail_expected(fmt::format("\"{}\"", kSchema));
  auto rules = std::make_shared<std::vector<WhatIfRule>>();
  for (const JsonValue& value : object.required("rules").array())
    rules->push_back(WhatIfRule::read(value));
  object.finish();
  WhatIfRules result;
  result.rules_ = std::move(rules);
  return result;
}

EditedStep WhatIfRules::apply(GpuStep step, const ReplacementTime& replacement) const {
  EditedStep edited{.step = std::move(step), .changes = {}};
  for (const WhatIfRule& rule : *rules_) {
    const TaskChoice chosen = rule.chosen(edited.step);
    if (std::find(chosen.begin(), chosen.end(), true) == chosen.end())
      throw InputError(rule.file,
                       rule.place,
                       fmt::format("expected a rule that chooses tasks, found that it chooses none "
                                   "of the step's {}",
                                   edited.step.tasks.size()));
    std::string change = std::visit(Editor(edited.step, chosen, replacement), rule.edit);
    if (!rule.note.empty()) change += fmt::format(" ({})", rule.note);
    edited.changes.push_back(std::move(change));
    check_step(edited.step);
  }
  return edited;
}

std::size_t WhatIfRules::size() const {
  return rules_->size();
}

}  // namespace epsim
