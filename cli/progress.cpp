#include "cli/progress.hpp"

#include <unistd.h>

#include <cstdio>
#include <utility>

#include <fmt/format.h>

namespace epsim {
namespace {

constexpr std::size_t kBarWidth = 30;
constexpr std::chrono::milliseconds kFirst{1000};
constexpr std::chrono::milliseconds kBetween{100};
constexpr const char* kClearLine = "\r\033[K";

}  // namespace

Progress::Progress(std::string label, std::size_t total)
    : label_(std::move(label)),
      total_(total),
      next_(std::chrono::steady_clock::now() + kFirst),
      is_terminal_(::isatty(STDERR_FILENO) == 1) {}

void Progress::step() {
  const std::lock_guard lock(mutex_);
  ++done_;
  show();
}

void Progress::note(std::string_view text) {
  const std::lock_guard lock(mutex_);
  note_ = text;
  show();
}

void Progress::finish() {
  const std::lock_guard lock(mutex_);
  if (is_shown_) fmt::print(stderr, "{}", kClearLine);
  is_shown_ = false;
}

void Progress::show() {
  const auto now = std::chrono::steady_clock::now();
  if (!is_terminal_ || now < next_) return;
  next_ = now + kBetween;
  is_shown_ = true;
  std::string line = kClearLine + label_;
  if (total_ > 0) {
    const std::size_t filled = kBarWidth * done_ / total_;
    line += fmt::format(" [{:<{}}] {}/{}", std::string(filled, '#'), kBarWidth, done_, total_);
  }
  if (!note_.empty()) line += " " + note_;
  fmt::print(stderr, "{}", line);
  std::fflush(stderr);
}

}  // namespace epsim
