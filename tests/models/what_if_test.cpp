#include "models/what_if.hpp"

#include <filesystem>
#include <string>

#include <doctest/doctest.h>

#include "models/step_edit.hpp"
#include "sim/base/input_error.hpp"
#include "sim/base/rng.hpp"
#include "tests/support/listed_schedule.hpp"

using namespace epsim;
using namespace std::chrono_literals;

namespace {

StepTask task(const std::string& name, std::uint32_t stream, Duration time) {
  StepTask result;
  result.name = name;
  result.stream = stream;
  result.time = time;
  result.cta_count = 132;
  if (name.starts_with("dispatch") || name.starts_with("combine")) {
    result.kernel_class = KernelClass::communication;
    result.phase =
        name.starts_with("dispatch") ? CommunicationPhase::dispatch : CommunicationPhase::combine;
    result.family = "DeepEP";
    result.cta_count = 24;
  }
  return result;
}

// gate 10, dispatch 20, shared 8, experts 30, combine 15, add 5 us, one after the other: 88 us.
GpuStep serial_step() {
  GpuStep step;
  step.streams = {"main"};
  step.tasks = {task("gate", 0, 10us),
                task("dispatch", 0, 20us),
                task("shared", 0, 8us),
                task("experts", 0, 30us),
                task("combine", 0, 15us),
                task("add", 0, 5us)};
  return step;
}

// The same with dispatch and combine on a second stream, and waits.
GpuStep two_stream_step() {
  GpuStep step = serial_step();
  step.streams.push_back("side");
  step.tasks[1].stream = step.tasks[4].stream = 1;
  step.tasks[1].after = {0};
  step.tasks[3].after = {1};
  step.tasks[4].after = {3};
  step.tasks[5].after = {4};
  return step;
}

WhatIfRules rules(const std::string& list) {
  return WhatIfRules::parse(R"({"schema": "epsim.whatif/1", "rules": [)" + list + "]}",
                            "folder/rules.json");
}

Duration span_with(const GpuStep& step, const std::string& list) {
  return ListedSchedule(rules(list).apply(step).step).span;
}

std::string waits_of(const GpuStep& step) {
  std::string text;
  for (const StepTask& consumer : step.tasks)
    for (const std::uint32_t producer : consumer.after)
      text += (text.empty() ? "" : " ") + consumer.name + "<-" + step.tasks[producer].name;
  return text;
}

}  // namespace

TEST_CASE("what if: a move without named consumers keeps the order and so the time") {
  const EditedStep edited =
      rules(R"({"kernels": "dispatch", "stream": "side"})").apply(serial_step());
  CHECK(edited.step.streams == std::vector<std::string>{"main", "side"});
  CHECK(waits_of(edited.step) == "dispatch<-gate shared<-dispatch");
  CHECK(ListedSchedule(edited.step).span == 88us);
  CHECK(edited.changes ==
        std::vector<std::string>{"1 task of 1 name: 1 moved to stream \"side\", 1 waits for what "
                                 "came before them, 1 of the next of their stream"});
}

TEST_CASE("what if: a move with named consumers frees what does not need the moved task") {
  // shared, 8 us, runs under dispatch: 88 - 8.
  const std::string move =
      R"({"kernels": "dispatch", "stream": "side", "consumers": "^experts$", "note": "hide it"})";
  const EditedStep edited = rules(move).apply(serial_step());
  CHECK(waits_of(edited.step) == "dispatch<-gate experts<-dispatch");
  CHECK(ListedSchedule(edited.step).span == 80us);
  CHECK(edited.changes.at(0) ==
        "1 task of 1 name: 1 moved to stream \"side\", 1 waits for what came before them, 1 of the "
        "next \"^experts$\" (hide it)");
}

TEST_CASE("what if: neighbours that move together wait once, at both ends") {
  GpuStep step = serial_step();
  step.tasks.insert(step.tasks.begin() + 1, task("notify", 0, 2us));
  const EditedStep edited =
      rules(R"({"kernels": "notify|dispatch", "stream": "side"})").apply(step);
  CHECK(waits_of(edited.step) == "notify<-gate shared<-dispatch");
  // Back where they came from, no wait is left.
  const EditedStep back =
      rules(R"({"kernels": "notify|dispatch", "stream": "main"})").apply(edited.step);
  CHECK(waits_of(back.step) == "");
  CHECK(ListedSchedule(back.step).span == 90us);
}

