#include "calibrate/sweep.hpp"

#include <algorithm>
#include <array>
#include <ctime>

#include <fmt/format.h>

#include "calibrate/device_error.hpp"
#include "calibrate/gpu_board.hpp"
#include "calibrate/lab.hpp"
#include "calibrate/recording.hpp"
#include "sim/base/input_error.hpp"
#include "sim/base/text_file.hpp"

namespace epsim {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kTries = 3;  // of a point whose GPU slowed down meanwhile
constexpr auto kSaveEvery = std::chrono::seconds(5);

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text.data();
}

std::string version_text(int version) {
  return fmt::format("{}.{}", version / 1000, version % 1000 / 10);
}

Provenance make_provenance(const SweepOptions& options, const GpuBoards& boards) {
  int runtime = 0;
  kernels::cuda_check(cudaRuntimeGetVersion(&runtime));
  return {.host_time_utc = utc_now(),
          .commit = options.commit,
          .dirty = options.dirty,
          .command_line = options.command_line,
          .driver = boards.driver_version(),
          .cuda = version_text(runtime),
          .cupti = CuptiSession::version(),
          .gpus = boards.provenance()};
}

// A file of an earlier run goes on only if this run could have made it.
void check_same_machine(const Measurement& earlier, const Provenance& now) {
  const auto differ = [&](std::string_view what, std::string_view there, std::string_view here) {
    if (there != here)
      throw InputError(
          earlier.file,
          "/provenance",
          fmt::format("measured with {} {}, this is {}; choose another --out", what, there, here));
  };
  const auto hashes = [](const Provenance& provenance) {
    std::string text;
    for (const GpuProvenance& gpu : provenance.gpus) text += " " + gpu.uuid_hash;
    return text;
  };
  differ("commit", earlier.provenance.commit, now.commit);
  differ("driver", earlier.provenance.driver, now.driver);
  differ("GPUs", hashes(earlier.provenance), hashes(now));
}

bool is_measured(const Measurement& file, const Experiment& experiment, const Point& point) {
  return std::any_of(file.points.begin(), file.points.end(), [&](const MeasuredPoint& measured) {
    return measured.experiment == experiment.id && measured.point == point;
  });
}

// One run over experiments and points.
class Sweep {
 public:
  Sweep(const SweepOptions& options, const std::function<void(const SweepProgress&)>& progress)
      : options_(options),
        progress_(progress),
        lab_(options.gpus > 0 ? options.gpus : kernels::visible_gpu_count()),
        boards_(lab_.gpu_count()),
        file_{options.out.string(), make_provenance(options, boards_), {}} {
    if (!std::filesystem::exists(options.out)) return;
    Measurement earlier = read_measurement(options.out);
    check_same_machine(earlier, file_.provenance);
    file_ = std::move(earlier);
  }

  SweepOutcome run() {
    if (!options_.recording.empty()) record_everything();
    std::vector<const Experiment*> todo;
    for (const Experiment* experiment : chosen_experiments(options_.only)) {
      if (experiment->gpus_min > lab_.gpu_count()) {
        outcome_.skipped.push_back(
            fmt::format("{} needs {} GPUs", experiment->id, experiment->gpus_min));
        continue;
      }
      todo.push_back(experiment);
      state_.total += experiment->points(lab_.gpu_count()).size();
    }
    for (const Experiment* experiment : todo) run_experiment(*experiment);
    save();
    if (recording_) recording_->finish();
    return std::move(outcome_);
  }

 private:
  void record_everything() {
    std::vector<RecordedGpu> gpus;
    for (const GpuProvenance& gpu : file_.provenance.gpus)
      gpus.push_back({.name = gpu.name, .sm_count = lab_.gpus().sm_count()});
    recording_.emplace(options_.recording, "CUPTI " + CuptiSession::version(), gpus);
    lab_.cupti().watch(
        [this](const std::vector<GpuRecord>& records) { recording_->write(records); });
  }

  void run_experiment(const Experiment& experiment) {
    Bench bench;  // opened at the first point that is not there yet
    for (const Point& point : experiment.points(lab_.gpu_count())) {
      if (is_measured(file_, experiment, point)) {
        ++outcome_.kept;
        ++state_.done;
        continue;
      }
      if (is_over()) {
        ++outcome_.left;
        continue;
      }
      state_.now = fmt::format("{} {}: {}", experiment.id, experiment.name, point.label());
      progress_(state_);
      try {
        if (!bench) bench = experiment.open(lab_);
        file_.points.push_back(measure(experiment, bench, point));
        ++outcome_.measured;
      } catch (const DeviceError& error) {
        outcome_.failed.push_back(state_.now + ": " + error.what());
      } catch (const kernels::CudaError&) {
        save();  // the context is gone and with it the run; what was measured is not
        throw;
      }
      ++state_.done;
      if (Clock::now() - saved_ > kSaveEvery) save();
    }
  }

  MeasuredPoint measure(const Experiment& experiment, const Bench& bench, const Point& point) {
    MeasuredPoint measured;
    measured.experiment = experiment.id;
    measured.point = point;
    for (int attempt = 1; attempt <= kTries; ++attempt) {
      measured.clocks_before = boards_.clocks();
      measured.result = bench(point);
      measured.clocks_after = boards_.clocks();
      if (experiment.clocks_may_fall || !boards_.throttled()) return measured;
      ++measured.discarded;
    }
    throw DeviceError(fmt::format(
        "the GPU was throttled in {} tries, now at {} MHz", kTries, measured.clocks_after.sm_mhz));
  }

  [[nodiscard]] bool is_over() const {
    return options_.budget && Clock::now() - begun_ > *options_.budget;
  }

  void save() {
    replace_text_file(options_.out, measurement_text(file_));
    saved_ = Clock::now();
  }

  const SweepOptions& options_;
  const std::function<void(const SweepProgress&)>& progress_;
  Clock::time_point begun_ = Clock::now();
  Clock::time_point saved_ = begun_;
  Lab lab_;
  GpuBoards boards_;
  Measurement file_;
  std::optional<RecordingWriter> recording_;
  SweepProgress state_;
  SweepOutcome outcome_;
};

}  // namespace

std::vector<const Experiment*> chosen_experiments(const std::vector<std::string>& only) {
  std::string known;
  for (const Experiment& experiment : experiments())
    known += (known.empty() ? "" : ", ") + std::string(experiment.id);
  for (const std::string& id : only)
    if (std::none_of(experiments().begin(), experiments().end(), [&](const Experiment& e) {
          return e.id == id;
        }))
      throw InputError(
          "--only", "", fmt::format("unknown experiment \"{}\"; there are {}", id, known));
  std::vector<const Experiment*> chosen;
  for (const Experiment& experiment : experiments())
    if (only.empty() || std::find(only.begin(), only.end(), experiment.id) != only.end())
      chosen.push_back(&experiment);
  return chosen;
}

SweepOutcome run_sweep(const SweepOptions& options,
                       const std::function<void(const SweepProgress&)>& progress) {
  return Sweep(options, progress).run();
}

}  // namespace epsim
