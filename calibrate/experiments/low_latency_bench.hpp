// LowLatencyBench: dispatches and combines of one routing after another, on buffers that fit the
// largest. Verifies each by stamps on the GPU, then times it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "calibrate/experiment.hpp"
#include "calibrate/lab.hpp"
#include "calibrate/measurement.hpp"
#include "calibrate/point.hpp"
#include "kernels/gpu_set.hpp"
#include "kernels/low_latency/combine.cuh"
#include "kernels/low_latency/dispatch.cuh"
#include "traces/routing.hpp"

namespace epsim {

// The largest that a point may ask for; what buffers are sized by.
struct LowLatencyLimits {
  std::size_t tokens = 0;
  std::size_t experts = 0;
  std::size_t hidden = 0;
};

class LowLatencyBench {
 public:
  LowLatencyBench(Lab& lab, const LowLatencyLimits& limits);
  [[nodiscard]] PointResult measure(const Point& point);

 private:
  struct Setup {
    int ranks = 0, tokens = 0, top_k = 0, experts = 0, hidden = 0;
    kernels::RowFormat format = kernels::RowFormat::fp8;
    kernels::CombineFence fence = kernels::CombineFence::none;
    kernels::StagePitch pitch = kernels::StagePitch::packed;
    bool split = false;
  };
  static Setup setup_of(const Point& point);

  [[nodiscard]] int generation(std::size_t call) const;
  [[nodiscard]] kernels::LowLatencyShape shape(int rank) const;
  [[nodiscard]] kernels::ExpertInput expert_input(int rank) const;
  [[nodiscard]] kernels::LowLatencyDispatch dispatch(int rank, int generation) const;
  [[nodiscard]] kernels::LowLatencyCombine combine(int rank, int generation) const;
  [[nodiscard]] const std::int64_t* own_ids(int rank) const;
  void launch_dispatch(int rank, int generation, bool split) const;
  void launch_combine(int rank, int generation, bool split) const;

  void load(const Routing& routing);
  void poison(int rank);
  void check_dispatch(const Point& point);
  [[nodiscard]] std::int64_t verify(const Point& point);
  [[nodiscard]] std::vector<std::vector<int>> faults();
  [[nodiscard]] PointResult time(const Point& point);
  [[nodiscard]] std::int64_t moved(const Point& point) const;

  Lab& lab_;
  Setup setup_;
  std::size_t calls_ = 0;  // dispatches so far; what generations are counted by
  kernels::Symmetric<std::uint16_t> tokens_, expert_output_, output_;
  kernels::Symmetric<std::int64_t> ids_of_all_;
  kernels::Symmetric<float> weights_;
  kernels::Symmetric<std::uint8_t> staging_, dispatch_receive_, combine_receive_, rows_;
  kernels::Symmetric<float> scales_;
  kernels::Symmetric<int> source_token_;
  kernels::Symmetric<int2> source_range_;
  kernels::Symmetric<int> counts_, counters_, flags_, error_, faults_;
};

}  // namespace epsim
