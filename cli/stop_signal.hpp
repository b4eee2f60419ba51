// StopSignal: Ctrl-C and SIGTERM as a question that a long command asks, instead of its end. While
// one of these lives, the first signal is remembered, and answered where asked to, and the second
// one ends the program.
#pragma once

namespace epsim {

class StopSignal {
 public:
  explicit StopSignal(bool is_answered = true);
  ~StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  [[nodiscard]] static bool is_raised();
};

}  // namespace epsim
