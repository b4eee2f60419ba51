#include "models/moe_step.hpp"

#include <array>
#include <optional>

#include <fmt/format.h>

#include "sim/base/check.hpp"

namespace epsim {
namespace {

constexpr std::int64_t kBytesOfBf16 = 2;
constexpr std::int64_t kBytesOfId = 4;

class MoeStepBuilder {
 public:
  MoeStepBuilder(const MoeStepSpec& spec, const StepMachine& machine)
      : spec_(spec), machine_(machine) {
    check(spec.ranks > 0 && spec.micro_batches > 0, "a step has ranks and micro-batches");
    step_.sm_count = machine.sm_count;
    step_.rank_count = spec.ranks;
    last_.resize(spec.micro_batches);
  }

  MoeStep take(bool only_attention) {
    for (std::uint32_t layer = 0; layer < spec_.layers; ++layer)
      for (std::uint32_t batch = 0; batch < spec_.micro_batches; ++batch) {
        layer_ = static_cast<std::int32_t>(layer);
        batch_ = static_cast<std::int32_t>(batch);
        attention();
        if (only_attention) continue;
        gate();
        experts();
      }
    return std::move(step_);
  }

 private:
  using Index = std::uint32_t;

  // The micro-batch's task before, which the next one needs unless it says otherwise.
  [[nodiscard]] Index last() const { return *last_.at(static_cast<std::size_t>(batch_)); }
  [[nodiscard]] std::vector<Index> before() const {
    return last_.at(static_cast<std::size_t>(batch_)) ? std::vector<Index>{last()}
                                                      : std::vector<Index>{};
  }
  // The rows that pass the experts' GEMMs here: all ranks' where each rank has a slice.
  [[nodiscard]] std::int64_t rows_here() const {
    return spec_.sharing == ExpertSharing::sliced ? spec_.tokens * std::int64_t{spec_.ranks}
                                                  : spec_.tokens;
  }
  [[nodiscard]] std::int64_t slice_of(std::int64_t width) const {
    const std::int64_t parts = spec_.sharing == ExpertSharing::sliced ? spec_.ranks : 1;
    return (width + parts - 1) / parts;
  }

  Index add(MoeTask task) {
    task.task.layer = layer_;
    task.task.micro_batch = batch_;
    const auto index = static_cast<Index>(step_.tasks.size());
    last_.at(static_cast<std::size_t>(batch_)) = index;
    step_.tasks.push_back(std::move(task));
    return index;
  }

  Index add_compute(StepStage stage,
                    std::string name,
                    std::string family,
                    const ComputeTime& compute,
                    std::vector<Index> needs) {
    MoeTask task;
    task.stage = stage;
    task.lane = StepLane::compute;
    task.needs = std::move(needs);
    task.task.name = std::move(name);
    task.task.time = compute.time;
    task.task.memory_share = compute.memory_share;
    task.task.cta_count = compute.ctas;
    task.task.ctas_per_sm = compute.ctas_per_sm;
    task.task.is_persistent = compute.tiles > 0;
    task.task.tile_count = compute.tiles;
    task.task.cluster_size = compute.tiles > 0 ? 2 : 1;
    task.task.clock_share = compute.clock_share;
    task.task.family = std::move(family);
    return add(std::move(task));
  }
  Index gemm(StepStage stage, std::string name, const GemmWork& work, std::vector<Index> needs) {
    const ComputeTime time =
        spec_.formats ? formatted_gemm_time(
                            std::array{work.m}, work.n, work.k, spec_.formats->linear, machine_)
                      : gemm_compute_time(work, machine_);
    return add_compute(stage, std::move(name), "GEMM", time, std::move(needs));
  }
  // A matrix of attention's, `tokens` rows.
  void matrix(std::string name, const MatrixShape& shape, std::int64_t tokens) {
    const std::int64_t rows = tokens + shape.extra_rows;
    if (shape.count == 1 && !(shape.is_bf16 && spec_.formats)) {
      gemm(StepStage::attention, std::move(name), {rows, shape.columns, shape.depth}, before());
      return;
    }
    GemmFormat format;
    if (spec_.formats && !shape.is_bf16) format = spec_.formats->linear;
    const std::vector<std::int64_t> groups(static_cast<std::size_t>(shape.count), rows);
    add_compute(StepStage::attention,
                std::move(name),
                "GEMM",
                formatted_gemm_time(groups, shape.columns, shape.depth, format, machine_),
                before());
  }
  // `row_count` rows of `width` BF16 numbers, each read or written so many times.
  Index elementwise(StepStage stage,
                    std::string name,
                    std::int64_t row_count,
                    std::int64_t width,
                    std::int64_t times,
                    std::vector<Index> needs) {
    const Bytes traffic{row_count * width * times * kBytesOfBf16};
    return add_compute(stage,
                       std::move(name),
                       "elementwise",
                       elementwise_time(traffic, row_count, machine_),
                       std::move(needs));
  }

