// CapturedGraph: what a function enqueues on a stream, kept as a graph to be launched many times.
#pragma once

#include <functional>

#include <cuda_runtime_api.h>

#include "kernels/cuda_check.hpp"

namespace epsim {

class CapturedGraph {
 public:
  // The stream's GPU is current, now and at each launch.
  CapturedGraph(cudaStream_t stream, const std::function<void()>& enqueue) : stream_(stream) {
    kernels::cuda_check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
    enqueue();
    cudaGraph_t graph = nullptr;
    kernels::cuda_check(cudaStreamEndCapture(stream, &graph));
    const cudaError_t status = cudaGraphInstantiate(&executable_, graph, 0);
    cudaGraphDestroy(graph);
    kernels::cuda_check(status);
    kernels::cuda_check(cudaGraphUpload(executable_, stream));
    kernels::cuda_check(cudaStreamSynchronize(stream));
  }
  CapturedGraph(const CapturedGraph&) = delete;
  CapturedGraph& operator=(const CapturedGraph&) = delete;
  ~CapturedGraph() { cudaGraphExecDestroy(executable_); }

  void launch() const { kernels::cuda_check(cudaGraphLaunch(executable_, stream_)); }

 private:
  cudaStream_t stream_;
  cudaGraphExec_t executable_ = nullptr;
};

}  // namespace epsim
