// Where M20 samples: steps to fit to, steps held out from every fit, and exchanges by themselves.
#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>
#include <utility>

#include "calibrate/experiments/experiments.hpp"
#include "calibrate/experiments/two_batch_schedule.hpp"

namespace epsim::two_batch_overlap {
namespace {

// Attention stands for a GEMM tokens x attention_width x hidden, the experts for one of
// expert_rows x expert_width x hidden. Each rank sends each rank, itself included, rows_per_peer
// rows: of one byte a channel in the dispatch, of two in the combine.
struct Shape {
  const char* set;  // "fit", or "held_out" from every fit
  int ranks, layers;
  std::int64_t tokens, hidden, attention_width, expert_rows, expert_width, rows_per_peer;
  int communication_ctas;
  bool split;  // whether the GEMMs leave the SMs of the exchanges free
};

// Communication over compute from about a third (third row) to twice (second row), steps of one
// millisecond to fifteen.
constexpr std::array kShapes = {
    Shape{"fit", 4, 4, 4096, 7168, 4096, 8192, 4096, 4096, 20, true},
    Shape{"fit", 4, 4, 4096, 7168, 2048, 4096, 2048, 4096, 20, true},
    Shape{"fit", 4, 4, 4096, 4096, 8192, 8192, 4096, 2048, 20, true},
    Shape{"fit", 4, 6, 1024, 7168, 4096, 2048, 4096, 1024, 20, true},
    Shape{"fit", 4, 6, 1024, 7168, 4096, 2048, 4096, 1024, 8, true},
    Shape{"fit", 4, 6, 256, 7168, 4096, 512, 4096, 256, 20, true},
    Shape{"fit", 4, 4, 2048, 7168, 4096, 4096, 4096, 2048, 32, true},
    Shape{"fit", 4, 4, 2048, 7168, 4096, 4096, 4096, 2048, 20, false},
    Shape{"held_out", 4, 5, 3072, 7168, 4096, 6144, 4096, 3072, 20, true},
    Shape{"held_out", 4, 5, 2048, 5120, 6144, 4096, 3072, 2048, 16, true},
    Shape{"held_out", 4, 4, 4096, 7168, 4096, 8192, 4096, 4096, 32, true},
    Shape{"held_out", 4, 6, 512, 7168, 4096, 1024, 4096, 512, 20, true},
    Shape{"held_out", 2, 4, 4096, 7168, 4096, 8192, 4096, 4096, 20, true},
    Shape{"held_out", 4, 4, 2048, 4096, 4096, 4096, 2048, 2048, 8, true},
    Shape{"held_out", 4, 4, 3072, 7168, 2048, 3072, 4096, 3072, 20, false},
    Shape{"held_out", 4, 6, 1024, 7168, 8192, 4096, 4096, 512, 16, true},
};

// The exchange by itself, for its law in bytes and CTAs: serial only, beside GEMMs of a few us.
constexpr Shape exchange_shape(int ranks, std::int64_t rows_per_peer, int ctas) {
  return {"fit", ranks, 2, 128, 7168, 1024, 128, 1024, rows_per_peer, ctas, false};
}
constexpr std::array kExchangeCtas = {4, 8, 16, 32, 64};
constexpr std::array<std::int64_t, 3> kExchangeRows = {128, 1024, 4096};
constexpr std::array kExchangeCtasOfTwo = {8, 20};

Point point_of(const Shape& shape, std::string_view schedule, int gpus) {
  const int ranks = std::min(shape.ranks, gpus);
  const std::int64_t dispatch_bytes = shape.rows_per_peer * shape.hidden;
  // Of an all-gather of the micro-batch's BF16 rows: each rank has its share of them.
  const std::int64_t collective_bytes = 2 * shape.tokens * shape.hidden / ranks;
  const bool collective = schedule != "serial" && schedule != "tbo";
  return Point()
      .with("set", shape.set)
      .with("schedule", schedule)
      .with("ranks", std::int64_t{ranks})
      .with("layers", std::int64_t{shape.layers})
      .with("tokens", shape.tokens)
      .with("hidden", shape.hidden)
      .with("attention_m", shape.tokens)
      .with("attention_n", shape.attention_width)
      .with("attention_k", shape.hidden)
      .with("experts_m", shape.expert_rows)
      .with("experts_n", shape.expert_width)
      .with("experts_k", shape.hidden)
      .with("dispatch_bytes_per_pair", dispatch_bytes)
      .with("combine_bytes_per_pair", 2 * dispatch_bytes)
      .with("collective_bytes_per_pair", collective ? collective_bytes / 16 * 16 : 0)
      .with("communication_ctas", std::int64_t{shape.communication_ctas})
      .with("reserved_sms", std::int64_t{shape.split ? shape.communication_ctas : 0});
}

bool runs_alike(const Point& a, const Point& b) {
  const auto& left = a.arguments();
  const auto& right = b.arguments();
  return std::equal(left.begin() + 1, left.end(), right.begin() + 1, right.end());  // but for "set"
}

}  // namespace

std::vector<Point> points(int gpus) {
  std::vector<Point> found;
  const auto add = [&](const Shape& shape, std::string_view schedule) {
    Point point = point_of(shape, schedule, gpus);
    // With few GPUs two shapes can become one, which then must not be both fit and held out.
    if (std::none_of(found.begin(), found.end(), [&](const Point& other) {
          return runs_alike(point, other);
        }))
      found.push_back(std::move(point));
  };
  for (const Shape& shape : kShapes)
    for (const std::string_view schedule : two_batch_schedules()) add(shape, schedule);
  for (const int ctas : kExchangeCtas)
    for (const std::int64_t rows : kExchangeRows) add(exchange_shape(4, rows, ctas), "serial");
  for (const int ctas : kExchangeCtasOfTwo)
    add(exchange_shape(2, kExchangeRows.back(), ctas), "serial");
  return found;
}

}  // namespace epsim::two_batch_overlap
