// peer_memory: whether a pointer is what a peer's kernel may be given. A wrong one in a table of
// peers would be written through by another GPU, where no error would name it.
#pragma once

#include <cstddef>
#include <string_view>

namespace epsim::kernels {

// Throws CudaError unless `pointer` is memory of GPU `gpu` with at least `bytes` behind it.
// `name` is what the message calls it.
void check_peer_memory(const void* pointer, int gpu, std::size_t bytes, std::string_view name);

}  // namespace epsim::kernels
