#include "calibrate/experiments/flag_watcher.hpp"

#include "calibrate/device_error.hpp"

namespace epsim {
namespace {

constexpr std::chrono::seconds kPatience{4};  // longer than a kernel's longest wait

int read_word(const int* word) {
  const int value = *static_cast<const volatile int*>(word);
  std::atomic_thread_fence(std::memory_order_acquire);
  return value;
}

}  // namespace

FlagWatcher::FlagWatcher(const int* word)
    : word_(word),
      expected_(read_word(word)),
      reached_(expected_.load()),
      thread_([this] { watch(); }) {}

FlagWatcher::~FlagWatcher() {
  ending_.store(true);
  thread_.join();
}

void FlagWatcher::watch() {
  int reached = reached_.load();
  while (!ending_.load(std::memory_order_relaxed)) {
    const int expected = expected_.load(std::memory_order_acquire);
    if (expected == reached || read_word(word_) < expected) continue;
    when_ = Clock::now();
    reached = expected;
    reached_.store(reached, std::memory_order_release);
  }
}

FlagWatcher::Clock::time_point FlagWatcher::seen() const {
  const int expected = expected_.load(std::memory_order_relaxed);
  const Clock::time_point begin = Clock::now();
  while (reached_.load(std::memory_order_acquire) != expected)
    if (Clock::now() - begin > kPatience)
      throw DeviceError("a GPU did not write the word that a thread of the host watches");
  return when_;
}

}  // namespace epsim
