// Peers: one pointer a rank, passed to kernels by value, so that no table must be kept on a GPU.
#pragma once

namespace epsim::kernels {

inline constexpr int kMostRanks = 72;  // GPUs of one NVLink domain: an NVL72 rack

// at[r] is rank r's instance of a symmetric allocation; the own rank's is local memory.
template <typename T>
struct Peers {
  T* at[kMostRanks];
};

}  // namespace epsim::kernels
