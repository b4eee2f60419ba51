// M22: ep_scatter. How often the racy prefix sum reads a stale start, what each way to mend it
// costs, and how fast a scatter's atomic counters are, spread over experts or all in one word.
#include <algorithm>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <cuda_runtime.h>

#include "calibrate/device_error.hpp"
#include "calibrate/experiments/experiments.hpp"
#include "calibrate/launch_records.hpp"
#include "kernels/reference/ep_scatter_reference.hpp"
#include "kernels/scatter/ep_scatter_prefix.cuh"
#include "kernels/scatter/ep_scatter_tokens.cuh"
#include "sim/base/check.hpp"

namespace epsim::ep_scatter {
namespace {

using kernels::cuda_check;
using kernels::DeviceArray;
using kernels::EpScatterVariant;

constexpr int kGpu = 0;
constexpr std::size_t kLaunches = kWarmups + kSamples;
constexpr std::size_t kMostExperts = kernels::kMostScatterExperts;
// What starts and rows hold before a launch: a negative number, which no start and no expert is.
constexpr int kPoisonByte = 0x80;
constexpr int kPoison = static_cast<int>(0x80808080u);
constexpr int kRowAlignment = 128;  // callers pad an expert's count to it
constexpr int kMostPaddedCount = 3 * kRowAlignment;
// Far longer than a warp needs to get from the store of a start to its load.
constexpr int kDelayNs = 2000;

constexpr std::size_t kScatterExperts = 256;
constexpr std::size_t kScatterTopK = 8;
constexpr std::size_t kSmallHidden = 128, kLargeHidden = 7168;
constexpr std::size_t kMostSmallTokens = 32768, kMostLargeTokens = 4096;

// Durations of the samples' launches of kernels of this experiment; where one call launches
// several, from the first one's start to the last one's end. Throws DeviceError unless all of them
// were recorded.
std::vector<double> recorded_ns(Lab& lab, std::size_t kernels_per_launch) {
  lab.gpus().synchronize();
  cuda_check(cudaSetDevice(kGpu));
  std::vector<double> durations = aligned_latency_ns(
      launches_of(lab.cupti().collect(), "ep_scatter_", 1, kLaunches * kernels_per_launch),
      kernels_per_launch);
  durations.erase(durations.begin(), durations.begin() + kWarmups);
  return durations;
}

void discard_records(Lab& lab) {
  lab.gpus().synchronize();
  cuda_check(cudaSetDevice(kGpu));
  (void)lab.cupti().collect();
}

// Some experts without rows, the others with one to three blocks of them. In every sweep the last
// expert, whose CTA runs alone where one does, has rows.
std::vector<int> padded_counts(std::size_t experts) {
  std::vector<int> counts;
  for (std::size_t e = 0; e < experts; ++e)
    counts.push_back(e % 7 == 2 ? 0 : kRowAlignment * (1 + static_cast<int>(e % 3)));
  return counts;
}

// Times the first kernel: prefix sums, and row_experts from them.
class PrefixBench {
 public:
  explicit PrefixBench(Lab& lab)
      : lab_(lab),
        counts_(kGpu, kMostExperts),
        starts_(kGpu, kMostExperts),
        row_experts_(kGpu, kMostExperts * kMostPaddedCount),
        stale_reads_(kGpu, kLaunches * kMostExperts) {}

  [[nodiscard]] PointResult measure(const Point& point);

 private:
  struct Setup {
    EpScatterVariant variant;
    std::vector<int> counts;
    kernels::EpScatterPrefix work;
  };
  [[nodiscard]] Setup setup_of(const Point& point);
  void verify(const Setup& setup);
  void verify_rows(const Setup& setup);
  void verify_starts(const Setup& setup);

