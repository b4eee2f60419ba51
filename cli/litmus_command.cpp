// epsim litmus: whether the ends that litmus tests ask about can be reached, and whether their
// files say so too.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <memory>

#include <fmt/format.h>
#include <tbb/global_control.h>
#include <tbb/parallel_for.h>
#include <CLI/CLI.hpp>

#include "cli/commands.hpp"
#include "cli/progress.hpp"
#include "sim/base/input_error.hpp"
#include "sim/litmus/litmus_score.hpp"

namespace epsim {
namespace {

namespace fs = std::filesystem;

constexpr int kDisagrees = 1;

struct LitmusOptions {
  std::vector<std::string> paths;
  std::string model;
  std::string json;
  int jobs = 1;
  bool is_verbose = false;
  bool has_witness = false;
};

// The tests of a folder and of those in it, by name. An index of tests is no test.
std::vector<fs::path> tests_in(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file() && entry.path().extension() == ".json" &&
        entry.path().filename() != "index.json")
      files.push_back(entry.path());
  if (files.empty()) throw InputError(folder.string(), "", "expected litmus tests, found none");
  std::sort(files.begin(), files.end());
  return files;
}

std::vector<fs::path> files_of(const std::vector<std::string>& paths) {
  std::vector<fs::path> files;
  for (const fs::path path : paths) {
    if (!fs::is_directory(path)) {
      files.push_back(path);
      continue;
    }
    const std::vector<fs::path> found = tests_in(path);
    files.insert(files.end(), found.begin(), found.end());
  }
  return files;
}

std::optional<LitmusModel> model_of(const std::string& name) {
  const auto found = std::find(kLitmusModelNames.begin(), kLitmusModelNames.end(), name);
  if (found == kLitmusModelNames.end()) return std::nullopt;
  return static_cast<LitmusModel>(found - kLitmusModelNames.begin());
}

struct Judged {
  std::vector<LitmusResult> results;    // of the files that could be read
  std::vector<std::exception_ptr> bad;  // of the others
};

Judged judge(const std::vector<fs::path>& files, std::optional<LitmusModel> model) {
  Progress progress("litmus", files.size());
  std::vector<std::optional<LitmusResult>> results(files.size());
  std::vector<std::exception_ptr> errors(files.size());
  tbb::parallel_for(std::size_t{0}, files.size(), [&](std::size_t i) {
    try {
      results[i] = score(read_litmus_test(files[i]), model);
    } catch (const InputError&) {
      errors[i] = std::current_exception();
    }
    progress.step();
  });
  Judged judged;
  for (std::optional<LitmusResult>& result : results)
    if (result) judged.results.push_back(std::move(*result));
  for (const std::exception_ptr& error : errors)
    if (error) judged.bad.push_back(error);
  return judged;
}

// One bad file does not hide what the others say: all but the last are told of here.
void refuse_bad_files(const std::vector<std::exception_ptr>& bad) {
  for (std::size_t i = 0; i < bad.size(); ++i) {
    if (i + 1 == bad.size()) std::rethrow_exception(bad[i]);
    try {
      std::rethrow_exception(bad[i]);
    } catch (const InputError& error) {
      fmt::print(stderr, "epsim: {}\n", error.what());
    }
  }
}

void litmus(const LitmusOptions& options) {
  const tbb::global_control jobs(tbb::global_control::max_allowed_parallelism,
                                 static_cast<std::size_t>(options.jobs));
  const auto start = std::chrono::steady_clock::now();
  const Judged judged = judge(files_of(options.paths), model_of(options.model));
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
  if (!judged.results.empty()) {
    const LitmusDetail detail = options.has_witness  ? LitmusDetail::witnesses
                                : options.is_verbose ? LitmusDetail::each_test
                                                     : LitmusDetail::summary;
    if (!options.json.empty()) write_result(options.json, litmus_json(judged.results));
    if (options.json != "-") print_result(litmus_text(judged.results, detail));
    fmt::print(stderr, "litmus: {:.0f} ms\n", took.count());
  }
  refuse_bad_files(judged.bad);
  const SuiteScore total = summarize(judged.results).total;
  if (total.missed + total.false_alarms > 0) throw CLI::RuntimeError(kDisagrees);
}

}  // namespace

void add_litmus_command(CLI::App& app) {
  CLI::App* verb = app.add_subcommand("litmus", "decide litmus tests exactly, and score them");
  const auto options = std::make_shared<LitmusOptions>();
  verb->add_option("PATH", options->paths, "litmus-json/1 files, or folders of them")->required();
  verb->add_option("--model", options->model, "else the newest that a file has a verdict for")
      ->check(
          CLI::IsMember({std::string(kLitmusModelNames[0]), std::string(kLitmusModelNames[1])}));
  add_json_option(*verb, options->json);
  verb->add_option("--jobs", options->jobs, "threads; results are the same for any number")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  verb->add_flag("--verbose", options->is_verbose, "a line for each test");
  verb->add_flag("--witness",
                 options->has_witness,
                 "and for each reachable one an execution: who reads from whom");
  verb->footer("Example:\n  epsim litmus tests/litmus --verbose");
  verb->callback([options] { litmus(*options); });
}

}  // namespace epsim
