// call_marker: two empty kernels that begin and end a call, so that a recorder which does not see
// stream memory operations still sees when the call began and when its last wait was over.
#pragma once

#include <cuda_runtime.h>

namespace epsim::kernels {

void launch_call_begin(cudaStream_t stream);  // "call_begin_kernel"
void launch_call_end(cudaStream_t stream);    // "call_end_kernel"

}  // namespace epsim::kernels