  Lab& lab_;
  DeviceArray<int> counts_, starts_, row_experts_;
  DeviceArray<int> stale_reads_;  // kMostExperts of each launch
};

PrefixBench::Setup PrefixBench::setup_of(const Point& point) {
  const std::size_t experts = static_cast<std::size_t>(point.integer("experts"));
  check(experts >= 1 && experts <= kMostExperts, "ep_scatter has 1 to 512 experts");
  const std::string& name = point.text("variant");
  check(name.size() == 2 && name[0] == 'V' && name[1] >= '0' &&
            name[1] < '0' + kernels::kEpScatterVariants,
        "a variant of ep_scatter is V0 to V5");
  Setup setup{.variant = static_cast<EpScatterVariant>(name[1] - '0'),
              .counts = padded_counts(experts),
              .work = {}};
  counts_.upload(setup.counts);
  const bool single = point.text("ctas") == "single";
  const int expert_count = static_cast<int>(experts);
  setup.work = {.counts = counts_.data(),
                .expert_count = expert_count,
                .starts = starts_.data(),
                .row_experts = row_experts_.data(),
                .row_capacity = static_cast<int>(kernels::row_experts(setup.counts).size()),
                .stale_reads = stale_reads_.data(),
                .first_expert = single ? expert_count - 1 : 0,
                .cta_count = single ? 1 : expert_count,
                .storing_warp_delay_ns = point.text("delay") == "storing_warp" ? kDelayNs : 0};
  return setup;
}

void PrefixBench::verify(const Setup& setup) {
  starts_.fill(kPoisonByte);
  row_experts_.fill(kPoisonByte);
  stale_reads_.fill(0);
  const cudaStream_t stream = lab_.gpus().stream(kGpu);
  kernels::launch_ep_scatter_prefix(setup.variant, setup.work, stream);
  cuda_check(cudaStreamSynchronize(stream));
  verify_rows(setup);
  verify_starts(setup);
}

// Rows of an expert that had a CTA are the expert's. Where the CTA read a stale start, some of its
// warps wrote nothing; where the expert had no CTA, all of them did.
void PrefixBench::verify_rows(const Setup& setup) {
  const std::vector<int> expected = kernels::row_experts(setup.counts);
  const std::vector<int> written = row_experts_.download(0, expected.size());
  const std::vector<int> stale = stale_reads_.download(0, setup.counts.size());
  for (std::size_t row = 0; row < expected.size(); ++row) {
    const int expert = expected[row];
    const bool has_cta = expert >= setup.work.first_expert &&
                         expert < setup.work.first_expert + setup.work.cta_count;
    const bool may_be_poison = !has_cta || stale[static_cast<std::size_t>(expert)] != 0;
    const bool may_be_right = has_cta;
    if (!(may_be_right && written[row] == expert) && !(may_be_poison && written[row] == kPoison))
      throw DeviceError("ep_scatter: row " + std::to_string(row) + " belongs to expert " +
                        std::to_string(expert) + " and says " + std::to_string(written[row]));
  }
}

void PrefixBench::verify_starts(const Setup& setup) {
  const std::vector<int> expected = kernels::expert_starts(setup.counts);
  const std::vector<int> stored = starts_.download(0, expected.size());
  const std::size_t first = static_cast<std::size_t>(setup.work.first_expert);
  const std::size_t ctas = static_cast<std::size_t>(setup.work.cta_count);
  if (!std::equal(expected.begin() + setup.work.first_expert,
                  expected.begin() + setup.work.first_expert + setup.work.cta_count,
                  stored.begin() + setup.work.first_expert))
    throw DeviceError("ep_scatter: starts of experts " + std::to_string(first) + " to " +
                      std::to_string(first + ctas - 1) + " are not the sums of the counts");
}

PointResult PrefixBench::measure(const Point& point) {
  const Setup setup = setup_of(point);
  verify(setup);
  stale_reads_.fill(0);
  discard_records(lab_);
  const cudaStream_t stream = lab_.gpus().stream(kGpu);
  for (std::size_t i = 0; i < kLaunches; ++i) {
    kernels::EpScatterPrefix work = setup.work;
    work.stale_reads = stale_reads_.data() + i * kMostExperts;
    starts_.fill(kPoisonByte, stream);
    kernels::launch_ep_scatter_prefix(setup.variant, work, stream);
  }
  PointResult result;
  if (setup.work.cta_count == setup.work.expert_count)
    result.bytes_moved = kernels::bytes_moved(setup.work);
  result.add(
      "kernel_ns",
      recorded_ns(lab_, static_cast<std::size_t>(kernels::kernels_per_launch(setup.variant))));

  const std::vector<int> stale = stale_reads_.download();
  std::vector<double> stale_ctas;
  for (std::size_t i = kWarmups; i < kLaunches; ++i) {
    const std::span<const int> of_launch = std::span(stale).subspan(i * kMostExperts, kMostExperts);
    stale_ctas.push_back(static_cast<double>(std::ranges::count(of_launch, 1)));
  }
  const double most = *std::ranges::max_element(stale_ctas);
  if (setup.variant != EpScatterVariant::racy && most > 0)
    throw DeviceError("ep_scatter: " + point.text("variant") + " read a stale start in " +
                      std::to_string(static_cast<int>(most)) + " CTAs of one launch");
  const double ctas = setup.work.cta_count;
  result.add("stale_reads", std::move(stale_ctas)).add("runs", std::vector<double>(kSamples, ctas));
  return result;
}

// spread: experts in turn. hot: every token's first expert is expert 0, the others in turn.
// one_expert: every entry is expert 0; no router does that, but it shows the rate of one word.
int routed_expert(const std::string& routing, std::size_t token, std::size_t k) {
  if (routing == "one_expert" || (routing == "hot" && k == 0)) return 0;
  if (routing == "spread") return static_cast<int>((token * kScatterTopK + k) % kScatterExperts);
  check(routing == "hot", "a routing of ep_scatter has a name of the sweep");
  return static_cast<int>(1 + (token * (kScatterTopK - 1) + k - 1) % (kScatterExperts - 1));
}

// Times the second kernel: the scatter of tokens.
class ScatterBench {
 public:
  explicit ScatterBench(Lab& lab)
      : lab_(lab),
        tokens_(kGpu, kMostTokenBytes),
        rows_(kGpu, kMostTokenBytes * kScatterTopK),
        scales_(kGpu, kMostTokenBytes / kernels::kScatterScaleGroup),
        row_scales_(kGpu, kMostTokenBytes / kernels::kScatterScaleGroup * kScatterTopK),
        expert_ids_(kGpu, kMostSmallTokens * kScatterTopK),
        token_rows_(kGpu, kMostSmallTokens * kScatterTopK),
        starts_(kGpu, kScatterExperts),
        next_row_(kGpu, kScatterExperts),
        error_word_(kGpu, 1) {}

