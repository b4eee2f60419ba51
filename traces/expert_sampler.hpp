// Expert samplers: K different experts for a token, exactly as likely as their name says.
#pragma once

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "sim/base/rng.hpp"
#include "traces/routing.hpp"

namespace epsim {

// Every ordered K of the pool is equally likely: the first K steps of a Fisher-Yates shuffle. The
// pool stays shuffled between draws, which costs no uniformity and saves putting it back.
class UniformSampler {
 public:
  explicit UniformSampler(std::vector<ExpertChoice> pool) : pool_(std::move(pool)) {}
  // Fills `out`, which is no longer than the pool.
  void draw(Rng& rng, std::span<ExpertChoice> out);

 private:
  std::vector<ExpertChoice> pool_;
};

// K experts one after the other, each with probability proportional to its weight among those not
// yet drawn. A binary tree of partial sums makes a draw K log E steps whatever the weights are;
// drawing again after a repeat would take for ever once one expert has nearly all the weight.
class WeightedSampler {
 public:
  // One positive weight an expert.
  explicit WeightedSampler(std::span<const double> weights);
  // Fills `out`, which is no longer than there are experts.
  void draw(Rng& rng, std::span<ExpertChoice> out);

 private:
  void set_leaf(std::size_t leaf, double weight);

  std::size_t leaf_count_;  // a power of two, experts or more
  std::size_t expert_count_;
  std::vector<double> sums_;   // node n sums nodes 2n and 2n+1; leaves start at leaf_count_
  std::vector<double> drawn_;  // the weights to put back after a draw
};

}  // namespace epsim
