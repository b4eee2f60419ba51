#include "models/intranode_channels.hpp"

#include <algorithm>

#include "sim/base/check.hpp"

namespace epsim {

std::uint32_t channel_count(const Workload& workload) {
  check(workload.sms >= 2 && workload.sms % 2 == 0, "channels are pairs of SMs");
  return static_cast<std::uint32_t>(workload.sms / 2);
}

std::uint32_t warps_per_rank(const Workload& workload) {
  return std::max(1U, kIntranodeWarps / workload.rank_count());
}

std::int64_t copy_trips(std::int64_t row_bytes, std::int64_t unroll) {
  const std::int64_t vectors = (row_bytes + 15) / 16;
  const std::int64_t rest = vectors % (32 * unroll);
  return vectors / (32 * unroll) + (rest + 31) / 32;
}

void touch_ring(PlanBuilder& plan,
                const Ring& ring,
                std::uint32_t first,
                std::uint32_t rows,
                AccessKind kind,
                AccessWay way) {
  for (std::uint32_t done = 0; done < rows;) {
    const std::uint32_t slot = (first + done) % ring.shape.queue;
    const std::uint32_t count = std::min(rows - done, ring.shape.queue - slot);
    if (kind == AccessKind::read)
      plan.reads(ring.slots + slot, way, count);
    else
      plan.writes(ring.slots + slot, way, count);
    done += count;
  }
}

namespace {

// One of the two agents that feed a ring. After each chunk all warps meet; then the lead waits for
// its stores and releases the tail, while the others already copy the next chunk.
void write_sender_part(PlanBuilder& plan,
                       const Ring& ring,
                       Bytes row,
                       const ChunkPace& pace,
                       std::uint32_t warps,
                       BarrierId chunk_end,
                       bool lead) {
  plan.begin_agent(Role::sender);
  plan.work(Phase::launch, pace.start);
  const bool local = ring.source == ring.target;
  for (std::uint32_t sent = 0; sent < ring.rows;) {
    const std::uint32_t rows = std::min(ring.shape.chunk, ring.rows - sent);
    const std::uint32_t held = ring.shape.queue - ring.shape.chunk;
    if (sent > held) plan.wait(Phase::wait, ring.head, sent - held);
    // Tokens that this chunk steps over, so that all of them are scanned by the last one.
    const std::uint64_t before = std::uint64_t{ring.tokens_scanned} * sent / ring.rows;
    const std::uint64_t after = std::uint64_t{ring.tokens_scanned} * (sent + rows) / ring.rows;
    plan.work(Phase::send,
              (local ? pace.wait_local : pace.wait_peer) +
                  static_cast<std::int64_t>(after - before) * pace.scan);
    const std::uint32_t rounds = (rows + warps - 1) / warps;
    const std::uint32_t mine = lead ? rounds : rows - rounds;
    if (mine > 0) {
      plan.put(Phase::send, ring.target, Bytes{row.count * mine}, std::int64_t{rounds} * pace.row);
      touch_ring(
          plan, ring, lead ? sent : sent + rounds, mine, AccessKind::write, AccessWay::generic);
    }
    plan.barrier(Phase::send, chunk_end);
    if (lead) {
      plan.drain(Phase::wire);
      plan.work(Phase::signal, pace.release);
      plan.signal(Phase::signal, ring.tail, rows);
    }
    sent += rows;
  }
}

}  // namespace

void write_ring_sender(
    PlanBuilder& plan, const Ring& ring, Bytes row, const ChunkPace& pace, std::uint32_t warps) {
  const BarrierId chunk_end = plan.add_barrier(2);
  write_sender_part(plan, ring, row, pace, warps, chunk_end, true);
  write_sender_part(plan, ring, row, pace, warps, chunk_end, false);
}

}  // namespace epsim
