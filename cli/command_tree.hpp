// CommandTree: the command line as data, read off its definition: what a manual page and the
// completions of shells are written from, so that neither can name what the program does not have.
#pragma once

#include <span>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace epsim {

// Names that the program knows: "KERNEL", "kernels" and {"deepep-ll-1.2.1", ...}. A value is one of
// them where its option is called so (--kernel), where its type says KERNEL, or where its
// description says "epsim list kernels".
struct KnownNames {
  std::string word;
  std::string listing;
  std::vector<std::string> names;
  bool or_file = false;  // a file may stand where such a name may
};

struct CommandArgument {
  std::vector<std::string> flags;     // "-h", "--help"; none: it is known by its place
  std::string value;                  // "FILE", "prefill|decode"; empty: takes none
  std::string description;            // with limits, and what holds where it is not given
  std::vector<std::string> words;     // that the value may be
  std::vector<std::string> listings;  // "KERNEL": known names that the value may be
  bool takes_file = false, takes_folder = false;
  bool is_required = false, takes_many = false;
};

struct Command {
  std::string name;  // with what stands before it: "epsim calibrate fit"
  std::string description;
  std::string footer;
  std::vector<CommandArgument> options;
  std::vector<CommandArgument> places;
  std::vector<Command> verbs;
};

[[nodiscard]] Command command_tree(const CLI::App& app, std::span<const KnownNames> known);
// A command and all below it, those first that stand first.
[[nodiscard]] std::vector<const Command*> all_commands(const Command& root);
// The last word of a command's name: "fit".
[[nodiscard]] std::string verb_of(const Command& command);

}  // namespace epsim
