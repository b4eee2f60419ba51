#include "calibrate/transfer_import.hpp"

#include <set>

#include <fmt/format.h>

#include "sim/base/input_error.hpp"
#include "sim/base/text_file.hpp"

namespace epsim {
namespace {

constexpr Bytes kLargestLog{64LL << 20};
constexpr std::size_t kShownOfALine = 60;

bool is_json(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  return begin != std::string_view::npos && text[begin] == '{';
}

[[noreturn]] void fail_unknown(const ToolLog& log) {
  for (std::size_t i = 0; i < log.size(); ++i)
    if (log.line(i).starts_with("nvbandwidth Version"))
      log.fail(i, "JSON (run nvbandwidth -j)", "nvbandwidth's table for people");
  std::size_t first = 0;
  while (log.words(first).empty()) ++first;
  log.fail(first,
           "the output of nvbandwidth -j, of an nccl-tests program or of a perftest program",
           fmt::format("\"{}\"", log.line(first).substr(0, kShownOfALine)));
}

void import_log(const ToolLog& log, TransferSet& set) {
  constexpr auto kNone = static_cast<std::size_t>(-1);
  std::size_t nccl = kNone;
  std::size_t perftest = kNone;
  for (std::size_t i = log.size(); i-- > 0;) {
    if (begins_nccl_test(log.line(i))) nccl = i;
    if (begins_perftest(log.line(i))) perftest = i;
  }
  if (nccl != kNone && perftest != kNone)
    log.fail(
        std::max(nccl, perftest),
        "the output of one tool a file",
        fmt::format(
            "perftest ({}) and nccl-tests ({})", ToolLog::place(perftest), ToolLog::place(nccl)));
  if (nccl != kNone) return import_nccl_tests(log, set);
  if (perftest != kNone) return import_perftest(log, set);
  fail_unknown(log);
}

// Two runs of one shape are two records.
void tell_apart(std::vector<Transfer>& records) {
  std::set<std::string> seen;
  for (Transfer& record : records) {
    const std::string plain = record.id;
    for (int copy = 2; !seen.insert(record.id).second; ++copy)
      record.id = fmt::format("{}#{}", plain, copy);
  }
}

}  // namespace

std::string stem_of(const std::string& file) {
  return std::filesystem::path(file).stem().string();
}

TransferSet import_transfers(std::span<const std::filesystem::path> files) {
  TransferSet set;
  for (const std::filesystem::path& path : files) {
    const std::string text = read_text_file(path, kLargestLog);
    const std::string file = path.generic_string();
    const ToolLog log(file, text);
    const std::size_t before = set.records.size();
    if (is_json(text))
      import_nvbandwidth(text, file, set);
    else
      import_log(log, set);
    if (set.records.size() == before)
      throw InputError(file, "", "expected at least one figure, found none");
    set.files.push_back(file);
  }
  tell_apart(set.records);
  return set;
}

}  // namespace epsim