TEST_CASE("what if: times are multiplied or set, and the waiting in them with them") {
  // Communication 35 us of 88: half of it, or 2 us for each of two.
  CHECK(span_with(serial_step(), R"({"class": "communication", "scale": 0.5})") == 70'500ns);
  CHECK(span_with(serial_step(), R"({"family": "DeepEP", "time": "2 us"})") == 57us);
  GpuStep late = serial_step();
  late.tasks[1].skew = 12us;
  CHECK(rules(R"({"phase": "dispatch", "scale": 0.5})").apply(late).step.tasks[1].skew == 6us);
  const EditedStep set = rules(R"({"phase": "dispatch", "time": "9 us"})").apply(late);
  CHECK(set.step.tasks[1].skew == 9us);
  CHECK(set.changes.at(0) ==
        "1 task of 1 name: times set to 9.00 us, 9.00 us in all, 20.0 us before");
}

TEST_CASE("what if: who waited for a removed task waits for what that waited for") {
  CHECK(span_with(serial_step(), R"({"class": "communication", "remove": true})") == 53us);
  // side: dispatch <- gate. Without it experts waits for gate, which its stream implies already.
  const EditedStep edited =
      rules(R"({"phase": "dispatch", "remove": true})").apply(two_stream_step());
  CHECK(edited.step.tasks.size() == 5);
  CHECK(waits_of(edited.step) == "combine<-experts add<-combine");
  // Without experts combine waits for shared, and for dispatch through its stream.
  const EditedStep no_experts =
      rules(R"({"kernels": "experts", "remove": true})").apply(two_stream_step());
  CHECK(waits_of(no_experts.step) == "dispatch<-gate combine<-shared add<-combine");
  CHECK(edited.changes.at(0) == "1 task of 1 name: removed, 20.0 us of work");
}

TEST_CASE("what if: a removed task passes its waits on to the next of its stream") {
  // Without `add`, which waited for combine, the next on main waits for it.
  GpuStep step = two_stream_step();
  step.tasks.push_back(task("next layer", 0, 1us));
  CHECK(waits_of(rules(R"({"kernels": "add", "remove": true})").apply(step).step) ==
        "dispatch<-gate experts<-dispatch combine<-experts next layer<-combine");
}

TEST_CASE("what if: a fence before a task takes over its waits, one after it is waited for") {
  const std::string fence = R"("insert": {"name": "fence", "time": "3 us", "place": )";
  const EditedStep before =
      rules(R"({"kernels": "^combine$", )" + fence + R"("before"}})").apply(two_stream_step());
  CHECK(waits_of(before.step) == "dispatch<-gate experts<-dispatch fence<-experts add<-combine");
  // main: gate 10; shared under dispatch to 30; experts to 60; fence 63, combine 78, add 83.
  CHECK(ListedSchedule(before.step).span == 83us);
  const EditedStep after =
      rules(R"({"kernels": "^combine$", )" + fence + R"("after"}})").apply(two_stream_step());
  CHECK(waits_of(after.step) == "dispatch<-gate experts<-dispatch combine<-experts add<-fence");
  CHECK(ListedSchedule(after.step).span == 83us);
  CHECK(after.step.tasks[5].name == "fence");
  CHECK(after.step.tasks[5].cta_count == 0);
  CHECK(after.changes.at(0) == "1 task of 1 name: \"fence\" of 3.00 us inserted after each");
}

TEST_CASE("what if: a number of blocks changes times by the law that the rule names") {
  const auto dispatch = [](const std::string& ctas) {
    GpuStep step = serial_step();
    step.tasks[1].skew = 4us;  // of 20: 16 of work
    step.tasks[1].link_share = 0.6;
    return rules(R"({"phase": "dispatch", "ctas": )" + ctas + "}").apply(step);
  };
  const EditedStep left = dispatch(R"({"count": 12})");
  CHECK(left.step.tasks[1].cta_count == 12);
  CHECK(left.step.tasks[1].time == 20us);
  CHECK(left.changes.at(0) == "1 task of 1 name: 1 with 12 blocks now, times left as they were");
  // 24 to 12 blocks: 4 + 16 * 24 / 12, at half the share of the links.
  const EditedStep inverse = dispatch(R"({"count": 12, "law": "inverse"})");
  CHECK(inverse.step.tasks[1].time == 36us);
  CHECK(inverse.step.tasks[1].link_share == doctest::Approx(0.3));
  // Saturated at 16: 4 + 16 * 16 / 12 = 25.333 us.
  const EditedStep saturating =
      dispatch(R"({"count": 12, "law": "saturating", "saturates_at": 16})");
  CHECK(saturating.step.tasks[1].time == Duration{25'333'333});
  CHECK(dispatch(R"({"count": 20, "law": "saturating", "saturates_at": 16})").step.tasks[1].time ==
        20us);
}

TEST_CASE("what if: a modelled operation takes a kernel's place, its time asked once") {
  int asked = 0;
  const ReplacementTime replacement = [&](const ReplacementSpec& spec) -> Duration {
    ++asked;
    CHECK(spec.scenario == "folder/../nvl72.json");
    CHECK(spec.operation == "combine");
    return 7us;
  };
  const EditedStep edited = rules(R"({"class": "communication",
                "replace": {"scenario": "../nvl72.json", "operation": "combine", "ctas": 16}})")
                                .apply(serial_step(), replacement);
  CHECK(asked == 1);
  // 88 - 35 + 2 * 7.
  CHECK(ListedSchedule(edited.step).span == 67us);
  CHECK(edited.step.tasks[1].phase == CommunicationPhase::combine);
  CHECK(edited.step.tasks[1].cta_count == 16);
  CHECK(edited.changes.at(0) ==
        "2 tasks of 2 names: replaced by the combine of folder/../nvl72.json, 7.00 us each, "
        "14.0 us in all, 35.0 us before, 16 blocks");
}

