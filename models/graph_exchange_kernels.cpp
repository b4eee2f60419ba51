#include "models/graph_exchange_kernels.hpp"

#include <algorithm>

#include "models/rank_rates.hpp"

namespace epsim {
namespace {

constexpr std::uint32_t kPlanThreads = 1024;  // rows that plan_rows takes in one step
constexpr std::uint32_t kMostMoveCtas = 1024;
// A stream or a host thread takes no SM, but an agent needs a place. No kernel of this plan
// launches more CTAs than there are SMs, so half an SM for each leaves room for all.
constexpr std::uint16_t kCtasPerSm = 2;
// Pieces of 2 KB that an SM has on its way: one for each of 32 warps; of eight CTAs of 256 B
// together one that they write and one that has left them.
constexpr std::uint32_t kVectorPieces = 32;
constexpr std::uint32_t kBytePieces = 2;
constexpr std::string_view kUnpackRows = "unpack rows";  // of a combine: it reads what came
constexpr Duration kLongestPut = std::chrono::milliseconds{4};

// The i-th of `parts` equal shares of `whole`.
std::int64_t share(std::int64_t whole, std::int64_t i, std::int64_t parts) {
  return whole * (i + 1) / parts - whole * i / parts;
}

std::int64_t round_up_divide(std::int64_t value, std::int64_t by) {
  return (value + by - 1) / by;
}

}  // namespace

ExchangeKernels::ExchangeKernels(const Workload& workload,
                                 const ConstantSet& hardware,
                                 const ConstantSet& family,
                                 MoeOperation leg)
    : workload_(workload),
      leg_(leg),
      rows_(exchange_rows(workload, leg)),
      row_bytes_(2 * workload.hidden),
      sms_(static_cast<std::uint32_t>(workload.topology->gpu_spec().sm_count)),
      empty_(hardware.duration("empty_kernel")),
      plan_rows_(family.duration("plan_rows")),
      plan_step_(family.duration("plan_step")),
      row_move_(family.duration("row_move")),
      place_rows_(family.duration("place_rows")),
      copy_setup_(std::max(Duration{}, family.duration("copy_fixed") - empty_)),
      byte_cta_ns_(family.at("byte_cta").value),
      plan_(leg == MoeOperation::dispatch ? "graph dispatch" : "graph combine",
            workload.rank_count(),
            sms_,
            rates(hardware, family)),
      last_(workload.rank_count(), -1) {
  for (std::uint32_t r = 0; r < workload.rank_count(); ++r)
    plan_.set_rank_start(RankId{r}, workload.rank_start[r]);
  if (workload.record_accesses) add_memory();
}

// A rank's counts, and its receive buffer by source and by the part that one CTA stores.
void ExchangeKernels::add_memory() {
  plan_.record_accesses();
  for (std::uint32_t r = 0; r < rows_.ranks; ++r) {
    counts_.push_back(plan_.add_memory("counts", RankId{r}, 1));
    received_.push_back(
        plan_.add_memory("part of the receive buffer", RankId{r}, rows_.ranks * storing_ctas()));
  }
}

std::uint32_t ExchangeKernels::storing_ctas() const {
  const bool is_bytes = workload_.exchange.copy == ExchangeCopy::byte;
  return is_bytes ? sms_
                  : static_cast<std::uint32_t>(std::clamp<std::int64_t>(workload_.sms, 1, sms_));
}

void ExchangeKernels::writes_rows(std::uint32_t source, std::uint32_t target, std::uint32_t part) {
  if (stores_rows_ && !received_.empty())
    plan_.writes(received_[target] + source * storing_ctas() + part, AccessWay::generic);
}

void ExchangeKernels::reads_counts(std::uint32_t source) {
  if (!counts_.empty()) plan_.reads(counts_[source], AccessWay::generic);
}

void ExchangeKernels::reads_rows(std::uint32_t rank) {
  if (!received_.empty())
    plan_.reads(received_[rank], AccessWay::generic, rows_.ranks * storing_ctas());
}

RankRates ExchangeKernels::rates(const ConstantSet& hardware, const ConstantSet& family) const {
  RankRates rates = hardware_rates(hardware, workload_);
  rates.put_path.rate = rates.local_put_path.rate = family.bandwidth("copy_sm_rate");
  const bool is_bytes = workload_.exchange.copy == ExchangeCopy::byte;
  rates.put_window = is_bytes ? kBytePieces : kVectorPieces;
  // The local kernels read a rank's rows and write them.
  std::uint32_t most = 0;
  for (std::uint32_t r = 0; r < rows_.ranks; ++r) most = std::max(most, rows_.sent(r));
  rates.memory =
      memory_rate(hardware, workload_.topology->gpu_spec(), Bytes{2 * most * row_bytes_});
  return rates;
}

void ExchangeKernels::begin(std::uint32_t rank,
                            std::string_view name,
                            Duration delay,
                            bool on_sms) {
  const Duration overhead = on_sms ? empty_ / 2 : Duration{};
  last_[rank] = plan_
                    .begin_kernel({.rank = RankId{rank},
                                   .name = name,
                                   .after = last_[rank],
                                   .delay = delay,
                                   .start_overhead = overhead,
                                   .finish_overhead = overhead,
                                   .ctas_per_sm = kCtasPerSm})
                    .value;
}

void ExchangeKernels::stream_agent(std::uint32_t rank, std::string_view name, Duration delay) {
  begin(rank, name, delay, false);
  plan_.begin_cta();
  plan_.begin_agent(Role::stream);
}

void ExchangeKernels::marker(std::uint32_t rank, std::string_view name, Duration delay) {
  begin(rank, name, delay);
  plan_.begin_cta();
  plan_.begin_agent(Role::row_warps);
  plan_.work(Phase::launch, {});
}

Duration ExchangeKernels::planning() const {
  const std::int64_t steps = round_up_divide(rows_.most_sent, kPlanThreads);
  return plan_rows_ + std::max<std::int64_t>(0, steps - 1) * plan_step_;
}

void ExchangeKernels::plan_rows(std::uint32_t rank, Duration delay) {
  begin(rank, "plan rows", delay);
  plan_.begin_cta();
  plan_.begin_agent(Role::row_warps);
  // A combine knows how many rows it has; a dispatch looks at every choice.
  const std::int64_t steps =
      round_up_divide(is_combine() ? rows_.sent(rank) : rows_.most_sent, kPlanThreads);
  plan_.work(Phase::send, plan_rows_ + std::max<std::int64_t>(0, steps - 1) * plan_step_);
  if (!counts_.empty()) plan_.writes(counts_[rank], AccessWay::generic);
}

void ExchangeKernels::pack_rows(std::uint32_t rank, Duration delay) {
  const std::uint32_t rows = rows_.sent(rank);
  move(rank, "pack rows", rows * (row_bytes_ + kExchangeLabelBytes), rows, Phase::send, delay);
}

void ExchangeKernels::unpack_rows(std::uint32_t rank, Duration delay) {
  const std::uint32_t rows = rows_.received(rank);
  move(rank, kUnpackRows, rows * (row_bytes_ + kExchangeLabelBytes), rows, Phase::store, delay);
}

// Writes alone, where the other local kernels also read: half the traffic.
void ExchangeKernels::clear_output(std::uint32_t rank, Duration delay) {
  move(rank, "clear output", rows_.most_a_pair * row_bytes_ / 2, 1, Phase::store, delay);
}

// A CTA takes a row at a time and a row has one latency; all CTAs together have the memory's rate.
// One of the plan's CTAs stands for those of an SM.
void ExchangeKernels::move(std::uint32_t rank,
                           std::string_view name,
                           std::int64_t bytes,
                           std::uint32_t rows,
                           Phase phase,
                           Duration delay) {
  begin(rank, name, delay);
  const std::int64_t ctas = std::clamp<std::int64_t>(rows, 1, sms_);
  const bool is_last = name == kUnpackRows;
  const Duration latency = round_up_divide(rows, kMostMoveCtas) * row_move_;
  for (std::int64_t c = 0; c < ctas; ++c) {
    plan_.begin_cta();
    plan_.begin_agent(Role::row_warps);
    if (const Bytes part{share(bytes, c, ctas)}; part.count > 0)
      plan_.serve(phase, part, latency);
    else
      plan_.work(phase, latency);
    if (is_last) reads_rows(rank);
  }
}

void ExchangeKernels::place_rows(std::uint32_t rank, Duration delay) {
  begin(rank, "place rows", delay);
  plan_.begin_cta();
  plan_.begin_agent(Role::row_warps);
  plan_.work(Phase::send, place_rows_);
}

void ExchangeKernels::store_rows(std::uint32_t rank, std::uint32_t most_rows, Duration delay) {
  store(rank, kExchangeRows, row_bytes_, most_rows, delay);
}

void ExchangeKernels::store_labels(std::uint32_t rank, std::uint32_t most_rows, Duration delay) {
  store(rank, "labels all-to-all", kExchangeLabelBytes, most_rows, delay);
}

void ExchangeKernels::store(std::uint32_t rank,
                            std::string_view name,
                            std::int64_t row_bytes,
                            std::uint32_t most_rows,
                            Duration delay) {
  begin(rank, name, delay);
  stores_rows_ = name == kExchangeRows;
  if (workload_.exchange.copy == ExchangeCopy::byte)
    store_bytes(rank, row_bytes, most_rows);
  else
    store_vectors(rank, row_bytes);
}

// The warps of a CTA take pieces of all targets in turn, so a CTA stores to all of them at once.
void ExchangeKernels::store_vectors(std::uint32_t rank, std::int64_t row_bytes) {
  const std::int64_t ctas = std::clamp<std::int64_t>(workload_.sms, 1, sms_);
  for (std::int64_t c = 0; c < ctas; ++c) {
    plan_.begin_cta();
    for (std::uint32_t step = 0; step < rows_.ranks; ++step) {
      const std::uint32_t target = (rank + step) % rows_.ranks;
      plan_.begin_agent(Role::row_warps);
      plan_.work(Phase::send, copy_setup_);
      const Bytes part{share(rows_.between(rank, target) * row_bytes, c, ctas)};
      if (part.count == 0) continue;
      plan_.put(Phase::send, RankId{target}, part, {});
      writes_rows(rank, target, static_cast<std::uint32_t>(c));
    }
  }
}

// CTAs of one byte a thread are issued at a steady pace, target by target and whether they find
// something to do or not. One of the plan's CTAs stands for all that pass one SM.
void ExchangeKernels::store_bytes(std::uint32_t rank,
                                  std::int64_t row_bytes,
                                  std::uint32_t most_rows) {
  const std::int64_t grid = round_up_divide(most_rows * row_bytes, kByteThreads);
  const auto issue = [&](std::int64_t ctas) {
    return from_ns(static_cast<double>(ctas) * byte_cta_ns_);
  };
  for (std::uint32_t sm = 0; sm < sms_; ++sm) {
    plan_.begin_cta();
    plan_.begin_agent(Role::row_warps);
    for (std::uint32_t target = 0; target < rows_.ranks; ++target) {
      const std::int64_t whole = rows_.between(rank, target) * row_bytes;
      const std::int64_t busy = round_up_divide(whole, kByteThreads);
      const std::int64_t own = share(whole, sm, sms_);
      const std::int64_t puts = issue(busy) / kLongestPut + 1;
      if (own == 0) plan_.work(Phase::send, issue(busy));
      for (std::int64_t i = 0; own > 0 && i < puts; ++i) {
        plan_.put(Phase::send, RankId{target}, Bytes{share(own, i, puts)}, issue(busy) / puts);
        writes_rows(rank, target, sm);
      }
      plan_.work(Phase::send, issue(std::max<std::int64_t>(0, grid - busy)));
    }
  }
}

}  // namespace epsim
