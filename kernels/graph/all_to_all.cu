#include "kernels/cuda_check.hpp"
#include "kernels/graph/all_to_all.cuh"
#include "kernels/ptx.cuh"

namespace epsim::kernels {
namespace {

constexpr int kByteThreads = 256;
constexpr int kVectorThreads = 1024;
constexpr int kVectorWarps = kVectorThreads / 32;
// 16-byte vectors that a lane has in flight: 32 warps of 2 KiB are 64 KiB an SM, which at about
// 1 us of latency is more than an SM's share of NVLink.
constexpr int kUnroll = 4;
constexpr int kPieceVectors = 32 * kUnroll;

// One byte a thread.
__global__ void __launch_bounds__(kByteThreads)
    all_to_all_bytes_kernel(const __grid_constant__ AllToAll work) {
  const int target = static_cast<int>(blockIdx.y);
  const std::size_t byte = std::size_t{blockIdx.x} * kByteThreads + threadIdx.x;
  const std::size_t row_bytes = static_cast<std::size_t>(work.row_bytes);
  if (byte >= static_cast<std::size_t>(work.send_counts[target]) * row_bytes) return;
  const std::uint8_t* from =
      work.source + static_cast<std::size_t>(work.send_offsets[target]) * row_bytes;
  std::uint8_t* to =
      work.targets.at[target] + static_cast<std::size_t>(work.receive_offsets[target]) * row_bytes;
  to[byte] = from[byte];
}

// What goes to each target, in pieces of kPieceVectors, the last one of a target perhaps shorter.
struct Pieces {
  int first[kMostRanks + 1];  // of each target; at rank_count: all
  int count[kMostRanks];      // rows
  int from[kMostRanks];       // rows
  int to[kMostRanks];         // rows
};

__device__ void cut_pieces(const AllToAll& work, Pieces& pieces) {
  const long long row_vectors = work.row_bytes / 16;
  for (int target = static_cast<int>(threadIdx.x); target < work.rank_count;
       target += kVectorThreads) {
    const int rows = work.send_counts[target];
    pieces.count[target] = rows;
    pieces.from[target] = work.send_offsets[target];
    pieces.to[target] = work.receive_offsets[target];
    pieces.first[target + 1] =
        static_cast<int>((rows * row_vectors + kPieceVectors - 1) / kPieceVectors);
  }
  if (threadIdx.x == 0) pieces.first[0] = 0;
  __syncthreads();
  if (threadIdx.x == 0)
    for (int target = 0; target < work.rank_count; ++target)
      pieces.first[target + 1] += pieces.first[target];
  __syncthreads();
}

// The target whose pieces hold `piece`: the last that begins at or before it.
__device__ int target_of(const Pieces& pieces, int rank_count, int piece) {
  int low = 0, high = rank_count - 1;
  while (low < high) {
    const int middle = (low + high + 1) / 2;
    if (pieces.first[middle] <= piece)
      low = middle;
    else
      high = middle - 1;
  }
  return low;
}

__device__ void copy_piece(const AllToAll& work, const Pieces& pieces, int piece, int lane) {
  const int target = target_of(pieces, work.rank_count, piece);
  const long long row_vectors = work.row_bytes / 16;
  const long long first = static_cast<long long>(piece - pieces.first[target]) * kPieceVectors;
  const long long vectors = pieces.count[target] * row_vectors - first;
  const uint4* from =
      reinterpret_cast<const uint4*>(work.source) + pieces.from[target] * row_vectors + first;
  uint4* to =
      reinterpret_cast<uint4*>(work.targets.at[target]) + pieces.to[target] * row_vectors + first;
  uint4 held[kUnroll];
#pragma unroll
  for (int i = 0; i < kUnroll; ++i)
    if (lane + 32 * i < vectors) held[i] = load_streaming(from + lane + 32 * i);
#pragma unroll
  for (int i = 0; i < kUnroll; ++i)
    if (lane + 32 * i < vectors) store_streaming(to + lane + 32 * i, held[i]);
}

// A warp copies a piece at a time. The pieces lie in order of their target; they are cut into R
// equal runs and taken from all runs in turn, each rank beginning at another, so that at any
// moment the ranks store to different targets and no warp has more to do than another.
__global__ void __launch_bounds__(kVectorThreads, 1)
    all_to_all_vectors_kernel(const __grid_constant__ AllToAll work) {
  __shared__ Pieces pieces;
  cut_pieces(work, pieces);
  const int ranks = work.rank_count;
  const int piece_count = pieces.first[ranks];
  const int run = (piece_count + ranks - 1) / ranks;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int warp = static_cast<int>(blockIdx.x) * kVectorWarps + static_cast<int>(threadIdx.x) / 32;
  const int warps = static_cast<int>(gridDim.x) * kVectorWarps;
  for (int turn = warp; turn < run * ranks; turn += warps) {
    const int piece = (turn + work.rank) % ranks * run + turn / ranks;
    if (piece < piece_count) copy_piece(work, pieces, piece, lane);
  }
}

}  // namespace

void launch_all_to_all_bytes(const AllToAll& work, cudaStream_t stream) {
  const std::int64_t bytes = std::int64_t{work.most_rows} * work.row_bytes;
  const std::int64_t ctas = (bytes + kByteThreads - 1) / kByteThreads;
  const dim3 grid(static_cast<unsigned>(ctas), static_cast<unsigned>(work.rank_count));
  all_to_all_bytes_kernel<<<grid, kByteThreads, 0, stream>>>(work);
  cuda_check_launch();
}

void launch_all_to_all_vectors(const AllToAll& work, int cta_count, cudaStream_t stream) {
  all_to_all_vectors_kernel<<<static_cast<unsigned>(cta_count), kVectorThreads, 0, stream>>>(work);
  cuda_check_launch();
}

}  // namespace epsim::kernels
