#include "models/one_sided.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "models/calibration.hpp"
#include "models/plan_builder.hpp"
#include "models/rank_rates.hpp"
#include "models/token_pieces.hpp"
#include "sim/base/check.hpp"

namespace epsim {
namespace {

constexpr std::uint32_t kThreads = 256;  // of a CTA, the default of both kernels
constexpr std::uint32_t kVector = 16;    // bytes that a thread moves at a time
// CTAs of 256 threads that an SM hosts. An assumption: the registers of eight 16-byte rows in float
// leave room for 4 rather than for the 8 that the threads would allow.
constexpr std::uint32_t kResident = 4;
// The CTAs of a rank move in few groups, a group's tokens in few rounds: what a plan may take.
constexpr std::uint32_t kGroups = 8;
constexpr std::uint32_t kRounds = 8;
// Pieces of a rank's rows on the fabric, beyond the smallest size.
constexpr std::int64_t kPiecesOfRank = 16'000;
constexpr std::int64_t kSmallestPiece = 2048;
// Bytes that a group has asked of one owner and not received yet: enough that even one pair of
// ranks fills its links.
constexpr std::int64_t kOutstanding = 131'072;

constexpr std::array kOneSided = {
    ConstantSpec{"dispatch_overhead", "us", 0, 50, "dispatch: prepare kernel, launch, prologue"},
    ConstantSpec{"dispatch_copy", "us", 0, 10, "dispatch: a CTA issues one copy of a token"},
    ConstantSpec{"dispatch_link_share", "1", 0.2, 1, "of the link's payload rate, dispatch"},
    ConstantSpec{"combine_overhead", "us", 0, 50, "combine: prepare kernel, launch, prologue"},
    ConstantSpec{"pull_trip", "us", 0, 10, "combine: 4 KB of one row read by a CTA, in turn"},
    ConstantSpec{"combine_link_share", "1", 0.2, 1, "of the link's payload rate, combine"},
};

constexpr std::uint32_t ceil_divide(std::uint32_t a, std::uint32_t b) {
  return (a + b - 1) / b;
}

// What both plans share: how tokens are cut, and the exchange of flags.
class OneSidedWriter {
 public:
  OneSidedWriter(std::string_view name,
                 const Workload& workload,
                 const ConstantSet& hardware,
                 const RankRates& rates)
      : workload_(workload),
        sm_count_(static_cast<std::uint32_t>(workload.topology->gpu_spec().sm_count)),
        start_(hardware.duration("kernel_start")),
        finish_(hardware.duration("kernel_finish")),
        fence_(fence_cost(hardware, FenceKind::acq_rel_sys)),
        ranks_(workload.rank_count()),
        plan_(name, ranks_, sm_count_, rates) {
    for (std::uint32_t r = 0; r < ranks_; ++r) {
      plan_.set_rank_start(RankId{r}, workload.rank_start[r]);
      const Cut cut = cut_of(workload.routing->token_count(RankId{r}));
      cuts_.push_back(cut);
      pieces_.emplace_back(workload, RankId{r}, cut.groups * cut.rounds);
      ready_.push_back(plan_.add_flag(RankId{r}));
    }
  }

 protected:
  struct Cut {
    std::uint32_t groups;  // of CTAs
    std::uint32_t rounds;
    std::uint32_t ctas;  // of a group that are resident at once
  };

  [[nodiscard]] Cut cut_of(std::uint32_t tokens) const {
    if (tokens == 0) return {.groups = 0, .rounds = 0, .ctas = 1};
    const std::uint32_t slots = sm_count_ * kResident;
    const std::uint32_t groups = std::min({kGroups, sm_count_, tokens});
    return {.groups = groups,
            .rounds = std::min({ceil_divide(tokens, slots), kRounds, tokens / groups}),
            .ctas = std::max(1U, std::min(slots, tokens) / groups)};
  }

  // Pieces are dealt to groups round by round, as CTAs are started in order of their tokens.
  [[nodiscard]] static std::uint32_t piece_of(const Cut& cut,
                                              std::uint32_t group,
                                              std::uint32_t round) {
    return round * cut.groups + group;
  }

  // Tokens of a piece that one CTA after another works off in one place.
  [[nodiscard]] std::uint32_t in_turn(RankId rank, std::uint32_t piece) const {
    return ceil_divide(pieces_[rank.index()].tokens(piece), cuts_[rank.index()].ctas);
  }

  void begin_kernel(RankId rank, std::string_view name) {
    plan_.begin_kernel(
        {.rank = rank, .name = name, .start_overhead = start_, .finish_overhead = finish_});
  }

