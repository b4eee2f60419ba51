// M18: our own low-latency dispatch and combine, end to end, over what a deployment may change.
#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "calibrate/experiments/combine_fence_names.hpp"
#include "calibrate/experiments/experiments.hpp"
#include "calibrate/experiments/low_latency_bench.hpp"

namespace epsim::low_latency {
namespace {

// One point; what is not said is DeepSeek-V3's shape, a batch of decoding, and no fence beyond what
// DeepEP v1.2.1 has, so that the two can be compared.
struct Case {
  std::string op = "dispatch";
  int ranks = 2;
  int tokens = 128;
  int top_k = 8;
  int experts = 256;
  int hidden = 7168;
  std::string routing = "random";
  int seed = 1;  // as an observation's, so that both draw the same routing
  std::string format = "fp8";
  std::string fence = "P0";
  std::string pitch = "packed";
  std::string launch = "fused";
};

Point point_of(const Case& c) {
  return Point()
      .with("op", c.op)
      .with("ranks", c.ranks)
      .with("tokens", c.tokens)
      .with("top_k", c.top_k)
      .with("experts", c.experts)
      .with("hidden", c.hidden)
      .with("routing", c.routing)
      .with("seed", c.seed)
      .with("format", c.format)
      .with("fence", c.fence)
      .with("pitch", c.pitch)
      .with("launch", c.launch);
}

class Sweep {
 public:
  // Leaves out what is there already, and what that many ranks cannot have.
  void add(const Case& c) {
    const bool divides = c.experts % c.ranks == 0;
    const bool local = c.routing.starts_with("local-");
    if (!divides || (local && c.top_k > c.experts / c.ranks)) return;
    if (c.routing == "remote-rand" && c.ranks == 1) return;
    Point point = point_of(c);
    if (std::find(points_.begin(), points_.end(), point) == points_.end())
      points_.push_back(std::move(point));
  }
  void add_dispatch_and_combine(Case c) {
    c.op = "dispatch";
    add(c);
    c.op = "combine";
    add(c);
  }
  // A combine does not depend on the format, so only a dispatch is measured in the other one.
  void add_with_bf16(Case c) {
    add_dispatch_and_combine(c);
    c.op = "dispatch";
    c.format = "bf16";
    add(c);
  }
  [[nodiscard]] std::vector<Point> take() { return std::move(points_); }

 private:
  std::vector<Point> points_;
};

void add_batches(Sweep& sweep, int ranks) {
  for (const int tokens : {1, 8, 16, 32, 64, 128, 256, 512, 1024}) {
    sweep.add_with_bf16({.ranks = ranks, .tokens = tokens});
    sweep.add({.op = "both", .ranks = ranks, .tokens = tokens});
  }
}

void add_shapes(Sweep& sweep, int ranks) {
  for (const int tokens : {16, 128, 1024}) {
    for (const int top_k : {2, 4})
      sweep.add_dispatch_and_combine({.ranks = ranks, .tokens = tokens, .top_k = top_k});
    for (const int experts : {64, 128, 288})
      sweep.add_dispatch_and_combine({.ranks = ranks, .tokens = tokens, .experts = experts});
  }
  for (const int top_k : {1, 16}) sweep.add_dispatch_and_combine({.ranks = ranks, .top_k = top_k});
  for (const int tokens : {128, 1024})
    for (const int hidden : {2048, 4096, 5120})
      sweep.add_with_bf16({.ranks = ranks, .tokens = tokens, .hidden = hidden});
}

void add_routings(Sweep& sweep, int ranks) {
  for (const char* routing : {"local-rand", "local-same", "remote-rand", "random-same", "zipf:1.0"})
    for (const int tokens : {128, 256, 1024})
      sweep.add_with_bf16({.ranks = ranks, .tokens = tokens, .routing = routing});
}

// On all ranks only: how a combine is fenced, how it lies in shared memory, and what else may vary.
void add_variants(Sweep& sweep, int ranks) {
  for (const int tokens : {128, 1024})  // as the open records of DeepEP
    sweep.add({.op = "combine", .ranks = ranks, .tokens = tokens, .format = "bf16"});
  for (const CombineFenceName& fence : combine_fence_names())
    for (const int tokens : {16, 128, 256, 512, 1024})
      // Fused, and split: the receive half alone shows what a fence costs, without the links'
      // noise.
      for (const char* launch : {"fused", "split"})
        sweep.add({.op = "combine",
                   .ranks = ranks,
                   .tokens = tokens,
                   .fence = std::string(fence.text),
                   .launch = launch});
  // The routings of the published fence table, with no fence and with the two known fixes.
  for (const char* routing : {"local-rand", "local-same", "remote-rand", "random-same"})
    for (const char* fence : {"P0", "P3", "P4"})
      sweep.add(
          {.op = "combine", .ranks = ranks, .tokens = 1024, .routing = routing, .fence = fence});
  for (const int tokens : {16, 128, 1024}) {
    sweep.add({.op = "combine", .ranks = ranks, .tokens = tokens, .pitch = "aligned"});
    sweep.add_dispatch_and_combine({.ranks = ranks, .tokens = tokens, .launch = "split"});
  }
  for (const int tokens : {128, 1024})
    for (const int seed : {2, 3})
      sweep.add_dispatch_and_combine({.ranks = ranks, .tokens = tokens, .seed = seed});
}

// Where rows lie when they are reduced: stored by peers or by the own SMs. The halves apart.
void add_split_routings(Sweep& sweep, int ranks) {
  for (const char* routing : {"local-rand", "local-same", "remote-rand", "random-same"})
    for (const int tokens : {128, 256, 512, 1024})
      for (const char* fence : {"P0", "P3", "P1b", "P4"})
        sweep.add({.op = "combine",
                   .ranks = ranks,
                   .tokens = tokens,
                   .routing = routing,
                   .fence = fence,
                   .launch = "split"});
}

}  // namespace

std::vector<Point> points(int gpus) {
  Sweep sweep;
  std::vector<int> rank_counts = {std::min(2, gpus)};
  if (gpus > 2) rank_counts.push_back(gpus);
  for (const int ranks : rank_counts) {
    add_batches(sweep, ranks);
    add_shapes(sweep, ranks);
    add_routings(sweep, ranks);
  }
  add_variants(sweep, gpus);
  add_split_routings(sweep, gpus);
  return sweep.take();
}

Bench open(Lab& lab) {
  LowLatencyLimits limits;
  for (const Point& point : points(lab.gpu_count())) {
    const auto grow = [&](std::size_t& limit, const char* name) {
      limit = std::max(limit, static_cast<std::size_t>(point.integer(name)));
    };
    grow(limits.tokens, "tokens");
    grow(limits.experts, "experts");
    grow(limits.hidden, "hidden");
  }
  auto bench = std::make_shared<LowLatencyBench>(lab, limits);
  return [bench](const Point& point) { return bench->measure(point); };
}

}  // namespace epsim::low_latency
