// epsim calibrate import: what standard tools print, as transfers.
#include <memory>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "calibrate/transfer_import.hpp"
#include "cli/output.hpp"
#include "cli/verbs.hpp"
#include "sim/base/text_file.hpp"

namespace epsim {
namespace {

struct Options {
  std::vector<std::string> files;
  std::string system;
  std::string out;
};

std::string shape_of(const Transfer& record) {
  if (record.pair) return fmt::format("gpu{} to gpu{}", record.pair->first, record.pair->second);
  if (record.ranks > 0) return fmt::format("{} ranks", record.ranks);
  if (record.queue_pairs > 0)
    return fmt::format("{} queue pair{}", record.queue_pairs, record.queue_pairs == 1 ? "" : "s");
  return "";
}

std::string table_of(const TransferSet& set) {
  std::string text = fmt::format("{:<28}{:<14}{:>12}  {:<15}{:>12} {:<8}{:<18}{}\n",
                                 "operation",
                                 "how",
                                 "bytes",
                                 "between",
                                 "value",
                                 "unit",
                                 "spread",
                                 "place");
  for (const Transfer& record : set.records)
    text += fmt::format(
        "{:<28}{:<14}{:>12}  {:<15}{:>12.6g} {:<8}{:<18}{} {}\n",
        record.operation,
        record.variant,
        record.size > Bytes{} ? std::to_string(record.size.count) : "",
        shape_of(record),
        record.value,
        name_of(record.unit),
        record.interval
            ? fmt::format("{:.4g} to {:.4g}", record.interval->low, record.interval->high)
            : "",
        record.file,
        record.place);
  return text;
}

void run_import(const Options& options) {
  TransferSet set = import_transfers(
      std::vector<std::filesystem::path>(options.files.begin(), options.files.end()));
  set.system = options.system;
  if (!options.out.empty()) write_result(options.out, transfers_text(set));
  if (options.out == "-") return;
  std::string text = table_of(set);
  for (const std::string& note : set.notes) text += note + "\n";
  text += fmt::format("{} transfers of {} file{}{}\n",
                      set.records.size(),
                      set.files.size(),
                      set.files.size() == 1 ? "" : "s",
                      options.out.empty() ? "" : ", wrote " + options.out);
  print_result(text);
}

}  // namespace

void add_import_verb(CLI::App& calibrate) {
  const auto options = std::make_shared<Options>();
  CLI::App* verb =
      calibrate.add_subcommand("import", "read figures of nvbandwidth -j, nccl-tests and perftest");
  verb->add_option("FILE", options->files, "output of one tool each; which one, it says itself")
      ->required();
  verb->add_option("--out", options->out, "epsim.transfers/1 to write, or - for stdout");
  verb->add_option("--system", options->system, "what the measured system is called");
  verb->footer(
      "Example:\n  epsim calibrate import examples/imports/perftest_ib_write_lat_hdr200.txt \\\n"
      "    examples/imports/perftest_ib_write_bw_hdr200.txt --out transfers.json");
  verb->callback([options] { run_import(*options); });
}

}  // namespace epsim