  Index add_communication(StepStage stage,
                          StepLane lane,
                          std::string name,
                          CommunicationPhase phase,
                          const StepExchange& exchange,
                          std::vector<Index> needs) {
    MoeTask task;
    task.stage = stage;
    task.lane = lane;
    task.needs = std::move(needs);
    task.task.name = std::move(name);
    task.task.kernel_class = KernelClass::communication;
    task.task.phase = phase;
    task.task.family = exchange.family;
    task.task.time = exchange.time;
    task.task.cta_count = exchange.ctas;
    task.task.memory_share = exchange.memory_share;
    task.task.link_share = exchange.link_share;
    return add(std::move(task));
  }
  // A collective whose ranks each send and receive `payload`.
  Index collective(StepStage stage,
                   std::string name,
                   CommunicationPhase phase,
                   Bytes payload,
                   std::vector<Index> needs) {
    return add_communication(
        stage,
        StepLane::collective,
        std::move(name),
        phase,
        collective_exchange(payload, spec_.collective_ctas, spec_.link, machine_),
        std::move(needs));
  }

  // Rows of one rank for those of all that share a sequence's heads, or their sums back.
  void attention_collective(std::string name, CommunicationPhase phase) {
    if (spec_.attention_ranks == 1) return;
    const std::int64_t others = std::int64_t{spec_.attention_ranks} - 1;
    collective(StepStage::attention,
               std::move(name),
               phase,
               Bytes{spec_.tokens * spec_.hidden * kBytesOfBf16 * others},
               before());
  }
  void core(std::string name, AttentionCore core, std::int64_t tokens) {
    core.tokens = tokens;
    add_compute(StepStage::attention,
                std::move(name),
                "attention",
                attention_core_time(core, machine_),
                before());
  }
  void row_kernels(const char* name, const std::vector<std::int64_t>& widths, std::int64_t tokens) {
    for (std::size_t i = 0; i < widths.size(); ++i)
      elementwise(
          StepStage::attention, fmt::format("{} {}", name, i), tokens, widths[i], 1, before());
  }

  void attention() {
    const AttentionShape& shape = spec_.attention;
    const std::int64_t tokens = spec_.tokens * std::int64_t{spec_.attention_ranks};
    // What came before, and the residual row: read both, write their sum and its norm.
    elementwise(StepStage::attention, "attention norm", spec_.tokens, spec_.hidden, 4, before());
    attention_collective("all-gather of rows", CommunicationPhase::gather);
    for (std::size_t i = 0; i < shape.projections.size(); ++i)
      matrix(fmt::format("projection {}", i), shape.projections[i], tokens);
    row_kernels("attention rows", shape.row_kernels, tokens);
    if (shape.indexer) {
      core("indexer", *shape.indexer, tokens);
      // FP32 scores, written and read again.
      elementwise(
          StepStage::attention, "choice of keys", tokens, shape.indexer->attended, 4, before());
    }
    core("attention core", shape.core, tokens);
    row_kernels("output rows", shape.output_row_kernels, tokens);
    for (std::size_t i = 0; i < shape.output.size(); ++i)
      matrix(fmt::format("attention output {}", i), shape.output[i], tokens);
    attention_collective("reduce-scatter of attention", CommunicationPhase::reduce);
  }

  void gate() {
    const std::int64_t tokens = spec_.tokens;
    normed_ = elementwise(StepStage::gate, "expert norm", tokens, spec_.hidden, 4, before());
    const GemmWork scores{tokens, spec_.experts, spec_.hidden};
    // The gate stays in BF16 whatever the other layers' format.
    add_compute(StepStage::gate,
                "gate",
                "GEMM",
                spec_.formats
                    ? formatted_gemm_time(std::array{tokens}, scores.n, scores.k, {}, machine_)
                    : gemm_compute_time(scores, machine_),
                before());
    std::vector<Index> needs = before();
    // Ids are the step's input: nothing that the GPU computes has to be waited for.
    if (spec_.gathers_ids)
      needs.push_back(collective(StepStage::gate,
                                 "all-gather of ids",
                                 CommunicationPhase::gather,
                                 Bytes{tokens * kBytesOfId * (std::int64_t{spec_.ranks} - 1)},
                                 {}));
    // Scores are read, ids and weights written.
    elementwise(StepStage::gate, "top-k", tokens, spec_.experts + 4 * spec_.top_k, 1, needs);
  }

  void experts() {
    const bool is_sliced = spec_.sharing == ExpertSharing::sliced;
    Index rows = last();
    if (spec_.dispatch.time > Duration{})
      rows =
          add_communication(StepStage::dispatch,
                            StepLane::exchange,
                            is_sliced ? "all-gather of rows" : "dispatch",
                            is_sliced ? CommunicationPhase::gather : CommunicationPhase::dispatch,
                            spec_.dispatch,
                            before());
    routed_experts(rows);
    const Index routed = last();
    std::vector<Index> needs = {routed};
    if (spec_.shared_intermediate > 0) needs.push_back(shared_experts(is_sliced ? rows : normed_));
    is_sliced ? sliced_output(needs) : whole_output(needs);
  }

