#include "cli/completions.hpp"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>

namespace epsim {
namespace {

const KnownNames* find_names(const std::vector<KnownNames>& known, const std::string& word) {
  const auto row = std::find_if(
      known.begin(), known.end(), [&](const KnownNames& names) { return names.word == word; });
  return row == known.end() ? nullptr : &*row;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

// Inside '...' a shell takes everything as it stands, but the quote.
std::string quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

// Words that bash splits or expands have no place in a list of candidates.
bool is_plain(const std::string& word) {
  return word.find_first_of(" \t\n$`\\\"'*?[]<>|&;(){}@") == std::string::npos;
}

// What a value may be, in one word list: @file and @folder stand for what lies there, @free for
// what nobody can list.
std::string bash_candidates(const CommandArgument& argument, const std::vector<KnownNames>& known) {
  std::vector<std::string> words = argument.words;
  for (const std::string& listing : argument.listings)
    if (const KnownNames* names = find_names(known, listing))
      words.insert(words.end(), names->names.begin(), names->names.end());
  words.erase(
      std::remove_if(words.begin(), words.end(), [](const auto& w) { return !is_plain(w); }),
      words.end());
  if (argument.takes_file) words.emplace_back("@file");
  if (argument.takes_folder) words.emplace_back("@folder");
  if (words.empty()) words.emplace_back("@free");
  return joined(words);
}

std::string bash_command(const Command& command, const std::vector<KnownNames>& known) {
  std::string verbs, options, places;
  for (const Command& verb : command.verbs) verbs += (verbs.empty() ? "" : " ") + verb_of(verb);
  for (const CommandArgument& option : command.options)
    options += (options.empty() ? "" : " ") + joined(option.flags);
  for (const CommandArgument& place : command.places)
    places += (places.empty() ? "" : " ") + quoted(bash_candidates(place, known));
  std::string text = fmt::format(
      "    {})\n      verbs={} options={}\n", quoted(command.name), quoted(verbs), quoted(options));
  if (!places.empty()) text += fmt::format("      places=({})\n", places);
  if (!command.places.empty() && command.places.back().takes_many) text += "      rest=1\n";
  return text + "      ;;\n";
}

std::string bash_options(const Command& command, const std::vector<KnownNames>& known) {
  std::string text;
  for (const CommandArgument& option : command.options) {
    if (option.value.empty()) continue;
    std::string pattern;
    for (const std::string& flag : option.flags)
      pattern += (pattern.empty() ? "" : " | ") + quoted(command.name + " " + flag);
    text += fmt::format("    {}) values={}{} ;;\n",
                        pattern,
                        quoted(bash_candidates(option, known)),
                        option.takes_many ? " many=1" : "");
  }
  return text;
}

constexpr std::string_view kBashBody = R"bash(
_epsim() {
  local current=${COMP_WORDS[COMP_CWORD]} command=epsim verbs='' options='' values='' many='' rest=''
  local option='' place=0 i word candidates last
  local -a places=()
  _epsim_command "$command"
  for ((i = 1; i < COMP_CWORD; ++i)); do
    word=${COMP_WORDS[i]}
    if [[ $word == [=:] ]]; then
      # Bash parts words here: --jobs=4 goes on with a value, key=4 with more of the same word.
      [[ ${COMP_WORDS[i - 1]} == -* ]] || ((++i))
    elif [[ $word == -?* ]]; then
      option=$word values='' many=''
      _epsim_option "$command" "$word"
      [[ -n $values ]] || option=''
    elif [[ -n $option ]]; then
      [[ -n $many ]] || option=''
    elif [[ " $verbs " == *" $word "* ]]; then
      command+=" $word" verbs='' options='' places=() rest='' place=0
      _epsim_command "$command"
    else
      place=$((place + 1))
    fi
  done
  COMPREPLY=()
  ((i == COMP_CWORD)) || return 0
  [[ $current != [=:] ]] || current=''
  last=$((${#places[@]} - 1))
  if [[ -n $option && ! ( -n $many && $current == -* ) ]]; then
    candidates=$values
  elif [[ $current == -* ]]; then
    candidates=$options
  elif [[ -n $verbs ]]; then
    candidates=$verbs
  elif ((place <= last)); then
    candidates=${places[place]}
  elif [[ -n $rest ]]; then
    candidates=${places[last]}
  else
    candidates=$options
  fi
  local files='' words=''
  for word in $candidates; do
    case $word in
      @file) files=-f ;;
      @folder) files=${files:--d} ;;
      @free) ;;
      *) words+=" $word" ;;
    esac
  done
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
  if [[ -n $files ]]; then
    compopt -o filenames 2>/dev/null  # a slash after folders, quotes where names need them
    mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen "$files" -- "$current")
  fi
}
complete -F _epsim epsim
)bash";

