// Speed and memory of reading a PyTorch profiler dump.
//
//   bench_trace_reading DUMP.json.gz [--bytes 1000000000] [--keep FILE]
//   bench_trace_reading --quick
//
// The events of a real dump are repeated, times and correlations shifted so that the result is a
// valid dump, into a temporary file of that size. It is read three times; each reading must find
// every event. Told are the median speed, by the time that the one core worked and by the clock on
// the wall, and the peak memory of the process, which only generates and reads. --quick does the
// same with a few events of its own and a small file.
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/base/check.hpp"
#include "sim/base/input_error.hpp"
#include "sim/base/text_file.hpp"
#include "traces/byte_stream.hpp"
#include "traces/gpu_trace.hpp"
#include "traces/json_splitter.hpp"
#include "traces/kineto_reader.hpp"

using namespace epsim;

namespace {

constexpr std::string_view kOwnSample = R"json({
  "schemaVersion": 1,
  "deviceProperties": [{"id": 0, "name": "GPU", "numSms": 132}],
  "distributedInfo": {"backend": "nccl", "rank": 0, "world_size": 4},
  "baseTimeNanoseconds": 1700000000000000000,
  "traceEvents": [
  {
    "ph": "X", "cat": "cpu_op", "name": "aten::mm", "pid": 10, "tid": 10,
    "ts": 1000000.000, "dur": 50.250,
    "args": {
      "External id": 1,"Record function id": 0, "Input Dims": [[4096, 7168], [7168, 512]], "Ev Idx": 0
    }
  },
  {
    "ph": "X", "cat": "cuda_runtime", "name": "cudaLaunchKernel", "pid": 10, "tid": 10,
    "ts": 1000010.125, "dur": 6.500,
    "args": {
      "External id": 1, "cbid": 211, "correlation": 1
    }
  },
  {
    "ph": "s", "id": 1, "pid": 10, "tid": 10, "ts": 1000010.125,
    "cat": "ac2g", "name": "ac2g"
  },
  {
    "ph": "X", "cat": "kernel", "name": "void gemm<128, 64>(float const*, \"]}\")", "pid": 0, "tid": 7,
    "ts": 1000020.001, "dur": 167.903,
    "args": {
      "External id": 1,      "queued": 0, "device": 0, "context": 1,      "stream": 7, "correlation": 1,      "registers per thread": 168,      "shared memory": 213188,      "grid": [2, 66, 1],      "block": [384, 1, 1]
    }
  },
  {
    "ph": "f", "id": 1, "pid": 0, "tid": 7, "ts": 1000020.001,
    "cat": "ac2g", "name": "ac2g", "bp": "e"
  }
  ],
  "traceName": "own sample"
}
)json";

// How long a dump's events take together, and a millisecond more.
std::int64_t span_us(const GpuTrace& trace) {
  Instant first{}, last{};
  const auto widen = [&](const auto& all) {
    for (const auto& one : all) {
      first = std::min(first, one.start);
      last = std::max(last, one.start + one.time);
    }
  };
  widen(trace.activities);
  widen(trace.calls);
  widen(trace.ranges);
  return static_cast<std::int64_t>(to_us(last - first)) + 1000;
}

// A dump's text, cut at the numbers that differ between repetitions.
struct Template {
  struct Piece {
    std::string_view text;    // as it stands, before the number
    std::int64_t number = 0;  // whole part
    std::int64_t shift = 0;   // added with each repetition
  };
  std::string_view front, back;  // of the array
  std::vector<Piece> pieces;
  std::string_view rest;  // of the events, behind the last number
};

// The number behind `key` at or after `from`, if the key is there.
struct FoundKey {
  std::size_t begin, end;
  std::int64_t shift;
};

std::optional<FoundKey> next_number(std::string_view text, std::size_t from, std::int64_t span_us) {
  struct Key {
    std::string_view text;
    std::int64_t shift;
  };
  const std::array keys = {Key{R"("ts": )", span_us},
                           Key{R"("correlation": )", 1'000'000},
                           Key{R"("id": )", 1'000'000},
                           Key{R"("External id": )", 1'000'000}};
  for (std::size_t at = text.find('"', from); at != std::string_view::npos;
       at = text.find('"', at + 1)) {
    for (const Key& key : keys) {
      if (!text.substr(at).starts_with(key.text)) continue;
      const std::size_t begin = at + key.text.size();
      std::size_t end = begin;
      while (end < text.size() && text[end] >= '0' && text[end] <= '9') ++end;
      if (end > begin) return FoundKey{begin, end, key.shift};
    }
  }
  return std::nullopt;
}

