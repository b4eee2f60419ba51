// Gemm: one BF16 matrix product by cuBLASLt, its algorithm chosen once. The only door to cuBLASLt,
// which is opened at run time: nothing links it, and a machine without it can do everything else.
#pragma once

#include <cstdint>
#include <memory>

#include <cuda_runtime_api.h>

namespace epsim::kernels {

// C[m][n] = sum over k of A[m][k] B[n][k]: activations by weights, all row-major, sums in float32.
struct GemmShape {
  std::int64_t m, n, k;
  friend bool operator==(const GemmShape&, const GemmShape&) = default;
};

// Each matrix read or written once.
constexpr std::int64_t bytes_moved(const GemmShape& shape) {
  return 2 * (shape.m * shape.k + shape.n * shape.k + shape.m * shape.n);
}
constexpr std::int64_t operations(const GemmShape& shape) {
  return 2 * shape.m * shape.n * shape.k;
}

// Memory of the GPU, BF16.
struct GemmMatrices {
  const std::uint16_t* a;
  const std::uint16_t* b;
  std::uint16_t* c;
};

// Whether cuBLASLt is on the library path.
[[nodiscard]] bool has_gemm_library();

class Gemm {
 public:
  // `sm_target`: SMs that the algorithm is chosen for and keeps to; 0 for all. Throws CudaError
  // where there is no cuBLASLt or no algorithm.
  Gemm(int gpu, const GemmShape& shape, int sm_target);
  Gemm(Gemm&&) noexcept;
  Gemm& operator=(Gemm&&) noexcept;
  ~Gemm();

  [[nodiscard]] const GemmShape& shape() const;

  // On a stream of its GPU, which becomes the current one. One at a time: the workspace is the
  // Gemm's own. The first call may load code, and must not be made while a kernel waits for it.
  void enqueue(const GemmMatrices& matrices, cudaStream_t stream);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace epsim::kernels