TEST_CASE("what if: rules apply in order, each to what the ones before it left") {
  const std::string list = R"({"kernels": "experts", "insert": {"name": "sync", "time": "4 us",
                               "place": "after"}},
                              {"kernels": "^sync$", "scale": 2.5})";
  const EditedStep edited = rules(list).apply(serial_step());
  CHECK(edited.changes.size() == 2);
  CHECK(ListedSchedule(edited.step).span == 98us);
}

TEST_CASE("what if: a rule that is wrong names its file and place") {
  const auto fails = [](const std::string& list, const std::string& message) {
    CHECK_THROWS_WITH_AS(rules(list).apply(serial_step()), message.c_str(), InputError);
  };
  fails(R"({"kernels": "pplx", "remove": true})",
        "folder/rules.json: /rules/0: expected a rule that chooses tasks, found that it chooses "
        "none of the step's 6");
  fails(R"({"remove": true})",
        "folder/rules.json: /rules/0: expected \"kernels\", \"class\", \"phase\" or \"family\", "
        "found none");
  fails(R"({"kernels": "x", "remove": true, "scale": 2})",
        "folder/rules.json: /rules/0: expected one edit of stream, scale, time, remove, insert, "
        "ctas, replace, found 2");
  for (const char* list : {R"({"kernels": "(", "remove": true})",
                           R"({"kernels": "gate", "stream": "side", "consumers": "["})",
                           R"({"kernels": "gate", "remove": false})",
                           R"({"kernels": "gate", "scale": -1})",
                           R"({"kernels": "gate", "time": 3})",
                           R"({"kernels": "gate", "time": "-3 us"})",
                           R"({"kernels": "gate", "stream": ""})",
                           R"({"kernels": "gate", "scale": 2, "consumers": "x"})",
                           R"({"phase": "dispach", "remove": true})",
                           R"({"kernels": "gate", "ctas": {"count": 0}})",
                           R"({"kernels": "gate", "ctas": {"count": 4, "law": "saturating"}})",
                           R"({"kernels": "gate", "replace": {"scenario": "a.json"}})",
                           R"({"kernels": "gate", "insert": {"name": "f", "time": "1 us"}})"}) {
    CAPTURE(list);
    CHECK_THROWS_AS(rules(list), InputError);
  }
  CHECK_THROWS_AS(WhatIfRules::parse(R"({"schema": "epsim.whatif/2", "rules": []})", "r.json"),
                  InputError);
}

TEST_CASE("what if: an expression that doubles its work with each letter still ends") {
  GpuStep step = serial_step();
  step.tasks[0].name = std::string(5000, 'a');
  CHECK_THROWS_AS(rules(R"re({"kernels": "^(a+)+$b", "remove": true})re").apply(step), InputError);
  const std::string nested = std::string(2000, '(') + std::string(2000, ')');
  CHECK_THROWS_AS(rules(R"({"kernels": ")" + nested + R"(", "remove": true})"), InputError);
}

TEST_CASE("what if: no edit makes a step wait for itself, whatever the step and the rules") {
  const char* edits[] = {R"("stream": "main")",
                         R"("stream": "side")",
                         R"("stream": "other", "consumers": "experts|add")",
                         R"("remove": true)",
                         R"("insert": {"name": "gate", "time": "1 us", "place": "before"})",
                         R"("insert": {"name": "add", "time": "1 us", "place": "after"})",
                         R"("ctas": {"count": 7, "law": "inverse"})",
                         R"("scale": 0.9)"};
  const char* names[] = {"gate", "dispatch", "shared", "experts", "combine", "add"};
  Rng rng = Rng(7).stream("what if");
  for (int round = 0; round < 200; ++round) {
    GpuStep step;
    step.streams = {"main", "side", "third"};
    for (std::uint32_t i = 0; i < 30; ++i) {
      step.tasks.push_back(
          task(names[rng.below(6)], static_cast<std::uint32_t>(rng.below(3)), 5us));
      if (i > 0)
        if (const auto producer = static_cast<std::uint32_t>(rng.below(i));
            step.tasks[producer].stream != step.tasks[i].stream)
          step.tasks[i].after = {producer};
    }
    for (int edit = 0; edit < 6; ++edit) {
      const std::string rule = std::string(R"({"kernels": ")") + names[rng.below(6)] + "\", " +
                               edits[rng.below(8)] + "}";
      CAPTURE(rule);
      try {
        step = rules(rule).apply(step).step;
      } catch (const InputError&) {
        // It chose nothing: an earlier rule removed them.
      }
      CHECK_NOTHROW(check_step(step));
    }
  }
}

TEST_CASE("what if: the example rules are read") {
  const auto folder = std::filesystem::path(EPSIM_SOURCE_DIR) / "examples/whatif";
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    CAPTURE(entry.path());
    CHECK(WhatIfRules::read(entry.path()).size() > 0);
    ++count;
  }
  CHECK(count == 7);
}
