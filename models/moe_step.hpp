// moe_step: the step of a mixture-of-experts model on one rank, from the model's dimensions: the
// tasks of each layer and micro-batch with the time that each takes alone, and what each needs.
// A schedule (step_schedule.hpp) says on which stream each runs, and in which order.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "models/formatted_gemm.hpp"
#include "models/gpu_step.hpp"
#include "models/step_stage.hpp"
#include "models/step_times.hpp"

namespace epsim {

// How a layer's experts lie on the ranks: whole experts, to which rows are sent, or a slice of
// every expert on each rank, which needs the rows of all ranks and gives a part of their sums.
enum class ExpertSharing : std::uint8_t { whole, sliced };
inline constexpr std::array<std::string_view, 2> kExpertSharingNames = {"whole", "sliced"};

// How the partial sums of sliced experts become whole: on each rank for all rows, or for its own.
enum class OutputCollective : std::uint8_t { none, all_reduce, reduce_scatter };
inline constexpr std::array<std::string_view, 3> kOutputCollectiveNames = {
    "none", "all-reduce", "reduce-scatter"};

// Columns and depth of a GEMM over the tokens.
struct MatrixShape {
  std::int64_t columns = 0, depth = 0;
  std::int64_t count = 1;       // of such GEMMs in one kernel, each with a matrix of its own
  std::int64_t extra_rows = 0;  // beside the tokens
  bool is_bf16 = false;         // whatever the format of the others
  bool operator==(const MatrixShape&) const = default;
};

struct AttentionShape {
  std::vector<MatrixShape> projections;  // before the core
  AttentionCore core;                    // its tokens are those of the step
  std::vector<MatrixShape> output;       // behind it
  // Kernels that only read and write, BF16 numbers a token, before the core and behind it.
  std::vector<std::int64_t> row_kernels, output_row_kernels;
  std::optional<AttentionCore> indexer;  // scores of keys, of which it chooses some
};

// Of the linear layers' weights and of the routed experts'.
struct StepFormats {
  GemmFormat linear, experts;
};

// An exchange of tokens with the experts' ranks, its time given from outside.
struct StepExchange {
  Duration time{};  // 0: there is none
  std::string family;
  std::uint32_t ctas = 0;
  double memory_share = 0, link_share = 0;
};

// A collective in which each rank sends and receives `payload`, by link_time.
[[nodiscard]] StepExchange collective_exchange(Bytes payload,
                                               std::uint32_t ctas,
                                               Bandwidth link,
                                               const StepMachine& machine);

struct MoeStepSpec {
  std::uint32_t layers = 0, micro_batches = 0, ranks = 0;
  std::int64_t tokens = 0;  // of this rank and one micro-batch
  std::int64_t hidden = 0;
  AttentionShape attention;
  std::int64_t experts = 0, top_k = 0;  // of the whole layer
  ExpertSharing sharing = ExpertSharing::whole;
  std::int64_t intermediate = 0, shared_intermediate = 0;  // of one expert, of all shared ones
  std::vector<std::int64_t> expert_rows;  // one each expert on this rank, one micro-batch
  StepExchange dispatch, combine;         // of one micro-batch
  bool gathers_ids = false;               // of all ranks' tokens, in front of the choice of experts
  OutputCollective output = OutputCollective::none;
  std::uint32_t collective_ctas = 0;
  Bandwidth link{};  // of one direction
  // That share the heads of a sequence: attention has the tokens of all of them, which are gathered
  // in front of it, and its sums are scattered behind it.
  std::uint32_t attention_ranks = 1;
  std::optional<StepFormats> formats;  // none: all GEMMs are of the machine's dtype
  // Rows come ordered by expert (low-latency kernels), and sums are the combine's.
  bool arrives_by_expert = false;
};

enum class StepLane : std::uint8_t { compute, exchange, collective };

struct MoeTask {
  StepTask task;  // without stream, events, gap and launch
  StepStage stage{};
  StepLane lane{};
  std::vector<std::uint32_t> needs;  // earlier tasks of the same micro-batch whose results it reads
};

struct MoeStep {
  std::vector<MoeTask> tasks;  // layer by layer, micro-batch by micro-batch, in program order
  std::uint32_t sm_count = 0;
  std::uint32_t rank_count = 0;
};

[[nodiscard]] MoeStep moe_step(const MoeStepSpec& spec, const StepMachine& machine);
// Its layers' attention alone.
[[nodiscard]] MoeStep attention_step(const MoeStepSpec& spec, const StepMachine& machine);

}  // namespace epsim
