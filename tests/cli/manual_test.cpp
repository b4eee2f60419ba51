// The manual page and the completions of shells, against what the program's own help says.
#include <algorithm>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "cli/completions.hpp"
#include "cli/manual_page.hpp"
#include "sim/base/text_file.hpp"
#include "tests/support/shell.hpp"

using namespace epsim;

namespace {

std::vector<std::string> lines_in(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

// A command as `--help` tells it: the verbs below it, and its options.
struct Helped {
  std::string name;  // "epsim calibrate fit"
  std::vector<std::string> verbs;
  std::vector<std::string> options;
};

std::vector<Helped> helped_commands(const std::string& arguments = "") {
  static const std::regex verb{R"(^  ([a-z]+)(\s.*)?$)"};
  static const std::regex option{R"(^  (?:-\w,)?(--[a-z][a-z-]*))"};
  Helped command{.name = "epsim" + arguments, .verbs = {}, .options = {}};
  const Outcome help = shell(arguments + " --help");
  REQUIRE(help.code == 0);
  bool is_verbs = false;
  for (const std::string& line : lines_in(help.out)) {
    if (!line.starts_with(' ')) is_verbs = line == "Subcommands:";
    std::smatch match;
    if (is_verbs && std::regex_match(line, match, verb)) command.verbs.push_back(match[1]);
    if (!is_verbs && std::regex_search(line, match, option)) command.options.push_back(match[1]);
  }
  std::vector<Helped> commands = {command};
  for (const std::string& below : command.verbs)
    for (Helped& one : helped_commands(arguments + " " + below)) commands.push_back(std::move(one));
  return commands;
}

// From `begin` to the next `end` after it; empty where there is no `begin`.
std::string part(const std::string& text, const std::string& begin, const std::string& end) {
  const std::size_t at = text.find(begin);
  return at == std::string::npos ? "" : text.substr(at, text.find(end, at + 1) - at);
}

std::string output_of(const std::string& command) {
  FILE* pipe = ::popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::string out;
  std::array<char, 4096> piece{};
  while (const std::size_t count = std::fread(piece.data(), 1, piece.size(), pipe))
    out.append(piece.data(), count);
  CHECK(WEXITSTATUS(::pclose(pipe)) == 0);
  return out;
}

std::string in_bash(const std::string& script) {
  const TemporaryFolder folder;
  const std::string file = (folder.path() / "script").string();
  replace_text_file(file, "set -u\nsource <(" EPSIM_BINARY " completion bash)\n" + script);
  return output_of("bash " + file);
}

// What bash would offer when a tab follows `words`.
std::vector<std::string> offered(const std::string& words) {
  const std::string out =
      in_bash("COMP_WORDS=(" + words + ")\nCOMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n_epsim\n" +
              "printf '%s\\n' \"${COMPREPLY[@]}\"\n");
  std::vector<std::string> lines = lines_in(out);
  std::erase(lines, "");
  return lines;
}

std::string roff(std::string text) {
  for (std::size_t at = 0; (at = text.find('-', at)) != std::string::npos; at += 2)
    text.insert(at, 1, '\\');
  return text;
}

Command small_command() {
  Command root{.name = "tool",
               .description = "tool weighs things.",
               .footer = "",
               .options = {},
               .places = {},
               .verbs = {}};
  Command weigh{.name = "tool weigh",
                .description = "weigh it",
                .footer = "",
                .options = {},
                .places = {},
                .verbs = {}};
  weigh.footer = "Example:\n  tool weigh a\\b --unit kg";
  CommandArgument unit;
  unit.flags = {"-u", "--unit"};
  unit.value = "kg|lb";
  unit.words = {"kg", "lb"};
  unit.description = "that it's told in [SI: kg]";
  CommandArgument file;
  file.value = "No";
  file.description = ".txt of what to weigh";
  file.takes_file = file.takes_many = file.is_required = true;
  weigh.options = {unit};
  weigh.places = {file};
  root.verbs = {weigh};
  return root;
}

}  // namespace

TEST_CASE("Manual: every verb and option that the help tells has its place on the page") {
  const std::string page = shell("manual").out;
  for (const Helped& command : helped_commands()) {
    CAPTURE(command.name);
    const bool is_root = command.name == "epsim";
    const std::string section = is_root ? part(page, ".Sh DESCRIPTION", ".Sh COMMANDS")
                                        : part(page, ".Ss " + command.name + "\n", "\n.S");
    CHECK(!section.empty());
    for (const std::string& verb : command.verbs)
      CHECK(has(is_root ? page : section, (is_root ? "\n.Ss epsim " : "\n.It Cm ") + verb + "\n"));
    for (const std::string& option : command.options) {
      CAPTURE(option);
      if (is_root || option != "--help") CHECK(has(section, "Fl " + roff(option.substr(1))));
    }
  }
}

TEST_CASE("Completion: bash knows the verbs and options that the help tells") {
  const std::vector<Helped> commands = helped_commands();
  CHECK(commands.size() > 30);  // else the help is no longer read right
  std::string script;
  for (const Helped& command : commands)
    script += "verbs='' options='' places=() rest=''\n_epsim_command '" + command.name +
              "'\necho \"$verbs;$options\"\n";
  const std::vector<std::string> told = lines_in(in_bash(script));
  REQUIRE(told.size() == commands.size());
  for (std::size_t i = 0; i < told.size(); ++i) {
    CAPTURE(commands[i].name);
    const std::string text = " " + std::regex_replace(told[i], std::regex(";"), " ; ") + " ";
    for (const std::string& verb : commands[i].verbs) CHECK(has(text, " " + verb + " "));
    for (const std::string& option : commands[i].options) CHECK(has(text, " " + option + " "));
  }
}

TEST_CASE("Completion: zsh knows the verbs and options that the help tells") {
  const std::string text = shell("completion zsh").out;
  CHECK(text.starts_with("#compdef epsim\n"));
  for (const Helped& command : helped_commands()) {
    CAPTURE(command.name);
    const std::string name = "_" + std::regex_replace(command.name, std::regex(" "), "_");
    const std::string function = part(text, "\n" + name + "() {\n", "\n}\n");
    CHECK(!function.empty());
    for (const std::string& verb : command.verbs)
      CHECK(has(function, verb + ") " + name + "_" + verb));
    for (const std::string& option : command.options)
      CHECK((has(function, option + "[") || has(function, option + "=[")));
  }
}

TEST_CASE("Completion: bash offers verbs, choices, names and files where each may stand") {
  using Words = std::vector<std::string>;
  CHECK(offered("epsim ru") == Words{"run"});
  CHECK(offered("epsim calibrate fi") == Words{"fit"});
  CHECK(offered("epsim run --see") == Words{"--seed"});
  CHECK(offered("epsim replay --schedule ''") == Words{"serial", "tbo"});
  CHECK(offered("epsim replay --schedule = t") == Words{"tbo"});  // bash parts words at =
  CHECK(offered("epsim plan --phase ''") == Words{"prefill", "decode"});
  CHECK(offered("epsim completion ''") == Words{"bash", "zsh"});
  CHECK(offered("epsim run --jobs ''").empty());  // a number
  CHECK(offered("epsim topology show --json - gb300") == Words{"gb300-nvl72"});
  const Words kernels = offered("epsim calibrate fit --kernel ''");
  CHECK(std::find(kernels.begin(), kernels.end(), "epsim-ll") != kernels.end());

  const TemporaryFolder folder;
  const std::string file = (folder.path() / "a scenario.json").string();
  replace_text_file(file, "{}");
  const std::string begun = (folder.path() / "a").string();
  CHECK(offered("epsim run " + begun) == Words{file});
  CHECK(offered("epsim run --set a = b " + begun) == Words{file});
  CHECK(offered("epsim check one two " + begun) == Words{file});  // takes many
  CHECK(offered("epsim run one " + begun).empty());               // takes one
}

TEST_CASE("Manual: what roff would take for a request or a macro is text on the page") {
  const std::string page =
      manual_page(small_command(),
                  {{.word = "UNIT", .listing = "units", .names = {"kg", "lb"}, .or_file = false}},
                  {.version = "1.2.3", .date = "2026-02-03"});
  CHECK(has(page, ".Dd February 3, 2026\n"));
  CHECK(has(page, ".Os epsim 1.2.3\n"));
  CHECK(has(page, ".Nd weighs things\n"));
  CHECK(has(page, ".Ss tool weigh\nWeigh it.\n"));
  CHECK(has(page, ".It Fl u , Fl \\-unit Ar kg|lb\nthat it's told in [SI: kg]\n"));
  CHECK(has(page, ".It Ar \\&No ...\n\\&.txt of what to weigh\n"));
  CHECK(has(page, ".Bd -literal -offset indent\ntool weigh a\\eb \\-\\-unit kg\n.Ed\n"));
  CHECK(has(page, ".It Ar UNIT\nkg, lb\n"));
}

TEST_CASE("Completion: what a shell would take for its own sign is text") {
  const std::string zsh = zsh_completion(small_command(), {});
  CHECK(has(zsh, "'*--unit=[that it'\\''s told in \\[SI\\: kg\\]]:kg|lb:(kg lb)'"));
  CHECK(has(zsh, "'*:No:_files'"));
  const std::string bash = bash_completion(small_command(), {});
  CHECK(has(bash, "'tool weigh -u' | 'tool weigh --unit') values='kg lb' ;;\n"));
  CHECK(has(bash, "places=('@file')\n      rest=1\n"));
}

TEST_CASE("Command line: the version stands in one place, and the changelog tells of it") {
  const std::string build = read_text_file(EPSIM_SOURCE_DIR "/CMakeLists.txt");
  std::smatch version;
  REQUIRE(std::regex_search(build, version, std::regex(R"(project\(epsim VERSION (\S+) )")));
  CHECK(shell("--version").out == "epsim " + version[1].str() + "\n");
  const std::string changes = read_text_file(EPSIM_SOURCE_DIR "/CHANGELOG.md");
  CHECK(has(changes, "\n## [" + version[1].str() + "] - "));
}
