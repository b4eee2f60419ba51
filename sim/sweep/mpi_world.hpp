// MpiWorld: this process among those that mpirun or srun started with it, and messages between
// them. The only door to MPI; a build without MPI has none of it and says so.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace epsim {

struct MpiMessage {
  int source = 0;
  std::string text;
};

class MpiWorld {
 public:
  // Joins the others, `expected` in all as the environment says (0: it does not say). Throws
  // InputError where this build knows no MPI, or its MPI is not the one that started it.
  [[nodiscard]] static std::unique_ptr<MpiWorld> join(int expected);
  ~MpiWorld();
  MpiWorld(const MpiWorld&) = delete;
  MpiWorld& operator=(const MpiWorld&) = delete;

  [[nodiscard]] int rank() const { return rank_; }
  [[nodiscard]] int size() const { return size_; }

  void send(int target, std::string_view text);
  // The next message of anybody. Sleeps while there is none: a rank that waits leaves its core to
  // those that work.
  [[nodiscard]] MpiMessage receive();

  // Ends every process with this exit code.
  [[noreturn]] void end_all(int exit_code);

 private:
  MpiWorld() = default;

  int rank_ = 0;
  int size_ = 1;
};

}  // namespace epsim
