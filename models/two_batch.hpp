// two_batch: a step of GEMMs and exchanges on two streams of every rank, as two-batch overlap
// queues them. One GPU runs both at once, and what they share decides what the overlap is worth:
//   SMs     an exchange that comes first splits the neighbourhoods that GEMM clusters need, so that
//           only some of the GEMM's CTAs find room; a GEMM that comes first and leaves no SM free
//           makes the exchange wait for its end
//   memory  the GEMM's operands and the exchange's rows pass the same HBM
//   links   exchanges of all ranks meet on them, and end together
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "models/constants.hpp"
#include "models/plan.hpp"
#include "topologies/topology.hpp"

namespace epsim {

// BF16 C[m][n] = A[m][k] B[n][k]^T.
struct GemmWork {
  std::int64_t m = 0, n = 0, k = 0;
};

// One kernel of the step, on every rank alike.
struct StepKernel {
  bool on_communication_stream = false;
  GemmWork gemm;                   // m = 0: an exchange
  Bytes exchange_size;             // from each rank to each rank, itself included
  std::vector<std::size_t> after;  // events: earlier kernels of the other stream
};

// Kernels in the order in which a host queues them.
struct TwoBatchStep {
  std::uint32_t rank_count = 0;
  std::uint32_t communication_ctas = 0;  // of every exchange
  std::uint32_t reserved_sms = 0;        // SMs that GEMMs are told to leave free
  std::vector<StepKernel> kernels;
  // Of the launches' small delays: which of two kernels that wait for the same end comes first, and
  // takes the SMs it wants, is a matter of a tenth of a microsecond.
  std::uint64_t seed = 0;
};

// Constants of the model ("epsim-overlap"). Some are curves over the exchange's CTAs, one constant
// a measured place, in between a straight line.
[[nodiscard]] std::span<const ConstantSpec> two_batch_constants();

// Kernel i of the step on rank r is kernel i * rank_count + r of the plan.
[[nodiscard]] Plan plan_two_batch(const TwoBatchStep& step,
                                  const ConstantSet& constants,
                                  const Topology& topology);

}  // namespace epsim
