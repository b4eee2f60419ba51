// epsim check: what may be read stale, overwritten too early, lost or never end.
#include <algorithm>
#include <filesystem>
#include <memory>

#include <tbb/global_control.h>
#include <CLI/CLI.hpp>

#include "cli/checked_files.hpp"
#include "cli/commands.hpp"
#include "sim/base/input_error.hpp"
#include "sim/hazards/finding_json.hpp"
#include "sim/hazards/finding_text.hpp"
#include "sim/hazards/sarif.hpp"

namespace epsim {
namespace {

constexpr int kFoundHazards = 3;

struct CheckVerbOptions {
  CheckRequest request;
  std::optional<std::int64_t> seed;
  bool placements = false;
  std::string json;
  std::string sarif;
  int jobs = 2;
};

// What the scenario asks for is found wanting, whatever other placements are.
bool has_hazard(const PlacementTable& table, bool lenient) {
  return std::any_of(table.rows.begin(), table.rows.end(), [&](const PlacementRow& row) {
    return row.fence == table.chosen && (lenient ? row.lenient : row.strict) != Verdict::ok;
  });
}

bool compare(const CheckVerbOptions& options) {
  if (!options.sarif.empty())
    throw InputError("--sarif", "", "placements are compared in text or JSON");
  const std::vector<PlacementTable> tables = placement_tables(options.request);
  if (!options.json.empty()) write_result(options.json, placements_json(tables));
  if (options.json != "-") print_result(placements_text(tables));
  return std::any_of(tables.begin(), tables.end(), [&](const PlacementTable& table) {
    return has_hazard(table, options.request.options.lenient);
  });
}

bool find(const CheckVerbOptions& options) {
  if (options.json == "-" && options.sarif == "-")
    throw InputError("--sarif -", "", "only one result goes to stdout");
  const std::vector<CheckedFile> files = check_files(options.request);
  if (!options.json.empty()) write_result(options.json, hazards_json(files));
  if (!options.sarif.empty())
    write_result(options.sarif, sarif_text(files, std::filesystem::current_path()));
  if (options.json != "-" && options.sarif != "-") print_result(hazards_text(files));
  return finding_count(files) > 0;
}

void check_or_compare(CheckVerbOptions options) {
  const tbb::global_control jobs(tbb::global_control::max_allowed_parallelism,
                                 static_cast<std::size_t>(options.jobs));
  if (options.seed) options.request.settings.push_back("seed=" + std::to_string(*options.seed));
  const bool found = options.placements ? compare(options) : find(options);
  if (found) throw CLI::RuntimeError(kFoundHazards);
}

}  // namespace

void add_check_command(CLI::App& app) {
  CLI::App* verb = app.add_subcommand(
      "check", "find hazards of scenarios, protocols and call sequences; exit 3 if there are any");
  const auto options = std::make_shared<CheckVerbOptions>();
  CheckRequest& request = options->request;
  verb->add_option("FILE", request.paths, "epsim.scenario/1, epsim.protocol/1 or epsim.calls/1")
      ->required();
  add_setting_option(*verb, request.settings);
  add_seed_option(*verb, options->seed);
  verb->add_flag("--lenient", request.options.lenient, "accept a proxy fence anywhere on the path");
  verb->add_flag("--placements", options->placements, "compare all fence placements of scenarios");
  verb->add_flag("--eager", request.eager, "of scenarios: their calls are not captured in a graph");
  verb->add_option("--variant", request.variant, "of a protocol; all of them without it")
      ->type_name("NAME");
  verb->add_option("--most", request.options.most_findings, "findings of a program to report")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  add_json_option(*verb, options->json);
  verb->add_option("--sarif", options->sarif, "write SARIF 2.1.0 to a file, or - for stdout")
      ->type_name("FILE");
  verb->add_option("--jobs", options->jobs, "threads; results are the same for any number")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  verb->footer(
      "Example:\n  epsim check examples/deepseek_v3_decode_h200.json --set combine.fence=P3 \\\n"
      "    --sarif hazards.sarif");
  verb->callback([options] { check_or_compare(*options); });
}

}  // namespace epsim
