// flag_ping_pong: two GPUs write each other's flag in turn. Half a round is a signal's way: from
// the store on one GPU to the load on the other that sees it.
#pragma once

#include <cstdint>

#include <cuda_runtime.h>

namespace epsim::kernels {

// How a flag is written and read.
enum class FlagSignal : std::uint8_t {
  release_acquire,  // st.release.sys, ld.acquire.sys
  relaxed_fence,    // fence.acq_rel.sys before a relaxed store and after a relaxed load
  volatile_word,    // st.volatile, ld.volatile: orders nothing else, the floor of all
  reduction,        // red.release.sys.add, ld.acquire.sys
};

// One rank's half. Each extra poller is one thread of a CTA of its own that spins on a word beside
// the flag, as receivers of a low-latency dispatch do; the rank sets those words when it is done.
struct FlagPingPong {
  int* own;                     // on this GPU, 1 + poller_count words; the peer writes the first
  int* peer;                    // on the peer, the word that it waits for
  int* own_payload;             // with peer_payload: words that travel before the flag and are
  int* peer_payload;            // checked behind it; nullptr in timed runs
  int* stale_count;             // payloads that did not match their flag, added up
  std::int64_t* sample_cycles;  // sample_count entries, or nullptr
  int first_value;              // what both flags hold before; they end at last_value()
  int sample_count;
  int rounds_per_sample;
  int poller_count;
  bool starts;  // exactly one of the two ranks
  FlagSignal signal;
};

__host__ __device__ constexpr int last_value(const FlagPingPong& work) {
  return work.first_value + work.sample_count * work.rounds_per_sample;
}

// What this rank sends: one word a round.
constexpr std::int64_t bytes_moved(const FlagPingPong& work) {
  return std::int64_t{4} * work.sample_count * work.rounds_per_sample;
}

void launch_flag_ping_pong(const FlagPingPong& work, cudaStream_t stream);

}  // namespace epsim::kernels
