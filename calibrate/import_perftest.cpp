// perftest (ib_write_lat, ib_write_bw, ...): a title, settings of the run, and a table between
// lines of dashes. Format: src/perftest_parameters.{h,c} of github.com/linux-rdma/perftest. MB and
// MiB there are 2^20 bytes, Gb are 10^9 bits, Mpps counts messages. Latencies of writes and sends
// are half a round trip, those of reads and atomics a whole one.
#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include <fmt/format.h>

#include "calibrate/transfer_import.hpp"

namespace epsim {
namespace {

constexpr double kMebibyteToGb = 1.048576e-3;  // MiB/s to 10^9 bytes a second
constexpr double kGigabitToGb = 0.125;
constexpr double kBytesToGb = 1e-9;
constexpr double kRateTolerance = 0.05;  // rate times size against bandwidth
constexpr double kPrinted = 0.01;        // the last digit of a bandwidth, in its own unit
constexpr std::int64_t kMostQueuePairs = 1'000'000;  // and writes a doorbell
constexpr std::string_view kTitleEnd = " Test";

struct VerbName {
  std::string_view title;
  std::string_view operation;
};
constexpr std::array kVerbs = {VerbName{"RDMA_Write", "rdma_write"},
                               VerbName{"RDMA_Read", "rdma_read"},
                               VerbName{"Send", "send"},
                               VerbName{"Atomic", "atomic"}};

struct Settings {
  std::string_view verb;
  bool is_latency = false;
  bool is_bidirectional = false;
  bool is_on_gpu = false;
  std::uint32_t queue_pairs = 1;
  std::uint32_t writes_per_doorbell = 1;
};

// Columns by name, where a row has them.
struct Table {
  std::map<std::string, std::size_t, std::less<>> columns;
  double to_gb_per_s = 0;
  std::size_t rows = 0;
};

std::string_view trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

bool is_dashes(std::string_view line) {
  const std::string_view text = trim(line);
  return text.size() > 20 && text.find_first_not_of('-') == std::string_view::npos;
}

Settings read_title(const ToolLog& log, std::size_t index, bool is_on_gpu) {
  Settings settings;
  settings.is_on_gpu = is_on_gpu;
  const std::string_view title = trim(log.line(index));
  for (const VerbName& verb : kVerbs)
    if (title.starts_with(verb.title)) settings.verb = verb.operation;
  if (settings.verb.empty())
    log.fail(
        index, "a test of RDMA_Write, RDMA_Read, Send or Atomic", fmt::format("\"{}\"", title));
  settings.is_latency = title.ends_with("Latency Test");
  settings.is_bidirectional = title.find("Bidirectional") != std::string_view::npos;
  return settings;
}

// " Number of qps   : 8            Transport type : IB": the word behind `name` and a colon.
std::string_view setting(const ToolLog& log, std::size_t index, std::string_view name) {
  const std::string_view line = log.line(index);
  const std::size_t at = line.find(name);
  if (at == std::string_view::npos) return {};
  const std::string_view rest = trim(line.substr(at + name.size()));
  if (!rest.starts_with(':')) return {};
  const std::string_view value = trim(rest.substr(1));
  return value.substr(0, value.find_first_of(" \t"));
}

void read_setting(const ToolLog& log, std::size_t index, Settings& settings) {
  const auto whole = [&](std::string_view name, std::uint32_t& number) {
    const std::string_view word = setting(log, index, name);
    if (word.empty()) return;
    const std::int64_t value = log.whole(index, word, name);
    if (value > kMostQueuePairs)
      log.fail(index, fmt::format("{} of at most {}", name, kMostQueuePairs), word);
    number = static_cast<std::uint32_t>(value);
  };
  whole("Number of qps", settings.queue_pairs);
  whole("Post List", settings.writes_per_doorbell);
}

// Names hold blanks: "BW peak[Gb/sec]", "99% percentile[usec]".
Table read_header(const ToolLog& log, std::size_t index, const Settings& settings) {
  Table table;
  std::string name;
  std::size_t column = 0;
  for (const std::string_view word : log.words(index)) {
    name += (name.empty() ? "" : " ") + std::string(word);
    const bool is_whole = word.starts_with('#') || word.find('[') != std::string_view::npos;
    if (!is_whole && name != "tps average") continue;
    const std::string plain = name.substr(0, name.find('['));
    const std::string unit = name.substr(std::min(name.find('['), name.size()));
    if (!table.columns.emplace(plain, column++).second)
      log.fail(index, "each column once", fmt::format("\"{}\" twice", plain));
    name.clear();
    if (plain == "BW average")
      table.to_gb_per_s = unit == "[Gb/sec]"                          ? kGigabitToGb
                          : unit == "[MB/sec]" || unit == "[MiB/sec]" ? kMebibyteToGb
                                                                      : 0;
    if (plain.starts_with("t_") && unit != "[usec]")
      log.fail(index, "times in [usec]", fmt::format("\"{}\"", unit));
  }
  const std::string needed = settings.is_latency ? "t_avg" : "BW average";
  if (!table.columns.contains(needed) || !table.columns.contains("#bytes"))
    log.fail(index,
             fmt::format("a column \"{}\"", needed),
             fmt::format("\"{}\"", trim(log.line(index))));
  if (!settings.is_latency && table.to_gb_per_s == 0)
    log.fail(index, "bandwidths in [Gb/sec], [MB/sec] or [MiB/sec]", "another unit");
  return table;
}

// One row of results, its columns by name.
class Row {
 public:
  Row(const ToolLog& log, std::size_t index, const Table& table)
      : log_(log), index_(index), table_(table), words_(log.words(index)) {
    if (words_.size() != table.columns.size())
      log.fail(index,
               fmt::format("{} columns as in the header", table.columns.size()),
               fmt::format("{}", words_.size()));
  }

