// M5: at which rate SMs write to peers and to their own GPU, by CTAs, warps, unrolling, size of
// bulk copies and pattern of targets.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "calibrate/device_error.hpp"
#include "calibrate/experiments/cta_count.hpp"
#include "calibrate/experiments/cycle_samples.hpp"
#include "calibrate/experiments/experiments.hpp"
#include "kernels/gpu_set.hpp"
#include "kernels/micro/bulk_store.cuh"
#include "kernels/micro/peer_store.cuh"
#include "kernels/reference/stamp_reference.hpp"
#include "sim/base/check.hpp"

namespace epsim::peer_store {
namespace {

using kernels::BulkStore;
using kernels::PeerStore;

// What one rank may write on one GPU: some hundred microseconds at the rate of NVLink.
constexpr std::int64_t kRegionBytes = std::int64_t{128} << 20;
constexpr int kLocalRegions = 4;  // local stores are faster, and must not stay in the L2 cache
// A launch should last about this long, so that its start and end weigh little.
constexpr double kLaunchNs = 200e3;
constexpr double kSmRate = 50;       // GB/s, what a single H200 SM reaches; only sizes launches
constexpr double kPeerRate = 400;    // GB/s, NVLink in one direction
constexpr double kLocalRate = 4000;  // GB/s, HBM
constexpr int kFullRateWarps = 2;    // with fewer an SM is slower
constexpr int kCheckedBlocks = 3;
constexpr std::uint8_t kPoison = 0xa5;
constexpr std::uint32_t kStamp = 0x5703e000;

struct State {
  explicit State(Lab& in)
      : lab(in),
        buffers(
            in.gpus(),
            static_cast<std::size_t>(std::max(kLocalRegions, in.gpu_count()) * kRegionBytes / 16)) {
  }
  Lab& lab;
  kernels::Symmetric<uint4> buffers;  // a region for each source rank
};

// Who writes where.
struct Pattern {
  std::string name;
  int ranks;  // that take part in the launch

