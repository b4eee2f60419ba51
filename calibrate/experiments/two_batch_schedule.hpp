// Two-batch schedules: the operations of one step, in the order that a host queues them, with their
// streams and the events between them; and what a trace of the step says.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "calibrate/intervals.hpp"

namespace epsim {

enum class StepOpKind { attention, dispatch, experts, combine, collective };
enum class Lane { compute, communication };

struct StepOp {
  StepOpKind kind;
  int layer;
  int micro_batch;
  Lane lane;
  std::vector<std::size_t> after;  // earlier operations of the other lane that it waits for
};

// Per layer and micro-batch: attention, dispatch, experts, combine; with a collective behind the
// attention, on the compute lane, in the schedules that say so.
//   serial, serial_inline     one stream, one micro-batch after the other
//   tbo, tbo_inline           two streams: each micro-batch's exchanges under the other's GEMMs
//   tbo_same_communicator     as tbo_inline, but all communication runs in the order it was queued,
//                             as a library orders the collectives of one communicator
// Throws Bug for another name.
[[nodiscard]] std::vector<StepOp> two_batch_step(std::string_view schedule, int layer_count);

// The names above, in that order.
[[nodiscard]] const std::vector<std::string_view>& two_batch_schedules();

[[nodiscard]] constexpr bool is_communication(StepOpKind kind) {
  return kind != StepOpKind::attention && kind != StepOpKind::experts;
}

// Durations of the operations of one kind, ns; 0 where a step has none.
struct OpTimes {
  double own_ns = 0;      // median over ranks, layers and micro-batches; includes waiting for peers
  double aligned_ns = 0;  // last rank's start to last rank's end: median over layers, micro-batches
};

struct StepTimes {
  double step_ns = 0;                   // last rank's first start to last rank's last end
  double communication_ns = 0;          // time with any exchange or collective, mean over ranks
  double compute_ns = 0;                // time with any GEMM, mean over ranks
  double overlap_percent = 0;           // of communication_ns, by compute; mean over ranks
  double exchange_overlap_percent = 0;  // the same, of dispatch and combine alone
  OpTimes attention, dispatch, experts, combine, collective;
};

// `by_rank[r][i]`: when operation i ran on rank r.
[[nodiscard]] StepTimes step_times(const std::vector<StepOp>& ops,
                                   const std::vector<std::vector<Interval>>& by_rank);

}  // namespace epsim
