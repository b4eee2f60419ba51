// exchange_rows: the communication of two-batch overlap, dispatch and combine alike. Every rank
// pushes its part for each peer into that peer's memory, on a few SMs, and the kernel ends when the
// parts of all peers have arrived.
#pragma once

#include <cstdint>

#include <cuda_runtime.h>

#include "kernels/peers.cuh"

namespace epsim::kernels {

inline constexpr int kExchangeFlagInts = 32;  // a flag has a line of 128 bytes of its own

// The caller orders exchanges that share words or receive buffers, on every rank alike.
struct ExchangeRows {
  const uint4* send;         // own memory: rank_count parts of pair_stride vectors, by target
  Peers<uint4> receive;      // on each rank: rank_count parts of pair_stride vectors, by source
  std::int64_t pair_stride;  // vectors
  std::int64_t vectors_per_pair;  // at the beginning of each part
  Peers<int> flags;               // on each rank: rank_count flags, by source; zeroed once
  int* finished;                  // own memory: counts CTAs of all launches; zeroed once
  int finished_before;            // CTAs of the launches before this one
  int generation;                 // one more at each launch; never 0
  int rank;
  int rank_count;
  int cta_count;
  bool in_line;  // runs under the name in_line_exchange_kernel: a collective among the GEMMs
};

// Each vector is read once and written once.
constexpr std::int64_t bytes_moved(const ExchangeRows& work) {
  return 2 * std::int64_t{16} * work.rank_count * work.vectors_per_pair;
}

// CTAs do not wait for each other, so they need not run at the same time: those that find no SM
// free begin when a GEMM ends. Only the CTA that finishes last waits for the peers, on one SM.
void launch_exchange_rows(const ExchangeRows& work, cudaStream_t stream);

}  // namespace epsim::kernels
