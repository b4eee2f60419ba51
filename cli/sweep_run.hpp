// sweep_run: the points of a sweep simulated by threads of this process, or by the processes that
// mpirun or srun started with it. Which of them takes which point changes no result.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/sweep/mpi_world.hpp"
#include "sim/sweep/sweep_point.hpp"

namespace epsim {

// Takes the rows of a finished point; never two at a time.
using KeepPoint = std::function<void(std::uint64_t point, std::string_view rows)>;

// Why each point is refused at a glance, or nothing.
[[nodiscard]] std::vector<std::optional<std::string>> glance_at_points(const ScenarioSweep& sweep,
                                                                       SweepSimulator& simulator,
                                                                       std::size_t jobs);

// Both return early when StopSignal is raised, with the points in progress kept.
void run_points_here(SweepSimulator& simulator,
                     const std::vector<std::uint64_t>& points,
                     std::size_t jobs,
                     const KeepPoint& keep);
// By the other processes: this one, rank 0, hands out and keeps. `sweep` is theirs, too.
void hand_out_points(MpiWorld& world,
                     const ScenarioSweep& sweep,
                     const std::vector<std::uint64_t>& points,
                     const KeepPoint& keep);
// Tells the others that there is nothing to do: rank 0 does this or hand_out_points, once.
void dismiss_workers(MpiWorld& world);

// The others' part, from the first question to the last answer. Each works on `jobs` points at a
// time. A sweep that cannot be read is rank 0's to complain about.
void work_on_points(MpiWorld& world, const std::string& sweep_file, std::size_t jobs);

}  // namespace epsim
