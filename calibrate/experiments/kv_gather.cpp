// M21: a KV gather into a staging slot, and five ways to tell a reader that the slot is ready. The
// reader stands in for a NIC: a copy engine, or a peer GPU's kernel. One way tells it too early.
#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <cuda_runtime.h>

#include "calibrate/device_error.hpp"
#include "calibrate/experiments/experiments.hpp"
#include "calibrate/experiments/slot_hand_over.hpp"
#include "calibrate/launch_records.hpp"
#include "kernels/gather/kv_gather.cuh"
#include "kernels/gather/slot_read.cuh"
#include "kernels/gather/stream_filler.cuh"
#include "kernels/reference/kv_gather_reference.hpp"
#include "sim/base/check.hpp"

namespace epsim::kv_gather {
namespace {

using kernels::cuda_check;
using kernels::PayloadVector;

constexpr std::size_t kMostRegions = 256;
constexpr std::size_t kMostRowVectors = 65536 / sizeof(PayloadVector);
constexpr std::size_t kMostSlots = 64;
constexpr std::size_t kMostSlotVectors = kMostRegions * kMostRowVectors;
// Requests take turns among so many rows a region: the largest point's 64 MiB do not fit into L2.
constexpr std::size_t kRowsPerRegion = 4;
constexpr std::size_t kRegionVectors = kRowsPerRegion * kMostRowVectors;
constexpr std::int64_t kFillerNs = 20'000;  // about a small kernel of a decode step
constexpr int kSource = 0, kPeer = 1;       // GPUs
constexpr std::size_t kRequests = kWarmups + kSamples;

struct Setup {
  std::string variant;
  std::string reader;
  std::size_t regions;
  std::size_t row_vectors;
  std::size_t slots;
  std::int64_t queue;

  [[nodiscard]] bool is_correct() const { return variant != "none"; }
  [[nodiscard]] std::size_t vectors() const { return regions * row_vectors; }
  [[nodiscard]] std::size_t bytes() const { return vectors() * sizeof(PayloadVector); }
};

Setup setup_of(const Point& point) {
  const auto size = [&](const char* name) { return static_cast<std::size_t>(point.integer(name)); };
  const Setup setup{.variant = point.text("variant"),
                    .reader = point.text("reader"),
                    .regions = size("regions"),
                    .row_vectors = size("row_bytes") / sizeof(PayloadVector),
                    .slots = size("slots"),
                    .queue = point.integer("queue")};
  check(setup.regions <= kMostRegions, "a KV gather has at most 256 regions");
  check(setup.row_vectors <= kMostRowVectors, "a row has at most 64 KiB");
  check(setup.slots >= 1 && setup.slots <= kMostSlots, "a pool has 1 to 64 slots");
  return setup;
}

class KvGatherBench {
 public:
  explicit KvGatherBench(Lab& lab);
  [[nodiscard]] PointResult measure(const Point& point);

 private:
  struct Request {
    std::size_t index;
    int generation;
  };

  [[nodiscard]] Request next_request(std::size_t index) { return {index, ++generation_}; }
  [[nodiscard]] std::size_t slot_of(const Setup& setup, const Request& request) const {
    return static_cast<std::size_t>(request.generation) % setup.slots;
  }
  [[nodiscard]] PayloadVector* slot_memory(const Setup& setup, const Request& request) const {
    return staging_.data() + slot_of(setup, request) * setup.vectors();
  }
  [[nodiscard]] kernels::KvGather gather_of(const Setup& setup, const Request& request) const;
  [[nodiscard]] kernels::SlotRead read_of(const Setup& setup,
                                          const Request& request,
                                          const PayloadVector* slot) const;

  void verify(const Setup& setup);
  [[nodiscard]] double latency_ns(const Setup& setup, const Request& request);
  [[nodiscard]] cudaStream_t post_read(const Setup& setup, const Request& request);
  [[nodiscard]] int stale_rows_in_copy(const Setup& setup, const Request& request);
  void add_recorded(const Setup& setup, PointResult& result);

