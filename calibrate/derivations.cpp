#include <array>

#include "calibrate/derive.hpp"

namespace epsim {
namespace {

constexpr double kNsToUs = 1e-3;
// The graph exchange at a hidden size of 7168 and four ranks. Eight CTAs share a token's row, and a
// rate divides by its scale. The byte kernel's grid grows by a row's bytes, 256 a CTA, for each
// rank.
constexpr double kEighthOfRowBytes = 8.0 / (2 * 7168);
constexpr double kByteCtaOfToken = 256.0 / (4 * 2 * 7168);
// What a launch costs outside its CTAs is measured as a whole; a latency needs no more than the
// sum.
constexpr double kHalf = 0.5;
constexpr double kScanTripIds = 256;               // eight ids by each lane of a warp
constexpr double kRowsOfAChoice = 1024.0 * 14336;  // bytes that one more choice of M10 reads
constexpr double kRowsOfABatch = 1024;             // of M10 at 128 tokens and eight choices
constexpr double kTripsOfARow = 28;                // of 512 bytes, in a row of 7168 channels
constexpr double kNvlinkGbPerS = 450;              // raw, one direction, of the boards measured

// A row: group, constant, reading, experiment, series; then where, over which argument, times what.
// clang-format off
constexpr std::array kDerivations = {
    Derivation{"hardware", "kernel_start", Reading::median, "M1", "outside_ns",
               "kernel=large_cooperative mode=stream chain=16", "", kHalf * kNsToUs},
    Derivation{"hardware", "kernel_finish", Reading::median, "M1", "outside_ns",
               "kernel=large_cooperative mode=stream chain=16", "", kHalf * kNsToUs},
    Derivation{"hardware", "cta_barrier", Reading::median, "M15", "latency_ns",
               "form=named_barrier threads=1024", "", kNsToUs},
    Derivation{"hardware", "atomic_return", Reading::median, "M15", "latency_ns",
               "form=atomic_add ctas=128 words=own", "", kNsToUs},
    Derivation{"hardware", "release_gpu", Reading::median, "M7", "release_ns",
               "target=local release=add_gpu ctas=1 warps=1", "", kNsToUs},
    Derivation{"hardware", "release_sys", Reading::median, "M7", "release_ns",
               "target=local release=store_sys ctas=all", "", kNsToUs},
    Derivation{"hardware", "flag_latency", Reading::median, "M4", "one_way_ns",
               "variant=volatile", "", kNsToUs},
    Derivation{"hardware", "local_flag_latency", Reading::median, "M15", "latency_ns",
               "form=local_flag scope=gpu", "", kNsToUs},
    Derivation{"hardware", "l2_rate", Reading::median, "M12", "rate_gb_per_s",
               "kind=copy level=l2", "", 1},
    Derivation{"hardware", "hbm_rate", Reading::median, "M12", "rate_gb_per_s",
               "kind=copy level=hbm", "", 1},
    Derivation{"hardware", "l2_read_rate", Reading::rate, "M10", "latency_ns",
               "source=l2 fence=P0 tokens=128 top_k=8 depth=3", "row_bytes", 1 / kRowsOfABatch},
    Derivation{"hardware", "hbm_read_rate", Reading::rate, "M10", "latency_ns",
               "source=hbm fence=P0 tokens=1024 depth=3 row_bytes=14336",
               "top_k", 1 / kRowsOfAChoice},
    Derivation{"hardware", "sm_bulk_load", Reading::median, "M12", "rate_gb_per_s",
               "kind=bulk level=l2 ctas=1 stages=3 block_bytes=14336", "", 1},
    Derivation{"hardware", "bulk_load_latency", Reading::intercept, "M12", "latency_ns",
               "kind=bulk level=l2 ctas=1 stages=1", "block_bytes", kNsToUs},
    Derivation{"hardware", "sm_peer_store", Reading::median, "M5", "rate_gb_per_s",
               "kind=lanes target=peer ctas=1 unroll=8", "", 1},
    Derivation{"hardware", "sm_local_store", Reading::median, "M5", "rate_gb_per_s",
               "kind=lanes target=local ctas=1 unroll=8", "", 1},
    Derivation{"hardware", "link_efficiency", Reading::median, "M5", "rate_gb_per_s",
               "kind=lanes target=peer ctas=all unroll=8", "", 1 / kNvlinkGbPerS},
    Derivation{"hardware", "fence_acq_rel_cta", Reading::median, "M8", "fence_ns",
               "fence=acq_rel_cta extent=load_warps", "", 1},
    Derivation{"hardware", "fence_acq_rel_gpu", Reading::median, "M8", "fence_ns",
               "fence=acq_rel_gpu extent=load_warps", "", 1},
    Derivation{"hardware", "fence_acq_rel_sys", Reading::median, "M8", "fence_ns",
               "fence=acq_rel_sys extent=load_warps", "", 1},
    Derivation{"hardware", "fence_proxy_async", Reading::median, "M9", "fence_ns",
               "space=all state=idle extent=load_warps", "", 1},
    Derivation{"hardware", "fence_proxy_async_global", Reading::median, "M9", "fence_ns",
               "space=global state=idle extent=load_warps", "", 1},
    Derivation{"hardware", "fence_proxy_async_shared_cta", Reading::median, "M9", "fence_ns",
               "space=shared state=idle extent=all_sms", "", 1},
    Derivation{"hardware", "grid_sync", Reading::median, "M15", "latency_ns",
               "form=grid_sync ctas=128", "", kNsToUs},
    Derivation{"hardware", "empty_kernel", Reading::median, "M1", "kernel_ns",
               "kernel=plain mode=stream chain=16", "", kNsToUs},
    Derivation{"hardware", "stream_gap", Reading::median, "M1", "gap_ns",
               "kernel=plain mode=stream chain=16", "", kNsToUs},
    Derivation{"hardware", "graph_gap", Reading::median, "M1", "gap_ns",
               "kernel=plain mode=graph chain=16", "", kNsToUs},
    Derivation{"hardware", "launch_call", Reading::median, "M1", "enqueue_ns",
               "kernel=plain mode=stream chain=16", "", kNsToUs},
    Derivation{"hardware", "launch_to_flag", Reading::median, "M2", "launch_to_flag_ns",
               "form=launch", "", kNsToUs},
    Derivation{"hardware", "sync_return", Reading::median, "M2", "sync_return_ns",
               "form=stream_sync", "", kNsToUs},
    Derivation{"hardware", "memop_turn", Reading::intercept, "M3", "batch_ns",
               "op=write where=peer count=1 flag=default mode=stream", "batches", kNsToUs},
    Derivation{"hardware", "memop_batch", Reading::slope, "M3", "batch_ns",
               "op=write where=peer count=1 flag=default mode=stream", "batches", kNsToUs},
    Derivation{"hardware", "memop_peer_write", Reading::slope, "M3", "batch_ns",
               "op=write where=peer batches=1 flag=default mode=stream", "count", kNsToUs},
    Derivation{"hardware", "memop_write", Reading::slope, "M3", "batch_ns",
               "op=write where=local batches=1 flag=default mode=stream", "count", kNsToUs},
    Derivation{"hardware", "memop_wait", Reading::slope, "M3", "batch_ns",
               "op=wait where=local batches=1 flag=default mode=stream", "count", kNsToUs},
    Derivation{"hardware", "memop_wake", Reading::median, "M3", "wake_ns",
               "op=wake where=local flag=default", "", kNsToUs},
    Derivation{"deepep-ll-1.2.1", "cast_row", Reading::intercept, "M14", "cast_ns",
               "kind=cast ctas=all", "hidden", kNsToUs},
    Derivation{"deepep-ll-1.2.1", "cast_kilochannel", Reading::slope, "M14", "cast_ns",
               "kind=cast ctas=all", "hidden", 1024 * kNsToUs},
    Derivation{"deepep-ll-1.2.1", "scan_trip", Reading::slope, "M14", "scan_ns",
               "kind=scan", "choices", kScanTripIds * kNsToUs},
    Derivation{"epsim-ll", "cast_row", Reading::intercept, "M14", "cast_ns",
               "kind=cast ctas=all", "hidden", kNsToUs},
    Derivation{"epsim-ll", "cast_kilochannel", Reading::slope, "M14", "cast_ns",
               "kind=cast ctas=all", "hidden", 1024 * kNsToUs},
    Derivation{"epsim-ll", "scan_trip", Reading::slope, "M14", "scan_ns",
               "kind=scan", "choices", kScanTripIds * kNsToUs},
    Derivation{"epsim-graph", "copy_fixed", Reading::intercept, "M19", "a2a_ns",
               "op=dispatch mode=graph ranks=4 tokens=128|1024 top_k=1 ctas=8", "tokens", kNsToUs},
    Derivation{"epsim-graph", "copy_sm_rate", Reading::rate, "M19", "a2a_ns",
               "op=dispatch mode=graph ranks=4 tokens=128|1024 top_k=1 ctas=8",
               "tokens", kEighthOfRowBytes},
    Derivation{"epsim-graph", "byte_cta", Reading::slope, "M19", "a2a_ns",
               "op=dispatch mode=graph copy=byte ranks=4 tokens=16|128 top_k=1 hidden=7168",
               "tokens", kByteCtaOfToken},
    Derivation{"deepep-ll-1.2.1", "generic_trip", Reading::median, "M10", "row_period_ns",
               "source=l2 fence=P6 tokens=128", "", kNsToUs / kTripsOfARow},
    Derivation{"deepep-ll-1.2.1", "generic_trip_hbm", Reading::median, "M10", "row_period_ns",
               "source=hbm fence=P6 tokens=128", "", kNsToUs / kTripsOfARow},
    Derivation{"epsim-ll", "generic_trip", Reading::median, "M10", "row_period_ns",
               "source=l2 fence=P6 tokens=128", "", kNsToUs / kTripsOfARow},
    Derivation{"epsim-ll", "generic_trip_hbm", Reading::median, "M10", "row_period_ns",
               "source=hbm fence=P6 tokens=128", "", kNsToUs / kTripsOfARow},
};
// clang-format on

}  // namespace

std::span<const Derivation> derivations() {
  return kDerivations;
}

}  // namespace epsim
