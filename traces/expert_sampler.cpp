#include "traces/expert_sampler.hpp"

#include <bit>
#include <utility>

#include "sim/base/check.hpp"

namespace epsim {

void UniformSampler::draw(Rng& rng, std::span<ExpertChoice> out) {
  check(out.size() <= pool_.size(), "no more experts are drawn than the pool holds");
  for (std::size_t k = 0; k < out.size(); ++k) {
    std::swap(pool_[k], pool_[k + rng.below(pool_.size() - k)]);
    out[k] = pool_[k];
  }
}

WeightedSampler::WeightedSampler(std::span<const double> weights)
    : leaf_count_(std::bit_ceil(weights.size())),
      expert_count_(weights.size()),
      sums_(2 * leaf_count_, 0.0) {
  for (std::size_t expert = 0; expert < weights.size(); ++expert) {
    check(weights[expert] > 0.0, "every expert can be drawn");
    sums_[leaf_count_ + expert] = weights[expert];
  }
  for (std::size_t node = leaf_count_; node-- > 1;)
    sums_[node] = sums_[2 * node] + sums_[2 * node + 1];
}

// Sums are added up anew, never subtracted from, so that putting a weight back leaves no rounding
// behind and a removed expert weighs exactly nothing.
void WeightedSampler::set_leaf(std::size_t leaf, double weight) {
  sums_[leaf] = weight;
  for (std::size_t node = leaf / 2; node >= 1; node /= 2)
    sums_[node] = sums_[2 * node] + sums_[2 * node + 1];
}

void WeightedSampler::draw(Rng& rng, std::span<ExpertChoice> out) {
  check(out.size() <= expert_count_, "no more experts are drawn than there are");
  drawn_.clear();
  for (ExpertChoice& choice : out) {
    double rest = rng.uniform() * sums_[1];
    std::size_t node = 1;
    while (node < leaf_count_) {
      const double left = sums_[2 * node];
      // Rounding may leave `rest` a hair above the sum; an empty right side is still never entered.
      const bool goes_right = rest >= left && sums_[2 * node + 1] > 0.0;
      if (goes_right) rest -= left;
      node = 2 * node + (goes_right ? 1 : 0);
    }
    choice = static_cast<ExpertChoice>(node - leaf_count_);
    drawn_.push_back(sums_[node]);
    set_leaf(node, 0.0);
  }
  for (std::size_t k = 0; k < out.size(); ++k)
    set_leaf(leaf_count_ + static_cast<std::size_t>(out[k]), drawn_[k]);
}

}  // namespace epsim
