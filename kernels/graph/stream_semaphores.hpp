// stream_semaphores: words that streams write and wait for without a kernel (stream memory
// operations of the driver, found at run time so that the program starts without a driver).
//
// A write fences all earlier work of its stream to the whole system before it stores. A wait only
// promises that the word was seen; with `flush`, where the GPU can, also that remote writes which
// arrived before it are visible to what follows. Ask can_flush_remote_writes() first.
#pragma once

#include <span>

#include <cuda_runtime_api.h>

namespace epsim::kernels {

// Both enqueue one batch, in stream order, and may be captured. No words: nothing is enqueued.
void enqueue_writes(std::span<int* const> words, int value, cudaStream_t stream);
void enqueue_waits(std::span<int* const> words, int value, bool flush, cudaStream_t stream);

}  // namespace epsim::kernels
