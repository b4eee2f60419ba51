// epsim completion, epsim manual: the command line told to shells and to man.
#include <memory>
#include <string>

#include <CLI/CLI.hpp>

#include "cli/command_tree.hpp"
#include "cli/commands.hpp"
#include "cli/completions.hpp"
#include "cli/known_names.hpp"
#include "cli/manual_page.hpp"
#include "cli/output.hpp"

namespace epsim {

// The verbs that are added later are told too: the tree is read when it is asked for.
void add_completion_command(CLI::App& app) {
  CLI::App* verb = app.add_subcommand("completion", "print what a shell needs to complete epsim");
  const auto which = std::make_shared<std::string>();
  verb->add_option("SHELL", *which, "bash or zsh")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh"}));
  verb->footer(
      "Installed packages have it in place. For one session of bash, or for good in zsh:\n"
      "  source <(epsim completion bash)\n"
      "  epsim completion zsh > ~/.zfunc/_epsim   # a folder of $fpath");
  verb->callback([&app, which] {
    const std::vector<KnownNames> known = known_names();
    const Command root = command_tree(app, known);
    print_result(*which == "bash" ? bash_completion(root, known) : zsh_completion(root, known));
  });
}

void add_manual_command(CLI::App& app) {
  CLI::App* verb = app.add_subcommand("manual", "print the manual page, for man to typeset");
  verb->footer("Example:\n  epsim manual | man -l -");
  verb->callback([&app] {
    const std::vector<KnownNames> known = known_names();
    print_result(manual_page(
        command_tree(app, known), known, {.version = EPSIM_VERSION, .date = EPSIM_VERSION_DATE}));
  });
}

}  // namespace epsim