  [[nodiscard]] PointResult measure(const Point& point);

 private:
  static constexpr std::size_t kMostTokenBytes =
      std::max(kMostSmallTokens * kSmallHidden, kMostLargeTokens* kLargeHidden);

  void upload(const Point& point);
  void launch(const kernels::EpScatterTokens& work);
  void verify(const kernels::EpScatterTokens& work);

  Lab& lab_;
  DeviceArray<std::uint8_t> tokens_, rows_;
  DeviceArray<float> scales_, row_scales_;
  DeviceArray<int> expert_ids_, token_rows_, starts_, next_row_, error_word_;
  std::vector<std::uint8_t> tokens_on_host_;
  std::vector<float> scales_on_host_;
  std::vector<int> expert_ids_on_host_, starts_on_host_;
};

// No two tokens are alike: a row begins with the token's number.
void ScatterBench::upload(const Point& point) {
  const std::size_t token_count = static_cast<std::size_t>(point.integer("tokens"));
  const std::size_t hidden = static_cast<std::size_t>(point.integer("hidden"));
  check(token_count <= kMostSmallTokens && token_count * hidden <= kMostTokenBytes,
        "tokens of ep_scatter fit into their buffer");
  tokens_on_host_.resize(token_count * hidden);
  scales_on_host_.clear();
  expert_ids_on_host_.clear();
  for (std::size_t token = 0; token < token_count; ++token) {
    for (std::size_t byte = 0; byte < hidden; ++byte)
      tokens_on_host_[token * hidden + byte] =
          static_cast<std::uint8_t>(byte < 4 ? token >> (8 * byte) : token + byte);
    for (std::size_t s = 0; s < hidden / kernels::kScatterScaleGroup; ++s)
      scales_on_host_.push_back(static_cast<float>(token + s));
    for (std::size_t k = 0; k < kScatterTopK; ++k)
      expert_ids_on_host_.push_back(routed_expert(point.text("routing"), token, k));
  }
  starts_on_host_ = kernels::expert_starts(
      kernels::tokens_of_experts(expert_ids_on_host_, static_cast<int>(kScatterExperts)));
  tokens_.upload(tokens_on_host_);
  scales_.upload(scales_on_host_);
  expert_ids_.upload(expert_ids_on_host_);
  starts_.upload(starts_on_host_);
}

// The scatter uses its starts up.
void ScatterBench::launch(const kernels::EpScatterTokens& work) {
  const cudaStream_t stream = lab_.gpus().stream(kGpu);
  cuda_check(cudaMemcpyAsync(
      next_row_.data(), starts_.data(), starts_.bytes(), cudaMemcpyDeviceToDevice, stream));
  kernels::launch_ep_scatter_tokens(work, stream);
}

void ScatterBench::verify(const kernels::EpScatterTokens& work) {
  rows_.fill(0xff);
  row_scales_.fill(0xff);
  token_rows_.fill(kPoisonByte);
  error_word_.fill(0);
  launch(work);
  cuda_check(cudaStreamSynchronize(lab_.gpus().stream(kGpu)));
  const std::size_t entries = expert_ids_on_host_.size();
  const std::size_t hidden = static_cast<std::size_t>(work.hidden);
  const std::size_t scales = hidden / kernels::kScatterScaleGroup;
  const std::vector<int> ends = next_row_.download(), token_rows = token_rows_.download(0, entries);
  const std::vector<std::uint8_t> rows = rows_.download(0, entries * hidden);
  const std::vector<float> row_scales = row_scales_.download(0, entries * scales);
  const std::string fault = kernels::scatter_fault({.expert_ids = expert_ids_on_host_,
                                                    .starts = starts_on_host_,
                                                    .ends = ends,
                                                    .token_rows = token_rows,
                                                    .tokens = tokens_on_host_,
                                                    .rows = rows,
                                                    .scales = scales_on_host_,
                                                    .scales_of_rows = row_scales,
                                                    .top_k = kScatterTopK,
                                                    .row_bytes = hidden,
                                                    .row_scales = scales});
  if (!fault.empty()) throw DeviceError("ep_scatter: " + fault);
  if (error_word_.download().at(0) != 0)
    throw DeviceError("ep_scatter: expert ids within range were reported as an error");
}

PointResult ScatterBench::measure(const Point& point) {
  upload(point);
  const kernels::EpScatterTokens work{.tokens = reinterpret_cast<const uint4*>(tokens_.data()),
                                      .scales = scales_.data(),
                                      .expert_ids = expert_ids_.data(),
                                      .next_row = next_row_.data(),
                                      .rows = reinterpret_cast<uint4*>(rows_.data()),
                                      .row_scales = row_scales_.data(),
                                      .token_rows = token_rows_.data(),
                                      .error_word = error_word_.data(),
                                      .token_count = static_cast<int>(point.integer("tokens")),
                                      .top_k = static_cast<int>(kScatterTopK),
                                      .hidden = static_cast<int>(point.integer("hidden")),
                                      .expert_count = static_cast<int>(kScatterExperts),
                                      .row_capacity = static_cast<int>(expert_ids_on_host_.size())};
  verify(work);
  discard_records(lab_);
  for (std::size_t i = 0; i < kLaunches; ++i) launch(work);
  PointResult result{.bytes_moved = kernels::bytes_moved(work), .series = {}};
  result.add("kernel_ns", recorded_ns(lab_, 1));
  return result;
}

Point scatter_point(const char* routing, std::size_t tokens, std::size_t hidden) {
  return Point()
      .with("kind", "scatter")
      .with("routing", routing)
      .with("tokens", static_cast<std::int64_t>(tokens))
      .with("top_k", static_cast<std::int64_t>(kScatterTopK))
      .with("hidden", static_cast<std::int64_t>(hidden));
}

}  // namespace

std::vector<Point> points(int) {
  std::vector<Point> points;
  for (const char* ctas : {"all", "single"})
    for (const char* delay : {"none", "storing_warp"})
      for (const std::int64_t experts : {8, 32, 128, 256, 512})
        for (const char* variant : {"V0", "V1", "V2", "V3", "V4", "V5"})
          points.push_back(Point()
                               .with("kind", "prefix")
                               .with("variant", variant)
                               .with("experts", experts)
                               .with("ctas", ctas)
                               .with("delay", delay));
  // Rows so small that the counters are the work, then rows of a model.
  for (const char* routing : {"spread", "hot", "one_expert"})
    for (const std::size_t tokens : {std::size_t{1024}, std::size_t{8192}, kMostSmallTokens})
      points.push_back(scatter_point(routing, tokens, kSmallHidden));
  for (const char* routing : {"spread", "hot"})
    for (const std::size_t tokens : {std::size_t{256}, std::size_t{1024}, kMostLargeTokens})
      points.push_back(scatter_point(routing, tokens, kLargeHidden));
  return points;
}

Bench open(Lab& lab) {
  const auto prefix = std::make_shared<PrefixBench>(lab);
  const auto scatter = std::make_shared<ScatterBench>(lab);
  return [prefix, scatter](const Point& point) {
    return point.text("kind") == "prefix" ? prefix->measure(point) : scatter->measure(point);
  };
}

}  // namespace epsim::ep_scatter