  // One warp stores to all peers, a lane each, so that more ranks take no longer up to 32.
  void signal_all() {
    for (std::uint32_t r = 0; r < ranks_; ++r) plan_.signal(Phase::signal, ready_[r]);
  }

  const Workload& workload_;
  std::uint32_t sm_count_;
  Duration start_, finish_, fence_;
  std::uint32_t ranks_;
  PlanBuilder plan_;
  std::vector<Cut> cuts_;            // by rank
  std::vector<TokenPieces> pieces_;  // by rank, and then by piece_of()
  std::vector<FlagId> ready_;        // at each rank: how many ranks have signalled
};

// Rates of a plan whose rows cross the fabric in pieces that are few enough.
RankRates fabric_rates(const Workload& workload,
                       const ConstantSet& hardware,
                       double link_share,
                       Bytes row) {
  RankRates rates = hardware_rates(hardware, workload);
  rates.link_efficiency *= link_share;
  std::int64_t rows = 0;
  for (std::uint32_t r = 0; r < workload.rank_count(); ++r)
    rows = std::max<std::int64_t>(rows, workload.routing->token_count(RankId{r}));
  rows *= std::min(workload.rank_count(), workload.top_k());
  rates.put_chunk = Bytes{std::max(kSmallestPiece, rows * row.count / kPiecesOfRank)};
  rates.put_window = 128;  // stores run ahead of their acknowledgement
  return rates;
}

// Rows are pushed by CTAs that no one waits for; the last one, told by a counter, fences, sets this
// rank's flag at every rank and waits for every rank's.
class DispatchWriter : private OneSidedWriter {
 public:
  DispatchWriter(const Workload& workload, const ConstantSet& hardware, const ConstantSet& family)
      : OneSidedWriter("one-sided dispatch", workload, hardware, rates(workload, hardware, family)),
        row_(one_sided_payload(workload)),
        overhead_(family.duration("dispatch_overhead")),
        copy_(family.duration("dispatch_copy")) {}

  Plan write() {
    for (std::uint32_t r = 0; r < ranks_; ++r) write_rank(RankId{r});
    return plan_.take();
  }

 private:
  // A group stands for the store paths of its SMs.
  static RankRates rates(const Workload& workload,
                         const ConstantSet& hardware,
                         const ConstantSet& family) {
    RankRates rates = fabric_rates(
        workload, hardware, family.ratio("dispatch_link_share"), one_sided_payload(workload));
    std::uint32_t tokens = 1;
    for (std::uint32_t r = 0; r < workload.rank_count(); ++r)
      tokens = std::max(tokens, workload.routing->token_count(RankId{r}));
    const auto sms = static_cast<std::uint32_t>(workload.topology->gpu_spec().sm_count);
    const double sms_of_group = std::max(1.0, std::min(sms, tokens) / double{kGroups});
    for (SmRate* path : {&rates.put_path, &rates.local_put_path})
      path->rate = Bandwidth{path->rate.bytes_per_second * sms_of_group};
    return rates;
  }

  void write_rank(RankId rank) {
    const Cut& cut = cuts_[rank.index()];
    const FlagId copied = plan_.add_flag(rank);
    begin_kernel(rank, "dispatch");
    plan_.begin_cta();
    for (std::uint32_t group = 0; group < cut.groups; ++group) {
      if (group > 0) plan_.begin_cta();
      write_group(rank, group, copied);
    }
    plan_.begin_agent(Role::flag_poster);
    if (cut.groups == 0) plan_.work(Phase::launch, overhead_);
    plan_.wait(Phase::wait, copied, cut.groups);
    plan_.fence(Phase::signal, FenceKind::acq_rel_sys, fence_);
    signal_all();
    plan_.wait(Phase::wait, ready_[rank.index()], ranks_);
  }

  void write_group(RankId rank, std::uint32_t group, FlagId copied) {
    const Cut& cut = cuts_[rank.index()];
    const TokenPieces& pieces = pieces_[rank.index()];
    plan_.begin_agent(Role::sender);
    plan_.work(Phase::launch, overhead_);
    for (std::uint32_t round = 0; round < cut.rounds; ++round) {
      const std::uint32_t piece = piece_of(cut, group, round);
      // A CTA copies its token to one rank after the other. The first CTAs do so while nothing is
      // on its way yet, later ones as the rows of others leave.
      const Duration of_row = copy_ / std::max(1U, pieces.tokens(piece));
      if (round == 0) plan_.work(Phase::send, of_row * pieces.rows(piece));
      const Duration later = of_row * (in_turn(rank, piece) - (round == 0 ? 1U : 0U));
      for (std::uint32_t step = 0; step < ranks_; ++step) {
        // Tokens differ in where they go first, so that groups do.
        const std::uint32_t target = (rank.value + 1 + group + step) % ranks_;
        const std::uint32_t rows = pieces.rows(piece, target);
        if (rows == 0) continue;
        plan_.put(Phase::send, RankId{target}, Bytes{row_.count * rows}, later * rows);
      }
    }
    plan_.drain(Phase::wire);
    plan_.signal(Phase::signal, copied, 1, {}, Scope::gpu);
  }

