#include "tests/tidy/source_tree.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>

namespace epsim {
namespace {

namespace fs = std::filesystem;

// Larger files are recorded data, not something a person wrote.
constexpr std::uintmax_t kLargestSource = 1U << 20;

std::vector<std::string> paths_from_git(const fs::path& root) {
  const std::string command =
      "git -C '" + root.string() + "' ls-files -z --cached --others --exclude-standard 2>/dev/null";
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(command.c_str(), "r"), &::pclose);
  std::string output;
  std::array<char, 4096> piece{};
  while (pipe) {
    const std::size_t count = std::fread(piece.data(), 1, piece.size(), pipe.get());
    if (count == 0) break;
    output.append(piece.data(), count);
  }
  std::vector<std::string> paths;
  std::istringstream in(output);
  for (std::string path; std::getline(in, path, '\0');) paths.push_back(path);
  return paths;
}

std::vector<std::string> paths_from_walk(const fs::path& root) {
  std::vector<std::string> paths;
  for (auto entry = fs::recursive_directory_iterator(root); entry != fs::end(entry); ++entry) {
    const std::string name = entry->path().filename().string();
    const bool is_output =
        name == "node_modules" || (entry.depth() == 0 && (name == "build" || name == "out"));
    const bool is_hidden = name.starts_with('.') && name != ".ci";
    if (entry->is_directory() && (is_output || is_hidden))
      entry.disable_recursion_pending();
    else if (entry->is_regular_file())
      paths.push_back(fs::relative(entry->path(), root).generic_string());
  }
  return paths;
}

bool is_raw_string(std::string_view text, std::size_t quote) {
  const bool has_r = quote > 0 && text[quote - 1] == 'R';
  const char before = quote > 1 ? text[quote - 2] : ' ';
  return has_r && std::isalnum(static_cast<unsigned char>(before)) == 0 && before != '_';
}

// In 1'000 the quote is a separator, not the start of a character.
bool is_digit_separator(std::string_view text, std::size_t quote) {
  return quote > 0 && std::isxdigit(static_cast<unsigned char>(text[quote - 1])) != 0;
}

// One past the end of the literal that starts at `start`.
std::size_t literal_end(std::string_view text, std::size_t start) {
  if (text[start] == '"' && is_raw_string(text, start)) {
    const std::size_t open = text.find('(', start);
    const std::string close = ")" + std::string(text.substr(start + 1, open - start - 1)) + "\"";
    const std::size_t end = text.find(close, open);
    return end == std::string_view::npos ? text.size() : end + close.size();
  }
  std::size_t end = start + 1;
  while (end < text.size() && text[end] != text[start] && text[end] != '\n')
    end += text[end] == '\\' ? 2U : 1U;
  return std::min(end + 1, text.size());
}

void blank(std::string& text, std::size_t begin, std::size_t end) {
  for (std::size_t i = begin; i < end; ++i)
    if (text[i] != '\n') text[i] = ' ';
}

}  // namespace

std::string SourceFile::folder() const {
  return fs::path(path).parent_path().generic_string();
}
std::string SourceFile::name() const {
  return fs::path(path).filename().string();
}
bool SourceFile::is_header() const {
  return path.ends_with(".hpp") || path.ends_with(".cuh");
}
bool SourceFile::is_cpp() const {
  return is_header() || path.ends_with(".cpp") || path.ends_with(".cu");
}
bool SourceFile::is_cmake() const {
  return name() == "CMakeLists.txt" || path.ends_with(".cmake");
}
bool SourceFile::is_in(std::string_view outer) const {
  return path.starts_with(std::string(outer) + "/");
}

const std::vector<SourceFile>& source_tree() {
  static const std::vector<SourceFile> files = [] {
    const fs::path root = EPSIM_SOURCE_DIR;
    std::vector<std::string> paths = paths_from_git(root);
    if (paths.empty()) paths = paths_from_walk(root);
    std::sort(paths.begin(), paths.end());
    std::vector<SourceFile> read;
    for (const std::string& path : paths) {
      const fs::path full = root / path;
      if (!fs::is_regular_file(full) || fs::file_size(full) > kLargestSource) continue;
      SourceFile file{path, std::string(fs::file_size(full), ' ')};
      std::ifstream(full, std::ios::binary)
          .read(file.text.data(), static_cast<std::streamsize>(file.text.size()));
      if (file.text.find('\0') == std::string::npos) read.push_back(std::move(file));
    }
    return read;
  }();
  return files;
}

std::string floor_of(std::string_view path) {
  if (path.starts_with("sim/base/")) return "sim/base";
  return std::string(path.substr(0, path.find('/')));
}

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  std::istringstream in{std::string(text)};
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

std::string code_of(std::string_view text, bool keep_comments) {
  std::string code(text);
  for (std::size_t i = 0; i < text.size();) {
    if (text.substr(i, 2) == "//" || text.substr(i, 2) == "/*") {
      const bool is_line = text[i + 1] == '/';
      const std::size_t close = text.find(is_line ? "\n" : "*/", i + 2);
      const std::size_t end =
          close == std::string_view::npos ? text.size() : close + (is_line ? 0 : 2);
      if (!keep_comments) blank(code, i, end);
      i = end;
    } else if (text[i] == '"' || (text[i] == '\'' && !is_digit_separator(text, i))) {
      const std::size_t end = literal_end(text, i);
      blank(code, i + 1, end - 1);
      i = end;
    } else {
      ++i;
    }
  }
  return code;
}

}  // namespace epsim
