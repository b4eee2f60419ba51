// LitmusExecutions: all executions of one run of each thread, tried until one ends as asked.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim/litmus/litmus_barriers.hpp"
#include "sim/litmus/litmus_coherence.hpp"
#include "sim/litmus/litmus_search.hpp"

namespace epsim {

class LitmusExecutions {
 public:
  LitmusExecutions(const LitmusTest& test,
                   LitmusModel model,
                   const std::vector<const LitmusRun*>& runs);

  // Counts what it judges and, if it finds one, writes it down.
  [[nodiscard]] bool find(LitmusVerdict& verdict);

 private:
  struct ReadChoices {
    std::uint32_t read = 0;
    std::vector<std::uint32_t> writes;
  };

  [[nodiscard]] bool collect_choices();
  [[nodiscard]] bool choose_write(std::size_t next, const BitMatrix& hangs_on);
  [[nodiscard]] bool is_possible();
  [[nodiscard]] bool choose_openers(std::size_t next, std::vector<LitmusEdge> edges);
  [[nodiscard]] bool choose_subset(std::size_t meeting,
                                   std::size_t next,
                                   std::vector<std::uint32_t>& openers,
                                   const std::vector<LitmusEdge>& edges);
  [[nodiscard]] bool order_fences(const std::vector<LitmusEdge>& edges, const BitMatrix& paths);
  [[nodiscard]] bool judge(std::vector<LitmusEdge> edges, const BitMatrix& paths);
  [[nodiscard]] bool ends_as_asked(const BitMatrix& coherence);
  [[nodiscard]] bool choose_memory(const BitMatrix& coherence, std::size_t next);
  [[nodiscard]] Truth question() const;
  void write_witness();

  const LitmusTest& test_;
  LitmusModel model_;
  const std::vector<const LitmusRun*>& runs_;
  LitmusFrame frame_;
  LitmusCoherence coherence_;
  std::vector<LitmusMeeting> meetings_;
  std::vector<LitmusEdge> sure_edges_;  // of barriers whose openers are no choice
  std::vector<LitmusEdge> fence_pairs_;
  std::vector<ReadChoices> choices_;
  std::size_t most_choices_ = 1;
  ReadsFrom reads_from_;
  std::vector<std::uint32_t> storages_;                 // that the question asks about
  std::vector<std::optional<std::int64_t>> in_memory_;  // at the end, by storage
  LitmusVerdict* verdict_ = nullptr;
};

}  // namespace epsim