  [[nodiscard]] bool has(std::string_view name) const { return table_.columns.contains(name); }
  [[nodiscard]] double positive(std::string_view name) const {
    return log_.positive(index_, word(name), name);
  }
  [[nodiscard]] double not_negative(std::string_view name) const {
    return log_.not_negative(index_, word(name), name);
  }
  [[nodiscard]] Bytes size() const {
    return Bytes{log_.whole(index_, word("#bytes"), "a size in bytes")};
  }
  [[noreturn]] void fail(std::string_view expected, std::string_view found) const {
    log_.fail(index_, expected, found);
  }

 private:
  [[nodiscard]] std::string_view word(std::string_view name) const {
    const auto column = table_.columns.find(name);
    if (column == table_.columns.end()) fail(fmt::format("a column \"{}\"", name), "none");
    return words_[column->second];
  }

  const ToolLog& log_;
  std::size_t index_;
  const Table& table_;
  std::vector<std::string_view> words_;
};

Transfer begin_transfer(const ToolLog& log,
                        std::size_t index,
                        const Settings& settings,
                        Bytes size,
                        std::string_view what) {
  Transfer transfer;
  transfer.tool = "perftest";
  // The rate of writes is what most runs are made for: it has the short name.
  transfer.operation = what == "message_rate" && settings.verb == "rdma_write"
                           ? std::string(what)
                           : fmt::format("{}_{}", settings.verb, what);
  if (settings.is_bidirectional) transfer.operation += "_bidirectional";
  transfer.variant = settings.is_on_gpu ? "gpu" : "host";
  transfer.size = size;
  transfer.queue_pairs = settings.queue_pairs;
  transfer.writes_per_doorbell = settings.writes_per_doorbell;
  transfer.id = fmt::format(
      "{}/{}/{}/{}qp", stem_of(log.file()), transfer.operation, size.count, settings.queue_pairs);
  transfer.file = log.file();
  transfer.place = ToolLog::place(index);
  return transfer;
}

void read_latency(const ToolLog& log,
                  std::size_t index,
                  const Settings& settings,
                  const Row& row,
                  TransferSet& set) {
  Transfer transfer = begin_transfer(log, index, settings, row.size(), "latency");
  transfer.value = row.positive(row.has("t_typical") ? "t_typical" : "t_avg");
  if (row.has("t_min")) {
    const double low = row.positive("t_min");
    const double high = row.positive(row.has("99% percentile") ? "99% percentile" : "t_max");
    const double most = row.positive("t_max");
    if (low > transfer.value || transfer.value > most || high > most)
      row.fail("t_min <= t_typical <= t_max and a percentile within",
               fmt::format("{}, {}, {} and {}", low, transfer.value, most, high));
    transfer.interval = Spread{low, std::max(high, transfer.value)};
  }
  set.records.push_back(std::move(transfer));
}

void read_bandwidth(const ToolLog& log,
                    std::size_t index,
                    const Settings& settings,
                    const Table& table,
                    const Row& row,
                    TransferSet& set) {
  const double printed = row.not_negative("BW average");
  if (row.has("MsgRate")) {
    Transfer rate = begin_transfer(log, index, settings, row.size(), "message_rate");
    rate.value = row.positive("MsgRate");
    rate.unit = TransferUnit::million_per_s;
    const double expected =
        rate.value * 1e6 * static_cast<double>(rate.size.count) * kBytesToGb / table.to_gb_per_s;
    if (std::abs(expected - printed) > kPrinted + kRateTolerance * expected)
      row.fail(fmt::format("a bandwidth of {:.2f}, which is message rate times size", expected),
               fmt::format("{}", printed));
    set.records.push_back(std::move(rate));
  }
  // Two digits behind the point leave nothing of small messages.
  if (printed < kPrinted) return;
  Transfer bandwidth = begin_transfer(log, index, settings, row.size(), "bandwidth");
  bandwidth.value = printed * table.to_gb_per_s;
  bandwidth.unit = TransferUnit::gb_per_s;
  set.records.push_back(std::move(bandwidth));
}

void read_row(const ToolLog& log,
              std::size_t index,
              const Settings& settings,
              Table& table,
              TransferSet& set) {
  const Row row(log, index, table);
  ++table.rows;
  if (settings.is_latency)
    read_latency(log, index, settings, row, set);
  else
    read_bandwidth(log, index, settings, table, row, set);
}

// From the title on; the answer is the line behind the table.
std::size_t read_run(const ToolLog& log, std::size_t title, bool is_on_gpu, TransferSet& set) {
  Settings settings = read_title(log, title, is_on_gpu);
  std::size_t i = title + 1;
  for (; i < log.size() && !trim(log.line(i)).starts_with("#bytes"); ++i) {
    if (begins_perftest(log.line(i)))
      log.fail(i, "\"#bytes\", the header of a table", "a new test");
    read_setting(log, i, settings);
  }
  if (i == log.size()) log.fail_at_end("\"#bytes\", the header of a table");
  Table table = read_header(log, i, settings);
  for (++i; i < log.size() && !is_dashes(log.line(i)); ++i) {
    const auto words = log.words(i);
    // Warnings come in between. A row begins with its size; a sign is for the row to complain of.
    double number = 0;
    if (!words.empty() && parse_decimal(words[0], number)) read_row(log, i, settings, table, set);
  }
  if (i == log.size()) log.fail_at_end("the line of dashes behind the results");
  if (table.rows == 0)
    log.fail(i, "rows of results (a server of a latency test prints none)", "none");
  return i + 1;
}

}  // namespace

bool begins_perftest(std::string_view line) {
  const std::string_view text = trim(line);
  return text.ends_with(kTitleEnd) &&
         (text.ends_with("Latency Test") || text.ends_with("BW Test")) && text.size() < 80;
}

void import_perftest(const ToolLog& log, TransferSet& set) {
  bool is_on_gpu = false;
  for (std::size_t i = 0; i < log.size();) {
    const std::string_view line = log.line(i);
    if (line.find("--use_cuda") != std::string_view::npos ||
        line.find("initializing CUDA") != std::string_view::npos)
      is_on_gpu = true;
    if (begins_perftest(line)) {
      i = read_run(log, i, is_on_gpu, set);
      is_on_gpu = false;
    } else {
      ++i;
    }
  }
}

}  // namespace epsim
