#include "topologies/topo_matrix.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "sim/base/input_error.hpp"

namespace epsim {
namespace {

using Words = std::vector<std::string>;

struct Line {
  std::size_t number = 0;
  Words words;
};

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// Underlines and colours: an escape character, a bracket, numbers, one letter. A copy from a
// terminal may have lost the escape character alone.
std::string without_escapes(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool is_escape = text[i] == '\x1b';
    const std::size_t bracket = is_escape ? i + 1 : i;
    if (bracket < text.size() && text[bracket] == '[') {
      std::size_t end = bracket + 1;
      while (end < text.size() && (is_digit(text[end]) || text[end] == ';')) ++end;
      if (end < text.size() && (is_escape || text[end] == 'm')) {
        i = end;
        continue;
      }
    }
    if (!is_escape) plain += text[i];
  }
  return plain;
}

std::vector<Line> lines_of(std::string_view text) {
  std::vector<Line> lines;
  std::size_t number = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    Line line{.number = ++number, .words = {}};
    std::string word;
    for (const char c : without_escapes(text.substr(0, end)) + ' ') {
      if (c != ' ' && c != '\t' && c != '\r' && c != '\f') {
        word += c;
      } else if (!word.empty()) {
        line.words.push_back(std::exchange(word, {}));
      }
    }
    lines.push_back(std::move(line));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

bool is_numbered(std::string_view word, std::string_view stem) {
  return word.size() > stem.size() && word.size() <= stem.size() + 4 && word.starts_with(stem) &&
         std::all_of(word.begin() + static_cast<std::ptrdiff_t>(stem.size()), word.end(), is_digit);
}

std::optional<TopoCell> cell_of(std::string_view word) {
  constexpr std::array<std::pair<std::string_view, TopoWord>, 6> kWords = {
      {{"X", TopoWord::self},
       {"PIX", TopoWord::pix},
       {"PXB", TopoWord::pxb},
       {"PHB", TopoWord::phb},
       {"NODE", TopoWord::node},
       {"SYS", TopoWord::sys}}};
  for (const auto& [name, kind] : kWords)
    if (word == name) return TopoCell{.word = kind};
  int count = 0;
  if (!word.starts_with("NV")) return std::nullopt;
  const auto [end, error] = std::from_chars(word.data() + 2, word.data() + word.size(), count);
  if (error != std::errc() || end != word.data() + word.size() || count < 1 || count > 1000)
    return std::nullopt;
  return TopoCell{.word = TopoWord::nvlink, .nvlink_count = count};
}

bool is_header(const Line& line) {
  return !line.words.empty() && is_numbered(line.words[0], "GPU") &&
         (line.words.size() == 1 || !cell_of(line.words[1]));
}

bool is_name(std::string_view word) {
  return word.size() <= 64 && std::all_of(word.begin(), word.end(), [](char c) {
           return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
                  c == '-' || c == '.' || c == ':';
         });
}

constexpr std::size_t kMostDevices = 128;

class MatrixReader {
 public:
  MatrixReader(std::string_view text, std::string_view file)
      : file_(file), lines_(lines_of(text)) {}

  TopoMatrix read() {
    const auto header = std::find_if(lines_.begin(), lines_.end(), is_header);
    if (header == lines_.end())
      throw InputError(
          file_,
          "",
          "expected the output of nvidia-smi topo -m or an NCCL topology XML, found no "
          "line that starts with the column GPU0");
    read_columns(*header);
    auto line = header + 1;
    for (std::size_t row = 0; row < matrix_.devices.size(); ++row) {
      while (line != lines_.end() && line->words.empty()) ++line;
      if (line == lines_.end() || line->words[0] != matrix_.devices[row].column)
        fail(line == lines_.end() ? lines_.back().number : line->number,
             "",
             fmt::format("expected the row of {}, found {}",
                         matrix_.devices[row].column,
                         line == lines_.end() ? "the end" : fmt::format("\"{}\"", line->words[0])));
      read_row(*line++, row);
    }
    check_symmetry();
    for (; line != lines_.end(); ++line) read_legend(*line);
    return std::move(matrix_);
  }

 private:
  [[noreturn]] void fail(std::size_t line, std::string_view cell, std::string_view what) const {
    throw InputError(file_, fmt::format("line {}{}{}", line, cell.empty() ? "" : ": ", cell), what);
  }
  std::string pair_text(std::size_t row, std::size_t column) const {
    return matrix_.devices[row].column + "/" + matrix_.devices[column].column;
  }

  void read_columns(const Line& header) {
    for (const std::string& word : header.words) {
      if (word == "CPU" || word == "NUMA") break;
      const bool is_gpu = is_numbered(word, "GPU");
      if (matrix_.devices.size() == kMostDevices)
        fail(header.number, "", fmt::format("more than {} columns", kMostDevices));
      if (!is_name(word)) fail(header.number, "", fmt::format("\"{}\" names no device", word));
      if (is_gpu && !matrix_.devices.empty() && !matrix_.devices.back().is_gpu)
        fail(header.number, "", fmt::format("expected GPUs before NICs, found {} last", word));
      const auto is_same = [&](const TopoDevice& other) { return other.column == word; };
      if (std::any_of(matrix_.devices.begin(), matrix_.devices.end(), is_same))
        fail(header.number, "", fmt::format("a second column {}", word));
      matrix_.devices.push_back({.name = is_gpu ? "gpu" + word.substr(3) : word,
                                 .column = word,
                                 .is_gpu = is_gpu,
                                 .numa = {}});
    }
    // "GPU NUMA ID": newer tools print one more column.
    const std::size_t count = header.words.size();
    has_gpu_numa_ = count >= 2 && header.words[count - 1] == "ID";
    has_numa_ = std::find(header.words.begin(), header.words.end(), "NUMA") != header.words.end();
  }

  void read_row(const Line& line, std::size_t row) {
    const std::size_t count = matrix_.devices.size();
    matrix_.devices[row].line = line.number;
    for (std::size_t column = 0; column < count; ++column) {
      if (column + 1 >= line.words.size())
        fail(line.number,
             matrix_.devices[row].column,
             fmt::format("expected {} entries, found {}", count, column));
      const std::string& word = line.words[column + 1];
      const std::optional<TopoCell> cell = cell_of(word);
      if (!cell)
        fail(line.number,
             pair_text(row, column),
             fmt::format("expected one of X, NV#, PIX, PXB, PHB, NODE, SYS, found \"{}\"", word));
      if ((cell->word == TopoWord::self) != (row == column))
        fail(line.number,
             pair_text(row, column),
             row == column ? fmt::format("expected X, found {}", word)
                           : "expected how two devices are joined, found X");
      matrix_.cells.push_back(*cell);
    }
    const std::size_t rest = line.words.size() - count - 1;
    if (!matrix_.devices[row].is_gpu && rest > 0)
      fail(line.number,
           matrix_.devices[row].column,
           fmt::format("expected {} entries, found {}", count, count + rest));
    if (rest > 3)
      fail(line.number,
           matrix_.devices[row].column,
           fmt::format("expected {} entries and an affinity, found {} words", count, count + rest));
    const std::size_t after = has_gpu_numa_ ? 1 : 0;
    if (has_numa_ && rest > after) matrix_.devices[row].numa = line.words[count + rest - after];
  }

  void check_symmetry() const {
    for (std::size_t row = 0; row < matrix_.devices.size(); ++row)
      for (std::size_t column = 0; column < row; ++column)
        if (matrix_.cell(row, column) != matrix_.cell(column, row))
          fail(matrix_.devices[row].line,
               pair_text(row, column),
               fmt::format("expected what line {} says of {}",
                           matrix_.devices[column].line,
                           pair_text(column, row)));
  }

  // "  NIC0: mlx5_0"
  void read_legend(const Line& line) {
    if (line.words.size() != 2 || !line.words[0].ends_with(':')) return;
    const std::string column = line.words[0].substr(0, line.words[0].size() - 1);
    for (TopoDevice& device : matrix_.devices) {
      if (device.column != column || device.is_gpu) continue;
      if (!is_name(line.words[1]))
        fail(line.number, column, fmt::format("\"{}\" names no NIC", line.words[1]));
      for (const TopoDevice& other : matrix_.devices)
        if (&other != &device && other.name == line.words[1])
          fail(line.number,
               column,
               fmt::format("\"{}\" is also the name of {}", line.words[1], other.column));
      device.name = line.words[1];
    }
  }

  std::string file_;
  std::vector<Line> lines_;
  TopoMatrix matrix_;
  bool has_numa_ = false;
  bool has_gpu_numa_ = false;
};

}  // namespace

TopoMatrix read_topo_matrix(std::string_view text, std::string_view file) {
  return MatrixReader(text, file).read();
}

}  // namespace epsim
