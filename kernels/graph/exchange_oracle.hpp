// ExchangeOracle: stamps the inputs of an exchange, poisons its outputs, and says what came out
// wrong. Run it before anything is timed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/graph/exchange.hpp"
#include "kernels/reference/graph_exchange_reference.hpp"

namespace epsim::kernels {

class ExchangeOracle {
 public:
  // `experts_of_rank`: token_count * top_k experts of each rank. Other stamps make other contents.
  ExchangeOracle(GraphExchange& exchange,
                 const ExchangeCall& call,
                 std::vector<std::vector<int>> experts_of_rank,
                 std::uint32_t stamp);

  // Before a dispatch: inputs, poison, and a cleared status. Waits for the copies.
  void fill();
  // After it: empty, or a sentence about the first thing that is wrong.
  [[nodiscard]] std::string fault_of_dispatch() const;
  // Between a dispatch and its combine: what experts would do. The first 16 bytes of each received
  // row come to say where it was, so that two copies of one token differ.
  void work_as_experts();
  // After the combine.
  [[nodiscard]] std::string fault_of_combine() const;

  [[nodiscard]] const ExchangeReference& reference() const { return reference_; }
  // Rows that all ranks together send and keep.
  [[nodiscard]] std::int64_t rows_moved() const;

 private:
  [[nodiscard]] std::string fault_of_rows(int rank) const;
  [[nodiscard]] std::string fault_of_counts(int rank) const;
  [[nodiscard]] const std::uint8_t* token_of(int rank, int row) const;

  GraphExchange& exchange_;
  ExchangeCall call_;
  std::vector<std::vector<int>> experts_;
  ExchangeReference reference_;
  std::vector<std::vector<std::uint8_t>> tokens_;  // of each rank
  std::vector<std::vector<float>> weights_;
};

}  // namespace epsim::kernels
