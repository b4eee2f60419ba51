#include "models/two_batch.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "models/gemm_law.hpp"
#include "models/measured_curve.hpp"
#include "models/plan_builder.hpp"
#include "sim/base/rng.hpp"

namespace epsim {
namespace {

// A tile reads its operands all along, not at its beginning: its memory traffic comes in so many
// portions between as many portions of arithmetic.
constexpr std::uint32_t kPortions = 4;
// What a CTA of the exchange reads, then writes: eight vectors of 16 bytes a thread. So much of
// each is under way, and on a full link waits for the others'.
constexpr std::int64_t kPiece = 8 * 16 * 1024;

RankRates rates_of(const TwoBatchStep& step,
                   const ConstantSet& constants,
                   const Topology& topology) {
  RankRates rates{};
  rates.memory = constants.bandwidth("memory_rate");
  rates.local_put_traffic = 2.0;
  rates.serve_traffic = 1.0;
  // A copying SM reads half of the time and writes the other half.
  rates.put_path.rate = Bandwidth{2.0 * constants.bandwidth("sm_copy").bytes_per_second};
  rates.put_chunk = Bytes{kPiece};
  rates.put_window = 2;
  rates.link_efficiency = 1.0;
  if (step.rank_count < 2) return rates;
  // Up to the CTAs that fill a link, SMs are the limit; more of them crowd it, and the fewer of
  // them too many, the worse.
  const double most = constants.bandwidth("link_rate_64").bytes_per_second;
  const double filling = std::ceil(most / constants.bandwidth("sm_copy").bytes_per_second);
  if (step.communication_ctas <= filling) return rates;
  const double payload =
      step.rank_count == 2
          ? constants.bandwidth("link_rate_pair").bytes_per_second
          : 1e9 * measured_curve(constants, "link_rate", {16, 20, 32, 64}, step.communication_ctas);
  const Link& link = topology.link(topology.route(GpuId{0}, GpuId{1}).front());
  rates.link_efficiency = std::min(1.0, payload / link.bandwidth.bytes_per_second);
  return rates;
}

class TwoBatchPlan {
 public:
  TwoBatchPlan(const TwoBatchStep& step, const ConstantSet& constants, const Topology& topology)
      : step_(step),
        constants_(constants),
        sm_count_(static_cast<std::uint32_t>(topology.gpu_spec().sm_count)),
        builder_("two_batch", step.rank_count, sm_count_, rates_of(step, constants, topology)),
        hop_(constants.at("event_hop")),
        delays_(Rng(step.seed).stream("two_batch launches")),
        sm_copy_(constants.bandwidth("sm_copy").bytes_per_second),
        remote_cap_(builder_.rate_cap(Bandwidth{4.0 * sm_copy_})),
        own_cap_(builder_.rate_cap(Bandwidth{2.0 * sm_copy_})) {}

  Plan take() {
    for (std::size_t i = 0; i < step_.kernels.size(); ++i) {
      const StepKernel& kernel = step_.kernels[i];
      const FlagId arrived = add_flags();
      for (std::uint32_t r = 0; r < step_.rank_count; ++r)
        if (kernel.gemm.m > 0)
          gemm(RankId{r}, i);
        else
          exchange(RankId{r}, i, arrived);
      last_of_stream_.at(stream_of(kernel)) = i;
    }
    return builder_.take();
  }

 private:
  static std::size_t stream_of(const StepKernel& kernel) {
    return kernel.on_communication_stream ? 1 : 0;
  }
  [[nodiscard]] KernelId id_of(std::size_t kernel, RankId rank) const {
    return KernelId{static_cast<std::uint32_t>(kernel) * step_.rank_count + rank.value};
  }
  // One of arrivals for each rank, then one of finished CTAs for each.
  FlagId add_flags() {
    const FlagId first = builder_.add_flag(RankId{0});
    for (std::uint32_t r = 1; r < step_.rank_count; ++r) builder_.add_flag(RankId{r});
    for (std::uint32_t r = 0; r < step_.rank_count; ++r) builder_.add_flag(RankId{r});
    return first;
  }