  Bytes row_;
  Duration overhead_, copy_;
};

// Every CTA waits for the flags of all ranks and then reads the rows of its token where they lie.
//
// A plan has no remote loads, so that the owner of the memory puts the rows when it is asked: they
// leave by the owner's links, as the answers to loads do. Agents that answer need no time of their
// own; they stand in a kernel of their own, because memory answers whoever runs there.
class CombineWriter : private OneSidedWriter {
 public:
  CombineWriter(const Workload& workload, const ConstantSet& hardware, const ConstantSet& family)
      : OneSidedWriter("one-sided combine", workload, hardware, rates(workload, hardware, family)),
        row_(combine_message(workload.hidden, workload.combine_format)),
        overhead_(family.duration("combine_overhead")),
        trip_(family.duration("pull_trip")),
        trips_(ceil_divide(static_cast<std::uint32_t>(row_.count), kThreads * kVector)) {}

  Plan write() {
    asked_.reserve(std::size_t{ranks_} * ranks_);
    for (std::uint32_t owner = 0; owner < ranks_; ++owner)
      for (std::uint32_t reader = 0; reader < ranks_; ++reader)
        asked_.push_back(plan_.add_flags(RankId{owner}, cuts_[reader].groups));
    for (std::uint32_t r = 0; r < ranks_; ++r) {
      landed_.emplace_back();
      for (std::uint32_t piece = 0; piece < pieces_[r].count(); ++piece)
        landed_.back().push_back(plan_.add_flag(RankId{r}));
    }
    for (std::uint32_t r = 0; r < ranks_; ++r) write_reader(RankId{r});
    for (std::uint32_t r = 0; r < ranks_; ++r) write_owner(RankId{r});
    return plan_.take();
  }

 private:
  static RankRates rates(const Workload& workload,
                         const ConstantSet& hardware,
                         const ConstantSet& family) {
    RankRates rates = fabric_rates(workload,
                                   hardware,
                                   family.ratio("combine_link_share"),
                                   combine_message(workload.hidden, workload.combine_format));
    rates.put_path = {};  // rows leave memory, not an SM
    // CTAs have few loads outstanding each, so that readers take turns on a link.
    rates.put_window =
        static_cast<std::uint32_t>(std::max<std::int64_t>(4, kOutstanding / rates.put_chunk.count));
    return rates;
  }

  void write_reader(RankId rank) {
    const Cut& cut = cuts_[rank.index()];
    begin_kernel(rank, "combine");
    plan_.begin_cta();
    plan_.begin_agent(Role::flag_poster);
    plan_.work(Phase::launch, overhead_);
    signal_all();
    if (cut.groups == 0) plan_.wait(Phase::wait, ready_[rank.index()], ranks_);
    for (std::uint32_t group = 0; group < cut.groups; ++group) {
      if (group > 0) plan_.begin_cta();
      write_group(rank, group);
    }
  }

  // Rows of the next round are on their way while those of one are awaited: as a CTA ends, another
  // takes its place.
  void write_group(RankId rank, std::uint32_t group) {
    const Cut& cut = cuts_[rank.index()];
    plan_.begin_agent(Role::receiver);
    plan_.work(Phase::launch, overhead_);
    plan_.wait(Phase::wait, ready_[rank.index()], ranks_);
    plan_.fence(Phase::wait, FenceKind::acq_rel_sys, fence_);
    // Of the trips of a CTA over its rows, the first brings nothing home before it ends, and while
    // the last is reduced nothing is on its way any more; those between pass as others' rows come.
    const Duration edge = chain(rank, piece_of(cut, group, 0)) / std::max(2U, trips_);
    plan_.work(Phase::receive, edge);
    ask(rank, group, 0);
    for (std::uint32_t round = 0; round < cut.rounds; ++round) {
      const std::uint32_t piece = piece_of(cut, group, round);
      if (round + 1 < cut.rounds) ask(rank, group, round + 1);
      const Duration own = chain(rank, piece) * in_turn(rank, piece);
      plan_.work(Phase::receive, std::max(Duration{}, own - 2 * edge));
      const std::uint32_t tokens = pieces_[rank.index()].tokens(piece);
      // Reads the own rank's row, and writes the sum.
      plan_.serve(Phase::reduce, Bytes{row_.count * tokens}, {});
      plan_.wait(Phase::wait, landed_[rank.index()][piece], owners(rank, piece));
    }
    plan_.work(Phase::reduce, edge);
  }

