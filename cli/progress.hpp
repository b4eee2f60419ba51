// Progress: one line on stderr that says how far a long command is. Shown on a terminal only, and
// only once a second has passed; gone when the command ends. Threads may share one.
#pragma once

#include <chrono>
#include <cstddef>
#include <mutex>
#include <string>
#include <string_view>

namespace epsim {

class Progress {
 public:
  // `total` steps, or 0 when nobody knows how many there are.
  explicit Progress(std::string label, std::size_t total = 0);
  ~Progress() { finish(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void step();
  void note(std::string_view text);  // shown behind the label until the next one
  void finish();                     // clears the line

 private:
  void show();

  std::mutex mutex_;
  std::string label_;
  std::string note_;
  std::size_t total_;
  std::size_t done_ = 0;
  std::chrono::steady_clock::time_point next_;
  bool is_terminal_;
  bool is_shown_ = false;
};

}  // namespace epsim