Template template_of(std::string_view dump, std::int64_t span_us) {
  Template result;
  ByteStream stream = ByteStream::of_bytes(dump, "the dump itself");
  JsonSplitter splitter(stream, "traceEvents");
  std::size_t begin = 0, end = 0;  // of the events
  for (JsonPiece piece; splitter.next(piece);) {
    if (!piece.is_element) continue;
    if (end == 0) begin = static_cast<std::size_t>(piece.offset);
    end = static_cast<std::size_t>(piece.offset) + piece.text.size();
  }
  check(end > begin, "the dump has events");
  result.front = dump.substr(0, begin);
  const std::string_view events = dump.substr(begin, end - begin);
  result.back = dump.substr(end);
  std::size_t from = 0;
  while (const std::optional<FoundKey> found = next_number(events, from, span_us)) {
    Template::Piece piece;
    piece.text = events.substr(from, found->begin - from);
    std::from_chars(events.data() + found->begin, events.data() + found->end, piece.number);
    piece.shift = found->shift;
    result.pieces.push_back(piece);
    from = found->end;
  }
  result.rest = events.substr(from);
  return result;
}

// Writes at least `bytes`; the answer is the number of repetitions.
std::uint64_t write_repeated(const Template& dump, const std::string& path, std::uint64_t bytes) {
  std::FILE* file = std::fopen(path.c_str(), "wb");
  check(file != nullptr, "the temporary file can be written");
  std::string text(dump.front);
  std::uint64_t written = 0, repetitions = 0;
  while (repetitions == 0 || written + text.size() < bytes) {
    if (repetitions > 0) text += ',';
    for (const Template::Piece& piece : dump.pieces) {
      text += piece.text;
      text += std::to_string(piece.number + static_cast<std::int64_t>(repetitions) * piece.shift);
    }
    text += dump.rest;
    ++repetitions;
    if (text.size() < (1U << 22)) continue;
    written += std::fwrite(text.data(), 1, text.size(), file);
    text.clear();
  }
  text += dump.back;
  (void)std::fwrite(text.data(), 1, text.size(), file);
  check(std::fclose(file) == 0, "the disk holds the temporary file");
  return repetitions;
}

struct Use {
  double cpu_s, peak_mb;
};

Use use_so_far() {
  rusage usage{};
  check(getrusage(RUSAGE_SELF, &usage) == 0, "getrusage answers");
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return {.cpu_s = seconds(usage.ru_utime) + seconds(usage.ru_stime),
          .peak_mb = static_cast<double>(usage.ru_maxrss) * 1024 / 1e6};
}

struct Options {
  std::string dump;
  std::uint64_t bytes = 1'000'000'000;
  std::string keep;
  bool is_quick = false;
};

int run(const Options& options) {
  namespace fs = std::filesystem;
  const std::string source =
      options.is_quick ? std::string(kOwnSample) : read_text_file(options.dump);
  const GpuTrace one = parse_kineto(source, "the dump itself");
  const std::string path = options.keep.empty()
                               ? (fs::temp_directory_path() / "epsim_bench_trace.json").string()
                               : options.keep;
  const std::uint64_t repetitions =
      write_repeated(template_of(source, span_us(one)), path, options.bytes);
  const double megabytes = static_cast<double>(fs::file_size(path)) / 1e6;

  std::array<double, 3> core_speeds{}, wall_speeds{};
  for (std::size_t i = 0; i < core_speeds.size(); ++i) {
    const auto begin = std::chrono::steady_clock::now();
    const Use before = use_so_far();
    const GpuTrace trace = read_kineto(path);
    core_speeds[i] = megabytes / (use_so_far().cpu_s - before.cpu_s);
    wall_speeds[i] =
        megabytes / std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    check(trace.activities.size() == one.activities.size() * repetitions, "every activity is read");
    check(trace.calls.size() == one.calls.size() * repetitions, "every host call is read");
    check(trace.warnings.size() == one.warnings.size(), "nothing new is warned of");
    check(trace.activities.back().time == one.activities.back().time,
          "times are read to the nanosecond");
  }
  std::sort(core_speeds.begin(), core_speeds.end());
  std::sort(wall_speeds.begin(), wall_speeds.end());
  std::printf(
      "%.0f MB, %llu repetitions of %zu activities and %zu host calls: "
      "%.0f MB/s per core (%.0f MB/s by the wall clock), peak memory %.0f MB\n",
      megabytes,
      static_cast<unsigned long long>(repetitions),
      one.activities.size(),
      one.calls.size(),
      core_speeds[1],
      wall_speeds[1],
      use_so_far().peak_mb);
  if (options.keep.empty()) fs::remove(path);
  return 0;
}

}  // namespace

int main(int argc, char** argv) try {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--quick") {
      options.is_quick = true;
      options.bytes = 4'000'000;
    } else if (argument == "--bytes" && i + 1 < argc) {
      options.bytes = std::strtoull(argv[++i], nullptr, 10);
    } else if (argument == "--keep" && i + 1 < argc) {
      options.keep = argv[++i];
    } else {
      options.dump = argument;
    }
  }
  if (options.dump.empty() && !options.is_quick) {
    std::fprintf(stderr, "usage: bench_trace_reading DUMP [--bytes N] [--keep FILE] | --quick\n");
    return 2;
  }
  return run(options);
} catch (const InputError& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 2;
}
