// ExchangeChannel: the flags and counters that successive exchanges share, and their generations.
#pragma once

#include <vector>

#include "kernels/gpu_set.hpp"
#include "kernels/overlap/exchange_rows.cuh"

namespace epsim::kernels {

class ExchangeChannel {
 public:
  explicit ExchangeChannel(int rank_count);

  // The next exchange of `rank`, buffers and sizes still to be filled in. Each rank must take the
  // same exchanges in the same order, with any number of CTAs, and launch them in that order.
  [[nodiscard]] ExchangeRows next(int rank, int cta_count);

 private:
  struct Progress {
    int generation = 0;
    int finished = 0;
  };

  Symmetric<int> flags_;
  Symmetric<int> finished_;
  std::vector<Progress> progress_;  // by rank
};

}  // namespace epsim::kernels
