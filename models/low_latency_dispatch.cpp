#include <algorithm>
#include <vector>

#include "models/low_latency.hpp"
#include "models/low_latency_paths.hpp"
#include "models/plan_builder.hpp"
#include "models/rank_rates.hpp"
#include "sim/base/check.hpp"

namespace epsim {
namespace {

// How a count word is told from what stood there before: the other parity's words are zeroed at
// each call, or a word carries the generation of its call.
enum class SignalWords : std::uint8_t { cleaned, generation_tagged };

// Times of the protocol's steps for one workload.
struct DispatchTimes {
  Duration start, finish, grid_sync, cta_barrier, release;
  Duration cast, reserve, message, scan, clean, clean_release, publish;
  Duration receive_setup, row;
};

constexpr double kKilochannel = 1024;
constexpr std::int64_t kLaneBytes = 16;
constexpr std::int64_t kReceiveTripBytes =
    7 * 32 * kLaneBytes;  // seven loads by each lane of a warp
// A warp stores two trips of its copy loop, 4 KB each, ahead of their acknowledgement.
constexpr std::uint32_t kPiecesUnderWay = 4;
constexpr std::int64_t kSectorBytes = 32;  // least that L2 reads or writes
constexpr std::uint32_t kLanes = 32;
// Done while the first token is still being cast: read off the first CTA at 64 to 288 experts.
constexpr std::uint32_t kEarlyReleases = 3;
constexpr std::int64_t kScanTripIds = 8 * 32;  // eight ids by each lane

DispatchTimes dispatch_times(const Workload& workload,
                             const ConstantSet& hardware,
                             const ConstantSet& family,
                             SignalWords signals) {
  const Bytes message = dispatch_message(workload.hidden, workload.dispatch_format);
  std::int64_t most_tokens = 0;
  for (std::uint32_t r = 0; r < workload.planned_ranks(); ++r)
    most_tokens = std::max<std::int64_t>(most_tokens, workload.routing->token_count(RankId{r}));
  const std::int64_t ids = most_tokens * workload.top_k();
  const std::int64_t scan_trips = (ids + kScanTripIds - 1) / kScanTripIds;
  const bool cleans = signals == SignalWords::cleaned;
  const std::int64_t row_trips = (message.count + kReceiveTripBytes - 1) / kReceiveTripBytes;
  return {
      .start = hardware.duration("kernel_start") + family.duration("dispatch_overhead"),
      .finish = hardware.duration("kernel_finish"),
      .grid_sync = hardware.duration("grid_sync"),
      .cta_barrier = hardware.duration("cta_barrier"),
      .release = hardware.duration("release_gpu"),
      .cast = family.duration("cast_row") +
              from_ns(to_ns(family.duration("cast_kilochannel")) *
                      static_cast<double>(workload.hidden) / kKilochannel),
      .reserve = family.duration("slot_reserve"),
      .message = family.duration("message_start") + message / family.bandwidth("message_warp_rate"),
      .scan = scan_trips * family.duration("scan_trip"),
      .clean = cleans ? family.duration("clean_signals") : Duration{},
      .clean_release = cleans ? family.duration("clean_release") : Duration{},
      .publish = hardware.duration("release_sys"),
      .receive_setup = family.duration("receive_setup"),
      .row = family.duration("receive_row") + (row_trips - 1) * family.duration("receive_trip")};
}

// Writes the plan of all ranks. Flags: `sent` counts finished sends of an expert on its source;
// `count_word` stands at the target, one for each (local expert, source).
class DispatchWriter {
 public:
  DispatchWriter(const Workload& workload,
                 const ConstantSet& hardware,
                 const ConstantSet& family,
                 SignalWords signals,
                 LowLatencyReach reach)
      : workload_(workload),
        hardware_(hardware),
        paths_(workload, reach),
        signals_(signals),
        times_(dispatch_times(workload, hardware, family, signals)),
        launch_(
            dispatch_launch(workload.expert_count(),
                            static_cast<std::uint32_t>(workload.topology->gpu_spec().sm_count))),
        message_(dispatch_message(workload.hidden, workload.dispatch_format)),
        plan_("low-latency dispatch",
              workload.planned_ranks(),
              static_cast<std::uint32_t>(workload.topology->gpu_spec().sm_count),
              rates(hardware, family)) {}

  Plan write() {
    if (workload_.record_accesses) add_memory();
    paths_.add_queue_pairs(hardware_, plan_);
    const std::uint32_t experts = workload_.expert_count();
    for (std::uint32_t r = 0; r < workload_.planned_ranks(); ++r) {
      sent_.push_back(plan_.add_flags(RankId{r}, experts));
      cleaned_.push_back(plan_.add_flag(RankId{r}));
      first_sent_.push_back(plan_.add_flag(RankId{r}));
      count_word_.push_back(plan_.add_flags(RankId{r}, experts));
      plan_.set_rank_start(RankId{r}, workload_.rank_start[r]);
    }
    for (std::uint32_t r = 0; r < workload_.planned_ranks(); ++r) write_rank(RankId{r});
    return plan_.take();
  }

