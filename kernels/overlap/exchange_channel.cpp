#include "kernels/overlap/exchange_channel.hpp"

#include <cstddef>

namespace epsim::kernels {

ExchangeChannel::ExchangeChannel(int rank_count)
    : flags_(rank_count, std::size_t(rank_count) * kExchangeFlagInts),
      finished_(rank_count, 1),
      progress_(std::size_t(rank_count)) {
  flags_.fill(0);
  finished_.fill(0);
}

ExchangeRows ExchangeChannel::next(int rank, int cta_count) {
  Progress& progress = progress_.at(std::size_t(rank));
  ExchangeRows work{};
  work.flags = flags_.peers();
  work.finished = finished_.on(rank).data();
  work.finished_before = progress.finished;
  work.generation = ++progress.generation;
  work.rank = rank;
  work.rank_count = static_cast<int>(progress_.size());
  work.cta_count = cta_count;
  progress.finished += cta_count;
  return work;
}

}  // namespace epsim::kernels
