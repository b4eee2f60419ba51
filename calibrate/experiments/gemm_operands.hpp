// GemmOperands: matrices of one GPU for all GEMMs of an experiment, and the check of their
// products.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "calibrate/gpu_record.hpp"
#include "kernels/device_array.hpp"
#include "kernels/overlap/gemm.hpp"

namespace epsim {

// Throws DeviceError where GEMMs cannot run, so that other experiments still can.
void require_gemm_library();

// What matrices are filled with: a GEMM's power, and with it its clock, depends on that.
enum class MatrixNumbers : std::uint8_t { uniform, normal };

class GemmOperands {
 public:
  // Room for each of `shapes`, filled with numbers.
  GemmOperands(int gpu,
               std::span<const kernels::GemmShape> shapes,
               MatrixNumbers numbers = MatrixNumbers::uniform);

  // Each call takes the next of a few copies of the weights, so that small ones do not stay in L2
  // from one GEMM to the next, as they do not in a model.
  void enqueue(kernels::Gemm& gemm, cudaStream_t stream);

  // Runs it once and looks at some elements. Throws DeviceError when one is wrong. Loads what the
  // GEMM needs, so that it may afterwards be queued beside kernels that wait.
  void verify(kernels::Gemm& gemm, cudaStream_t stream);

 private:
  [[nodiscard]] kernels::GemmMatrices matrices() const;

  MatrixNumbers numbers_;
  std::size_t weight_stride_ = 0;  // elements
  std::size_t weight_copy_ = 0;
  kernels::DeviceArray<std::uint16_t> activations_, weights_, products_;
};

// The GEMM kernels of `gpu`, which are all kernels that are not ours, as they were launched. Throws
// DeviceError unless there are `launches` of them.
[[nodiscard]] std::vector<GpuRecord> gemm_launches(const std::vector<GpuRecord>& records,
                                                   int gpu,
                                                   std::size_t launches);

// The kernels of `gpu`, as they were launched, without the meetings of the lab.
[[nodiscard]] std::vector<GpuRecord> kernels_in_launch_order(const std::vector<GpuRecord>& records,
                                                             int gpu);

// Whether a kernel's record is not of this project's code.
[[nodiscard]] bool is_gemm(const GpuRecord& record);

}  // namespace epsim