 private:
  RankRates rates(const ConstantSet& hardware, const ConstantSet& family) const {
    RankRates rates = hardware_rates(hardware, workload_);
    rates.put_window = kPiecesUnderWay;
    rates.link_efficiency *= family.ratio("dispatch_link_share");
    const double share = family.ratio("message_sm_share");
    rates.put_path.rate.bytes_per_second *= share;
    rates.local_put_path.rate.bytes_per_second *= share;
    rates.local_put_traffic = 1.0;  // staging rows are read from L2
    rates.serve_traffic = 2.0 + scale_traffic();
    // The receive phase reads the buffer that peers wrote and writes the packed rows.
    rates.memory = memory_rate(hardware, workload_.topology->gpu_spec(), received_bytes(2));
    rates.serve_path = {family.duration("receive_sm_row"), family.bandwidth("receive_sm_rate")};
    return rates;
  }

  // Scales are written column by column, four bytes to a sector that memory must fill and write
  // back: that traffic, per byte of the message.
  [[nodiscard]] double scale_traffic() const {
    if (workload_.dispatch_format != DispatchFormat::fp8) return 0.0;
    const std::int64_t scales = workload_.hidden / 128;
    return static_cast<double>(scales * 2 * kSectorBytes) / static_cast<double>(message_.count);
  }

  // Bytes of the rows that the busiest rank receives, `times` over.
  [[nodiscard]] Bytes received_bytes(std::int64_t times) const {
    // In a fold a planned rank receives what planned ranks send to all ranks that it stands for.
    const auto by_target = workload_.traffic->messages_by_target();
    std::vector<std::uint64_t> rows(workload_.planned_ranks(), 0);
    std::uint64_t most = 0;
    for (std::uint32_t target = 0; target < workload_.rank_count(); ++target)
      most = std::max(most, rows[workload_.site_of(target).index()] += by_target[target]);
    return Bytes{times * static_cast<std::int64_t>(most) * message_.count};
  }

  // Staging rows, in pieces that one sender casts, and message slots by (local expert, source).
  void add_memory() {
    check(workload_.fold.planned == 0, "a checker sees every rank");
    plan_.record_accesses();
    for (std::uint32_t r = 0; r < workload_.rank_count(); ++r) {
      staging_.push_back(
          plan_.add_memory("piece of a staging row",
                           RankId{r},
                           workload_.routing->token_count(RankId{r}) * workload_.top_k()));
      slots_.emplace_back();
      std::uint32_t messages = 0;
      for (const ExpertId expert : workload_.placement->experts_of(RankId{r}))
        for (std::uint32_t source = 0; source < workload_.rank_count(); ++source) {
          slots_.back().push_back(messages);
          messages += workload_.traffic->tokens(RankId{source}, expert);
        }
      const std::uint32_t first =
          plan_.add_memory("message of the receive buffer", RankId{r}, messages);
      for (std::uint32_t& slot : slots_.back()) slot += first;
    }
  }

  // Location of the first message of a source for an expert of a rank.
  [[nodiscard]] std::uint32_t first_message(std::uint32_t target,
                                            std::uint32_t local,
                                            std::uint32_t source) const {
    return slots_.empty() ? 0 : slots_[target][local * workload_.rank_count() + source];
  }

  void write_rank(RankId rank) {
    const bool split = workload_.split.split;
    sent_by_slot_.assign(workload_.expert_count(), 0);
    const KernelId send = plan_.begin_kernel({.rank = rank,
                                              .name = split ? "dispatch send" : "dispatch",
                                              .start_overhead = times_.start,
                                              .finish_overhead = times_.finish});
    const std::uint32_t owners = workload_.expert_count();
    const BarrierId grid = plan_.add_barrier(split ? 1 : 2 * owners);
    for (std::uint32_t c = 0; c < launch_.cta_count; ++c) {
      plan_.begin_cta();
      write_send(rank, c, grid);
      if (!split) write_receive(rank, c, grid);
    }
    if (!split) return;
    plan_.begin_kernel({.rank = rank,
                        .name = "dispatch receive",
                        .after = send.value,
                        .delay = workload_.split.gap,
                        .start_overhead = times_.start,
                        .finish_overhead = times_.finish});
    for (std::uint32_t c = 0; c < launch_.cta_count; ++c) {
      plan_.begin_cta();
      write_receive(rank, c, grid);
    }
  }

