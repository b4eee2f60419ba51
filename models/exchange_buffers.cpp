#include "models/exchange_buffers.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

#include "models/graph_exchange.hpp"
#include "models/hybrid.hpp"
#include "models/internode.hpp"
#include "models/intranode.hpp"
#include "sim/base/check.hpp"

namespace epsim {
namespace {

constexpr std::int64_t kWord = 4;  // an int, a float
constexpr std::int64_t kLine = 128;

constexpr std::int64_t align(std::int64_t bytes) {
  return (bytes + kLine - 1) / kLine * kLine;
}

// Of a row: a float, or LogFMT's two bounds, for every 128 channels.
constexpr std::int64_t scale_bytes(std::int64_t hidden) {
  return (hidden + 127) / 128 * kWord;
}
// DeepEP's messages: a header and the row, BF16 or FP8 with scales; and a combine's.
constexpr std::int64_t dispatch_bytes(std::int64_t hidden, bool fp8) {
  return 16 + (fp8 ? hidden + scale_bytes(hidden) : 2 * hidden);
}
constexpr std::int64_t combine_bytes(std::int64_t hidden) {
  return scale_bytes(hidden) + 2 * hidden;
}

std::uint32_t hosts_of(const ExchangeShape& shape) {
  return (shape.ranks + shape.ranks_per_host - 1) / shape.ranks_per_host;
}

// Of `groups` equal groups of slots, those that hold any of a token's top_k different slots, when
// all slots are equally likely.
double groups_reached(const ExchangeShape& shape, std::uint32_t groups) {
  const double slots = static_cast<double>(shape.slots);
  double missed = 1;
  for (std::int64_t k = 0; k < shape.top_k; ++k) {
    const double left = slots - static_cast<double>(k);
    missed *= std::max(0.0, left - slots / groups) / left;
  }
  return groups * (1 - missed);
}

// Rows that come to a rank when each token goes once to each rank that it has an expert on.
std::int64_t even_rows(const ExchangeShape& shape) {
  return static_cast<std::int64_t>(
      std::ceil(static_cast<double>(shape.tokens) * groups_reached(shape, shape.ranks)));
}
// And those that come from other hosts, or go to them, when it goes once to each host.
std::int64_t even_rows_of_hosts(const ExchangeShape& shape) {
  const std::uint32_t hosts = hosts_of(shape);
  const double others = groups_reached(shape, hosts) * (hosts - 1) / hosts;
  return static_cast<std::int64_t>(std::ceil(static_cast<double>(shape.tokens) * others));
}

// DeepEP, csrc/config.hpp, LowLatencyLayout and get_low_latency_rdma_size_hint
// (https://github.com/deepseek-ai/DeepEP, commit 3861241): two parities of a send region, a receive
// region and a signal a slot. `rows_a_token` is the number of slots, whichever a token chooses. A
// dispatch sends from a row a token, a combine from one a (slot, token); sizes are BF16's whatever
// is sent.
std::int64_t low_latency_bytes(const ExchangeShape& shape, std::int64_t rows_a_token) {
  const std::int64_t rows = rows_a_token * shape.tokens;
  const std::int64_t dispatch = dispatch_bytes(shape.hidden, false);
  const std::int64_t combine = combine_bytes(shape.hidden);
  const std::int64_t send = std::max(shape.tokens * dispatch, rows * combine);
  const std::int64_t receive = rows * std::max(dispatch, combine);
  // The hint rounds up to the next line, also from the end of one.
  return 2 * (send + receive + align(shape.slots * kWord)) / kLine * kLine + kLine;
}

ExchangeBuffers low_latency(const ExchangeShape& shape) {
  return {.size = Bytes{low_latency_bytes(shape, shape.slots)},
          .needed = Bytes{low_latency_bytes(shape, shape.top_k)},
          .how = fmt::format("low-latency: 2 parities x {} tokens x {} slots, rows of {} B to send "
                             "and to receive",
                             shape.tokens,
                             shape.slots,
                             combine_bytes(shape.hidden))};
}

// This repository, kernels/low_latency (dispatch.cuh, combine.cuh, shape.cuh): one region for each
// leg in place of two parities for both, staging of a dispatch, and words.
ExchangeBuffers tagged_low_latency(const ExchangeShape& shape) {
  const std::int64_t dispatch =
      dispatch_bytes(shape.hidden, shape.dispatch_format == DispatchFormat::fp8);
  const std::int64_t combine = combine_bytes(shape.hidden);
  const auto bytes = [&](std::int64_t rows_a_token) {
    const std::int64_t words = 4 * shape.slots + shape.slots / shape.ranks;
    return shape.tokens * (dispatch + rows_a_token * (dispatch + combine)) + words * kWord;
  };
  return {.size = Bytes{bytes(shape.slots)},
          .needed = Bytes{bytes(shape.top_k)},
          .how = fmt::format("tagged low-latency: {} tokens x {} slots, {} B to dispatch and {} B "
                             "to combine",
                             shape.tokens,
                             shape.slots,
                             dispatch,
                             combine)};
}

// Bytes of a ring's slot in DeepEP's normal kernels: a row of BF16, where it is from, and for each
// choice an id of 8 B and a weight, and scales.
std::int64_t ring_slot(const ExchangeShape& shape, std::int64_t top_k, std::int64_t scales) {
  constexpr std::int64_t kSourceMeta = 8;
  return 2 * shape.hidden + kSourceMeta + top_k * (8 + kWord) + scales * kWord;
}

// DeepEP, csrc/config.hpp, get_nvl_buffer_size_hint and get_rdma_buffer_size_hint (same commit),
// called as its README does for rows of BF16, the larger of the two legs' configurations; an RDMA
// ring is a whole number of its chunks. Its eight ranks of an NVLink domain are ranks_per_host
// here. Room is for 128 choices and 128 scales a row; `needed` has those that there are, and no
// more rows than arrive.
ExchangeBuffers normal(const ExchangeShape& shape) {
  check(shape.sms >= 2, "normal kernels have two SMs a channel");
  constexpr std::int64_t kMost = 128;
  const std::int64_t channels = shape.sms / 2;
  const std::int64_t hosts = hosts_of(shape);
  const std::int64_t locals = std::min(shape.ranks, shape.ranks_per_host);
  const InternodeRings dispatch = hosts > 1 ? internode_dispatch_rings(shape.ranks)
                                            : InternodeRings{dispatch_ring(shape.ranks), {1, 0}};
  const InternodeRings combine = hosts > 1 ? internode_combine_rings(shape.ranks)
                                           : InternodeRings{combine_ring(shape.ranks), {1, 0}};
  const auto whole_chunks = [](const RingShape& ring) {
    return (ring.queue + ring.chunk - 1) / ring.chunk * ring.chunk;
  };
  const std::int64_t nvlink_rows =
      channels * locals * std::max(dispatch.nvlink.queue, combine.nvlink.queue);
  const std::int64_t rdma_rows =
      2 * channels * hosts * std::max(whole_chunks(dispatch.rdma), whole_chunks(combine.rdma));
  const std::int64_t nvlink_words = channels * locals * (2 * hosts + 3) * kWord;
  const std::int64_t rdma_words = hosts > 1 ? channels * hosts * (2 * locals + 2) * 2 * kWord : 0;
  constexpr std::int64_t kRdmaPad = 16;  // an int4 more a row
  const auto bytes = [&](std::int64_t nvlink, std::int64_t rdma, std::int64_t slot) {
    return align(nvlink_words + nvlink * slot) + align(rdma_words + rdma * (slot + kRdmaPad));
  };
  const std::int64_t needed_slot = ring_slot(shape, shape.top_k, (shape.hidden + 127) / 128);
  return {.size = Bytes{bytes(nvlink_rows, rdma_rows, ring_slot(shape, kMost, kMost))},
          .needed = Bytes{bytes(std::min(nvlink_rows, even_rows(shape)),
                                std::min(rdma_rows, 2 * even_rows_of_hosts(shape)),
                                needed_slot)},
          .how = fmt::format("normal: rings of {} channels, {} rows by NVLink and {} by RDMA, of "
                             "{} B",
                             channels,
                             nvlink_rows,
                             rdma_rows,
                             ring_slot(shape, kMost, kMost))};
}

// This repository, kernels/graph/exchange.cpp: each leg has rows packed to send and rows received,
// each with its label. A rank sends tokens x top_k rows, and keeps room for as many from each rank
// or for `capacity` times as many. Counts and places, a few words a row, are left out.
ExchangeBuffers graph(const ExchangeShape& shape) {
  const std::int64_t row = 2 * shape.hidden + kExchangeLabelBytes;
  const std::int64_t sent = shape.tokens * shape.top_k;
  const std::int64_t worst = sent * shape.ranks;
  const std::int64_t kept =
      shape.capacity <= 0
          ? worst
          : std::min<std::int64_t>(
                worst, std::llround(std::ceil(static_cast<double>(sent) * shape.capacity)));
  return {.size = Bytes{2 * (sent + kept) * row},
          .needed = Bytes{2 * (sent + std::min(sent, kept)) * row},
          .how = fmt::format(
              "graph: 2 legs x ({} rows to send + {} rows of capacity) of {} B", sent, kept, row)};
}

// NVIDIA/TensorRT-LLM, tensorrt_llm/_torch/distributed/moe_alltoall.py,
// calculate_required_workspace_size, and cpp/tensorrt_llm/thop/moeAlltoAllOp.cpp, calculateOffsets:
// a row of a token from each rank, at most, in BF16 whatever is sent, with ids and weights; as many
// rows for the combine; counters, flags, and two tables of 8 words a token (kMaxTopK as we found
// it). Counters of EPLB are left out.
ExchangeBuffers one_sided(const ExchangeShape& shape) {
  const std::int64_t table = shape.tokens * std::max<std::int64_t>(8, shape.top_k) * kWord;
  const std::int64_t words = align((2 + 2 * std::int64_t{shape.ranks}) * kWord) +
                             2 * align(shape.ranks * kWord) + 2 * align(table);
  const auto bytes = [&](std::int64_t rows) {
    return words + 2 * align(rows * 2 * shape.hidden) + 2 * align(rows * shape.top_k * kWord);
  };
  return {.size = Bytes{bytes(shape.ranks * shape.tokens)},
          .needed = Bytes{bytes(even_rows(shape))},
          .how = fmt::format("one-sided: {} ranks x {} tokens, rows of {} B to dispatch and as "
                             "many to combine",
                             shape.ranks,
                             shape.tokens,
                             2 * shape.hidden)};
}

// DeepEP's hybrid-ep branch, csrc/hybrid_ep/buffer/intranode.cu and internode.cu: all tokens of all
// ranks may come to one, each with a weight for every slot of a host. Within one host dispatch and
// combine share their rows. Beyond it each host's tokens wait in a region of their own, thrice: as
// they came, as they are summed and as sums come back; and tokens are copied to be sent.
ExchangeBuffers hybrid(const ExchangeShape& shape) {
  const std::int64_t others = hosts_of(shape) - 1;
  const std::int64_t channel = shape.dispatch_format == DispatchFormat::bf16 ? 2 : 1;
  const std::int64_t scales = scale_bytes(shape.hidden);
  const std::int64_t locals = std::min(shape.ranks, shape.ranks_per_host);
  const std::int64_t weights = shape.slots / shape.ranks * locals * kWord;
  const std::int64_t combine = 2 * shape.hidden + weights;
  const std::int64_t dispatch = channel * shape.hidden + weights;
  const std::int64_t chunks = (shape.tokens + kHybridChunk - 1) / kHybridChunk;
  const auto bytes = [&](std::int64_t rows, std::int64_t remote) {
    const std::int64_t within = rows * (combine + scales + (others > 0 ? dispatch : 0));
    if (others == 0) return within;
    const std::int64_t copies =
        shape.tokens * (channel * shape.hidden + scales + shape.slots * kWord);
    return within + copies + remote * (dispatch + scales + 2 * combine) + 4 * others * chunks * 8;
  };
  const std::int64_t rows = shape.ranks * shape.tokens;
  return {.size = Bytes{bytes(rows, others * shape.tokens)},
          .needed = Bytes{bytes(even_rows(shape), even_rows_of_hosts(shape))},
          .how = fmt::format("hybrid: {} rows within a host and 3 x {} of other hosts, of {} B to "
                             "dispatch and {} B to combine",
                             rows,
                             others * shape.tokens,
                             dispatch + scales,
                             combine)};
}

struct FamilyBuffers {
  std::string_view family;
  ExchangeBuffers (*count)(const ExchangeShape&);
  ReceivedRows rows;
};

// DeepEP's kernels copy what came out of their buffers, the low-latency ones into [slot][source
// rank][token] (csrc/deep_ep.cpp), of which two parities let two calls be held; so does hybrid-ep.
// That a second micro-batch of the others needs a buffer of its own is how their rows are read: in
// place. Of epsim-ll only words have generations.
constexpr ReceivedRows kPadded{.in_buffer = false, .padded = true};
constexpr ReceivedRows kCopied{};
constexpr ReceivedRows kInBuffer{.in_buffer = true, .padded = false};

constexpr std::array kFamilies = {
    FamilyBuffers{"deepep-ll-1.2.1", &low_latency, kPadded},
    FamilyBuffers{"deepep-ll-legacy", &low_latency, kPadded},
    FamilyBuffers{"deepep-ll-v1", &low_latency, kPadded},
    FamilyBuffers{"deepep-ll-v1-rdmaonly", &low_latency, kPadded},
    FamilyBuffers{"ll-many-experts", &low_latency, kPadded},
    FamilyBuffers{"epsim-ll", &tagged_low_latency, ReceivedRows{.in_buffer = true, .padded = true}},
    FamilyBuffers{"deepep-intranode-1.2.1", &normal, kCopied},
    FamilyBuffers{"deepep-normal-legacy", &normal, kCopied},
    FamilyBuffers{"deepep-normal-v1", &normal, kCopied},
    FamilyBuffers{"deepep-normal-sglang-0.5.12", &normal, kCopied},
    FamilyBuffers{"epsim-graph", &graph, kInBuffer},
    FamilyBuffers{"trtllm-one-sided-1.3.0rc10", &one_sided, kInBuffer},
    FamilyBuffers{"hybrid-ep", &hybrid, kCopied},
};

const FamilyBuffers& buffers_of(std::string_view family) {
  const auto found = std::ranges::find(kFamilies, family, &FamilyBuffers::family);
  check(found != kFamilies.end(), "a kernel family's buffers can be counted");
  return *found;
}

}  // namespace

ReceivedRows received_rows(std::string_view family) {
  return buffers_of(family).rows;
}

ExchangeBuffers exchange_buffers(std::string_view family, const ExchangeShape& shape) {
  const FamilyBuffers& buffers = buffers_of(family);
  check(shape.ranks > 0 && shape.ranks_per_host > 0, "an exchange has ranks, and hosts have");
  check(shape.slots > 0 && shape.slots % shape.ranks == 0, "every rank has as many slots");
  check(shape.top_k > 0 && shape.top_k <= shape.slots, "a token chooses among the slots");
  check(shape.tokens > 0, "a rank that exchanges has tokens");
  return buffers.count(shape);
}

}  // namespace epsim
