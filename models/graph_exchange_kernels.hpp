// ExchangeKernels: what a stream and a host thread of a graph exchange launch, on one rank after
// another. Each call appends to the rank's stream.
#pragma once

#include <vector>

#include "models/graph_exchange.hpp"
#include "models/plan_builder.hpp"

namespace epsim {

class ExchangeKernels {
 public:
  ExchangeKernels(const Workload& workload,
                  const ConstantSet& hardware,
                  const ConstantSet& family,
                  MoeOperation leg);

  // Each follows what the rank's stream holds, `delay` after its end.
  void marker(std::uint32_t rank, std::string_view name, Duration delay);
  void plan_rows(std::uint32_t rank, Duration delay);
  void pack_rows(std::uint32_t rank, Duration delay);
  void place_rows(std::uint32_t rank, Duration delay);
  // Rows or labels. `most_rows` for one target sizes the byte kernel's grid.
  void store_rows(std::uint32_t rank, std::uint32_t most_rows, Duration delay);
  void store_labels(std::uint32_t rank, std::uint32_t most_rows, Duration delay);
  void clear_output(std::uint32_t rank, Duration delay);
  void unpack_rows(std::uint32_t rank, Duration delay);
  // An agent of the stream itself, whose operations the caller writes next.
  void stream_agent(std::uint32_t rank, std::string_view name, Duration delay);

  // The operation written last reads the counts of `source`, or all rows that came to `rank`; if
  // locations are recorded.
  void reads_counts(std::uint32_t source);
  void reads_rows(std::uint32_t rank);

  [[nodiscard]] PlanBuilder& plan() { return plan_; }
  [[nodiscard]] const ExchangeRows& rows() const { return rows_; }
  [[nodiscard]] bool is_combine() const { return leg_ == MoeOperation::combine; }
  [[nodiscard]] Duration empty_kernel() const { return empty_; }
  [[nodiscard]] Duration planning() const;  // of plan_rows, without the launch

 private:
  static constexpr std::int64_t kByteThreads = 256;

  void add_memory();
  [[nodiscard]] std::uint32_t storing_ctas() const;
  void writes_rows(std::uint32_t source, std::uint32_t target, std::uint32_t part);

  void begin(std::uint32_t rank, std::string_view name, Duration delay, bool on_sms = true);
  void move(std::uint32_t rank,
            std::string_view name,
            std::int64_t bytes,
            std::uint32_t rows,
            Phase phase,
            Duration delay);
  void store(std::uint32_t rank,
             std::string_view name,
             std::int64_t row_bytes,
             std::uint32_t most_rows,
             Duration delay);
  void store_vectors(std::uint32_t rank, std::int64_t row_bytes);
  void store_bytes(std::uint32_t rank, std::int64_t row_bytes, std::uint32_t most_rows);
  [[nodiscard]] RankRates rates(const ConstantSet& hardware, const ConstantSet& family) const;

  const Workload& workload_;
  MoeOperation leg_;
  ExchangeRows rows_;
  std::int64_t row_bytes_;
  std::uint32_t sms_;
  Duration empty_, plan_rows_, plan_step_, row_move_, place_rows_, copy_setup_;
  double byte_cta_ns_;
  PlanBuilder plan_;
  std::vector<std::int64_t> last_;                // kernel of each rank's stream, or -1
  std::vector<std::uint32_t> counts_, received_;  // locations by rank, if they are recorded
  bool stores_rows_ = false;                      // and not their labels
};

}  // namespace epsim
