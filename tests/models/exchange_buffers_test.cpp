#include "models/exchange_buffers.hpp"

#include <cstdint>
#include <string>

#include <doctest/doctest.h>

#include "models/kernel_families.hpp"
#include "sim/base/check.hpp"

using namespace epsim;

namespace {

// DeepSeek-V3's decode: 128 tokens a rank, 256 experts on 64 ranks.
ExchangeShape decode_shape() {
  return {.ranks = 64,
          .ranks_per_host = 8,
          .slots = 256,
          .top_k = 8,
          .hidden = 7168,
          .tokens = 128,
          .sms = 20};
}

}  // namespace

TEST_CASE("exchange buffers: every kernel family has a formula, and none needs more than it has") {
  for (const FamilyKind& kind : kernel_families()) {
    CAPTURE(kind.name);
    for (const std::uint32_t ranks : {2U, 8U, 32U, 128U}) {
      for (const std::int64_t tokens : {1, 128, 4096}) {
        ExchangeShape shape = decode_shape();
        shape.ranks = ranks;
        shape.tokens = tokens;
        const ExchangeBuffers buffers = exchange_buffers(kind.name, shape);
        CHECK(buffers.needed.count > 0);
        CHECK(buffers.needed <= buffers.size);
        CHECK(buffers.how.find(": ") != std::string::npos);
      }
    }
  }
  CHECK_THROWS_AS((void)exchange_buffers("no-such-family", decode_shape()), Bug);
  CHECK_THROWS_AS((void)received_rows("no-such-family"), Bug);
}

