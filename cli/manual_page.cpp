#include "cli/manual_page.hpp"

#include <array>
#include <cctype>
#include <charconv>
#include <sstream>

#include <fmt/format.h>

#include "sim/base/check.hpp"

namespace epsim {
namespace {

constexpr std::size_t kLineWidth = 76;  // of the source, which mandoc likes within 80

// As roff reads it: a backslash begins an escape, and a bare hyphen may become another sign.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\')
      out += "\\e";
    else if (c == '-')
      out += "\\-";
    else
      out += c;
  }
  return out;
}

// A line that begins with a dot or a quote would be a request.
std::string as_text_line(const std::string& line) {
  const bool is_request = line.starts_with('.') || line.starts_with('\'');
  return (is_request ? "\\&" : "") + line + "\n";
}

// Filled text: lines of the source are short, and a sentence begins one.
std::string filled(const std::string& text) {
  std::string out, line;
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    const bool begins_sentence =
        !line.empty() && (line.ends_with('.') || line.ends_with('?')) && word.front() != '"';
    if (begins_sentence || line.size() + 1 + word.size() > kLineWidth) {
      out += line.empty() ? "" : as_text_line(line);
      line.clear();
    }
    line += (line.empty() ? "" : " ") + escaped(word);
  }
  return line.empty() ? out : out + as_text_line(line);
}

// One argument of a macro, whatever it looks like: "No" and "|" are macros and signs to mdoc.
std::string macro_argument(std::string_view text) {
  const bool is_special =
      text.size() <= 3 && !std::islower(static_cast<unsigned char>(text.front()));
  const std::string safe = (is_special ? "\\&" : "") + escaped(text);
  return safe.find(' ') == std::string::npos ? safe : '"' + safe + '"';
}

// .Fl writes the first hyphen itself.
std::string flags_of(const CommandArgument& option) {
  std::string text;
  for (const std::string& flag : option.flags)
    text += (text.empty() ? "Fl " : " , Fl ") + escaped(std::string_view(flag).substr(1));
  return text;
}

std::string tag_of(const CommandArgument& argument) {
  std::string tag = flags_of(argument);
  if (!argument.value.empty())
    tag += (tag.empty() ? "Ar " : " Ar ") + macro_argument(argument.value);
  return argument.takes_many ? tag + " ..." : tag;
}

std::string arguments_text(const Command& command, bool is_root) {
  std::string text;
  const auto add = [&](const CommandArgument& argument) {
    text += ".It " + tag_of(argument) + "\n";
    std::string what = argument.description;
    if (argument.is_required && !argument.flags.empty()) what += " (required)";
    text += filled(what);
  };
  for (const CommandArgument& place : command.places) add(place);
  for (const CommandArgument& option : command.options) {
    const bool is_help = option.flags.back() == "--help";
    if (is_root || !is_help) add(option);  // said once, of all verbs
  }
  return text.empty() ? text : ".Bl -tag -width Ds\n" + text + ".El\n";
}

// Indented lines of a footer are typed or printed as they stand; the others are prose.
std::string footer_text(const std::string& footer) {
  std::string text, prose, typed;
  const auto end_prose = [&] {
    if (!prose.empty()) text += ".Pp\n" + filled(prose);
    prose.clear();
  };
  const auto end_typed = [&] {
    if (!typed.empty()) text += ".Bd -literal -offset indent\n" + typed + ".Ed\n";
    typed.clear();
  };
  std::istringstream lines(footer);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("  ")) {
      end_prose();
      typed += as_text_line(escaped(std::string_view(line).substr(2)));
    } else {
      end_typed();
      if (line == "Example:") end_prose();
      prose += line + "\n";
    }
  }
  end_prose();
  end_typed();
  return text;
}

// ".Cm calibrate fit": macros of a command's name without the program's.
std::string verb_words(const Command& command) {
  return ".Cm " + escaped(std::string_view(command.name).substr(command.name.find(' ') + 1));
}

std::string synopsis(const Command& root) {
  std::string text = ".Sh SYNOPSIS\n";
  for (const Command* command : all_commands(root)) {
    if (command == &root || !command->verbs.empty()) continue;
    text += ".Nm\n" + verb_words(*command) + "\n";
    bool has_choice = false;
    for (const CommandArgument& option : command->options) {
      if (option.is_required)
        text += "." + tag_of(option) + "\n";
      else
        has_choice = has_choice || option.flags.back() != "--help";
    }
    if (has_choice) text += ".Op Ar options\n";
    for (const CommandArgument& place : command->places)
      text += (place.is_required ? "." : ".Op ") + tag_of(place) + "\n";
  }
  for (const CommandArgument& option : root.options)
    text += ".Nm\n.Fl " + escaped(std::string_view(option.flags.back()).substr(1)) + "\n";
  return text;
}

