// MemopBatch: writes of words and waits for words as operations of a stream, without a kernel.
#pragma once

#include <cstddef>
#include <vector>

#include <cuda.h>
#include <cuda_runtime_api.h>

namespace epsim::kernels {

class MemopBatch {
 public:
  // What the stream wrote before is visible to the system first: the form of this call that drivers
  // have today takes no flag to leave that out.
  MemopBatch& write(int* word, int value);
  // Until *word >= at_least, counted modulo 2^32. `flush`: then also flushes inbound remote writes,
  // which a GPU can only do where can_flush_remote_writes() says so.
  MemopBatch& wait(const int* word, int at_least, bool flush = false);

  [[nodiscard]] std::size_t size() const { return operations_.size(); }
  // All in one call, in the order in which they were added; also captures into a graph, as one
  // node. Throws CudaError, also where the driver does not offer the call.
  void enqueue(cudaStream_t stream);

 private:
  std::vector<CUstreamBatchMemOpParams> operations_;
};

[[nodiscard]] bool can_flush_remote_writes(int gpu);

}  // namespace epsim::kernels
