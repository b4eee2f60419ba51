// FlagWatcher: a thread of the host that reads a word without rest, and notes when it changed.
#pragma once

#include <atomic>
#include <chrono>
#include <thread>

namespace epsim {

class FlagWatcher {
 public:
  using Clock = std::chrono::steady_clock;

  // `word` is page-locked memory that a GPU writes with growing values; it outlives the watcher.
  explicit FlagWatcher(const int* word);
  ~FlagWatcher();
  FlagWatcher(const FlagWatcher&) = delete;
  FlagWatcher& operator=(const FlagWatcher&) = delete;

  // From now on, watches for the word to reach `value`, which is greater than all before.
  void expect(int value) { expected_.store(value, std::memory_order_release); }

  // When the expected value was seen. Throws DeviceError when it does not come within seconds.
  [[nodiscard]] Clock::time_point seen() const;

 private:
  void watch();

  const int* word_;
  std::atomic<int> expected_;
  std::atomic<int> reached_;
  std::atomic<bool> ending_ = false;
  Clock::time_point when_;  // written before `reached_`
  std::thread thread_;
};

}  // namespace epsim
