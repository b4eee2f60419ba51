// nccl-tests: a line a rank, a table whose right half comes twice (out of place, in place), and
// footers. Format: src/util.cu and doc/PERFORMANCE.md of github.com/NVIDIA/nccl-tests; GB there are
// 10^9 bytes, and the size of a row is what each rank holds.
#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include <fmt/format.h>

#include "calibrate/transfer_import.hpp"

namespace epsim {
namespace {

struct TestName {
  std::string_view program;
  std::string_view operation;
};
constexpr std::array kTests = {TestName{"all_reduce_perf", "allreduce"},
                               TestName{"all_gather_perf", "allgather"},
                               TestName{"alltoall_perf", "alltoall"},
                               TestName{"broadcast_perf", "broadcast"},
                               TestName{"gather_perf", "gather"},
                               TestName{"reduce_perf", "reduce"},
                               TestName{"reduce_scatter_perf", "reduce_scatter"},
                               TestName{"scatter_perf", "scatter"},
                               TestName{"sendrecv_perf", "sendrecv"}};
constexpr std::array<std::string_view, 2> kVariants = {"out_of_place", "in_place"};
// From the left: these may be missing in a row of a test that has none of them.
constexpr std::size_t kAlwaysThere = 3;  // size, count, type
constexpr double kBytesPerUsToGb = 1e-3;
constexpr double kRateTolerance = 0.01;  // of size over time against algbw
constexpr double kPrinted = 0.006;       // half of algbw's last digit, and a little

// Columns of one half, counted from the right end of a row.
struct Half {
  std::size_t time = 0;
  std::size_t rate = 0;   // algbw
  std::size_t wrong = 0;  // 0: the tool did not check, or in a way of its own
};

// One run in a log, which may hold several.
struct Run {
  std::string_view operation;
  std::set<std::int64_t> ranks;
  std::size_t rank_line = 0;
  std::size_t columns = 0;  // 0 until the header has come
  std::vector<Half> halves;
  std::size_t rows = 0;
  bool is_open = false;
};

// The program whose name a line holds, or nothing.
std::string_view operation_in(std::string_view line) {
  for (const TestName& test : kTests) {
    const std::size_t at = line.find(test.program);
    if (at == std::string_view::npos) continue;
    // "all_gather_perf" holds "gather_perf".
    if (at > 0 && (line[at - 1] == '_' || (line[at - 1] >= 'a' && line[at - 1] <= 'z'))) continue;
    return test.operation;
  }
  return {};
}

bool is_columns_header(const std::vector<std::string_view>& words) {
  return words.size() > 2 && words[0] == "#" && words[1] == "size";
}

void read_header(const ToolLog& log, std::size_t index, Run& run) {
  const auto words = log.words(index);
  run.columns = words.size() - 1;
  run.halves.clear();
  for (std::size_t i = 1; i < words.size(); ++i) {
    const std::size_t from_right = words.size() - i;
    if (words[i] == "time") run.halves.push_back({.time = from_right});
    if (words[i] == "algbw" && !run.halves.empty()) run.halves.back().rate = from_right;
    if (words[i] == "#wrong" && !run.halves.empty()) run.halves.back().wrong = from_right;
  }
  const auto rates = std::count(words.begin(), words.end(), "algbw");
  const bool has_rates = std::all_of(
      run.halves.begin(), run.halves.end(), [](const Half& half) { return half.rate > 0; });
  if (run.halves.empty() || run.halves.size() > kVariants.size() || !has_rates ||
      rates != static_cast<std::ptrdiff_t>(run.halves.size()))
    log.fail(index,
             "a column \"time\" before each of one or two columns \"algbw\"",
             fmt::format("{} and {}", run.halves.size(), rates));
  const auto units = index + 1 < log.size() ? log.words(index + 1) : words;
  if (std::find(units.begin(), units.end(), "(us)") == units.end())
    log.fail(std::min(index + 1, log.size() - 1),
             "the units of the columns, times in (us)",
             fmt::format("\"{}\"", log.line(std::min(index + 1, log.size() - 1))));
}

void read_rank(const ToolLog& log, std::size_t index, Run& run) {
  const auto words = log.words(index);  // #  Rank  0 Group ...
  if (words.size() < 4 || !is_whole_number(words[2]))
    log.fail(index, "the number of a rank", fmt::format("\"{}\"", log.line(index)));
  run.ranks.insert(words[2] == "0" ? 0 : log.whole(index, words[2], "a rank"));
  run.rank_line = index;
}

void check_ranks(const ToolLog& log, const Run& run, std::size_t index) {
  if (run.ranks.empty()) log.fail(index, "lines \"#  Rank  0 ...\" above the table", "none");
  const std::int64_t greatest = *run.ranks.rbegin();
  if (greatest + 1 != static_cast<std::int64_t>(run.ranks.size()))
    log.fail(run.rank_line,
             fmt::format("a line for each of {} ranks", greatest + 1),
             fmt::format("{}", run.ranks.size()));
}

void read_row(const ToolLog& log, std::size_t index, Run& run, TransferSet& set) {
  const auto words = log.words(index);
  const std::size_t right = run.halves.front().time;
  if (words.size() > run.columns || words.size() < kAlwaysThere + right)
    log.fail(index,
             fmt::format("{} columns as in the header", run.columns),
             fmt::format("{}", words.size()));
  if (run.rows == 0) check_ranks(log, run, index);
  ++run.rows;
  const std::int64_t size = log.whole(index, words[0], "a size in bytes");
  for (std::size_t half = 0; half < run.halves.size(); ++half) {
    const Half& columns = run.halves[half];
    if (columns.wrong > 0) {
      const std::string_view wrong = words[words.size() - columns.wrong];
      if (wrong != "N/A" && log.not_negative(index, wrong, "a number of wrong values") > 0)
        log.fail(index, "0 wrong values", fmt::format("{} {}", wrong, kVariants[half]));
    }
    const double time = log.positive(index, words[words.size() - columns.time], "a time in us");
    const double rate = static_cast<double>(size) / time * kBytesPerUsToGb;
    const std::string_view printed = words[words.size() - columns.rate];
    if (std::abs(log.not_negative(index, printed, "algbw") - rate) >
        kPrinted + kRateTolerance * rate)
      log.fail(index,
               fmt::format("an algbw of {:.2f} GB/s, which is size over time", rate),
               fmt::format("{}", printed));
    Transfer transfer;
    transfer.id =
        fmt::format("{}/{}/{}/{}", stem_of(log.file()), run.operation, size, kVariants[half]);
    transfer.tool = "nccl-tests";
    transfer.operation = run.operation;
    transfer.variant = kVariants[half];
    transfer.size = Bytes{size};
    transfer.ranks = static_cast<std::uint32_t>(run.ranks.size());
    transfer.value = time;
    transfer.file = log.file();
    transfer.place = ToolLog::place(index);
    set.records.push_back(std::move(transfer));
  }
}

void check_footer(const ToolLog& log, std::size_t index) {
  const auto words = log.words(index);  // # Out of bounds values : 0 OK
  if (words.back() != "OK")
    log.fail(index, "\"Out of bounds values : 0 OK\"", fmt::format("\"{}\"", log.line(index)));
}

void begin_run(const ToolLog& log, std::size_t index, std::string_view operation, Run& run) {
  if (run.is_open) log.fail(index, "\"# Avg bus bandwidth\" of the run before", "another run");
  if (operation.empty())
    log.fail(index,
             "the name of the test above, in its command or as \"# Collective test starting: "
             "alltoall_perf\"",
             "none that is known");
  run = Run{};
  run.operation = operation;
  run.is_open = true;
}

}  // namespace

bool begins_nccl_test(std::string_view line) {
  return line.starts_with("# nThread ");
}

void import_nccl_tests(const ToolLog& log, TransferSet& set) {
  Run run;
  std::string_view operation;
  for (std::size_t i = 0; i < log.size(); ++i) {
    const std::string_view line = log.line(i);
    if (begins_nccl_test(line)) {
      begin_run(log, i, operation, run);
      operation = {};
      continue;
    }
    if (!run.is_open) {
      const bool is_footer = line.find("concluded") != std::string_view::npos;
      if (const std::string_view named = operation_in(line); !named.empty() && !is_footer)
        operation = named;
      continue;
    }
    const auto words = log.words(i);
    if (words.empty()) continue;
    if (is_columns_header(words)) {
      read_header(log, i, run);
    } else if (words[0] == "#" && words.size() > 1 && words[1] == "Rank") {
      read_rank(log, i, run);
    } else if (double number = 0; run.columns > 0 && parse_decimal(words[0], number)) {
      read_row(log, i, run, set);
    } else if (line.starts_with("# Out of bounds values")) {
      check_footer(log, i);
    } else if (line.starts_with("# Avg bus bandwidth")) {
      if (run.rows == 0) log.fail(i, "rows of results above", "none");
      run.is_open = false;
    }
  }
  if (run.is_open) log.fail_at_end("\"# Avg bus bandwidth\"");
}

}  // namespace epsim
