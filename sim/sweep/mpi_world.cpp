#include "sim/sweep/mpi_world.hpp"

#include <chrono>
#include <thread>

#include <fmt/format.h>

#include "sim/base/check.hpp"
#include "sim/base/input_error.hpp"

#ifdef EPSIM_HAS_MPI
// The C interface alone.
#ifndef OMPI_SKIP_MPICXX
#define OMPI_SKIP_MPICXX
#endif
#ifndef MPICH_SKIP_MPICXX
#define MPICH_SKIP_MPICXX
#endif
#include <mpi.h>
#endif

namespace epsim {

#ifdef EPSIM_HAS_MPI

namespace {

constexpr int kTag = 1;
constexpr int kEagerLooks = 2000;  // before the first sleep: some 100 us
constexpr std::chrono::microseconds kSleep{100};

}  // namespace

std::unique_ptr<MpiWorld> MpiWorld::join(int expected) {
  int provided = 0;
  check(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided) == MPI_SUCCESS,
        "MPI starts or ends the program");
  std::unique_ptr<MpiWorld> world(new MpiWorld());
  MPI_Comm_rank(MPI_COMM_WORLD, &world->rank_);
  MPI_Comm_size(MPI_COMM_WORLD, &world->size_);
  if (expected > 1 && world->size_ == 1)
    throw InputError(
        "epsim sweep",
        "",
        fmt::format("started as one of {} processes that MPI does not join; expected the mpirun or "
                    "srun --mpi=... of the MPI that epsim was built with",
                    expected));
  return world;
}

MpiWorld::~MpiWorld() {
  MPI_Finalize();
}

void MpiWorld::send(int target, std::string_view text) {
  MPI_Send(text.data(), static_cast<int>(text.size()), MPI_CHAR, target, kTag, MPI_COMM_WORLD);
}

MpiMessage MpiWorld::receive() {
  MPI_Status status;
  int is_there = 0;
  for (int looks = 0;; ++looks) {
    MPI_Iprobe(MPI_ANY_SOURCE, kTag, MPI_COMM_WORLD, &is_there, &status);
    if (is_there != 0) break;
    if (looks < kEagerLooks)
      std::this_thread::yield();
    else
      std::this_thread::sleep_for(kSleep);
  }
  int size = 0;
  MPI_Get_count(&status, MPI_CHAR, &size);
  MpiMessage message{.source = status.MPI_SOURCE,
                     .text = std::string(static_cast<std::size_t>(size), '\0')};
  MPI_Recv(
      message.text.data(), size, MPI_CHAR, message.source, kTag, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
  return message;
}

void MpiWorld::end_all(int exit_code) {
  MPI_Abort(MPI_COMM_WORLD, exit_code);
  fail_check("MPI ends the program", std::source_location::current());
}

#else

std::unique_ptr<MpiWorld> MpiWorld::join(int) {
  throw InputError("epsim sweep",
                   "",
                   "started as one of several MPI processes, but this epsim was built without MPI; "
                   "expected a build that finds MPI, or one process with --jobs");
}

MpiWorld::~MpiWorld() = default;

void MpiWorld::send(int, std::string_view) {
  check(false, "a build without MPI sends no message");
}

MpiMessage MpiWorld::receive() {
  check(false, "a build without MPI receives no message");
  return {};
}

void MpiWorld::end_all(int) {
  fail_check("a build without MPI has one process", std::source_location::current());
}

#endif

}  // namespace epsim