TEST_CASE("exchange buffers: DeepEP's low-latency size is its hint, nearly all of it for skew") {
  // A combine's message is 7168 / 128 * 4 + 2 * 7168 = 14 560 B, a dispatch's 16 + 2 * 7168 =
  // 14 352 B. To send and to receive: 256 slots * 128 tokens * 14 560 B = 477 102 080 B each, and
  // 256 signals of 4 B; two parities 2 * (954 204 160 + 1024) = 1 908 410 368 B, and a line.
  const ExchangeBuffers buffers = exchange_buffers("deepep-ll-1.2.1", decode_shape());
  CHECK(buffers.size == Bytes{1'908'410'496});
  // Eight rows a token: 8 * 128 * 14 560 = 14 909 440 B each; 2 * (29 818 880 + 1024) and a line.
  CHECK(buffers.needed == Bytes{59'639'936});
  CHECK(buffers.how ==
        "low-latency: 2 parities x 128 tokens x 256 slots, rows of 14560 B to send and to receive");

  // 256 experts and 32 copies on 144 ranks: 288 * 128 * 14 560 = 536 739 840 B, 1152 B of signals:
  // 2 * (1 073 479 680 + 1152) and a line.
  ExchangeShape wide = decode_shape();
  wide.ranks = 144;
  wide.slots = 288;
  CHECK(exchange_buffers("deepep-ll-legacy", wide).size == Bytes{2'146'961'792});
  CHECK(exchange_buffers("ll-many-experts", wide).size == Bytes{2'146'961'792});
}

TEST_CASE("exchange buffers: epsim's low-latency kernels keep one region for each leg") {
  // 512 channels: 16 + 512 + 16 = 544 B to dispatch in FP8, 16 + 1024 = 1040 B to combine. Two
  // tokens: 2 * (544 + 4 slots * 1584) = 13 760 B. Words: 4 * 4 + 2 a rank, 72 B.
  const ExchangeShape shape{
      .ranks = 2, .ranks_per_host = 8, .slots = 4, .top_k = 1, .hidden = 512, .tokens = 2};
  const ExchangeBuffers buffers = exchange_buffers("epsim-ll", shape);
  CHECK(buffers.size == Bytes{13'832});
  CHECK(buffers.needed == Bytes{2 * (544 + 1584) + 72});
}

TEST_CASE(
    "exchange buffers: DeepEP's normal kernels of one node have one ring a channel and rank") {
  // 20 SMs are 10 channels; 8 ranks; 256 rows a ring of 14336 + 8 + 128 * 12 + 128 * 4 = 16 392 B,
  // and 5 words: 80 * (256 * 16 392 + 20) = 335 709 760 B, 335 709 824 in whole lines.
  ExchangeShape shape = decode_shape();
  shape.ranks = 8;
  const ExchangeBuffers buffers = exchange_buffers("deepep-intranode-1.2.1", shape);
  CHECK(buffers.size == Bytes{335'709'824});
  CHECK(exchange_buffers("deepep-normal-v1", shape).size == buffers.size);

  // With one choice a token comes to one rank: 128 rows arrive, of 14336 + 8 + 12 + 56 * 4 =
  // 14 580 B. 128 * 14 580 + 1600 B of words = 1 867 840 B, 1 867 904 in whole lines.
  shape.top_k = 1;
  CHECK(exchange_buffers("deepep-intranode-1.2.1", shape).needed == Bytes{1'867'904});
}

TEST_CASE("exchange buffers: beyond a host normal kernels have rings for RDMA, too") {
  // 32 ranks on four hosts, 24 SMs: 12 channels. NVLink: 96 * (288 rows * 16 392 B + 11 words) =
  // 453 210 240 B. RDMA: 48 * (2 * 128 rows * 16 408 B + 36 words) = 201 628 416 B.
  ExchangeShape shape = decode_shape();
  shape.ranks = 32;
  shape.sms = 24;
  CHECK(exchange_buffers("deepep-normal-legacy", shape).size == Bytes{453'210'240 + 201'628'416});
  // 16 ranks: a ring of 128 rows in chunks of 20 is one of 140.
  // 96 * (288 * 16 392 + 7 * 4) = 453 208 704 B; 24 * (2 * 140 * 16 408 + 144) = 110 265 216 B.
  shape.ranks = 16;
  CHECK(exchange_buffers("deepep-normal-legacy", shape).size == Bytes{453'208'704 + 110'265'216});
}

TEST_CASE("exchange buffers: the graph exchange keeps rows for the worst case or for a factor") {
  // 128 tokens * 8 = 1024 rows of 2 * 7168 + 16 = 14 352 B sent. From four ranks at most 4096 come:
  // 2 legs * 5120 * 14 352. At a factor of 1.5: 2 * (1024 + 1536) * 14 352.
  ExchangeShape shape = decode_shape();
  shape.ranks = 4;
  CHECK(exchange_buffers("epsim-graph", shape).size == Bytes{146'964'480});
  CHECK(exchange_buffers("epsim-graph", shape).needed == Bytes{58'785'792});
  shape.capacity = 1.5;
  CHECK(exchange_buffers("epsim-graph", shape).size == Bytes{73'482'240});
  shape.capacity = 100;  // no more than can arrive
  CHECK(exchange_buffers("epsim-graph", shape).size == Bytes{146'964'480});
}

TEST_CASE("exchange buffers: the one-sided exchange has a row a token and rank, for each leg") {
  // Four ranks, two tokens, two choices, 256 channels. Words: 10 * 4 in a line, twice 4 * 4 in a
  // line, twice 2 * 8 * 4 in a line: 640 B. Eight rows of 512 B twice: 8192 B. Ids and weights: 64
  // B in a line each: 256 B.
  const ExchangeShape shape{
      .ranks = 4, .ranks_per_host = 4, .slots = 8, .top_k = 2, .hidden = 256, .tokens = 2};
  CHECK(exchange_buffers("trtllm-one-sided-1.3.0rc10", shape).size == Bytes{640 + 8192 + 256});
}

TEST_CASE("exchange buffers: the hierarchical exchange keeps all tokens of all ranks") {
  // Four ranks of one host, four tokens, 256 channels, eight slots. 16 rows of 512 B with weights
  // of 32 B and scales of 8 B.
  ExchangeShape shape{
      .ranks = 4, .ranks_per_host = 4, .slots = 8, .top_k = 1, .hidden = 256, .tokens = 4};
  CHECK(exchange_buffers("hybrid-ep", shape).size == Bytes{16 * 552});
  // On two hosts weights are 16 B: 16 rows of 528 to combine and of 256 + 16 + 8 to dispatch; four
  // tokens copied, 256 + 8 + 32; four of the other host, 280 + 2 * 528; four flags of 8 B.
  shape.ranks_per_host = 2;
  CHECK(exchange_buffers("hybrid-ep", shape).size ==
        Bytes{16 * (528 + 280) + 4 * 296 + 4 * (280 + 1056) + 32});
}

TEST_CASE("exchange buffers: rows that are no whole number of 128 channels can be counted") {
  // gpt-oss has 2880 channels: 23 groups, the last of 64. 23 * 4 + 2 * 2880 = 5852 B.
  ExchangeShape shape = decode_shape();
  shape.ranks = 8;
  shape.slots = 128;
  shape.hidden = 2880;
  // 2 * (2 * 128 * 128 * 5852 + 512) = 383 517 696, and a line.
  CHECK(exchange_buffers("deepep-ll-1.2.1", shape).size == Bytes{383'517'824});
}
