#include "kernels/graph/exchange.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

#include "kernels/graph/call_marker.cuh"
#include "kernels/graph/peer_memory.hpp"
#include "kernels/graph/stream_semaphores.hpp"
#include "kernels/micro/memop_batch.hpp"

namespace epsim::kernels {
namespace {

constexpr int kIdle = 0;
constexpr int kInProgress = 1;

std::size_t size_of(int rows, int row_bytes) {
  return static_cast<std::size_t>(rows) * static_cast<std::size_t>(row_bytes);
}

template <typename T>
void check_table(const Symmetric<T>& table, int rank_count, const char* name) {
  for (int rank = 0; rank < rank_count; ++rank)
    check_peer_memory(table.peers().at[rank], rank, table.on(rank).bytes(), name);
}

}  // namespace

int capacity_rows(int rows, int rank_count, double factor) {
  const double worst = static_cast<double>(rows) * static_cast<double>(rank_count);
  return static_cast<int>(std::min(std::ceil(static_cast<double>(rows) * factor), worst));
}

GraphExchange::LegState::LegState(int rank_count,
                                  int sent_rows,
                                  int received_row_count,
                                  int row_bytes)
    : counts(rank_count, std::size_t(rank_count)),
      semaphores(rank_count, std::size_t(rank_count) * 2),
      matrix(rank_count, std::size_t(rank_count) * std::size_t(rank_count)),
      order(rank_count, std::size_t(sent_rows)),
      send_offsets(rank_count, std::size_t(rank_count) + 1),
      send_counts(rank_count, std::size_t(rank_count)),
      receive_offsets(rank_count, std::size_t(rank_count)),
      receive_counts(rank_count, std::size_t(rank_count) + 1),
      packed_rows(rank_count, size_of(sent_rows, row_bytes)),
      received_rows(rank_count, size_of(received_row_count, row_bytes)),
      packed_labels(rank_count, std::size_t(sent_rows)),
      received_labels(rank_count, std::size_t(received_row_count)) {
  counts.fill(0);
  semaphores.fill(kIdle);
  receive_counts.fill(0);  // a combine before any dispatch then moves nothing
}

GraphExchange::GraphExchange(const GpuSet& gpus, int rank_count, const ExchangeLimits& limits)
    : gpus_(gpus),
      rank_count_(rank_count),
      limits_(limits),
      tokens_(rank_count, size_of(limits.token_count, limits.row_bytes)),
      output_(rank_count, size_of(limits.row_count, limits.row_bytes)),
      experts_(rank_count, std::size_t(limits.row_count)),
      weights_(rank_count, std::size_t(limits.row_count)),
      status_(rank_count, 1),
      dispatch_(rank_count, limits.row_count, limits.received_rows, limits.row_bytes),
      combine_(rank_count, limits.received_rows, limits.row_count, limits.row_bytes),
      host_matrix_(std::size_t(rank_count) * std::size_t(rank_count)),
      host_places_(std::size_t(rank_count) * 3 * (std::size_t(rank_count) + 1)),
      host_status_(std::size_t(rank_count)) {
  if (rank_count > gpus.count()) throw std::invalid_argument("an exchange of more ranks than GPUs");
  if (std::int64_t{limits.row_count} * rank_count > std::numeric_limits<int>::max())
    throw std::length_error("an exchange of more rows than an int counts");
  for (int rank = 0; rank < rank_count; ++rank)
    can_flush_ = can_flush_ && can_flush_remote_writes(rank);
  check_tables(dispatch_);
  check_tables(combine_);
  experts_.fill(0xff);  // all masked
  weights_.fill(0);
  clear_status();
  load_everything();
}

// A kernel that is loaded at its first launch may make the driver wait for the GPU, which would
// wait for a peer whose signal this thread has yet to enqueue. So all of them run once here, with
// every choice masked and no signal.
void GraphExchange::load_everything() {
  ExchangeCall call{.token_count = 1,
                    .top_k = 1,
                    .expert_count = rank_count_,
                    .row_bytes = 16,
                    .received_rows = 1,
                    .copy_kernel = CopyKernel::bytes,
                    .copy_ctas = 1,
                    .flush = false,
                    .marked = true};
  dispatch_cpu_synchronised(call);
  combine_cpu_synchronised(call);
  call.copy_kernel = CopyKernel::vectors;
  dispatch_cpu_synchronised(call);
  for (int rank = 0; rank < rank_count_; ++rank) {
    cuda_check(cudaSetDevice(rank));
    read_counts(Leg::dispatch, rank, gpus_.stream(rank));
    launch_place_rows(place_of(Leg::dispatch, rank, call), gpus_.stream(rank));
  }
  synchronize();
}

void GraphExchange::check_tables(const LegState& leg) const {
  check_table(leg.counts, rank_count_, "counts");
  check_table(leg.semaphores, rank_count_, "semaphores");
  check_table(leg.received_rows, rank_count_, "received rows");
  check_table(leg.received_labels, rank_count_, "received labels");
}

void GraphExchange::reserve(const ExchangeLimits& wanted) const {
  if (wanted.token_count > limits_.token_count || wanted.row_count > limits_.row_count ||
      wanted.received_rows > limits_.received_rows || wanted.row_bytes > limits_.row_bytes)
    throw std::length_error(
        "an exchange does not grow: graphs captured before would keep the addresses of the old "
        "buffers");
}

void GraphExchange::check_call(int rank, const ExchangeCall& call) const {
  if (rank < 0 || rank >= rank_count_) throw std::invalid_argument("no such rank");
  if (call.token_count < 1 || call.top_k < 1 || call.received_rows < 1 || call.copy_ctas < 1)
    throw std::invalid_argument("an exchange needs tokens, choices, capacity and CTAs");
  if (call.row_bytes < 16 || call.row_bytes % 16 != 0)
    throw std::invalid_argument("rows of an exchange are multiples of 16 bytes");
  if (call.expert_count < rank_count_ || call.expert_count % rank_count_ != 0)
    throw std::invalid_argument("experts of an exchange are a multiple of its ranks");
  reserve({.token_count = call.token_count,
           .row_count = call.token_count * call.top_k,
           .received_rows = call.received_rows,
           .row_bytes = call.row_bytes});
}

ExchangeStatus GraphExchange::status(int rank) const {
  ExchangeStatus status = status_.on(rank).download().front();
  const ExchangeStatus& host = host_status_[std::size_t(rank)];
  status.error |= host.error;
  status.dropped_rows += host.dropped_rows;
  return status;
}

void GraphExchange::clear_status() {
  status_.fill(0);
  std::fill(host_status_.begin(), host_status_.end(), ExchangeStatus{});
}

PlanRows GraphExchange::plan_of(Leg leg, int rank, const ExchangeCall& call) {
  LegState& own = state(leg);
  PlanRows work{};
  if (leg == Leg::dispatch) {
    work.keys = experts_.on(rank).data();
    work.key_stride = 1;
    work.keys_per_rank = call.expert_count / rank_count_;
    work.most_rows = call.token_count * call.top_k;
    work.error = kExpertOutOfRange;
  } else {
    // source_rank is a label's first word.
    work.keys = &dispatch_.received_labels.on(rank).data()->source_rank;
    work.key_stride = sizeof(RowLabel) / sizeof(int);
    work.keys_per_rank = 1;
    work.row_count = dispatch_.receive_counts.on(rank).data() + rank_count_;
    work.most_rows = call.received_rows;
    work.error = kLabelOutOfRange;
  }
  work.rank_count = rank_count_;
  work.order = own.order.on(rank).data();
  work.counts = own.counts.on(rank).data();
  work.offsets = own.send_offsets.on(rank).data();
  work.status = status_.on(rank).data();
  return work;
}

PackRows GraphExchange::pack_of(Leg leg, int rank, const ExchangeCall& call) {
  LegState& own = state(leg);
  const bool is_dispatch = leg == Leg::dispatch;
  const std::uint8_t* rows =
      is_dispatch ? tokens_.on(rank).data() : dispatch_.received_rows.on(rank).data();
  return {.rows = reinterpret_cast<const uint4*>(rows),
          .rows_per_source = is_dispatch ? call.top_k : 1,
          .order = own.order.on(rank).data(),
          .row_count = own.send_offsets.on(rank).data() + rank_count_,
          .most_rows = is_dispatch ? call.token_count * call.top_k : call.received_rows,
          .row_vectors = call.row_bytes / 16,
          .labels = is_dispatch ? nullptr : dispatch_.received_labels.on(rank).data(),
          .experts = experts_.on(rank).data(),
          .weights = weights_.on(rank).data(),
          .rank = rank,
          .packed_rows = reinterpret_cast<uint4*>(own.packed_rows.on(rank).data()),
          .packed_labels = own.packed_labels.on(rank).data()};
}

PlaceRows GraphExchange::place_of(Leg leg, int rank, const ExchangeCall& call) {
  LegState& own = state(leg);
  const int sent_rows = call.token_count * call.top_k;
  return {.matrix = own.matrix.on(rank).data(),
          .rank = rank,
          .rank_count = rank_count_,
          .most_rows = sent_rows,
          .capacity = leg == Leg::dispatch ? call.received_rows : sent_rows,
          .may_drop = leg == Leg::dispatch,
          .send_counts = own.send_counts.on(rank).data(),
          .receive_offsets = own.receive_offsets.on(rank).data(),
          .receive_counts = own.receive_counts.on(rank).data(),
          .status = status_.on(rank).data()};
}

AllToAll GraphExchange::copy_of_rows(Leg leg, int rank, const ExchangeCall& call) {
  LegState& own = state(leg);
  return {.source = own.packed_rows.on(rank).data(),
          .targets = own.received_rows.peers(),
          .send_offsets = own.send_offsets.on(rank).data(),
          .send_counts = own.send_counts.on(rank).data(),
          .receive_offsets = own.receive_offsets.on(rank).data(),
          .rank = rank,
          .rank_count = rank_count_,
          .row_bytes = call.row_bytes,
          .most_rows = call.token_count * call.top_k};
}

AllToAll GraphExchange::copy_of_labels(Leg leg, int rank, const ExchangeCall& call) {
  LegState& own = state(leg);
  AllToAll work = copy_of_rows(leg, rank, call);
  work.source = reinterpret_cast<const std::uint8_t*>(own.packed_labels.on(rank).data());
  for (int peer = 0; peer < rank_count_; ++peer)
    work.targets.at[peer] = reinterpret_cast<std::uint8_t*>(own.received_labels.on(peer).data());
  work.row_bytes = sizeof(RowLabel);
  return work;
}

void GraphExchange::begin(Leg leg, int rank, const ExchangeCall& call, cudaStream_t stream) {
  cuda_check(cudaSetDevice(rank));
  if (call.marked) launch_call_begin(stream);
  launch_plan_rows(plan_of(leg, rank, call), stream);
  launch_pack_rows(pack_of(leg, rank, call), stream);
}

void GraphExchange::signal_and_wait(
    Leg leg, int rank, int first_word, bool flush, cudaStream_t stream) {
  std::vector<int*> at_peers, own;
  for (int peer = 0; peer < rank_count_; ++peer) {
    if (peer == rank) continue;
    at_peers.push_back(state(leg).semaphores.on(peer).data() + first_word + rank);
    own.push_back(state(leg).semaphores.on(rank).data() + first_word + peer);
  }
  enqueue_writes(at_peers, kInProgress, stream);
  enqueue_waits(own, kInProgress, flush, stream);
}

void GraphExchange::reset(Leg leg, int rank, int first_word, cudaStream_t stream) {
  std::vector<int*> own;
  for (int peer = 0; peer < rank_count_; ++peer)
    if (peer != rank) own.push_back(state(leg).semaphores.on(rank).data() + first_word + peer);
  enqueue_writes(own, kIdle, stream);
}

void GraphExchange::read_counts(Leg leg, int rank, cudaStream_t stream) {
  LegState& all = state(leg);
  for (int source = 0; source < rank_count_; ++source)
    cuda_check(cudaMemcpyAsync(all.matrix.on(rank).data() + source * rank_count_,
                               all.counts.on(source).data(),
                               all.counts.on(source).bytes(),
                               cudaMemcpyDefault,
                               stream));
}

void GraphExchange::exchange_counts(Leg leg, int rank, bool flush, cudaStream_t stream) {
  signal_and_wait(leg, rank, 0, flush, stream);
  read_counts(leg, rank, stream);
  reset(leg, rank, 0, stream);
}

void GraphExchange::copy(
    Leg leg, int rank, const ExchangeCall& call, int most_rows, int ctas, cudaStream_t stream) {
  for (AllToAll work : {copy_of_rows(leg, rank, call), copy_of_labels(leg, rank, call)}) {
    work.most_rows = most_rows;
    if (call.copy_kernel == CopyKernel::bytes)
      launch_all_to_all_bytes(work, stream);
    else
      launch_all_to_all_vectors(work, ctas, stream);
  }
}

void GraphExchange::finish(Leg leg, int rank, const ExchangeCall& call, cudaStream_t stream) {
  if (leg == Leg::combine) {
    const int rows = call.token_count * call.top_k;
    cuda_check(cudaMemsetAsync(output_.on(rank).data(), 0, size_of(rows, call.row_bytes), stream));
    launch_unpack_rows(
        {.rows = reinterpret_cast<const uint4*>(combine_.received_rows.on(rank).data()),
         .labels = combine_.received_labels.on(rank).data(),
         .row_count = combine_.receive_counts.on(rank).data() + rank_count_,
         .most_rows = rows,
         .row_vectors = call.row_bytes / 16,
         .target_rows = rows,
         .target = reinterpret_cast<uint4*>(output_.on(rank).data()),
         .status = status_.on(rank).data()},
        stream);
  }
  if (call.marked) launch_call_end(stream);
}

void GraphExchange::enqueue(Leg leg, int rank, const ExchangeCall& call, cudaStream_t stream) {
  check_call(rank, call);
  const bool flush = call.flush && can_flush_;
  begin(leg, rank, call, stream);
  exchange_counts(leg, rank, flush, stream);
  launch_place_rows(place_of(leg, rank, call), stream);
  copy(leg, rank, call, call.token_count * call.top_k, call.copy_ctas, stream);
  signal_and_wait(leg, rank, rank_count_, flush, stream);
  reset(leg, rank, rank_count_, stream);
  finish(leg, rank, call, stream);
}

void GraphExchange::enqueue_dispatch(int rank, const ExchangeCall& call, cudaStream_t stream) {
  enqueue(Leg::dispatch, rank, call, stream);
}

void GraphExchange::enqueue_combine(int rank, const ExchangeCall& call, cudaStream_t stream) {
  enqueue(Leg::combine, rank, call, stream);
}

}  // namespace epsim::kernels
