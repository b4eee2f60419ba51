// CopyPartner: a stream_copy that runs beside what GPU 0 does on its main stream, within that GPU
// or to or from the next one.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "calibrate/gpu_record.hpp"
#include "calibrate/lab.hpp"
#include "kernels/overlap/stream_copy.cuh"

namespace epsim {

class CopyPartner {
 public:
  struct Place {
    int gpu;         // whose SMs copy
    int target_gpu;  // whose memory is written
  };
  // "peer_send", "peer_receive", or within GPU 0.
  [[nodiscard]] static Place place_of(std::string_view kind);

  // Buffers on at most two GPUs. Copies between all of them once and throws DeviceError when a
  // vector arrives wrong.
  explicit CopyPartner(Lab& lab);
  ~CopyPartner();
  CopyPartner(const CopyPartner&) = delete;
  CopyPartner& operator=(const CopyPartner&) = delete;

  // Queues a copy of about `bytes`, a chunk for each CTA at least, on a stream of the GPU that
  // copies, which becomes the current one.
  void copy(const Place& place, int cta_count, std::int64_t bytes, cudaStream_t stream);

  // Queues a copy on the side stream behind what is queued on GPU 0's main stream, and there a wait
  // until it runs. It ends after most_bytes if stop() does not end it. GPU 0 becomes the current
  // one.
  void start(const Place& place, int cta_count, std::int64_t most_bytes);
  void stop(const Place& place);

  // By all copies of that GPU that have ended.
  [[nodiscard]] double bytes_copied(int gpu) const;

 private:
  void verify(const Place& place);

  Lab& lab_;
  kernels::Symmetric<uint4> source_, target_;
  kernels::Symmetric<kernels::CopyWords> words_;
  std::vector<int> started_;     // CTAs of all copies so far, by GPU
  std::vector<int> generation_;  // of copies, by GPU
  cudaEvent_t begun_ = nullptr;
};

// The copies of `gpu` among `records`, as they were launched. Throws DeviceError unless there are
// `count`.
[[nodiscard]] std::vector<GpuRecord> copies_of(const std::vector<GpuRecord>& records,
                                               int gpu,
                                               std::size_t count);

}  // namespace epsim
