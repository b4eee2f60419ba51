#include "kernels/micro/memop_batch.hpp"

#include <cstdint>

#include "kernels/cuda_check.hpp"

namespace epsim::kernels {
namespace {

using EnqueueCall = CUresult(CUDAAPI*)(CUstream, unsigned, CUstreamBatchMemOpParams*, unsigned);

// Looked up at run time, so that a program which never asks starts without a driver.
EnqueueCall find_enqueue_call() {
  constexpr unsigned kSecondForm = 12000;  // CUDA version from which every driver has this form
  void* found = nullptr;
  cudaDriverEntryPointQueryResult result = cudaDriverEntryPointSymbolNotFound;
  cuda_check(cudaGetDriverEntryPointByVersion(
      "cuStreamBatchMemOp", &found, kSecondForm, cudaEnableDefault, &result));
  if (result != cudaDriverEntryPointSuccess || found == nullptr)
    throw CudaError("the driver has no cuStreamBatchMemOp");
  return reinterpret_cast<EnqueueCall>(found);
}

CUdeviceptr address_of(const int* word) {
  return reinterpret_cast<std::uintptr_t>(word);
}

}  // namespace

MemopBatch& MemopBatch::write(int* word, int value) {
  CUstreamBatchMemOpParams operation{};
  operation.writeValue.operation = CU_STREAM_MEM_OP_WRITE_VALUE_32;
  operation.writeValue.address = address_of(word);
  operation.writeValue.value = static_cast<cuuint32_t>(value);
  operation.writeValue.flags = CU_STREAM_WRITE_VALUE_DEFAULT;
  operations_.push_back(operation);
  return *this;
}

MemopBatch& MemopBatch::wait(const int* word, int at_least, bool flush) {
  CUstreamBatchMemOpParams operation{};
  operation.waitValue.operation = CU_STREAM_MEM_OP_WAIT_VALUE_32;
  operation.waitValue.address = address_of(word);
  operation.waitValue.value = static_cast<cuuint32_t>(at_least);
  operation.waitValue.flags =
      unsigned{CU_STREAM_WAIT_VALUE_GEQ} | (flush ? unsigned{CU_STREAM_WAIT_VALUE_FLUSH} : 0U);
  operations_.push_back(operation);
  return *this;
}

void MemopBatch::enqueue(cudaStream_t stream) {
  static const EnqueueCall call = find_enqueue_call();
  cuda_check(call(stream, static_cast<unsigned>(operations_.size()), operations_.data(), 0));
}

bool can_flush_remote_writes(int gpu) {
  int can = 0;
  cuda_check(cudaDeviceGetAttribute(&can, cudaDevAttrCanFlushRemoteWrites, gpu));
  return can != 0;
}

}  // namespace epsim::kernels
