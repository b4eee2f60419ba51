#include "models/graph_exchange.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

namespace epsim {
namespace {

constexpr std::array kGraphExchange = {
    ConstantSpec{"plan_rows", "us", 0, 50, "one CTA sorts up to 1024 rows by their rank"},
    ConstantSpec{"plan_step", "us", 0, 20, "the same, each further 1024 rows"},
    ConstantSpec{"row_move", "us", 0, 20, "a CTA's latency to copy a row in local memory"},
    ConstantSpec{"place_rows", "us", 0, 50, "one CTA turns counts into places"},
    ConstantSpec{"copy_fixed", "us", 0, 20, "all-to-all, vectors: the kernel without rows", true},
    ConstantSpec{
        "copy_sm_rate", "GB/s", 1, 500, "all-to-all, vectors: payload that one SM moves", true},
    ConstantSpec{
        "byte_cta", "ns", 0.01, 10, "all-to-all, bytes: a CTA of 256 B, busy or idle", true},
    ConstantSpec{"counts_copy", "us", 0, 100, "a stream's copy of a few words from a peer"},
    ConstantSpec{"host_copy", "us", 0, 50, "host: enqueue a copy of a few words"},
};

}  // namespace

std::uint32_t ExchangeRows::sent(std::uint32_t source) const {
  std::uint32_t sum = 0;
  for (std::uint32_t target = 0; target < ranks; ++target) sum += between(source, target);
  return sum;
}

std::uint32_t ExchangeRows::received(std::uint32_t target) const {
  std::uint32_t sum = 0;
  for (std::uint32_t source = 0; source < ranks; ++source) sum += between(source, target);
  return sum;
}

std::uint32_t exchange_capacity(std::uint32_t rows, std::uint32_t ranks, double factor) {
  const double worst = static_cast<double>(rows) * ranks;
  if (factor <= 0) return static_cast<std::uint32_t>(worst);
  return static_cast<std::uint32_t>(std::min(std::ceil(rows * factor), worst));
}

namespace {

// Of one rank, whatever the routing.
std::uint32_t most_rows_sent(const Workload& workload) {
  std::uint32_t tokens = 0;
  for (std::uint32_t r = 0; r < workload.rank_count(); ++r)
    tokens = std::max(tokens, workload.routing->token_count(RankId{r}));
  return tokens * workload.top_k();
}

}  // namespace

ExchangeBuffer exchange_buffer(const Workload& workload) {
  const ExchangeRows kept = exchange_rows(workload, MoeOperation::dispatch);
  const std::uint32_t rows =
      exchange_capacity(kept.most_sent, kept.ranks, workload.exchange.capacity);
  const std::uint64_t arrived =
      std::accumulate(kept.rows.begin(), kept.rows.end(), std::uint64_t{0});
  const auto by_source = workload.traffic->messages_by_source();
  const std::uint64_t sent = std::accumulate(by_source.begin(), by_source.end(), std::uint64_t{0});
  return {.rows = rows,
          .size = Bytes{rows * (2 * workload.hidden + kExchangeLabelBytes)},
          .dropped = sent - arrived};
}

ExchangeRows exchange_rows(const Workload& workload, MoeOperation leg) {
  const std::uint32_t ranks = workload.rank_count();
  const std::uint32_t sent = most_rows_sent(workload);
  const std::uint32_t capacity = exchange_capacity(sent, ranks, workload.exchange.capacity);
  const bool is_dispatch = leg == MoeOperation::dispatch;
  ExchangeRows result{.ranks = ranks,
                      .most_sent = is_dispatch ? sent : capacity,
                      .most_a_pair = sent,
                      .rows = std::vector<std::uint32_t>(std::size_t{ranks} * ranks)};
  for (std::uint32_t target = 0; target < ranks; ++target) {
    std::uint32_t room = capacity;  // taken in order of the source
    for (std::uint32_t source = 0; source < ranks; ++source) {
      const std::uint32_t kept =
          std::min(room, workload.traffic->messages({RankId{source}, RankId{target}}));
      room -= kept;
      result.rows[is_dispatch ? source * ranks + target : target * ranks + source] = kept;
    }
  }
  return result;
}

std::span<const ConstantSpec> graph_exchange_constants() {
  return kGraphExchange;
}

}  // namespace epsim
