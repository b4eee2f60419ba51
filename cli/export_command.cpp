// epsim export: results as a notebook and as a page.
#include <filesystem>
#include <memory>

#include <CLI/CLI.hpp>

#include "cli/commands.hpp"
#include "notebooks_export/export_document.hpp"
#include "sim/base/input_error.hpp"

namespace epsim {
namespace {

struct ExportOptions {
  std::vector<std::string> results;
  std::string notebook;
  std::string html;
};

void export_results(const ExportOptions& options) {
  if (options.notebook.empty() && options.html.empty())
    throw InputError("export", "", "expected --notebook or --html, found neither");
  if (options.notebook == "-" && options.html == "-")
    throw InputError("--html -", "", "only one result goes to stdout");
  ExportDocument document = read_results({options.results.begin(), options.results.end()});
  if (!options.notebook.empty()) document.command += " --notebook " + shell_word(options.notebook);
  if (!options.html.empty()) document.command += " --html " + shell_word(options.html);
  if (!options.notebook.empty()) write_result(options.notebook, notebook_text(document));
  if (!options.html.empty()) write_result(options.html, page_text(document));
}

}  // namespace

void add_export_command(CLI::App& app) {
  CLI::App* verb = app.add_subcommand("export", "write results as a notebook and as a page");
  const auto options = std::make_shared<ExportOptions>();
  verb->add_option("RESULT",
                   options->results,
                   "what --json of run, plan, check --placements, replay or validate wrote, or a "
                   "table of sweep")
      ->required();
  verb->add_option("--notebook", options->notebook, "write a Jupyter notebook, or - for stdout")
      ->type_name("OUT.ipynb");
  verb->add_option("--html", options->html, "write a page that needs no network, or - for stdout")
      ->type_name("OUT.html");
  verb->footer(
      "Example:\n  epsim run examples/deepseek_v3_decode_h200.json --json run.json\n"
      "  epsim export run.json --notebook run.ipynb --html run.html");
  verb->callback([options] { export_results(*options); });
}

}  // namespace epsim
