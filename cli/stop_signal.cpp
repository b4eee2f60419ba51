#include "cli/stop_signal.hpp"

#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <string_view>

namespace epsim {
namespace {

constexpr std::array kSignals = {SIGINT, SIGTERM};
constexpr std::string_view kAnswer =
    "\nepsim: stopping after the points in progress; once more stops at once\n";

std::atomic<bool> raised = false;
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler may write it");

std::atomic<bool> answers = true;

void remember(int) {
  raised = true;
  if (!answers) return;
  if (::write(STDERR_FILENO, kAnswer.data(), kAnswer.size()) < 0) return;  // nobody looks
}

}  // namespace

StopSignal::StopSignal(bool is_answered) {
  raised = false;
  answers = is_answered;
  struct sigaction action {};
  action.sa_handler = &remember;
  action.sa_flags = SA_RESTART | static_cast<int>(SA_RESETHAND);
  for (const int signal : kSignals) ::sigaction(signal, &action, nullptr);
}

StopSignal::~StopSignal() {
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  for (const int signal : kSignals) ::sigaction(signal, &action, nullptr);
}

bool StopSignal::is_raised() {
  return raised;
}

}  // namespace epsim
