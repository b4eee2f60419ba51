// GraphExchange: dispatch and combine between the GPUs of one process with no CPU in the path, so
// that a call can be captured and replayed.
//
// A call, in stream order on each rank: plan and pack its rows; signal the peers and wait for them;
// read their counts; reset the signals; place the rows; store them into the peers' buffers; signal
// and wait again. Signals are single words that go 0, 1, 0. They carry no generation, since a
// captured stream operation repeats its value; one word is enough because a peer's next signal of
// one kind needs this rank's next signal of the other kind. That holds as long as all ranks make
// the same calls in the same order, each on one stream, and at most one call of a leg is under way.
//
// Against the protocol we follow, the local work is fused (three small kernels in place of some
// twenty, and counts are written where peers read them, not copied there), and what travels beside
// a row is one 16-byte label, so that a call has two all-to-alls. Rows are sorted by target rank
// alone, not by expert.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <cuda_runtime_api.h>

#include "kernels/device_array.hpp"
#include "kernels/gpu_set.hpp"
#include "kernels/graph/all_to_all.cuh"
#include "kernels/graph/exchange_shape.cuh"
#include "kernels/graph/move_rows.cuh"
#include "kernels/graph/place_rows.cuh"
#include "kernels/graph/plan_rows.cuh"

namespace epsim::kernels {

// What the buffers hold. They are allocated once: captured graphs keep their addresses.
struct ExchangeLimits {
  int token_count;    // of a rank
  int row_count;      // tokens times choices, of a rank
  int received_rows;  // that a rank keeps
  int row_bytes;
};

enum class CopyKernel { bytes, vectors };  // all_to_all's byte kernel, or its vector kernel

// One call; a captured call is frozen with these, and only the buffers' contents change.
struct ExchangeCall {
  int token_count;
  int top_k;
  int expert_count;   // a multiple of the ranks; rank r owns the r-th block
  int row_bytes;      // a multiple of 16
  int received_rows;  // the capacity; rows above are dropped and counted. The same on all ranks
  CopyKernel copy_kernel = CopyKernel::vectors;
  int copy_ctas = 32;   // of the vector kernel
  bool flush = false;   // waits also flush remote writes, where all GPUs can
  bool marked = false;  // a marker kernel before the first and after the last operation
};

// ceil(rows * factor), and never more than can arrive.
[[nodiscard]] int capacity_rows(int rows, int rank_count, double factor);

class GraphExchange {
 public:
  // On GPUs 0 to rank_count-1 of the set, which must outlive this. Throws CudaError when a pointer
  // of a peer is not what it should be.
  GraphExchange(const GpuSet& gpus, int rank_count, const ExchangeLimits& limits);

  // Growth is refused (std::length_error): a captured graph would keep the old addresses.
  void reserve(const ExchangeLimits& wanted) const;

  // Enqueue one rank's part. Every rank's part must be enqueued before anything is waited for.
  // Throw std::invalid_argument for a call that makes no sense, std::length_error for a too large.
  void enqueue_dispatch(int rank, const ExchangeCall& call, cudaStream_t stream);
  void enqueue_combine(int rank, const ExchangeCall& call, cudaStream_t stream);

  // The same with the CPU in the path, as before graphs: counts go to the host, which waits for
  // them, adds them up, and launches exactly what there is. All ranks, on the set's streams.
  // Returns when the call is done.
  void dispatch_cpu_synchronised(const ExchangeCall& call);
  void combine_cpu_synchronised(const ExchangeCall& call);

  [[nodiscard]] int rank_count() const { return rank_count_; }
  [[nodiscard]] bool can_flush() const { return can_flush_; }