  // What a CTA spends on the remote rows of a token: each trip reads one row after the other.
  [[nodiscard]] Duration chain(RankId rank, std::uint32_t piece) const {
    const TokenPieces& pieces = pieces_[rank.index()];
    const std::uint32_t remote = pieces.rows(piece) - pieces.rows(piece, rank.value);
    return trip_ * std::int64_t{trips_} * remote / std::max(1U, pieces.tokens(piece));
  }

  [[nodiscard]] bool is_remote(RankId reader, std::uint32_t piece, std::uint32_t owner) const {
    return owner != reader.value && pieces_[reader.index()].rows(piece, owner) > 0;
  }

  [[nodiscard]] std::uint32_t owners(RankId reader, std::uint32_t piece) const {
    std::uint32_t count = 0;
    for (std::uint32_t owner = 0; owner < ranks_; ++owner) count += is_remote(reader, piece, owner);
    return count;
  }

  void ask(RankId reader, std::uint32_t group, std::uint32_t round) {
    const std::uint32_t piece = piece_of(cuts_[reader.index()], group, round);
    for (std::uint32_t owner = 0; owner < ranks_; ++owner)
      if (is_remote(reader, piece, owner))
        plan_.signal(Phase::receive, asked(RankId{owner}, reader, group));
  }

  void write_owner(RankId owner) {
    bool has_agents = false;
    for (std::uint32_t step = 1; step < ranks_; ++step) {
      const RankId reader{(owner.value + step) % ranks_};
      for (std::uint32_t group = 0; group < cuts_[reader.index()].groups; ++group) {
        if (!has_agents) {
          plan_.begin_kernel({.rank = owner, .name = "rows read by peers", .ctas_per_sm = 32});
          plan_.begin_cta();
          has_agents = true;
        }
        write_answers(owner, reader, group);
      }
    }
  }

  void write_answers(RankId owner, RankId reader, std::uint32_t group) {
    const Cut& cut = cuts_[reader.index()];
    plan_.begin_agent(Role::sender);
    std::uint32_t answered = 0;
    for (std::uint32_t round = 0; round < cut.rounds; ++round) {
      const std::uint32_t piece = piece_of(cut, group, round);
      const std::uint32_t rows = pieces_[reader.index()].rows(piece, owner.value);
      if (rows == 0) continue;
      plan_.wait(Phase::wait, asked(owner, reader, group), ++answered);
      plan_.put(Phase::wire, reader, Bytes{row_.count * rows}, {});
      // The reader needs to know when the last rows are there; before, how fast they leave will do,
      // and the next ones follow at once.
      if (round + 1 == cut.rounds) plan_.drain(Phase::wire);
      // Not a signal of the kernel: the rows' arrival itself, which takes no time of its own.
      plan_.signal(Phase::wire, landed_[reader.index()][piece], 1, {}, Scope::cta);
    }
  }

  [[nodiscard]] FlagId asked(RankId owner, RankId reader, std::uint32_t group) const {
    return FlagId{asked_[owner.index() * ranks_ + reader.index()].value + group};
  }

  Bytes row_;
  Duration overhead_, trip_;
  std::uint32_t trips_;
  std::vector<FlagId> asked_;                // by owner and reader, of group 0, at the owner
  std::vector<std::vector<FlagId>> landed_;  // by reader and piece, at the reader
};

}  // namespace

std::span<const ConstantSpec> one_sided_constants() {
  return kOneSided;
}

Bytes one_sided_payload(const Workload& workload) {
  const std::int64_t routing = 8 * std::int64_t{workload.top_k()};
  switch (workload.dispatch_format) {
    case DispatchFormat::nvfp4:
      return Bytes{dispatch_message(workload.hidden, DispatchFormat::nvfp4).count + routing};
    case DispatchFormat::fp8:
      return Bytes{workload.hidden + routing};
    case DispatchFormat::bf16:
      break;
  }
  return Bytes{2 * workload.hidden + routing};
}

Plan plan_one_sided_dispatch(const Workload& workload,
                             const ConstantSet& hardware,
                             const ConstantSet& family) {
  return DispatchWriter(workload, hardware, family).write();
}

Plan plan_one_sided_combine(const Workload& workload,
                            const ConstantSet& hardware,
                            const ConstantSet& family) {
  return CombineWriter(workload, hardware, family).write();
}

}  // namespace epsim