  void routed_experts(Index rows) {
    std::int64_t total = 0;
    for (const std::int64_t count : spec_.expert_rows) total += count;
    const std::int64_t width = slice_of(spec_.intermediate);
    const bool is_fp8 = spec_.formats && spec_.formats->experts.dtype == StepDtype::fp8;
    // Rows in the order of their experts: read and written once, FP8 in half the bytes.
    std::vector<Index> needs = {rows};
    if (!spec_.arrives_by_expert)
      needs = {elementwise(
          StepStage::experts, "rows by expert", total, spec_.hidden, is_fp8 ? 1 : 2, {rows})};
    grouped("experts up", 2 * width, spec_.hidden, std::move(needs));
    // Two halves are read, their product is written.
    elementwise(StepStage::experts, "experts activation", total, width, 3, before());
    grouped("experts down", spec_.hidden, width, before());
    // A token's rows are summed where they all are: here, or behind the combine. Kernels that bring
    // home one row of each rank leave the rank's own sum to it.
    if (spec_.sharing == ExpertSharing::sliced)
      elementwise(
          StepStage::experts, "sum of experts", total + rows_here(), spec_.hidden, 1, before());
    else if (spec_.formats && !spec_.arrives_by_expert)
      elementwise(StepStage::experts, "sum of experts", total, spec_.hidden, 2, before());
  }
  void grouped(std::string name,
               std::int64_t columns,
               std::int64_t depth,
               std::vector<Index> needs) {
    const ComputeTime time =
        spec_.formats ? formatted_gemm_time(
                            spec_.expert_rows, columns, depth, spec_.formats->experts, machine_)
                      : grouped_gemm_time(spec_.expert_rows, columns, depth, machine_);
    add_compute(StepStage::experts, std::move(name), "GEMM", time, std::move(needs));
  }

  Index shared_experts(Index rows) {
    const std::int64_t width = slice_of(spec_.shared_intermediate);
    gemm(StepStage::shared, "shared up", {rows_here(), 2 * width, spec_.hidden}, {rows});
    elementwise(StepStage::shared, "shared activation", rows_here(), width, 3, before());
    return gemm(StepStage::shared, "shared down", {rows_here(), spec_.hidden, width}, before());
  }

  // Parts of all ranks' rows: added up here, then over the ranks.
  void sliced_output(std::vector<Index> needs) {
    if (needs.size() > 1)
      needs = {elementwise(
          StepStage::shared, "sum with shared", rows_here(), spec_.hidden, 3, std::move(needs))};
    if (spec_.output == OutputCollective::none) return;
    const bool is_whole = spec_.output == OutputCollective::all_reduce;
    // Each rank sends the parts of all rows but its own; to give the sums back, as much again.
    const std::int64_t part = spec_.tokens * spec_.hidden * kBytesOfBf16;
    const Bytes payload{part * (std::int64_t{spec_.ranks} - 1) * (is_whole ? 2 : 1)};
    collective(StepStage::combine,
               is_whole ? "all-reduce of the output" : "reduce-scatter of the output",
               CommunicationPhase::reduce,
               payload,
               std::move(needs));
  }

  void whole_output(std::vector<Index> needs) {
    if (spec_.combine.time > Duration{})
      needs.front() = add_communication(StepStage::combine,
                                        StepLane::exchange,
                                        "combine",
                                        CommunicationPhase::combine,
                                        spec_.combine,
                                        {needs.front()});
    if (needs.size() > 1)
      elementwise(
          StepStage::combine, "sum with shared", spec_.tokens, spec_.hidden, 3, std::move(needs));
  }

  const MoeStepSpec& spec_;
  const StepMachine& machine_;
  MoeStep step_;
  std::vector<std::optional<Index>> last_;  // one a micro-batch
  std::int32_t layer_ = 0, batch_ = 0;
  Index normed_ = 0;  // the gate, behind which the layer's normed rows are there
};

}  // namespace

StepExchange collective_exchange(Bytes payload,
                                 std::uint32_t ctas,
                                 Bandwidth link,
                                 const StepMachine& machine) {
  StepExchange exchange;
  exchange.time = link_time(payload, ctas, machine);
  exchange.family = "collective";
  exchange.ctas = ctas;
  const double rate = static_cast<double>(payload.count) * 1e6 / to_us(exchange.time);
  exchange.link_share = link.bytes_per_second > 0 ? rate / link.bytes_per_second : 0;
  // What is sent is read, what arrives is written.
  exchange.memory_share = 2 * rate / machine.overlap.bandwidth("memory_rate").bytes_per_second;
  return exchange;
}

MoeStep moe_step(const MoeStepSpec& spec, const StepMachine& machine) {
  return MoeStepBuilder(spec, machine).take(false);
}

MoeStep attention_step(const MoeStepSpec& spec, const StepMachine& machine) {
  return MoeStepBuilder(spec, machine).take(true);
}

}  // namespace epsim
