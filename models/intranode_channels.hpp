// Channels: what the two intranode plans share. Which rows go through which ring, and the pace of a
// sender that fills one.
#pragma once

#include <cstdint>
#include <vector>

#include "models/intranode.hpp"
#include "models/plan_builder.hpp"
#include "models/workload.hpp"
#include "traces/token_fanout.hpp"

namespace epsim {

inline constexpr std::uint32_t kIntranodeWarps = 24;  // 768 threads a CTA
// A sender is several warps whose stores run ahead of their acknowledgement by a whole chunk.
inline constexpr Bytes kPiece{4096};
inline constexpr std::uint32_t kPiecesUnderWay = 128;

// The times a sender spends on one chunk of rows, beside what the fabric takes.
struct ChunkPace {
  Duration wait_local, wait_peer;  // read of the head
  Duration scan;                   // a token of the channel, whether it goes to this rank or not
  Duration row;                    // a warp copies one row
  Duration release;
  Duration start;  // once, before the first row
};

// One ring: rows from one rank to another, through one channel.
struct Ring {
  RankId source;
  RankId target;
  RingShape shape;
  FlagId tail;  // at the target: rows written
  FlagId head;  // at the source: rows read
  std::uint32_t rows;
  std::uint32_t tokens_scanned;
  std::uint32_t slots = 0;  // location of the first, if locations are recorded
};

// Notes that the operation written last reads or writes rows `first` to `first + rows - 1` of the
// ring, each in the slot that it has there.
void touch_ring(PlanBuilder& plan,
                const Ring& ring,
                std::uint32_t first,
                std::uint32_t rows,
                AccessKind kind,
                AccessWay way);

[[nodiscard]] std::uint32_t channel_count(const Workload& workload);
[[nodiscard]] std::uint32_t warps_per_rank(const Workload& workload);
// Trips of a warp's copy loop over a row: full ones of `unroll` vectors a lane, then single ones.
[[nodiscard]] std::int64_t copy_trips(std::int64_t row_bytes, std::int64_t unroll);

// The two agents that feed one ring, chunk by chunk (credit, copy, release): the warp that moves
// the tail, and the others.
void write_ring_sender(
    PlanBuilder& plan, const Ring& ring, Bytes row, const ChunkPace& pace, std::uint32_t warps);

}  // namespace epsim
