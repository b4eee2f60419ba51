// Workload: one dispatch or combine, fully decided: who sends which token where, in which format,
// on which GPU. What every kernel model takes, beside the calibration.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "models/fence_placement.hpp"
#include "sim/base/json.hpp"
#include "sim/base/units.hpp"
#include "topologies/topology.hpp"
#include "traces/expert_placement.hpp"
#include "traces/routing.hpp"
#include "traces/traffic_matrix.hpp"

namespace epsim {

enum class MoeOperation : std::uint8_t { dispatch, combine };
enum class DispatchFormat : std::uint8_t { fp8, bf16, nvfp4 };
enum class CombineFormat : std::uint8_t { bf16, logfmt10 };
inline constexpr std::array<std::string_view, 2> kMoeOperationNames = {"dispatch", "combine"};
inline constexpr std::array<std::string_view, 3> kDispatchFormatNames = {"fp8", "bf16", "nvfp4"};
inline constexpr std::array<std::string_view, 2> kCombineFormatNames = {"bf16", "logfmt10"};

// Which kernels of a split launch a latency is asked of.
enum class SplitPart : std::uint8_t { whole, send, receive };
inline constexpr std::array<std::string_view, 3> kSplitPartNames = {"whole", "send", "receive"};

// How the two halves of a low-latency kernel run: in one launch, or as two with other work between.
struct SplitLaunch {
  bool split = false;
  SplitPart part = SplitPart::whole;
  Duration gap{};  // end of the send kernel to the launch of the receive kernel
};

// Who runs the operations of a graph exchange: a stream of each rank, live or as a captured graph,
// or a host thread that waits for counts and rows.
enum class ExchangeMode : std::uint8_t { stream, graph, cpu_sync };
inline constexpr std::array<std::string_view, 3> kExchangeModeNames = {
    "stream", "graph", "cpu_sync"};
// How its rows are stored: a byte a thread, or by a fixed number of CTAs (Workload::sms).
enum class ExchangeCopy : std::uint8_t { byte, persistent };
inline constexpr std::array<std::string_view, 2> kExchangeCopyNames = {"byte", "persistent"};

struct ExchangeOptions {
  ExchangeMode mode = ExchangeMode::graph;
  ExchangeCopy copy = ExchangeCopy::persistent;
  double capacity = 0;  // rows that a rank keeps, over those it may send; 0: all that can arrive
};

// "worst" for 0, or a factor that is positive.
[[nodiscard]] double read_exchange_capacity(const JsonValue& value);

// Many ranks that all do the same, told by few: rank r of the plan stands for all ranks that equal
// r modulo `planned`, and what goes to another host goes to the rank that stands for its target,
// over the network. 0: every rank is planned.
struct Fold {
  std::uint32_t planned = 0;
};

struct Workload {
  std::shared_ptr<const Routing> routing;
  std::shared_ptr<const ExpertPlacement> placement;
  std::shared_ptr<const TrafficMatrix> traffic;
  std::shared_ptr<const Topology> topology;  // rank r runs on GPU r
  std::int64_t hidden = 0;
  DispatchFormat dispatch_format = DispatchFormat::fp8;
  CombineFormat combine_format = CombineFormat::bf16;
  FencePlacement fence = FencePlacement::P0;  // of the combine
  FenceForm fence_form;
  FenceChoice dispatch_fence;  // intranode
  std::int64_t sms = 0;        // intranode kernels, persistent exchanges: SMs that communicate
  bool counted = false;  // intranode dispatch: counts are exchanged and read by the host first
  SplitLaunch split;
  ExchangeOptions exchange;
  bool fluid_fabric = false;         // puts share links as fluid flows instead of in pieces
  std::vector<Duration> rank_start;  // launch skew, one a rank
  bool record_accesses = false;      // plans say what their operations touch, for a checker
  Fold fold;                         // families with FamilyKind::takes_fold only

  [[nodiscard]] std::uint32_t rank_count() const { return routing->rank_count(); }
  [[nodiscard]] std::uint32_t expert_count() const { return routing->expert_count(); }
  [[nodiscard]] std::uint32_t experts_per_rank() const { return placement->experts_per_rank(); }
  [[nodiscard]] std::uint32_t top_k() const { return routing->top_k(); }
  // Ranks that a plan writes, and the one of them that stands for a rank.
  [[nodiscard]] std::uint32_t planned_ranks() const {
    return fold.planned == 0 ? rank_count() : fold.planned;
  }
  [[nodiscard]] RankId site_of(std::uint32_t rank) const {
    return RankId{fold.planned == 0 ? rank : rank % fold.planned};
  }
  // `target` is a planned rank and `source` any: the rank that the site of `source` means when it
  // does what `source` does towards `target`. By symmetry, source - target is what counts.
  [[nodiscard]] std::uint32_t image_of(std::uint32_t target, std::uint32_t source) const {
    if (fold.planned == 0) return target;
    const std::uint32_t hosts = rank_count() / fold.planned;
    const std::uint32_t host = source / fold.planned;
    return (hosts - host) % hosts * fold.planned + target;
  }
  // Whether a rank's GPU reaches another's by NVLink. Ranks of a fold share it host by host.
  [[nodiscard]] bool share_nvlink(std::uint32_t one, std::uint32_t other) const {
    if (fold.planned != 0) return one / fold.planned == other / fold.planned;
    return topology->nvlink_domain(GpuId{one}) == topology->nvlink_domain(GpuId{other});
  }
  // The kernels know an expert by the rank that hosts it and its place there.
  [[nodiscard]] std::uint32_t slot_of(ExpertId expert) const {
    return placement->rank_of(expert).value * experts_per_rank() + placement->local_index(expert);
  }
  [[nodiscard]] ExpertId expert_at(std::uint32_t slot) const {
    return placement->experts_of(RankId{slot / experts_per_rank()})[slot % experts_per_rank()];
  }
};

// Bytes of one token's row in each format, headers and scales included (DeepEP's message layouts).
[[nodiscard]] Bytes dispatch_message(std::int64_t hidden, DispatchFormat format);
[[nodiscard]] Bytes combine_message(std::int64_t hidden, CombineFormat format);

}  // namespace epsim