// Within [...] of an _arguments specification, and within its messages.
std::string zsh_text(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string zsh_function(const Command& command) {
  std::string name = "_" + command.name;
  std::replace(name.begin(), name.end(), ' ', '_');
  return name;
}

std::string zsh_action(const CommandArgument& argument) {
  if (!argument.words.empty()) return "(" + joined(argument.words) + ")";
  if (!argument.listings.empty())
    return "_epsim__names_" + argument.listings.front() + (argument.takes_file ? "_or_file" : "");
  if (argument.takes_file) return "_files";
  return argument.takes_folder ? "_files -/" : " ";
}

std::string zsh_specification(const CommandArgument& option) {
  const std::string value =
      option.value.empty() ? "" : fmt::format(":{}:{}", zsh_text(option.value), zsh_action(option));
  const std::string text = fmt::format("[{}]{}", zsh_text(option.description), value);
  std::string words;
  for (const std::string& flag : option.flags) {
    const std::string before = option.value.empty() ? "(" + joined(option.flags) + ")" : "*";
    // The value of a long flag may follow an equals sign, too.
    const bool is_long = flag.starts_with("--") && !option.value.empty();
    words += fmt::format(" \\\n    {}", quoted(before + flag + (is_long ? "=" : "") + text));
  }
  return words;
}

std::string zsh_leaf(const Command& command) {
  std::string text = zsh_function(command) + "() {\n  _arguments";
  for (const CommandArgument& option : command.options) text += zsh_specification(option);
  for (std::size_t i = 0; i < command.places.size(); ++i) {
    const CommandArgument& place = command.places[i];
    const std::string where = place.takes_many ? "*" : std::to_string(i + 1);
    text += " \\\n    " +
            quoted(fmt::format("{}:{}:{}", where, zsh_text(place.value), zsh_action(place)));
  }
  return text + "\n}\n";
}

std::string zsh_branch(const Command& command) {
  std::string text = zsh_function(command) +
                     "() {\n  local context state state_descr line\n  typeset -A opt_args\n"
                     "  local -a verbs=(\n";
  for (const Command& verb : command.verbs) {
    std::string what;
    for (const char c : verb.description) what += c == ':' ? std::string("\\:") : std::string(1, c);
    text += fmt::format("    {}\n", quoted(verb_of(verb) + ":" + what));
  }
  text += "  )\n  _arguments -C";
  for (const CommandArgument& option : command.options) text += zsh_specification(option);
  text +=
      " \\\n    '1:verb:->verb' \\\n    '*::argument:->rest'\n"
      "  case $state in\n    verb) _describe verb verbs ;;\n    rest)\n      case $line[1] in\n";
  for (const Command& verb : command.verbs)
    text += fmt::format("        {}) {} ;;\n", verb_of(verb), zsh_function(verb));
  return text + "      esac\n      ;;\n  esac\n}\n";
}

}  // namespace

std::string bash_completion(const Command& root, const std::vector<KnownNames>& known) {
  std::string text =
      "# Completion of epsim for bash, written by `epsim completion bash`.\n\n"
      "# Verbs and options of a command, what may stand at its places, whether the last repeats.\n"
      "_epsim_command() {\n  case $1 in\n";
  for (const Command* command : all_commands(root)) text += bash_command(*command, known);
  text +=
      "  esac\n}\n\n"
      "# What may follow an option of a command, and whether several may; empty where none may.\n"
      "_epsim_option() {\n  case \"$1 $2\" in\n";
  for (const Command* command : all_commands(root)) text += bash_options(*command, known);
  return text + "  esac\n}\n" + std::string(kBashBody);
}

std::string zsh_completion(const Command& root, const std::vector<KnownNames>& known) {
  std::string text =
      "#compdef epsim\n# Completion of epsim for zsh, written by `epsim completion zsh`.\n\n";
  for (const KnownNames& names : known) {
    const std::string function = "_epsim__names_" + names.word;
    text += fmt::format("{}() {{\n  local -a names=({})\n  _describe {} names\n}}\n",
                        function,
                        joined(names.names),
                        names.word);
    text +=
        fmt::format("{0}_or_file() {{\n  _alternative 'names:{1}:{0}' 'files:file:_files'\n}}\n",
                    function,
                    names.word);
  }
  for (const Command* command : all_commands(root))
    text += command->verbs.empty() ? zsh_leaf(*command) : zsh_branch(*command);
  // Read by autoload, the file itself is the function and has to run what it defines.
  return text +
         "\nif [[ $funcstack[1] == _epsim ]]; then\n  _epsim \"$@\"\nelse\n"
         "  compdef _epsim epsim\nfi\n";
}

}  // namespace epsim
