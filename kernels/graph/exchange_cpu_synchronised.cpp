// The exchange as it is without stream semaphores: three times a call, the host waits for all
// GPUs. The store through which processes would tell each other their counts costs nothing here
// (one process), so this is the least that such an exchange can take.
#include <algorithm>

#include "kernels/graph/exchange.hpp"

namespace epsim::kernels {

void GraphExchange::synchronize() {
  for (int rank = 0; rank < rank_count_; ++rank) {
    cuda_check(cudaSetDevice(rank));
    cuda_check(cudaStreamSynchronize(gpus_.stream(rank)));
  }
}

// What place_rows does, from the counts on the host. Returns the most rows for one target.
int GraphExchange::place_on_host(Leg leg, int rank, const ExchangeCall& call) {
  const PlaceRows work = place_of(leg, rank, call);
  const int* matrix = host_matrix_.data();
  ExchangeStatus& status = host_status_[std::size_t(rank)];
  int* send_counts = host_places_.data() + rank * 3 * (rank_count_ + 1);
  int* receive_offsets = send_counts + rank_count_ + 1;
  int* receive_counts = receive_offsets + rank_count_ + 1;
  int most = 0, kept = 0;
  for (int peer = 0; peer < rank_count_; ++peer) {
    const int count = matrix[rank * rank_count_ + peer];
    const int first = rows_before(matrix, rank_count_, work.most_rows, rank, peer);
    receive_offsets[peer] = first;
    send_counts[peer] =
        is_possible_count(count, work.most_rows) ? rows_kept(first, count, work.capacity) : 0;
    most = std::max(most, send_counts[peer]);

    int from_peer = matrix[peer * rank_count_ + rank];
    if (!is_possible_count(from_peer, work.most_rows)) {
      status.error |= kCountOutOfRange;
      from_peer = 0;
    }
    receive_counts[peer] = rows_kept(
        rows_before(matrix, rank_count_, work.most_rows, peer, rank), from_peer, work.capacity);
    kept += receive_counts[peer];
  }
  receive_counts[rank_count_] = kept;
  const int arrived = rows_before(matrix, rank_count_, work.most_rows, rank_count_, rank);
  if (work.may_drop)
    status.dropped_rows += arrived - kept;
  else if (arrived > kept)
    status.error |= kRowsExceedBuffer;
  return most;
}

void GraphExchange::upload_places(Leg leg, int rank, cudaStream_t stream) {
  LegState& own = state(leg);
  const int* places = host_places_.data() + rank * 3 * (rank_count_ + 1);
  for (DeviceArray<int>* target :
       {&own.send_counts.on(rank), &own.receive_offsets.on(rank), &own.receive_counts.on(rank)}) {
    cuda_check(
        cudaMemcpyAsync(target->data(), places, target->bytes(), cudaMemcpyHostToDevice, stream));
    places += rank_count_ + 1;
  }
}

// Phase by phase over all ranks, from one thread: no rank waits for work that is not yet queued.
void GraphExchange::run_cpu_synchronised(Leg leg, const ExchangeCall& call) {
  for (int rank = 0; rank < rank_count_; ++rank) {
    check_call(rank, call);
    begin(leg, rank, call, gpus_.stream(rank));
    const DeviceArray<int>& counts = state(leg).counts.on(rank);
    cuda_check(cudaMemcpyAsync(host_matrix_.data() + rank * rank_count_,
                               counts.data(),
                               counts.bytes(),
                               cudaMemcpyDeviceToHost,
                               gpus_.stream(rank)));
  }
  synchronize();
  for (int rank = 0; rank < rank_count_; ++rank) {
    cuda_check(cudaSetDevice(rank));
    const int most_rows = std::max(1, place_on_host(leg, rank, call));
    upload_places(leg, rank, gpus_.stream(rank));
    copy(leg, rank, call, most_rows, call.copy_ctas, gpus_.stream(rank));
  }
  synchronize();  // in place of the barrier among processes: all rows are stored
  for (int rank = 0; rank < rank_count_; ++rank) {
    cuda_check(cudaSetDevice(rank));
    finish(leg, rank, call, gpus_.stream(rank));
  }
  synchronize();
}

void GraphExchange::dispatch_cpu_synchronised(const ExchangeCall& call) {
  run_cpu_synchronised(Leg::dispatch, call);
}

void GraphExchange::combine_cpu_synchronised(const ExchangeCall& call) {
  run_cpu_synchronised(Leg::combine, call);
}

}  // namespace epsim::kernels
