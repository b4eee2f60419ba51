#include "cli/sweep_run.hpp"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <tbb/parallel_for.h>

#include "cli/stop_signal.hpp"
#include "sim/base/check.hpp"
#include "sim/base/input_error.hpp"
#include "sim/base/json.hpp"
#include "sim/base/json_writer.hpp"

namespace epsim {
namespace {

// What a worker says: what it has done, and how many points it wants. Its first words carry the
// sweep as it read it, or why it could not.
struct WorkerWords {
  std::int64_t wanted = 0;
  std::string sweep;
  std::string failure;
  std::vector<std::pair<std::uint64_t, std::string>> done;  // points and their rows
};

std::string words_text(const WorkerWords& words) {
  JsonWriter writer(0);
  writer.begin_object().field("wanted", words.wanted);
  if (!words.sweep.empty()) writer.field("sweep", words.sweep);
  if (!words.failure.empty()) writer.field("failure", words.failure);
  writer.key("done").begin_array();
  for (const auto& [point, rows] : words.done)
    writer.begin_array().value(point).value(rows).end_array();
  return writer.end_array().end_object().take();
}

WorkerWords read_words(const MpiMessage& message) {
  const std::string name = fmt::format("a message of rank {}", message.source);
  JsonObject object = JsonDocument::parse(message.text, name).root().object();
  WorkerWords words;
  words.wanted = object.required("wanted").integer_in(1, 1'000'000);
  if (const auto sweep = object.optional("sweep")) words.sweep = sweep->string();
  if (const auto failure = object.optional("failure")) words.failure = failure->string();
  for (const JsonValue& entry : object.required("done").array()) {
    const std::vector<JsonValue> parts = entry.array();
    words.done.emplace_back(parts.at(0).integer_in(0, kMostPoints), parts.at(1).string());
  }
  object.finish();
  return words;
}

std::string points_text(const std::vector<std::uint64_t>& points) {
  JsonWriter writer(0);
  writer.begin_array();
  for (const std::uint64_t point : points) writer.value(point);
  return writer.end_array().take();
}

std::vector<std::uint64_t> read_points(const MpiMessage& message) {
  std::vector<std::uint64_t> points;
  for (const JsonValue& point : JsonDocument::parse(message.text, "a message").root().array())
    points.push_back(static_cast<std::uint64_t>(point.integer_in(0, kMostPoints)));
  return points;
}

constexpr int kMaster = 0;

}  // namespace

std::vector<std::optional<std::string>> glance_at_points(const ScenarioSweep& sweep,
                                                         SweepSimulator& simulator,
                                                         std::size_t jobs) {
  std::vector<std::optional<std::string>> refusals(sweep.point_count());
  // Each point fills its own place, so the order in which they end changes nothing.
  std::atomic<std::uint64_t> next = 0;
  tbb::parallel_for(std::size_t{0}, jobs, [&](std::size_t) {
    for (std::uint64_t p = next++; p < refusals.size() && !StopSignal::is_raised(); p = next++)
      refusals[p] = simulator.refusal(p);
  });
  return refusals;
}

void run_points_here(SweepSimulator& simulator,
                     const std::vector<std::uint64_t>& points,
                     std::size_t jobs,
                     const KeepPoint& keep) {
  std::atomic<std::size_t> next = 0;
  std::mutex keeping;
  tbb::parallel_for(std::size_t{0}, jobs, [&](std::size_t) {
    while (!StopSignal::is_raised()) {
      const std::size_t i = next++;
      if (i >= points.size()) return;
      const std::string rows = sweep_rows_text(simulator.run(points[i]));
      const std::lock_guard lock(keeping);
      keep(points[i], rows);
    }
  });
}

void hand_out_points(MpiWorld& world,
                     const ScenarioSweep& sweep,
                     const std::vector<std::uint64_t>& points,
                     const KeepPoint& keep) {
  std::size_t next = 0;
  for (int working = world.size() - 1; working > 0;) {
    const MpiMessage message = world.receive();
    const WorkerWords words = read_words(message);
    const std::string name = fmt::format("rank {}", message.source);
    if (!words.failure.empty()) throw InputError(name, "", words.failure);
    if (!words.sweep.empty() && words.sweep != sweep.resolved())
      throw InputError(
          name, "", fmt::format("reads another {} than rank 0; expected the same", sweep.file));
    for (const auto& [point, rows] : words.done) keep(point, rows);
    std::vector<std::uint64_t> given;
    while (!StopSignal::is_raised() && next < points.size() &&
           static_cast<std::int64_t>(given.size()) < words.wanted)
      given.push_back(points[next++]);
    world.send(message.source, points_text(given));
    if (given.empty()) --working;
  }
}

void dismiss_workers(MpiWorld& world) {
  for (int working = world.size() - 1; working > 0; --working)
    world.send(world.receive().source, points_text({}));
}

void work_on_points(MpiWorld& world, const std::string& sweep_file, std::size_t jobs) {
  WorkerWords words{
      .wanted = static_cast<std::int64_t>(jobs), .sweep = {}, .failure = {}, .done = {}};
  const StopSignal ignored(false);  // rank 0 stops; what is in progress here is finished
  ScenarioSweep sweep;
  try {
    sweep = load_scenario_sweep(sweep_file);
    words.sweep = sweep.resolved();
  } catch (const InputError& error) {
    words.failure = error.what();
  }
  SweepSimulator simulator(sweep);
  for (;;) {
    world.send(kMaster, words_text(words));
    const std::vector<std::uint64_t> points = read_points(world.receive());
    if (points.empty()) return;
    words = {.wanted = words.wanted, .sweep = {}, .failure = {}, .done = {}};
    words.done.resize(points.size());
    // Each point fills its own place.
    tbb::parallel_for(std::size_t{0}, points.size(), [&](std::size_t i) {
      words.done[i] = {points[i], sweep_rows_text(simulator.run(points[i]))};
    });
  }
}

}  // namespace epsim
