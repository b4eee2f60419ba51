#include "calibrate/experiments/copy_partner.hpp"

#include <algorithm>
#include <string>

#include "calibrate/device_error.hpp"
#include "calibrate/experiments/gemm_operands.hpp"
#include "kernels/cuda_check.hpp"
#include "kernels/overlap/row_stamps.cuh"

namespace epsim {
namespace {

using kernels::cuda_check;

constexpr std::int64_t kBufferVectors = 1024 * kernels::kCopyChunkVectors;  // 256 MiB: beyond L2
constexpr std::int64_t kChunkBytes = 16 * kernels::kCopyChunkVectors;
constexpr int kMostGpus = 2;
constexpr int kVerifyingCtas = 16;

}  // namespace

CopyPartner::Place CopyPartner::place_of(std::string_view kind) {
  if (kind == "peer_send") return {0, 1};
  if (kind == "peer_receive") return {1, 0};
  return {0, 0};
}

CopyPartner::CopyPartner(Lab& lab)
    : lab_(lab),
      source_(std::min(lab.gpu_count(), kMostGpus), std::size_t(kBufferVectors)),
      target_(std::min(lab.gpu_count(), kMostGpus), std::size_t(kBufferVectors)),
      words_(std::min(lab.gpu_count(), kMostGpus), 1),
      started_(kMostGpus, 0),
      generation_(kMostGpus, 0) {
  words_.fill(0);
  cuda_check(cudaSetDevice(0));
  cuda_check(cudaEventCreateWithFlags(&begun_, cudaEventDisableTiming));
  const int gpu_count = std::min(lab.gpu_count(), kMostGpus);
  for (int gpu = 0; gpu < gpu_count; ++gpu) {
    cuda_check(cudaSetDevice(gpu));
    kernels::launch_stamp_rows({source_.on(gpu).data(), 0, 1, kBufferVectors, kBufferVectors},
                               lab.gpus().stream(gpu));
  }
  lab.gpus().synchronize();
  for (int from = 0; from < gpu_count; ++from)
    for (int to = 0; to < gpu_count; ++to) verify({from, to});
  // The kernels that start() and stop() launch, once before anything waits for them.
  start({0, 0}, kVerifyingCtas, kChunkBytes);
  stop({0, 0});
  lab.gpus().synchronize();
}

CopyPartner::~CopyPartner() {
  cudaEventDestroy(begun_);
}

void CopyPartner::copy(const Place& place, int cta_count, std::int64_t bytes, cudaStream_t stream) {
  const auto gpu = static_cast<std::size_t>(place.gpu);
  cuda_check(cudaSetDevice(place.gpu));
  kernels::launch_stream_copy({source_.on(place.gpu).data(),
                               target_.on(place.target_gpu).data(),
                               kBufferVectors,
                               std::max(bytes / kChunkBytes / cta_count, std::int64_t{1}),
                               words_.on(place.gpu).data(),
                               ++generation_.at(gpu),
                               cta_count},
                              stream);
  started_.at(gpu) += cta_count;
}

void CopyPartner::start(const Place& place, int cta_count, std::int64_t most_bytes) {
  const cudaStream_t stream = lab_.gpus().stream(0);
  const cudaStream_t side = lab_.gpus().side_stream(place.gpu);
  cuda_check(cudaSetDevice(0));
  cuda_check(cudaEventRecord(begun_, stream));
  cuda_check(cudaSetDevice(place.gpu));
  cuda_check(cudaStreamWaitEvent(side, begun_, 0));
  copy(place, cta_count, most_bytes, side);
  cuda_check(cudaSetDevice(0));
  kernels::launch_await_copy(
      words_.on(place.gpu).data(), started_.at(std::size_t(place.gpu)), stream);
}

void CopyPartner::stop(const Place& place) {
  cuda_check(cudaSetDevice(0));
  kernels::launch_stop_copy(
      words_.on(place.gpu).data(), generation_.at(std::size_t(place.gpu)), lab_.gpus().stream(0));
}

double CopyPartner::bytes_copied(int gpu) const {
  return static_cast<double>(words_.on(gpu).download().front().moved);
}

void CopyPartner::verify(const Place& place) {
  target_.on(place.target_gpu).fill(0xff);
  copy(place, kVerifyingCtas, 16 * kBufferVectors, lab_.gpus().stream(place.gpu));
  lab_.gpus().synchronize();
  kernels::DeviceArray<unsigned long long> wrong(place.target_gpu, 1);
  wrong.fill(0);
  kernels::launch_count_wrong_rows(
      {target_.on(place.target_gpu).data(), 0, 1, kBufferVectors, kBufferVectors},
      wrong.data(),
      lab_.gpus().stream(place.target_gpu));
  lab_.gpus().synchronize();
  if (const unsigned long long count = wrong.download().front(); count != 0)
    throw DeviceError("stream_copy from GPU " + std::to_string(place.gpu) + " to GPU " +
                      std::to_string(place.target_gpu) + " left " + std::to_string(count) +
                      " vectors wrong");
}

std::vector<GpuRecord> copies_of(const std::vector<GpuRecord>& records,
                                 int gpu,
                                 std::size_t count) {
  std::vector<GpuRecord> copies = kernels_in_launch_order(records, gpu);
  std::erase_if(copies, [](const GpuRecord& record) {
    return record.name.find("stream_copy_kernel") == std::string::npos;
  });
  if (copies.size() != count)
    throw DeviceError("expected " + std::to_string(count) + " copies, found " +
                      std::to_string(copies.size()));
  return copies;
}

}  // namespace epsim
