#include "cli/command_tree.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

namespace epsim {
namespace {

std::vector<std::string> split(const std::string& text, std::string_view separators) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (separators.find(c) == std::string_view::npos)
      parts.back() += c;
    else if (!parts.back().empty())
      parts.emplace_back();
  }
  if (parts.back().empty()) parts.pop_back();
  return parts;
}

std::string upper(std::string text) {
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

bool contains(const std::vector<std::string>& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// How CLI11 names the type of a value that its definition says nothing of.
bool is_number(std::string_view type) {
  constexpr std::array kNumbers = {"INT", "UINT", "FLOAT", "BOOLEAN", "CHAR", "ENUM"};
  return std::find(kNumbers.begin(), kNumbers.end(), type) != kNumbers.end();
}

// "TEXT:{serial,tbo}": the type, and a validator's set. A set that translates, {a->1,b->2}, has its
// words left of the arrows.
std::vector<std::string> choices_of(const std::string& checks) {
  const std::size_t begin = checks.find('{');
  const std::size_t end = checks.find('}', begin);
  if (begin == std::string::npos || end == std::string::npos) return {};
  std::vector<std::string> words;
  for (const std::string& word : split(checks.substr(begin + 1, end - begin - 1), ","))
    words.push_back(word.substr(0, word.find("->")));
  return words;
}

// "INT in [1 - 1024]" as "1 to 1024"; what is as large as a number can be is no limit.
std::string limits_of(const std::string& checks) {
  const std::size_t begin = checks.find(" in [");
  const std::size_t end = checks.find(']', begin);
  if (begin == std::string::npos || end == std::string::npos) return {};
  const std::string range = checks.substr(begin + 5, end - begin - 5);
  const std::size_t seam = range.find(" - ");
  if (seam == std::string::npos) return {};
  const std::string low = range.substr(0, seam), high = range.substr(seam + 3);
  return high.size() > 7 ? fmt::format("at least {}", low) : fmt::format("{} to {}", low, high);
}

std::string longest_flag(const CLI::Option& option) {
  if (!option.get_lnames().empty()) return option.get_lnames().front();
  return option.get_snames().empty() ? option.get_name() : option.get_snames().front();
}

// What the definition says of the names and files that a value may be: by a list that the
// description names, by a word of the type, or by the option's own name where the type is open.
void add_kinds(CommandArgument& argument,
               const std::string& type,
               const std::string& name,
               std::span<const KnownNames> known) {
  const std::vector<std::string> said = split(type, "|,[] ");
  const bool is_open = type == "TEXT" || contains(said, "NAME");
  const auto add_where = [&](auto is_meant) {
    if (!argument.listings.empty()) return;
    for (const KnownNames& names : known) {
      if (!is_meant(names)) continue;
      argument.listings.push_back(names.word);
      // A type such as NAME, alone, says that a file is none.
      if (names.or_file && (type == "TEXT" || said.size() > 1)) argument.takes_file = true;
    }
  };
  add_where([&](const KnownNames& names) {
    return argument.description.find("epsim list " + names.listing) != std::string::npos;
  });
  add_where([&](const KnownNames& names) { return contains(said, names.word); });
  add_where([&](const KnownNames& names) { return is_open && upper(name) == names.word; });
  for (const std::string& word : said) {
    if (word == "DIR" || word == "FOLDER") argument.takes_folder = true;
    // RULES.json is a file; KEY=VALUE and TIME are none.
    if (word == "FILE" || word.starts_with("PATH") || word.find('.') != std::string::npos)
      argument.takes_file = true;
  }
  // A text of which nothing is said may be a file: so do shells treat what they know nothing of.
  if (type == "TEXT" && argument.listings.empty()) argument.takes_file = true;
}

CommandArgument argument_of(const CLI::Option& option, std::span<const KnownNames> known) {
  CommandArgument argument;
  for (const std::string& name : option.get_snames()) argument.flags.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) argument.flags.push_back("--" + name);
  argument.description = option.get_description();
  argument.is_required = option.get_required();
  if (option.get_items_expected_max() == 0) return argument;

  const bool has_place = option.get_positional();
  const std::string name = has_place ? option.get_name(true) : longest_flag(option);
  const std::string full_type = option.get_type_name();
  const std::string type = full_type.substr(0, full_type.find(':'));
  const std::string checks = full_type.substr(std::min(full_type.size(), type.size() + 1));
  argument.words = choices_of(checks);
  argument.takes_many = option.get_items_expected_max() >= CLI::detail::expected_max_vector_size &&
                        (has_place || option.get_allow_extra_args());
  if (!argument.words.empty()) {
    for (const std::string& word : argument.words)
      argument.value += (argument.value.empty() ? "" : "|") + word;
  } else if (is_number(type)) {
    argument.value = "N";
  } else {
    argument.value = type == "TEXT" ? upper(name) : type;
    add_kinds(argument, checks == "DIR" || checks == "FILE" ? checks : type, name, known);
  }
  if (has_place) argument.value = name;
  if (const std::string limits = limits_of(checks); !limits.empty())
    argument.description += "; " + limits;
  if (!option.get_default_str().empty())
    argument.description += fmt::format("; default: {}", option.get_default_str());
  return argument;
}

Command command_of(const CLI::App& app,
                   const std::string& before,
                   std::span<const KnownNames> known) {
  Command command;
  command.name = before + app.get_name();
  command.description = app.get_description();
  command.footer = app.get_footer();
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_group().empty()) continue;  // hidden
    CommandArgument argument = argument_of(*option, known);
    (option->get_positional() ? command.places : command.options).push_back(std::move(argument));
  }
  for (const CLI::App* verb : app.get_subcommands({}))
    if (!verb->get_group().empty())
      command.verbs.push_back(command_of(*verb, command.name + " ", known));
  return command;
}

}  // namespace

Command command_tree(const CLI::App& app, std::span<const KnownNames> known) {
  return command_of(app, "", known);
}

std::vector<const Command*> all_commands(const Command& root) {
  std::vector<const Command*> commands = {&root};
  for (const Command& verb : root.verbs)
    for (const Command* below : all_commands(verb)) commands.push_back(below);
  return commands;
}

std::string verb_of(const Command& command) {
  const std::size_t space = command.name.rfind(' ');
  return space == std::string::npos ? command.name : command.name.substr(space + 1);
}

}  // namespace epsim
