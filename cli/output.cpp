#include "cli/output.hpp"

#include <cerrno>
#include <cstdio>
#include <system_error>

#include <CLI/CLI.hpp>

#include "sim/base/text_file.hpp"

namespace epsim {

void add_json_option(CLI::App& verb, std::string& target) {
  verb.add_option("--json", target, "write JSON to a file, or - for stdout")->type_name("FILE");
}

void write_result(const std::string& target, std::string_view text) {
  if (target == "-") return print_result(text);
  replace_text_file(target, text);
}

void print_result(std::string_view text) {
  std::string safe(text);
  // Names come from files: an escape sequence in one must not reach a terminal.
  for (char& c : safe)
    if ((static_cast<unsigned char>(c) < ' ' && c != '\n') || c == '\x7f') c = '?';
  const bool is_written = std::fwrite(safe.data(), 1, safe.size(), stdout) == safe.size();
  if (!is_written || std::fflush(stdout) != 0)
    throw std::system_error(errno, std::generic_category(), "stdout");
}

}  // namespace epsim
