#include <array>

#include "models/calibration.hpp"
#include "sim/base/check.hpp"

namespace epsim {
namespace {

constexpr std::array kHardware = {
    ConstantSpec{
        "kernel_start", "us", 0, 20, "start a profiler records to a CTA's first instruction"},
    ConstantSpec{"kernel_finish", "us", 0, 20, "last instruction to the end a profiler records"},
    ConstantSpec{"grid_sync", "us", 0, 20, "cooperative grid sync, last arrival to release"},
    ConstantSpec{"cta_barrier", "us", 0, 2, "bar.sync of a full CTA"},
    ConstantSpec{"atomic_return", "us", 0, 5, "atomicAdd in L2 with its value returned"},
    ConstantSpec{"release_gpu", "us", 0, 5, "release at gpu scope, nothing outstanding"},
    ConstantSpec{"release_sys", "us", 0, 10, "release store at sys scope, busy GPU"},
    ConstantSpec{
        "flag_latency", "us", 0, 20, "flag stored at one GPU to seen at a peer, no release"},
    ConstantSpec{"local_flag_latency", "us", 0, 5, "flag released to seen on one GPU"},
    ConstantSpec{"l2_rate", "GB/s", 100, 20'000, "bytes read plus written in L2 by all SMs"},
    ConstantSpec{"hbm_rate", "GB/s", 100, 20'000, "bytes read plus written in HBM by all SMs"},
    ConstantSpec{
        "l2_read_rate", "GB/s", 100, 20'000, "rows out of L2 by the bulk loads of all SMs"},
    ConstantSpec{
        "hbm_read_rate", "GB/s", 100, 20'000, "rows out of HBM by the bulk loads of all SMs"},
    ConstantSpec{"sm_bulk_load", "GB/s", 1, 1000, "bulk loads that arrive at one SM"},
    ConstantSpec{"bulk_load_latency", "us", 0, 10, "a bulk load from L2, fixed part"},
    ConstantSpec{"l2_share", "1", 0.05, 1, "part of L2 that a streamed working set can hold"},
    ConstantSpec{"sm_peer_store", "GB/s", 1, 500, "16-byte stores of one SM to a peer"},
    ConstantSpec{"sm_local_store", "GB/s", 1, 500, "16-byte stores of one SM to own memory"},
    ConstantSpec{
        "link_efficiency", "1", 0.1, 1, "payload share of NVLink, one sender to one receiver"},
    ConstantSpec{"empty_kernel", "us", 0, 20, "an empty kernel of one warp, as recorded"},
    ConstantSpec{"stream_gap", "us", 0, 20, "between two kernels of a stream"},
    ConstantSpec{"graph_gap", "us", 0, 20, "between two kernels of a graph"},
    ConstantSpec{"launch_call", "us", 0, 100, "host: enqueue a kernel"},
    ConstantSpec{"launch_to_flag", "us", 0, 100, "host: launch call to the kernel's store seen"},
    ConstantSpec{"sync_return", "us", 0, 100, "host: last store of a stream to its wait's return"},
    ConstantSpec{"memop_turn", "us", 0, 20, "kernels around batches of stream memory operations"},
    ConstantSpec{"memop_batch", "us", 0, 20, "one more such batch, of one write to a peer"},
    ConstantSpec{"memop_peer_write", "us", 0, 10, "one more write to a peer in a batch"},
    ConstantSpec{"memop_write", "us", 0, 10, "one more write to own memory in a batch"},
    ConstantSpec{"memop_wait", "us", 0, 10, "one more wait in a batch, its word set"},
    ConstantSpec{
        "memop_wake", "us", 0, 100, "store to the kernel behind a wait; interval: its polling"},
    ConstantSpec{"fence_acq_rel_cta", "ns", 0, 5'000, "fence.acq_rel.cta, one warp"},
    ConstantSpec{"fence_acq_rel_gpu", "ns", 0, 5'000, "fence.acq_rel.gpu, one warp"},
    ConstantSpec{"fence_acq_rel_sys", "ns", 0, 20'000, "fence.acq_rel.sys, one warp"},
    ConstantSpec{"fence_proxy_async", "ns", 0, 5'000, "fence.proxy.async, all state spaces"},
    ConstantSpec{"home_drain_share",
                 "1",
                 0.01,
                 1,
                 "part of a wide fence's waits for own loads where no row came from a peer"},
    ConstantSpec{"fence_proxy_async_global", "ns", 0, 5'000, "fence.proxy.async.global"},
    ConstantSpec{"fence_proxy_async_shared_cta", "ns", 0, 5'000, "fence.proxy.async.shared::cta"},
};

}  // namespace

std::span<const ConstantSpec> hardware_constants() {
  return kHardware;
}

Duration fence_cost(const ConstantSet& hardware, FenceKind kind) {
  switch (kind) {
    case FenceKind::none:
      return {};
    case FenceKind::acq_rel_cta:
      return hardware.duration("fence_acq_rel_cta");
    case FenceKind::acq_rel_cluster:  // not measured: one of a wider scope does all that it must
    case FenceKind::acq_rel_gpu:
      return hardware.duration("fence_acq_rel_gpu");
    case FenceKind::acq_rel_sys:
      return hardware.duration("fence_acq_rel_sys");
    case FenceKind::proxy_async:
      return hardware.duration("fence_proxy_async");
    case FenceKind::proxy_async_global:
      return hardware.duration("fence_proxy_async_global");
    case FenceKind::proxy_async_shared_cta:
      return hardware.duration("fence_proxy_async_shared_cta");
  }
  check(false, "every fence has a cost");
  return {};
}

}  // namespace epsim
