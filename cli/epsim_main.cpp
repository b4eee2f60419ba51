// epsim: the command line. Turns what went wrong into one line on stderr and an exit code: 1 the
// world failed, 2 the input or the command line is wrong, 70 we are wrong.
#include <exception>
#include <new>
#include <stdexcept>
#include <string>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "cli/output.hpp"
#include "cli/verbs.hpp"
#include "sim/base/input_error.hpp"

namespace {

constexpr int kWorldFailed = 1;
constexpr int kInputWrong = 2;
constexpr int kOurBug = 70;

// What is wrong with the command line and where to read more, as far as it was understood.
std::string complaint(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App* verb = &app;
  std::string name = app.get_name();
  while (!verb->get_subcommands().empty()) {
    verb = verb->get_subcommands().front();
    name += " " + verb->get_name();
  }
  std::string what = error.what();
  // A misspelt verb is left over, and then one is missing.
  if (error.get_name() == "RequiredError" && !verb->remaining().empty())
    what = fmt::format("unknown verb \"{}\"", verb->remaining().front());
  return fmt::format("{}; see {} --help", what, name);
}

int run(int argc, char** argv) {
  CLI::App app(
      "epsim predicts how long MoE dispatch and combine take on a given fabric, before anything is "
      "deployed.");
  app.name("epsim");
  app.require_subcommand(1);
  app.set_version_flag("--version", "epsim " EPSIM_VERSION "\n", "print the version");
  epsim::add_verbs(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::RuntimeError& answer) {  // a verb whose exit code says what it found
    return answer.get_exit_code();
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) {  // help was asked for, of the verb that was given
      epsim::print_result(error.get_name() == "CallForVersion" ? error.what() : app.help());
      return 0;
    }
    fmt::print(stderr, "epsim: {}\n", complaint(app, error));
    return kInputWrong;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const epsim::InputError& error) {
    fmt::print(stderr, "epsim: {}\n", error.what());
    return kInputWrong;
  } catch (const std::logic_error& error) {
    fmt::print(stderr, "bug: {}\n", error.what());
    return kOurBug;
  } catch (const std::bad_alloc&) {
    fmt::print(stderr, "epsim: out of memory\n");
    return kWorldFailed;
  } catch (const std::exception& error) {
    fmt::print(stderr, "epsim: {}\n", error.what());
    return kWorldFailed;
  }
}
