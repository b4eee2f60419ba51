#include "kernels/graph/stream_semaphores.hpp"

#include <cstdint>
#include <vector>

#include "kernels/cuda_check.hpp"
#include "kernels/graph/driver_function.hpp"

namespace epsim::kernels {
namespace {

void enqueue(std::vector<CUstreamBatchMemOpParams>& operations, cudaStream_t stream) {
  static const auto batch =
      driver_function<decltype(&cuStreamBatchMemOp)>("cuStreamBatchMemOp", 12000);
  if (operations.empty()) return;
  cuda_check(batch(stream, static_cast<unsigned>(operations.size()), operations.data(), 0));
}

CUdeviceptr address_of(int* word) {
  return static_cast<CUdeviceptr>(reinterpret_cast<std::uintptr_t>(word));
}

}  // namespace

void enqueue_writes(std::span<int* const> words, int value, cudaStream_t stream) {
  std::vector<CUstreamBatchMemOpParams> operations;
  for (int* word : words) {
    CUstreamBatchMemOpParams operation{};
    operation.writeValue.operation = CU_STREAM_MEM_OP_WRITE_VALUE_32;
    operation.writeValue.address = address_of(word);
    operation.writeValue.value = static_cast<cuuint32_t>(value);
    operation.writeValue.flags = CU_STREAM_WRITE_VALUE_DEFAULT;
    operations.push_back(operation);
  }
  enqueue(operations, stream);
}

void enqueue_waits(std::span<int* const> words, int value, bool flush, cudaStream_t stream) {
  std::vector<CUstreamBatchMemOpParams> operations;
  for (int* word : words) {
    CUstreamBatchMemOpParams operation{};
    operation.waitValue.operation = CU_STREAM_MEM_OP_WAIT_VALUE_32;
    operation.waitValue.address = address_of(word);
    operation.waitValue.value = static_cast<cuuint32_t>(value);
    operation.waitValue.flags = CU_STREAM_WAIT_VALUE_EQ;
    if (flush) operation.waitValue.flags |= CU_STREAM_WAIT_VALUE_FLUSH;
    operations.push_back(operation);
  }
  enqueue(operations, stream);
}

}  // namespace epsim::kernels