  Lab& lab_;
  int generation_ = 0;
  std::vector<PayloadVector> source_on_host_;
  std::vector<std::vector<int>> row_ids_on_host_;  // kRowsPerRegion sets of kMostRegions
  kernels::DeviceArray<PayloadVector> source_;
  kernels::DeviceArray<const uint4*> region_bases_;
  kernels::DeviceArray<int> row_ids_;
  kernels::DeviceArray<PayloadVector> staging_;
  kernels::DeviceArray<unsigned int> tiles_done_;
  SlotHandOver hand_over_{kMostSlots};
  kernels::PinnedArray<PayloadVector> landing_on_host_{kMostSlotVectors};
  kernels::DeviceArray<PayloadVector> landing_on_peer_;  // empty where there is no peer
  kernels::DeviceArray<int> stale_at_peer_;              // one a request of a point
};

KvGatherBench::KvGatherBench(Lab& lab)
    : lab_(lab),
      source_on_host_(kernels::kv_source(kMostRegions, kRegionVectors)),
      source_(kSource, source_on_host_.size()),
      region_bases_(kSource, kMostRegions),
      row_ids_(kSource, kRowsPerRegion * kMostRegions),
      staging_(kSource, kMostSlots * kMostSlotVectors),
      tiles_done_(kSource, kMostSlots) {
  source_.upload(source_on_host_);
  tiles_done_.fill(0);
  std::vector<const uint4*> bases;
  for (std::size_t region = 0; region < kMostRegions; ++region)
    bases.push_back(reinterpret_cast<const uint4*>(source_.data() + region * kRegionVectors));
  region_bases_.upload(bases);
  for (std::size_t set = 0; set < kRowsPerRegion; ++set) {
    std::vector<int> ids;
    for (std::size_t region = 0; region < kMostRegions; ++region)
      ids.push_back(static_cast<int>((set + 3 * region) % kRowsPerRegion));
    row_ids_.upload(ids, set * kMostRegions);
    row_ids_on_host_.push_back(std::move(ids));
  }
  if (lab.gpu_count() > kPeer) {
    landing_on_peer_ = {kPeer, kMostSlotVectors};
    stale_at_peer_ = {kPeer, kRequests};
  }
  cuda_check(cudaSetDevice(kSource));
}

kernels::KvGather KvGatherBench::gather_of(const Setup& setup, const Request& request) const {
  const std::size_t slot = slot_of(setup, request);
  const std::size_t set = static_cast<std::size_t>(request.generation) % kRowsPerRegion;
  return {.region_bases = region_bases_.data(),
          .row_ids = row_ids_.data() + set * kMostRegions,
          .slot = reinterpret_cast<uint4*>(slot_memory(setup, request)),
          .region_count = static_cast<int>(setup.regions),
          .vectors_per_row = static_cast<int>(setup.row_vectors),
          .generation = request.generation,
          .done_flag = hand_over_.flag_of(setup.variant, slot),
          .tiles_done = tiles_done_.data() + slot};
}

kernels::SlotRead KvGatherBench::read_of(const Setup& setup,
                                         const Request& request,
                                         const PayloadVector* slot) const {
  return {.slot = reinterpret_cast<const uint4*>(slot),
          .row_count = static_cast<int>(setup.regions),
          .vectors_per_row = static_cast<int>(setup.row_vectors),
          .generation = request.generation,
          .stale_rows = stale_at_peer_.data() + request.index};
}

// The whole payload, once: what is timed looks at the stamps alone.
void KvGatherBench::verify(const Setup& setup) {
  staging_.fill(0xff);
  const Request request = next_request(0);
  const std::size_t set = static_cast<std::size_t>(request.generation) % kRowsPerRegion;
  kernels::launch_kv_gather(gather_of(setup, request), lab_.gpus().stream(kSource));
  cuda_check(cudaStreamSynchronize(lab_.gpus().stream(kSource)));
  const std::vector<PayloadVector> expected = kernels::kv_gather_reference(
      {.source = source_on_host_,
       .region_vectors = kRegionVectors,
       .row_ids = std::span(row_ids_on_host_[set]).first(setup.regions),
       .vectors_per_row = setup.row_vectors,
       .generation = request.generation});
  if (staging_.download(slot_of(setup, request) * setup.vectors(), setup.vectors()) != expected)
    throw DeviceError("KV gather: a gathered slot differs from its reference");
}

// Returns the stream on which the read is done when it is empty.
cudaStream_t KvGatherBench::post_read(const Setup& setup, const Request& request) {
  const PayloadVector* slot = slot_memory(setup, request);
  const cudaStream_t copies = lab_.gpus().side_stream(kSource);
  if (setup.reader == "copy_host") {
    cuda_check(cudaMemcpyAsync(
        landing_on_host_.data(), slot, setup.bytes(), cudaMemcpyDeviceToHost, copies));
    return copies;
  }
  if (setup.reader == "copy_peer") {
    cuda_check(
        cudaMemcpyPeerAsync(landing_on_peer_.data(), kPeer, slot, kSource, setup.bytes(), copies));
    return copies;
  }
  check(setup.reader == "kernel_peer", "a reader of the KV gather has a name of the sweep");
  const cudaStream_t kernels_of_peer = lab_.gpus().side_stream(kPeer);
  cuda_check(cudaSetDevice(kPeer));
  kernels::launch_slot_read(read_of(setup, request, slot), kernels_of_peer);
  cuda_check(cudaSetDevice(kSource));
  return kernels_of_peer;
}

// From the call that launches the gather to the return of the call that waits for the read.
double KvGatherBench::latency_ns(const Setup& setup, const Request& request) {
  const cudaStream_t stream = lab_.gpus().stream(kSource);
  for (std::int64_t i = 0; i < setup.queue; ++i)
    kernels::launch_stream_filler({.duration_ns = kFillerNs}, stream);
  const kernels::KvGather gather = gather_of(setup, request);
  const auto begin = std::chrono::steady_clock::now();
  kernels::launch_kv_gather(gather, stream);
  hand_over_.wait(setup.variant, stream, slot_of(setup, request), request.generation);
  cuda_check(cudaStreamSynchronize(post_read(setup, request)));
  const auto end = std::chrono::steady_clock::now();
  // Without a hand-over the gather may still be queued; the next request must not meet it.
  cuda_check(cudaStreamSynchronize(stream));
  return std::chrono::duration<double, std::nano>(end - begin).count();
}

// Rows of a copy that were read too early. A peer's kernel has counted for itself: see measure().
int KvGatherBench::stale_rows_in_copy(const Setup& setup, const Request& request) {
  if (setup.reader == "copy_host")
    return kernels::stale_row_count(
        std::span<const PayloadVector>(landing_on_host_.data(), setup.vectors()),
        setup.row_vectors,
        request.generation);
  if (setup.reader == "copy_peer") {
    const cudaStream_t stream = lab_.gpus().stream(kPeer);
    cuda_check(cudaSetDevice(kPeer));
    kernels::launch_slot_read(read_of(setup, request, landing_on_peer_.data()), stream);
    cuda_check(cudaStreamSynchronize(stream));
    cuda_check(cudaSetDevice(kSource));
  }
  return 0;
}

// gather_ns, and handover_ns: from the gather's end to the reader's start, less than 0 where the
// reader was first.
void KvGatherBench::add_recorded(const Setup& setup, PointResult& result) {
  lab_.gpus().synchronize();
  cuda_check(cudaSetDevice(kSource));
  const std::vector<GpuRecord> records = lab_.cupti().collect();
  const std::vector<GpuRecord> gathers =
      launches_of(records, "kv_gather_kernel", 1, kRequests).front();
  std::vector<GpuRecord> reads;
  for (const GpuRecord& record : records)
    if (setup.reader == "kernel_peer" ? record.name.find("slot_read_kernel") != std::string::npos
                                      : record.activity == GpuRecordKind::copy)
      reads.push_back(record);
  if (reads.size() != kRequests)
    throw DeviceError("KV gather: " + std::to_string(kRequests) + " requests left " +
                      std::to_string(reads.size()) + " records of their readers");
  std::vector<double> gather_ns, handover_ns;
  for (std::size_t i = kWarmups; i < kRequests; ++i) {
    gather_ns.push_back(static_cast<double>(gathers[i].end_ns - gathers[i].start_ns));
    handover_ns.push_back(static_cast<double>(reads[i].start_ns - gathers[i].end_ns));
  }
  result.add("gather_ns", std::move(gather_ns)).add("handover_ns", std::move(handover_ns));
}

PointResult KvGatherBench::measure(const Point& point) {
  const Setup setup = setup_of(point);
  cuda_check(cudaSetDevice(kSource));
  verify(setup);
  const bool counts_at_peer = setup.reader != "copy_host";
  if (counts_at_peer) stale_at_peer_.fill(0);
  cuda_check(cudaSetDevice(kSource));
  lab_.gpus().synchronize();
  cuda_check(cudaSetDevice(kSource));
  (void)lab_.cupti().collect();

  std::vector<double> latency, stale;
  for (std::size_t i = 0; i < kRequests; ++i) {
    const Request request = next_request(i);
    latency.push_back(latency_ns(setup, request));
    stale.push_back(stale_rows_in_copy(setup, request));
  }
  PointResult result{.bytes_moved = kernels::bytes_moved(gather_of(setup, {0, 1})), .series = {}};
  add_recorded(setup, result);
  if (counts_at_peer) {
    const std::vector<int> counted = stale_at_peer_.download();
    stale.assign(counted.begin(), counted.end());
  }
  for (const double rows : stale)
    if (setup.is_correct() && rows != 0)
      throw DeviceError("KV gather: hand-over by " + setup.variant + " let a reader see " +
                        std::to_string(static_cast<int>(rows)) + " stale rows");
  const auto without_warmups = [](std::vector<double> samples) {
    samples.erase(samples.begin(), samples.begin() + kWarmups);
    return samples;
  };
  result.add("latency_ns", without_warmups(std::move(latency)))
      .add("stale_rows", without_warmups(std::move(stale)))
      .add("row_checks", std::vector<double>(kSamples, static_cast<double>(setup.regions)));
  return result;
}

struct Place {
  const char* variant;
  const char* reader;
  std::int64_t regions = 64;
  std::int64_t row_bytes = 4096;
  std::int64_t slots = 32;  // of the pool that the case grew from
  std::int64_t queue = 0;
};

Point point_at(const Place& place) {
  return Point()
      .with("variant", place.variant)
      .with("reader", place.reader)
      .with("regions", place.regions)
      .with("row_bytes", place.row_bytes)
      .with("slots", place.slots)
      .with("queue", place.queue);
}

}  // namespace

std::vector<Point> points(int gpus) {
  std::vector<const char*> readers = {"copy_host"};
  if (gpus > kPeer) readers.insert(readers.end(), {"copy_peer", "kernel_peer"});
  std::vector<Point> points;
  for (const char* reader : readers) {
    for (const char* variant : {"sync", "event", "host_function", "flag", "none"})
      for (const std::int64_t queue : {0, 1, 4, 16})
        points.push_back(point_at({.variant = variant, .reader = reader, .queue = queue}));
    points.push_back(
        point_at({.variant = "none", .reader = reader, .regions = 256, .row_bytes = 65536}));
  }
  for (const std::int64_t regions : {8, 32, 128, 256})
    for (const std::int64_t row_bytes : {512, 4096, 16384, 65536})
      points.push_back(point_at(
          {.variant = "sync", .reader = "copy_host", .regions = regions, .row_bytes = row_bytes}));
  for (const char* variant : {"sync", "flag"})
    for (const std::int64_t slots : {1, 8, 64})
      points.push_back(point_at({.variant = variant, .reader = "copy_host", .slots = slots}));
  return points;
}

Bench open(Lab& lab) {
  const auto bench = std::make_shared<KvGatherBench>(lab);
  return [bench](const Point& point) { return bench->measure(point); };
}

}  // namespace epsim::kv_gather
