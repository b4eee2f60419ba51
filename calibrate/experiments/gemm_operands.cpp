#include "calibrate/experiments/gemm_operands.hpp"

#include <algorithm>
#include <string>

#include "calibrate/device_error.hpp"
#include "kernels/cuda_check.hpp"
#include "kernels/overlap/fill_matrix.cuh"
#include "kernels/reference/gemm_reference.hpp"

namespace epsim {
namespace {

constexpr std::size_t kWeightCopies = 3;  // of the largest weights: more than any L2 holds
constexpr std::uint32_t kActivationSeed = 1;
constexpr std::uint32_t kFirstWeightSeed = 2;  // one more with each copy
constexpr int kCheckedElements = 16;           // of a product: its corners and places between
constexpr double kMostNormalProduct = 12.1;    // of two of normal_value, below 3.47 each

std::size_t most(std::span<const kernels::GemmShape> shapes,
                 std::int64_t (*elements)(const kernels::GemmShape&)) {
  std::int64_t largest = 0;
  for (const kernels::GemmShape& shape : shapes) largest = std::max(largest, elements(shape));
  return static_cast<std::size_t>(largest);
}

}  // namespace

void require_gemm_library() {
  if (!kernels::has_gemm_library())
    throw DeviceError("no libcublasLt.so.13 or .12 on the library path: no GEMM to measure beside");
}

GemmOperands::GemmOperands(int gpu,
                           std::span<const kernels::GemmShape> shapes,
                           MatrixNumbers numbers)
    : numbers_(numbers),
      weight_stride_(most(shapes, [](const kernels::GemmShape& s) { return s.n * s.k; })),
      activations_(gpu, most(shapes, [](const kernels::GemmShape& s) { return s.m * s.k; })),
      weights_(gpu, kWeightCopies * weight_stride_),
      products_(gpu, most(shapes, [](const kernels::GemmShape& s) { return s.m * s.n; })) {
  kernels::cuda_check(cudaSetDevice(gpu));
  const auto fill = numbers == MatrixNumbers::normal ? &kernels::launch_fill_normal_matrix
                                                     : &kernels::launch_fill_matrix;
  fill(activations_.data(),
       static_cast<std::int64_t>(activations_.size()),
       kActivationSeed,
       nullptr);
  for (std::size_t copy = 0; copy < kWeightCopies; ++copy)
    fill(weights_.data() + copy * weight_stride_,
         static_cast<std::int64_t>(weight_stride_),
         kFirstWeightSeed + static_cast<std::uint32_t>(copy),
         nullptr);
  kernels::cuda_check(cudaDeviceSynchronize());
}

kernels::GemmMatrices GemmOperands::matrices() const {
  return {activations_.data(), weights_.data() + weight_copy_ * weight_stride_, products_.data()};
}

void GemmOperands::enqueue(kernels::Gemm& gemm, cudaStream_t stream) {
  weight_copy_ = (weight_copy_ + 1) % kWeightCopies;
  gemm.enqueue(matrices(), stream);
}

void GemmOperands::verify(kernels::Gemm& gemm, cudaStream_t stream) {
  products_.fill(0xff);  // BF16's NaN
  enqueue(gemm, stream);
  kernels::cuda_check(cudaStreamSynchronize(stream));
  const kernels::GemmShape& shape = gemm.shape();
  const bool normal = numbers_ == MatrixNumbers::normal;
  const auto value = normal ? &kernels::normal_value : &kernels::matrix_value;
  const double most = normal ? kMostNormalProduct : 1;  // of a product of two elements
  const std::uint32_t weight_seed = kFirstWeightSeed + static_cast<std::uint32_t>(weight_copy_);
  for (int i = 0; i < kCheckedElements; ++i) {
    const std::int64_t row = (shape.m - 1) * i / (kCheckedElements - 1);
    const std::int64_t column = (shape.n - 1) * (i * 7 % kCheckedElements) / (kCheckedElements - 1);
    const auto place = static_cast<std::size_t>(row * shape.n + column);
    const auto found =
        static_cast<double>(kernels::float_of_bf16(products_.download(place, 1).front()));
    const double expected =
        kernels::product_element(kActivationSeed, weight_seed, shape.k, row, column, value);
    if (!kernels::is_product_element(found / most, expected / most, shape.k))
      throw DeviceError("GEMM: element " + std::to_string(row) + ", " + std::to_string(column) +
                        " is " + std::to_string(found) + ", not " + std::to_string(expected));
  }
}

bool is_gemm(const GpuRecord& record) {
  return record.activity == GpuRecordKind::kernel &&
         record.name.find("epsim::") == std::string::npos;
}

std::vector<GpuRecord> kernels_in_launch_order(const std::vector<GpuRecord>& records, int gpu) {
  std::vector<GpuRecord> found;
  for (const GpuRecord& record : records)
    if (record.gpu == gpu && record.activity == GpuRecordKind::kernel &&
        record.name.find("rank_barrier") == std::string::npos)
      found.push_back(record);
  std::sort(found.begin(), found.end(), [](const GpuRecord& a, const GpuRecord& b) {
    return a.correlation < b.correlation;
  });
  return found;
}

std::vector<GpuRecord> gemm_launches(const std::vector<GpuRecord>& records,
                                     int gpu,
                                     std::size_t launches) {
  std::vector<GpuRecord> found = kernels_in_launch_order(records, gpu);
  std::erase_if(found, [](const GpuRecord& record) { return !is_gemm(record); });
  if (found.size() != launches)
    throw DeviceError("GPU " + std::to_string(gpu) + " shows " + std::to_string(found.size()) +
                      " GEMM kernels instead of " + std::to_string(launches));
  return found;
}

}  // namespace epsim