  // Expert slots that the warp groups of a CTA own.
  [[nodiscard]] std::uint32_t first_slot(std::uint32_t cta) const {
    return cta * launch_.groups_per_cta;
  }
  [[nodiscard]] std::uint32_t end_slot(std::uint32_t cta) const {
    return std::min(first_slot(cta) + launch_.groups_per_cta, workload_.expert_count());
  }

  void write_send(RankId rank, std::uint32_t cta, BarrierId grid) {
    const std::uint32_t senders = workload_.top_k();
    const std::uint32_t posters = end_slot(cta) - first_slot(cta);
    const BarrierId cast = plan_.add_barrier(senders);
    const BarrierId all = plan_.add_barrier(senders + 1 + posters);
    for (std::uint32_t k = 0; k < senders; ++k) write_sender(rank, cta, k, cast, all);

    plan_.begin_agent(Role::count_warp);
    if (cta == 0 && signals_ == SignalWords::cleaned) write_cleaning(rank);
    plan_.work(Phase::cast, times_.scan);
    plan_.barrier(Phase::send, all, times_.cta_barrier);

    for (std::uint32_t slot = first_slot(cta); slot < end_slot(cta); ++slot)
      write_poster(rank, slot, all, grid);
  }

  // The first CTA's count warp zeroes the other parity's signals and releases one counter an
  // expert, a lane after the other. A release at gpu scope waits for the SM's stores under way, so
  // beyond the first few they come after the CTA's first token has been sent.
  void write_cleaning(RankId rank) {
    const std::uint32_t releases = (workload_.expert_count() + kLanes - 1) / kLanes;
    const std::uint32_t early = std::min(releases, kEarlyReleases);
    plan_.work(Phase::cast, times_.clean + early * times_.clean_release);
    if (releases > early) {
      plan_.wait(Phase::wait, first_sent_[rank.index()], first_token_messages(rank));
      plan_.work(Phase::cast, (releases - early) * times_.clean_release);
    }
    plan_.signal(Phase::cast, cleaned_[rank.index()], 1, {}, Scope::gpu);
  }

  [[nodiscard]] std::uint32_t senders() const { return workload_.top_k(); }

  [[nodiscard]] std::uint32_t staging(RankId rank, std::uint32_t token) const {
    return staging_.empty() ? 0 : staging_[rank.index()] + token * senders();
  }

  // DeepEP copies payload with ld.global.nc, ours with ordinary loads.
  [[nodiscard]] AccessWay payload_loads() const {
    return signals_ == SignalWords::cleaned ? AccessWay::non_coherent : AccessWay::generic;
  }

  [[nodiscard]] std::uint32_t first_token_messages(RankId rank) const {
    if (workload_.routing->token_count(rank) == 0) return 0;
    const auto choices = workload_.routing->choices(rank, 0);
    return static_cast<std::uint32_t>(std::count_if(
        choices.begin(), choices.end(), [](ExpertChoice choice) { return choice != kMasked; }));
  }

  void write_sender(
      RankId rank, std::uint32_t cta, std::uint32_t k, BarrierId cast, BarrierId all) {
    plan_.begin_agent(Role::send_warp);
    const std::uint32_t tokens = workload_.routing->token_count(rank);
    for (std::uint32_t t = cta; t < tokens; t += launch_.cta_count) {
      plan_.work(Phase::cast, times_.cast);
      plan_.writes(staging(rank, t) + k, AccessWay::generic);
      plan_.barrier(Phase::cast, cast, times_.cta_barrier);
      const ExpertChoice choice = workload_.routing->choices(rank, t)[k];
      if (choice == kMasked) continue;
      const std::uint32_t slot = workload_.slot_of(expert_of(choice));
      plan_.work(Phase::send, times_.reserve);
      send_message(rank, t, slot);
      plan_.signal(Phase::signal, FlagId{sent_[rank.index()].value + slot}, 1, {}, Scope::gpu);
      if (t == 0) plan_.signal(Phase::signal, first_sent_[rank.index()], 1, {}, Scope::cta);
    }
    plan_.barrier(Phase::send, all, times_.cta_barrier);
  }

  // The staging row of a token to the owner of an expert slot: copied over NVLink until it has
  // arrived, or left to the NIC.
  void send_message(RankId rank, std::uint32_t token, std::uint32_t slot) {
    const std::uint32_t target = slot / workload_.experts_per_rank();
    const std::uint32_t local = slot % workload_.experts_per_rank();
    const bool is_remote = paths_.is_remote(rank, target);
    if (is_remote)
      plan_.post(Phase::send, paths_.queue(rank, target, local), message_, paths_.post());
    else
      plan_.put(Phase::send, workload_.site_of(target), message_, times_.message);
    plan_.reads(staging(rank, token), is_remote ? AccessWay::generic : payload_loads(), senders());
    plan_.writes(first_message(target, local, rank.value) + sent_by_slot_[slot]++,
                 is_remote ? AccessWay::bulk : AccessWay::generic);
    if (!is_remote) plan_.drain(Phase::wire);
  }