  [[nodiscard]] std::vector<int> targets_of(int rank) const {
    if (name == "local") return {rank};
    if (name == "peer") return {rank + 1};
    if (name == "incast") return rank == 0 ? std::vector<int>{} : std::vector<int>{0};
    std::vector<int> others;  // each rank begins at another, so that all are written at once
    for (int step = 1; step < ranks; ++step) others.push_back((rank + step) % ranks);
    return others;
  }
};

Pattern pattern_of(const Point& point, int gpus) {
  const std::string& name = point.text("target");
  return {name, name == "local" || name == "peer" ? 1 : gpus};
}

// A point as numbers; `block_bytes` is what a warp stores at once, whichever kernel stores it.
struct Shape {
  bool is_bulk;
  int ctas, warps, unroll, pitch;
  std::int64_t block_bytes;
};

Shape shape_of(const Point& point, Lab& lab) {
  Shape shape{};
  shape.is_bulk = point.text("kind") == "bulk";
  shape.ctas = cta_count(point, lab);
  shape.warps = static_cast<int>(point.integer("warps"));
  if (shape.is_bulk) {
    shape.block_bytes = point.integer("block_bytes");
    shape.pitch = static_cast<int>(point.integer("source_pitch"));
  } else {
    shape.unroll = static_cast<int>(point.integer("unroll"));
    shape.block_bytes = std::int64_t{512} * shape.unroll;
  }
  return shape;
}

std::int64_t region_bytes(const Pattern& pattern) {
  return pattern.name == "local" ? kLocalRegions * kRegionBytes : kRegionBytes;
}

// Blocks a warp, so that a launch lasts about kLaunchNs and stays in its region.
int timed_blocks(const Shape& shape, const Pattern& pattern, int gpus) {
  double rate = std::min(shape.ctas * kSmRate, pattern.name == "local" ? kLocalRate : kPeerRate);
  if (shape.warps < kFullRateWarps) rate /= 2;
  if (pattern.name == "incast") rate = std::min(rate, kPeerRate / (gpus - 1));
  const double bytes = std::min(rate * kLaunchNs, static_cast<double>(region_bytes(pattern)));
  const double block = static_cast<double>(shape.block_bytes * shape.ctas * shape.warps);
  return std::max(1, static_cast<int>(bytes / block));
}

void launch(State& state, const Shape& shape, const Pattern& pattern, int rank, int blocks) {
  kernels::Peers<uint4> targets{};
  const std::vector<int> ranks = pattern.targets_of(rank);
  for (std::size_t i = 0; i < ranks.size(); ++i)
    targets.at[i] = state.buffers.on(ranks[i]).data() + rank * (kRegionBytes / 16);
  // A rank without targets launches all the same, so that all ranks' records can be aligned.
  const bool is_idle = ranks.empty();
  const int target_count = is_idle ? 1 : static_cast<int>(ranks.size());
  const std::uint32_t stamp = kStamp + static_cast<std::uint32_t>(rank);
  kernels::cuda_check(cudaSetDevice(rank));
  const cudaStream_t stream = state.lab.gpus().stream(rank);
  if (shape.is_bulk)
    launch_bulk_store(BulkStore{.targets = targets,
                                .target_count = target_count,
                                .blocks_per_warp = is_idle ? 0 : blocks,
                                .cta_count = shape.ctas,
                                .warps_per_cta = shape.warps,
                                .block_bytes = static_cast<int>(shape.block_bytes),
                                .source_pitch = shape.pitch,
                                .stamp = stamp},
                      stream);
  else
    launch_peer_store(PeerStore{.targets = targets,
                                .target_count = target_count,
                                .blocks_per_warp = is_idle ? 0 : blocks,
                                .passes = 1,
                                .cta_count = shape.ctas,
                                .warps_per_cta = shape.warps,
                                .unroll = shape.unroll,
                                .stamp = stamp},
                      stream);
}

// Block b of warp w is on target (w + b) % count and nowhere else; behind the last is poison.
void verify_source(State& state, const Shape& shape, const Pattern& pattern, int rank) {
  const std::vector<int> ranks = pattern.targets_of(rank);
  const std::size_t block_words = static_cast<std::size_t>(shape.block_bytes / 4);
  const std::size_t blocks = static_cast<std::size_t>(shape.ctas * shape.warps) * kCheckedBlocks;
  for (std::size_t t = 0; t < ranks.size(); ++t) {
    const auto vectors = state.buffers.on(ranks[t]).download(
        static_cast<std::size_t>(rank * (kRegionBytes / 16)), (blocks + 1) * block_words / 4);
    const std::span<const std::uint32_t> words(&vectors.front().x, vectors.size() * 4);
    std::size_t wrong = 0;
    for (std::size_t block = 0; block <= blocks; ++block) {
      const auto found = words.subspan(block * block_words, block_words);
      const std::size_t owner = (block / kCheckedBlocks + block % kCheckedBlocks) % ranks.size();
      const std::uint32_t first =
          shape.is_bulk ? 0 : static_cast<std::uint32_t>(block * block_words / 4);
      wrong += block < blocks && owner == t
                   ? kernels::wrong_vectors(found, kStamp + static_cast<std::uint32_t>(rank), first)
                   : kernels::touched_vectors(found, kPoison);
    }
    if (wrong > 0)
      throw DeviceError("peer store: " + std::to_string(wrong) +
                        " vectors at a target are not what their source stored");
  }
}

void verify(State& state, const Shape& shape, const Pattern& pattern) {
  state.buffers.fill(kPoison);
  for (int rank = 0; rank < pattern.ranks; ++rank)
    launch(state, shape, pattern, rank, kCheckedBlocks);
  state.lab.gpus().synchronize();
  for (int rank = 0; rank < pattern.ranks; ++rank) verify_source(state, shape, pattern, rank);
}

// bytes_moved and the rate are those of one sending GPU.
PointResult measure(State& state, const Point& point) {
  const Pattern pattern = pattern_of(point, state.lab.gpu_count());
  const Shape shape = shape_of(point, state.lab);
  verify(state, shape, pattern);
  const int blocks = timed_blocks(shape, pattern, state.lab.gpu_count());
  const std::vector<double> latencies = state.lab.aligned_latency(
      pattern.ranks, shape.is_bulk ? "bulk_store_kernel" : "peer_store_kernel", [&](int rank, int) {
        launch(state, shape, pattern, rank, blocks);
      });
  PointResult result;
  result.bytes_moved = shape.block_bytes * blocks * shape.ctas * shape.warps;
  return result.add("rate_gb_per_s", rates_gb_per_s(result.bytes_moved, latencies));
}

Point lanes(const char* target, const char* ctas, std::int64_t warps, std::int64_t unroll) {
  return Point{}
      .with("kind", "lanes")
      .with("target", target)
      .with("ctas", ctas)
      .with("warps", warps)
      .with("unroll", unroll);
}

struct Block {
  std::int64_t bytes, source_pitch;
};

Point bulk(const char* target, const char* ctas, const Block& block) {
  return Point{}
      .with("kind", "bulk")
      .with("target", target)
      .with("ctas", ctas)
      .with("warps", std::int64_t{8})
      .with("block_bytes", block.bytes)
      .with("source_pitch", block.source_pitch);
}

constexpr Block kAligned{2048, 2048};
// 16 bytes past a multiple of 128, so that most sources are aligned to 16 bytes only.
constexpr Block kMisaligned{2048, 2064};

void add_target(std::vector<Point>& all, const char* target) {
  for (const char* ctas : {"1", "2", "4", "8", "16", "32", "64", "all"})
    all.push_back(lanes(target, ctas, 32, 8));
  for (const std::int64_t warps : {1, 4, 8, 16}) all.push_back(lanes(target, "1", warps, 8));
  for (const std::int64_t unroll : {1, 4}) {
    all.push_back(lanes(target, "1", 1, unroll));
    all.push_back(lanes(target, "all", 32, unroll));
  }
  for (const char* ctas : {"1", "8", "32", "all"}) all.push_back(bulk(target, ctas, kAligned));
  for (const std::int64_t bytes : {1024, 4096, 8192, 16384})
    all.push_back(bulk(target, "1", {bytes, bytes}));
  for (const char* ctas : {"1", "all"}) all.push_back(bulk(target, ctas, kMisaligned));
}

}  // namespace

std::vector<Point> points(int gpus) {
  std::vector<Point> all;
  add_target(all, "local");
  if (gpus >= 2) {
    add_target(all, "peer");
    for (const char* ctas : {"1", "4", "8", "16", "32", "64", "all"})
      all.push_back(lanes("all", ctas, 32, 8));
    for (const char* ctas : {"8", "32", "all"}) all.push_back(bulk("all", ctas, kAligned));
    all.push_back(bulk("all", "all", kMisaligned));
  }
  if (gpus >= 3)
    for (const char* ctas : {"1", "4", "16", "all"}) all.push_back(lanes("incast", ctas, 32, 8));
  return all;
}

Bench open(Lab& lab) {
  auto state = std::make_shared<State>(lab);
  return [state](const Point& point) { return measure(*state, point); };
}

}  // namespace epsim::peer_store