  // A stream that has an event to wait for looks at it behind its own last kernel: then both ways
  // take an event's time.
  void launch(RankId rank, std::size_t i, PlanBuilder::Launch launch) {
    const StepKernel& kernel = step_.kernels[i];
    const Duration hop = from_us(hop_.low + delays_.uniform() * (hop_.high - hop_.low));
    if (const auto& before = last_of_stream_.at(stream_of(kernel))) {
      launch.after = id_of(*before, rank).value;
      launch.delay = kernel.after.empty() ? constants_.duration("stream_gap") : hop;
    }
    builder_.begin_kernel(launch);
    for (const std::size_t earlier : kernel.after)
      builder_.wait_for_kernel(id_of(earlier, rank), hop);
  }

  void gemm(RankId rank, std::size_t i) {
    const GemmShape shape = gemm_shape(
        step_.kernels[i].gemm, sm_count_, step_.reserved_sms, step_.communication_ctas, constants_);
    launch(rank,
           i,
           {.rank = rank,
            .name = "gemm",
            .start_overhead = shape.fixed,
            .persistent_ctas = shape.slots,
            .crowded_ctas = shape.crowded_slots,
            .flushes_links = true});
    const Bytes portion{shape.tile_traffic.count / kPortions};
    const Bandwidth memory = constants_.bandwidth("memory_rate");
    const Duration served = Bytes{portion.count * std::min(shape.slots, shape.tiles)} / memory;
    const Duration arithmetic = std::max(Duration{}, shape.tile_time / kPortions - served);
    for (std::uint32_t tile = 0; tile < shape.tiles; ++tile) {
      builder_.begin_cta();
      builder_.begin_agent(Role::gemm_tile);
      for (std::uint32_t p = 0; p < kPortions; ++p) {
        builder_.serve(Phase::reduce, portion, {});
        builder_.work(Phase::reduce, arithmetic);
      }
    }
  }

  void exchange(RankId rank, std::size_t i, FlagId arrived) {
    launch(rank, i, {.rank = rank, .name = "exchange"});
    const std::int64_t size = step_.kernels[i].exchange_size.count;
    const std::uint32_t ctas = step_.communication_ctas;
    const FlagId finished{arrived.value + step_.rank_count + rank.value};
    for (std::uint32_t c = 0; c < ctas; ++c) {
      builder_.begin_cta();
      builder_.begin_agent(Role::exchanger);
      builder_.work(Phase::launch, constants_.duration("exchange_fixed"));
      const Bytes slice{size * (c + 1) / ctas - size * c / ctas};
      for (std::uint32_t s = 1; s <= step_.rank_count; ++s)
        copy_slice(rank, RankId{(rank.value + s) % step_.rank_count}, slice);
      builder_.drain(Phase::wire);
      builder_.signal(Phase::signal, finished, 1, {}, Scope::gpu);
      if (c > 0) continue;
      // Of the CTA that finishes last; which one that is makes no difference to the others.
      builder_.wait(Phase::signal, finished, ctas);
      for (std::uint32_t peer = 0; peer < step_.rank_count; ++peer)
        builder_.signal(Phase::signal, FlagId{arrived.value + peer});
      builder_.wait(Phase::wait, FlagId{arrived.value + rank.value}, step_.rank_count);
    }
  }

  // Every rank receives as it sends, so the memory behind a remote row moves it twice: read here,
  // and a peer's row written.
  void copy_slice(RankId rank, RankId target, Bytes slice) {
    for (std::int64_t left = slice.count; left > 0; left -= kPiece) {
      const Bytes part{std::min(kPiece, left)};
      const bool own = target == rank;
      builder_.serve(Phase::send, Bytes{2 * part.count}, {}, own ? own_cap_ : remote_cap_);
      if (!own) builder_.put(Phase::wire, target, part, {});
    }
  }

  const TwoBatchStep& step_;
  const ConstantSet& constants_;
  std::uint32_t sm_count_;
  PlanBuilder builder_;
  Constant hop_;
  Rng delays_;
  double sm_copy_;
  std::uint16_t remote_cap_, own_cap_;
  std::array<std::optional<std::size_t>, 2> last_of_stream_;
};

}  // namespace

Plan plan_two_batch(const TwoBatchStep& step,
                    const ConstantSet& constants,
                    const Topology& topology) {
  return TwoBatchPlan(step, constants, topology).take();
}

}  // namespace epsim
