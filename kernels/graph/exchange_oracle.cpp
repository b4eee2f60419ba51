#include "kernels/graph/exchange_oracle.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <utility>

namespace epsim::kernels {
namespace {

constexpr int kPoison = 0xa5;
constexpr int kWatchedRows = 4;  // behind the last valid one: they must keep their poison
constexpr std::size_t kExpertStampBytes = 16;

// Mixes the number of a word so that no two rows, ranks or stamps look alike.
std::uint32_t mixed(std::uint32_t word) {
  word = (word ^ (word >> 16)) * 0x7feb352dU;
  word = (word ^ (word >> 15)) * 0x846ca68bU;
  return word ^ (word >> 16);
}

std::vector<std::uint8_t> stamped_tokens(std::size_t bytes, std::uint32_t seed) {
  std::vector<std::uint32_t> words(bytes / sizeof(std::uint32_t));
  for (std::size_t i = 0; i < words.size(); ++i)
    words[i] = mixed(static_cast<std::uint32_t>(i)) ^ seed;
  std::vector<std::uint8_t> tokens(bytes);
  std::memcpy(tokens.data(), words.data(), bytes);
  return tokens;
}

// What "experts" write into the row at place `place` of rank `holder`.
struct ExpertStamp {
  int holder, place, expert, check;
};
static_assert(sizeof(ExpertStamp) == kExpertStampBytes);

ExpertStamp expert_stamp(int holder, std::size_t place, int expert) {
  return {holder, static_cast<int>(place), expert, 0x5eed};
}

std::string at(int rank, const char* what, std::size_t row) {
  return "rank " + std::to_string(rank) + ": " + what + " " + std::to_string(row);
}

bool is_all(const std::uint8_t* bytes, std::size_t count, int value) {
  return std::all_of(bytes, bytes + count, [&](std::uint8_t byte) { return byte == value; });
}

}  // namespace

ExchangeOracle::ExchangeOracle(GraphExchange& exchange,
                               const ExchangeCall& call,
                               std::vector<std::vector<int>> experts_of_rank,
                               std::uint32_t stamp)
    : exchange_(exchange),
      call_(call),
      experts_(std::move(experts_of_rank)),
      reference_(exchange_reference({.rank_count = exchange.rank_count(),
                                     .expert_count = call.expert_count,
                                     .capacity = call.received_rows},
                                    experts_)) {
  const std::size_t bytes = std::size_t(call.token_count) * std::size_t(call.row_bytes);
  for (int rank = 0; rank < exchange.rank_count(); ++rank) {
    const std::uint32_t seed = mixed(stamp * std::uint32_t{kMostRanks} + std::uint32_t(rank) + 1);
    tokens_.push_back(stamped_tokens(bytes, seed));
    std::vector<float>& weights = weights_.emplace_back();
    for (std::size_t row = 0; row < experts_[std::size_t(rank)].size(); ++row)
      weights.push_back(static_cast<float>(rank) + static_cast<float>(row) * 0.5F);
  }
}

void ExchangeOracle::fill() {
  exchange_.clear_status();
  for (int rank = 0; rank < exchange_.rank_count(); ++rank) {
    const std::size_t index = std::size_t(rank);
    exchange_.received_rows(rank).fill(kPoison);
    exchange_.received_labels(rank).fill(kPoison);
    exchange_.received_counts(rank).fill(kPoison);
    exchange_.output(rank).fill(kPoison);
    exchange_.tokens(rank).upload(tokens_[index]);
    exchange_.experts(rank).upload(experts_[index]);
    exchange_.weights(rank).upload(weights_[index]);
    cuda_check(
        cudaDeviceSynchronize());  // a copy from pageable memory may return before it is done
  }
}

const std::uint8_t* ExchangeOracle::token_of(int rank, int row) const {
  return tokens_[std::size_t(rank)].data() +
         std::size_t(row / call_.top_k) * std::size_t(call_.row_bytes);
}

std::int64_t ExchangeOracle::rows_moved() const {
  std::int64_t rows = 0;
  for (const auto& received : reference_.received) rows += std::int64_t(received.size());
  return rows;
}

std::string ExchangeOracle::fault_of_counts(int rank) const {
  const std::size_t index = std::size_t(rank);
  const std::vector<ArrivedRow>& expected = reference_.received[index];
  std::vector<int> counts(std::size_t(exchange_.rank_count()) + 1, 0);
  for (const ArrivedRow& row : expected) ++counts[std::size_t(row.source_rank)];
  counts.back() = static_cast<int>(expected.size());
  if (exchange_.received_counts(rank).download() != counts)
    return at(rank, "counts of received rows are wrong; expected in all", expected.size());
  const ExchangeStatus status = exchange_.status(rank);
  if (status.error != (reference_.has_bad_expert[index] ? kExpertOutOfRange : 0))
    return at(rank, "unexpected error bits", std::size_t(status.error));
  if (status.dropped_rows != reference_.dropped[index])
    return at(rank, "wrong number of dropped rows,", std::size_t(status.dropped_rows));
  return {};
}

std::string ExchangeOracle::fault_of_rows(int rank) const {
  const std::vector<ArrivedRow>& expected = reference_.received[std::size_t(rank)];
  const std::size_t row_bytes = std::size_t(call_.row_bytes);
  const DeviceArray<std::uint8_t>& array = exchange_.received_rows(rank);
  const std::size_t seen =
      std::min(expected.size() + kWatchedRows, exchange_.received_labels(rank).size());
  const std::vector<std::uint8_t> rows =
      array.download(0, std::min(seen * row_bytes, array.size()));
  const std::vector<RowLabel> labels = exchange_.received_labels(rank).download(0, seen);
  for (std::size_t place = 0; place < expected.size(); ++place) {
    const ArrivedRow& row = expected[place];
    const RowLabel& label = labels[place];
    if (ArrivedRow{label.source_rank, label.source_row, label.expert} != row ||
        label.weight != weights_[std::size_t(row.source_rank)][std::size_t(row.source_row)])
      return at(rank, "wrong label of received row", place);
    if (std::memcmp(rows.data() + place * row_bytes,
                    token_of(row.source_rank, row.source_row),
                    row_bytes) != 0)
      return at(rank, "wrong contents of received row", place);
  }
  for (std::size_t place = expected.size(); place < seen; ++place)
    if (!is_all(rows.data() + place * row_bytes, row_bytes, kPoison) ||
        labels[place].source_rank != labels[place].source_row)
      return at(rank, "something was written beyond the last row, at", place);
  return {};
}

std::string ExchangeOracle::fault_of_dispatch() const {
  for (int rank = 0; rank < exchange_.rank_count(); ++rank) {
    std::string fault = fault_of_counts(rank);
    if (fault.empty()) fault = fault_of_rows(rank);
    if (!fault.empty()) return fault;
  }
  return {};
}

void ExchangeOracle::work_as_experts() {
  for (int rank = 0; rank < exchange_.rank_count(); ++rank) {
    const std::vector<ArrivedRow>& rows = reference_.received[std::size_t(rank)];
    std::vector<ExpertStamp> stamps;
    for (std::size_t place = 0; place < rows.size(); ++place)
      stamps.push_back(expert_stamp(rank, place, rows[place].expert));
    if (stamps.empty()) continue;
    cuda_check(cudaSetDevice(rank));
    cuda_check(cudaMemcpy2D(exchange_.received_rows(rank).data(),
                            std::size_t(call_.row_bytes),
                            stamps.data(),
                            sizeof(ExpertStamp),
                            sizeof(ExpertStamp),
                            stamps.size(),
                            cudaMemcpyHostToDevice));
    cuda_check(cudaDeviceSynchronize());
  }
}

std::string ExchangeOracle::fault_of_combine() const {
  const std::size_t row_bytes = std::size_t(call_.row_bytes);
  std::vector<std::vector<ExpertStamp>> stamps;
  for (const std::vector<int>& experts : experts_) stamps.emplace_back(experts.size());
  for (std::size_t holder = 0; holder < reference_.received.size(); ++holder) {
    const std::vector<ArrivedRow>& rows = reference_.received[holder];
    for (std::size_t place = 0; place < rows.size(); ++place)
      stamps[std::size_t(rows[place].source_rank)][std::size_t(rows[place].source_row)] =
          expert_stamp(static_cast<int>(holder), place, rows[place].expert);
  }
  for (int rank = 0; rank < exchange_.rank_count(); ++rank) {
    const std::size_t index = std::size_t(rank);
    const std::size_t row_count = experts_[index].size();
    const std::vector<std::uint8_t> output =
        exchange_.output(rank).download(0, row_count * row_bytes);
    for (std::size_t row = 0; row < row_count; ++row) {
      const std::uint8_t* got = output.data() + row * row_bytes;
      const std::uint8_t* sent = token_of(rank, static_cast<int>(row));
      const bool is_right = reference_.returned[index][row]
                                ? std::memcmp(got, &stamps[index][row], kExpertStampBytes) == 0 &&
                                      std::memcmp(got + kExpertStampBytes,
                                                  sent + kExpertStampBytes,
                                                  row_bytes - kExpertStampBytes) == 0
                                : is_all(got, row_bytes, 0);
      if (!is_right) return at(rank, "wrong contents of returned row", row);
    }
    const int allowed = reference_.has_bad_expert[index] ? kExpertOutOfRange : 0;
    if (exchange_.status(rank).error != allowed)
      return at(rank, "error bits after the combine:", std::size_t(exchange_.status(rank).error));
  }
  return {};
}

}  // namespace epsim::kernels
