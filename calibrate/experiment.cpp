#include "calibrate/experiment.hpp"

#include <array>

#include "calibrate/experiments/experiments.hpp"

namespace epsim {
namespace {

// Rows read: id, name, what a model learns from it, least GPUs, where and how.
#define EPSIM_ROW(id, name, identifies, gpus, space)                \
  Experiment {                                                      \
    id, name, identifies, gpus, &space::points, &space::open, false \
  }

constexpr std::array kExperiments = {
    EPSIM_ROW("M1", "launch cost", "launch, graph node, cooperative surcharge", 1, launch_cost),
    EPSIM_ROW("M2", "event hop", "event hop, return of a synchronise, host function", 1, event_hop),
    EPSIM_ROW("M3", "stream memops", "memop cost, slope in a batch, flush", 1, stream_memops),
    EPSIM_ROW("M4", "flag ping-pong", "flag latency, one way", 2, flag_ping_pong),
    EPSIM_ROW("M5", "peer store", "store rates by SM, warp, width, target", 1, peer_store),
    EPSIM_ROW("M6", "peer load", "load and copy-engine rates", 2, peer_load),
    EPSIM_ROW(
        "M7", "message release", "release by bytes under way, slot atomic", 1, message_release),
    EPSIM_ROW(
        "M8", "fence cost", "fence.{acq_rel,sc} by scope and stores under way", 1, fence_cost),
    EPSIM_ROW(
        "M9", "proxy fence cost", "fence.proxy.async by space and traffic", 1, proxy_fence_cost),
    EPSIM_ROW("M10", "combine ring", "receive ring: period, exposed fences", 1, combine_ring),
    EPSIM_ROW("M11", "ring reuse", "stale rows by reuse of a ring stage", 1, ring_reuse),
    EPSIM_ROW("M12", "bulk load", "bulk-load latency and rate, HBM and L2 rates", 1, bulk_load),
    EPSIM_ROW("M13", "combine send", "block time of the send pipeline", 1, combine_send),
    EPSIM_ROW("M14", "cast and scan", "cast of a row, scan of expert ids", 1, cast_and_scan),
    EPSIM_ROW("M15", "barriers", "grid sync, CTA barrier, atomics, local flag", 1, barriers),
    EPSIM_ROW("M16", "rank barriers", "barrier over ranks", 2, rank_barriers),
    EPSIM_ROW(
        "M17", "SM split", "GEMM beside communication: SM split, HBM contention", 1, sm_split),
    EPSIM_ROW("M18", "low latency", "dispatch and combine end to end", 1, low_latency),
    EPSIM_ROW("M19", "graph exchange", "graph-capturable dispatch and combine", 2, graph_exchange),
    EPSIM_ROW(
        "M20", "two-batch overlap", "step time and overlap of the ping-pong", 2, two_batch_overlap),
    EPSIM_ROW("M21", "KV gather", "gather, hand-over to a reader, stale rows", 1, kv_gather),
    EPSIM_ROW("M22", "ep_scatter", "prefix variants, race rate, atomic rate", 1, ep_scatter),
    EPSIM_ROW(
        "M23", "crowded residency", "CTAs that find an SM beside others", 1, crowded_residency),
    Experiment{"M24",
               "clock under load",
               "clocks by the share of time in GEMMs",
               1,
               &clock_under_load::points,
               &clock_under_load::open,
               true},
    EPSIM_ROW(
        "M25", "elementwise beside", "elementwise kernel beside a copy", 1, elementwise_beside),
    EPSIM_ROW("M26", "GEMM beside", "GEMM beside a kernel that holds SMs", 1, gemm_beside),
};

#undef EPSIM_ROW

}  // namespace

std::span<const Experiment> experiments() {
  return kExperiments;
}

}  // namespace epsim