  // Input of a dispatch: token rows, then an expert and a weight for each (token, choice).
  [[nodiscard]] DeviceArray<std::uint8_t>& tokens(int rank) { return tokens_.on(rank); }
  [[nodiscard]] DeviceArray<int>& experts(int rank) { return experts_.on(rank); }
  [[nodiscard]] DeviceArray<float>& weights(int rank) { return weights_.on(rank); }
  // Output of a dispatch and input of a combine: experts work in place. Counts: rows of each
  // source, then of all.
  [[nodiscard]] DeviceArray<std::uint8_t>& received_rows(int rank) {
    return dispatch_.received_rows.on(rank);
  }
  [[nodiscard]] DeviceArray<RowLabel>& received_labels(int rank) {
    return dispatch_.received_labels.on(rank);
  }
  [[nodiscard]] DeviceArray<int>& received_counts(int rank) {
    return dispatch_.receive_counts.on(rank);
  }
  // Output of a combine: a row for each (token, choice); zeros where none came back.
  [[nodiscard]] DeviceArray<std::uint8_t>& output(int rank) { return output_.on(rank); }

  // Of finished calls: synchronise before.
  [[nodiscard]] ExchangeStatus status(int rank) const;
  void clear_status();

 private:
  enum class Leg { dispatch, combine };

  // What one direction keeps on each rank.
  struct LegState {
    LegState(int rank_count, int sent_rows, int received_row_count, int row_bytes);
    Symmetric<int> counts;      // [R], read by the peers
    Symmetric<int> semaphores;  // [2R]: counts are ready, rows are stored; a word for each peer
    Symmetric<int> matrix;      // [R][R]
    Symmetric<int> order, send_offsets;
    Symmetric<int> send_counts, receive_offsets, receive_counts;
    Symmetric<std::uint8_t> packed_rows, received_rows;
    Symmetric<RowLabel> packed_labels, received_labels;
  };

  [[nodiscard]] LegState& state(Leg leg) { return leg == Leg::dispatch ? dispatch_ : combine_; }
  [[nodiscard]] PlanRows plan_of(Leg leg, int rank, const ExchangeCall& call);
  [[nodiscard]] PackRows pack_of(Leg leg, int rank, const ExchangeCall& call);
  [[nodiscard]] PlaceRows place_of(Leg leg, int rank, const ExchangeCall& call);
  [[nodiscard]] AllToAll copy_of_rows(Leg leg, int rank, const ExchangeCall& call);
  [[nodiscard]] AllToAll copy_of_labels(Leg leg, int rank, const ExchangeCall& call);

  void check_tables(const LegState& leg) const;
  void load_everything();
  void check_call(int rank, const ExchangeCall& call) const;
  void enqueue(Leg leg, int rank, const ExchangeCall& call, cudaStream_t stream);
  void begin(Leg leg, int rank, const ExchangeCall& call, cudaStream_t stream);
  void read_counts(Leg leg, int rank, cudaStream_t stream);
  void exchange_counts(Leg leg, int rank, bool flush, cudaStream_t stream);
  void signal_and_wait(Leg leg, int rank, int first_word, bool flush, cudaStream_t stream);
  void reset(Leg leg, int rank, int first_word, cudaStream_t stream);
  void copy(
      Leg leg, int rank, const ExchangeCall& call, int most_rows, int ctas, cudaStream_t stream);
  void finish(Leg leg, int rank, const ExchangeCall& call, cudaStream_t stream);

  void run_cpu_synchronised(Leg leg, const ExchangeCall& call);
  int place_on_host(Leg leg, int rank, const ExchangeCall& call);
  void upload_places(Leg leg, int rank, cudaStream_t stream);
  void synchronize();

  const GpuSet& gpus_;
  int rank_count_;
  ExchangeLimits limits_;
  bool can_flush_ = true;
  Symmetric<std::uint8_t> tokens_, output_;
  Symmetric<int> experts_;
  Symmetric<float> weights_;
  Symmetric<ExchangeStatus> status_;
  LegState dispatch_, combine_;
  // Of the calls with the CPU in the path: the counts of all ranks, the places of each, and what
  // the host found, which the GPUs' status words do not know.
  PinnedArray<int> host_matrix_, host_places_;
  std::vector<ExchangeStatus> host_status_;
};

}  // namespace epsim::kernels