  // One thread: all sends of the expert finished and the signals clean, then the count word.
  void write_poster(RankId rank, std::uint32_t slot, BarrierId all, BarrierId grid) {
    const std::uint32_t local = slot % workload_.experts_per_rank();
    const std::uint32_t target = slot / workload_.experts_per_rank();
    plan_.begin_agent(Role::count_poster);
    plan_.barrier(Phase::send, all, times_.cta_barrier);
    if (signals_ == SignalWords::cleaned) plan_.wait(Phase::wait, cleaned_[rank.index()], 1);
    plan_.wait(Phase::wait,
               FlagId{sent_[rank.index()].value + slot},
               workload_.traffic->tokens(rank, workload_.expert_at(slot)));
    const FlagId there =
        word(workload_.site_of(target), local, workload_.image_of(rank.value, target));
    if (paths_.is_remote(rank, target))
      plan_.post_signal(Phase::signal, paths_.queue(rank, target, local), there, 1, paths_.post());
    else
      plan_.signal(Phase::signal, there, 1, times_.publish);
    if (!workload_.split.split) plan_.barrier(Phase::receive, grid, times_.grid_sync);
  }

  [[nodiscard]] FlagId word(RankId target, std::uint32_t local, std::uint32_t source) const {
    return FlagId{count_word_[target.index()].value + local * workload_.rank_count() + source};
  }

  void write_receive(RankId rank, std::uint32_t cta, BarrierId grid) {
    for (std::uint32_t x = first_slot(cta); x < end_slot(cta); ++x) {
      // As receiver the group's index means (source rank, local expert).
      const std::uint32_t source = x / workload_.experts_per_rank();
      const std::uint32_t local = x % workload_.experts_per_rank();
      const RankId meant{workload_.image_of(rank.value, source)};
      const ExpertId expert = workload_.placement->experts_of(meant)[local];
      const std::uint32_t rows = workload_.traffic->tokens(workload_.site_of(source), expert);
      const std::uint32_t warps = std::clamp(rows, 1U, launch_.warps_per_group);
      const BarrierId group = plan_.add_barrier(warps);
      for (std::uint32_t w = 0; w < warps; ++w) {
        plan_.begin_agent(Role::receive_warp);
        if (w == 0) {
          if (!workload_.split.split) plan_.barrier(Phase::receive, grid, times_.grid_sync);
          plan_.wait(Phase::wait, word(rank, local, source), 1);
          plan_.work(Phase::receive, times_.receive_setup);
        }
        plan_.barrier(Phase::receive, group, times_.cta_barrier);
        for (std::uint32_t i = w; i < rows; i += warps) {
          plan_.serve(Phase::receive, message_, times_.row);
          plan_.reads(first_message(rank.value, local, source) + i, payload_loads());
        }
      }
    }
  }

  const Workload& workload_;
  const ConstantSet& hardware_;
  LowLatencyPaths paths_;
  SignalWords signals_;
  DispatchTimes times_;
  LowLatencyLaunch launch_;
  Bytes message_;
  PlanBuilder plan_;
  std::vector<FlagId> sent_, cleaned_, first_sent_, count_word_;  // one block of flags a rank
  // Locations, if they are recorded.
  std::vector<std::uint32_t> staging_;             // by rank
  std::vector<std::vector<std::uint32_t>> slots_;  // by rank, (local expert, source)
  std::vector<std::uint32_t> sent_by_slot_;        // of the rank being written
};

}  // namespace

Plan plan_low_latency_dispatch(const Workload& workload,
                               const ConstantSet& hardware,
                               const ConstantSet& family) {
  return DispatchWriter(
             workload, hardware, family, SignalWords::cleaned, LowLatencyReach::nvlink_or_rdma)
      .write();
}

Plan plan_rdma_low_latency_dispatch(const Workload& workload,
                                    const ConstantSet& hardware,
                                    const ConstantSet& family) {
  return DispatchWriter(
             workload, hardware, family, SignalWords::cleaned, LowLatencyReach::rdma_only)
      .write();
}

Plan plan_tagged_low_latency_dispatch(const Workload& workload,
                                      const ConstantSet& hardware,
                                      const ConstantSet& family) {
  return DispatchWriter(workload,
                        hardware,
                        family,
                        SignalWords::generation_tagged,
                        LowLatencyReach::nvlink_or_rdma)
      .write();
}

}  // namespace epsim