// A name such as nvidia-smi keeps its small letter.
std::string sentence(std::string text) {
  if (text.empty()) return text;
  const std::string first = text.substr(0, text.find(' '));
  if (first.find_first_of("-_0123456789") == std::string::npos)
    text.front() = static_cast<char>(std::toupper(static_cast<unsigned char>(text.front())));
  return text.ends_with('.') ? text : text + ".";
}

std::string command_text(const Command& command) {
  std::string text = ".Ss " + escaped(command.name) + "\n" + filled(sentence(command.description));
  if (!command.verbs.empty()) {
    text += ".Pp\nIts verbs:\n.Bl -tag -width Ds\n";
    for (const Command& verb : command.verbs)
      text += ".It Cm " + macro_argument(verb_of(verb)) + "\n" + filled(verb.description);
    text += ".El\n";
  }
  return text + arguments_text(command, false) + footer_text(command.footer);
}

constexpr std::string_view kDescription =
    "Results go to stdout and progress to stderr. A value called FILE, or by an ending such as "
    ".json, is the path of a file; where a result may go to a file, - is stdout. Files that end in "
    ".gz are compressed. Equal input, seed and version give equal bytes, for any number of "
    "threads. Examples name files as the source tree does; an installation has them in "
    "share/doc/epsim.";

struct ExitCode {
  int code;
  std::string_view meaning;
};
constexpr std::array kExitCodes = {
    ExitCode{0, "good"},
    ExitCode{1, "the world failed: a file could not be read or written; of litmus, a disagreement"},
    ExitCode{2,
             "the input or the command line is wrong: one line says where, and what was expected"},
    ExitCode{3, "epsim check found a hazard"},
    ExitCode{70, "a mistake of epsim itself; please report the line that begins with bug:"},
};

std::string exit_codes() {
  std::string text = ".Sh EXIT STATUS\n.Bl -tag -width Ds\n";
  for (const ExitCode& exit : kExitCodes)
    text += fmt::format(".It {}\n{}", exit.code, filled(sentence(std::string(exit.meaning))));
  return text + ".El\n";
}

std::string names_text(const std::vector<KnownNames>& known) {
  if (known.empty()) return {};
  std::string text = ".Sh KNOWN NAMES\nWhat this build knows by name:\n.Bl -tag -width Ds\n";
  for (const KnownNames& names : known) {
    std::string list;
    for (const std::string& name : names.names) list += (list.empty() ? "" : ", ") + name;
    text += ".It Ar " + macro_argument(names.word) + "\n" + filled(list);
  }
  return text + ".El\n";
}

// "2026-01-31" as mdoc writes it: January 31, 2026.
std::string date_text(std::string_view date) {
  constexpr std::array kMonths = {"January",
                                  "February",
                                  "March",
                                  "April",
                                  "May",
                                  "June",
                                  "July",
                                  "August",
                                  "September",
                                  "October",
                                  "November",
                                  "December"};
  check(date.size() == 10, "a date is written as 2026-01-31");
  const auto number = [&](std::size_t begin, std::size_t size) {
    std::size_t value = 0;
    std::from_chars(date.data() + begin, date.data() + begin + size, value);
    return value;
  };
  const std::size_t month = number(5, 2);
  check(month >= 1 && month <= kMonths.size(), "a month is one of twelve");
  return fmt::format("{} {}, {}", kMonths[month - 1], number(8, 2), date.substr(0, 4));
}

}  // namespace

std::string manual_page(const Command& root,
                        const std::vector<KnownNames>& known,
                        const Edition& edition) {
  const std::string& said = root.description;
  const std::string what =
      said.starts_with(root.name + " ") ? said.substr(root.name.size() + 1) : said;
  std::string text = fmt::format(
      ".\\\" Written by `epsim manual` from the definition of the command line.\n"
      ".Dd {}\n.Dt EPSIM 1\n.Os epsim {}\n.Sh NAME\n.Nm {}\n.Nd {}\n",
      date_text(edition.date),
      edition.version,
      root.name,
      escaped(what.ends_with('.') ? what.substr(0, what.size() - 1) : what));
  text += synopsis(root) + ".Sh DESCRIPTION\n" + filled(said) + filled(std::string(kDescription));
  text += ".Pp\nEvery verb takes\n.Fl \\-help .\n" + arguments_text(root, true) + ".Sh COMMANDS\n";
  for (const Command* command : all_commands(root))
    if (command != &root) text += command_text(*command);
  const std::string examples = footer_text(root.footer);
  text += names_text(known) + exit_codes() + ".Sh EXAMPLES\n";
  return text + examples.substr(examples.starts_with(".Pp\n") ? 4 : 0);
}

}  // namespace epsim
