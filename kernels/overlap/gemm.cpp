#include "kernels/overlap/gemm.hpp"

#include <array>
#include <cstddef>
#include <mutex>
#include <string>
#include <utility>

#include <cublasLt.h>
#include <dlfcn.h>

#include "kernels/cuda_check.hpp"
#include "kernels/device_array.hpp"
#include "kernels/peers.cuh"

namespace epsim::kernels {
namespace {

// What cuBLAS documents as enough for every algorithm on Hopper.
constexpr std::size_t kMostWorkspace = std::size_t{32} << 20;

void lt_check(cublasStatus_t status,
              const std::source_location& place = std::source_location::current()) {
  if (status != CUBLAS_STATUS_SUCCESS)
    throw CudaError(error_place(place) + "cuBLASLt status " +
                    std::to_string(static_cast<int>(status)));
}

// nullptr where there is none.
void* open_library() {
  for (const char* name : {"libcublasLt.so.13", "libcublasLt.so.12", "libcublasLt.so"})
    if (void* library = dlopen(name, RTLD_NOW | RTLD_LOCAL)) return library;
  return nullptr;
}

void* opened_library() {
  if (void* library = open_library()) return library;
  throw CudaError("no libcublasLt.so.13 or .12 on the library path: GEMMs cannot run");
}

// The functions that we call, under the types of the header. Stays open until the process ends.
struct Library {
  void* library = opened_library();

  template <typename Function>
  Function symbol(const char* name) const {
    void* found = dlsym(library, name);
    if (found == nullptr) throw CudaError(std::string("libcublasLt has no ") + name);
    return reinterpret_cast<Function>(found);
  }

#define EPSIM_LT(name, field) decltype(&name) field = symbol<decltype(&name)>(#name)
  EPSIM_LT(cublasLtCreate, create);
  EPSIM_LT(cublasLtMatmul, matmul);
  EPSIM_LT(cublasLtMatmulDescCreate, create_operation);
  EPSIM_LT(cublasLtMatmulDescDestroy, destroy_operation);
  EPSIM_LT(cublasLtMatmulDescSetAttribute, set_operation);
  EPSIM_LT(cublasLtMatrixLayoutCreate, create_layout);
  EPSIM_LT(cublasLtMatrixLayoutDestroy, destroy_layout);
  EPSIM_LT(cublasLtMatmulPreferenceCreate, create_preference);
  EPSIM_LT(cublasLtMatmulPreferenceDestroy, destroy_preference);
  EPSIM_LT(cublasLtMatmulPreferenceSetAttribute, set_preference);
  EPSIM_LT(cublasLtMatmulAlgoGetHeuristic, choose);
#undef EPSIM_LT
};

const Library& lt() {
  static const Library library;
  return library;
}

// One for each GPU, since it costs milliseconds; never destroyed, since CUDA may be gone before us.
cublasLtHandle_t handle_of(int gpu) {
  static std::array<std::once_flag, kMostRanks> once;
  static std::array<cublasLtHandle_t, kMostRanks> handles{};
  const auto place = static_cast<std::size_t>(gpu);
  cuda_check(cudaSetDevice(gpu));
  std::call_once(once.at(place), [&] { lt_check(lt().create(&handles[place])); });
  return handles[place];
}

// A description that its own function destroys.
template <typename Handle>
class Owned {
 public:
  explicit Owned(cublasStatus_t (*destroy)(Handle)) : destroy_(destroy) {}
  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;
  ~Owned() {
    if (handle_ != nullptr) destroy_(handle_);
  }
  operator Handle() const { return handle_; }
  Handle* out() { return &handle_; }

 private:
  Handle handle_ = nullptr;
  cublasStatus_t (*destroy_)(Handle);
};

}  // namespace

struct Gemm::State {
  GemmShape shape{};
  int gpu = 0;
  cublasLtHandle_t library = nullptr;
  Owned<cublasLtMatmulDesc_t> operation{lt().destroy_operation};
  Owned<cublasLtMatrixLayout_t> a{lt().destroy_layout}, b{lt().destroy_layout},
      c{lt().destroy_layout};
  cublasLtMatmulAlgo_t algorithm{};
  DeviceArray<std::byte> workspace;

  void describe(int sm_target);
  void choose_algorithm();
};

// cuBLASLt counts by columns: it sees our row-major A[m][k] as a matrix k by m, and computes C^T
// [n by m] = (B^T)^T A^T.
void Gemm::State::describe(int sm_target) {
  const auto m = static_cast<std::uint64_t>(shape.m);
  const auto n = static_cast<std::uint64_t>(shape.n);
  const auto k = static_cast<std::uint64_t>(shape.k);
  lt_check(lt().create_operation(operation.out(), CUBLAS_COMPUTE_32F, CUDA_R_32F));
  const cublasOperation_t transposed = CUBLAS_OP_T;
  lt_check(
      lt().set_operation(operation, CUBLASLT_MATMUL_DESC_TRANSA, &transposed, sizeof transposed));
  if (sm_target > 0) {
    const std::int32_t target = sm_target;
    lt_check(lt().set_operation(
        operation, CUBLASLT_MATMUL_DESC_SM_COUNT_TARGET, &target, sizeof target));
  }
  lt_check(lt().create_layout(b.out(), CUDA_R_16BF, k, n, shape.k));
  lt_check(lt().create_layout(a.out(), CUDA_R_16BF, k, m, shape.k));
  lt_check(lt().create_layout(c.out(), CUDA_R_16BF, n, m, shape.n));
}

void Gemm::State::choose_algorithm() {
  Owned<cublasLtMatmulPreference_t> preference{lt().destroy_preference};
  lt_check(lt().create_preference(preference.out()));
  lt_check(lt().set_preference(preference,
                               CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                               &kMostWorkspace,
                               sizeof kMostWorkspace));
  // No second kernel that adds up parts: a GEMM is one kernel, and a trace can tell them apart.
  const std::uint32_t no_reduction = CUBLASLT_REDUCTION_SCHEME_NONE;
  lt_check(lt().set_preference(
      preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &no_reduction, sizeof no_reduction));
  cublasLtMatmulHeuristicResult_t choice{};
  int found = 0;
  lt_check(lt().choose(library, operation, b, a, c, c, preference, 1, &choice, &found));
  if (found < 1 || choice.state != CUBLAS_STATUS_SUCCESS)
    throw CudaError("cuBLASLt has no algorithm for a GEMM " + std::to_string(shape.m) + " x " +
                    std::to_string(shape.n) + " x " + std::to_string(shape.k));
  algorithm = choice.algo;
  workspace = DeviceArray<std::byte>(gpu, choice.workspaceSize);
}

bool has_gemm_library() {
  static const bool found = open_library() != nullptr;
  return found;
}

Gemm::Gemm(int gpu, const GemmShape& shape, int sm_target) : state_(std::make_unique<State>()) {
  state_->shape = shape;
  state_->gpu = gpu;
  state_->library = handle_of(gpu);
  state_->describe(sm_target);
  state_->choose_algorithm();
}

Gemm::Gemm(Gemm&&) noexcept = default;
Gemm& Gemm::operator=(Gemm&&) noexcept = default;
Gemm::~Gemm() = default;

const GemmShape& Gemm::shape() const {
  return state_->shape;
}

void Gemm::enqueue(const GemmMatrices& matrices, cudaStream_t stream) {
  const float one = 1;
  const float zero = 0;
  const State& s = *state_;
  cuda_check(cudaSetDevice(s.gpu));
  lt_check(lt().matmul(s.library,
                       s.operation,
                       &one,
                       matrices.b,
                       s.b,
                       matrices.a,
                       s.a,
                       &zero,
                       matrices.c,
                       s.c,
                       matrices.c,
                       s.c,
                       &s.algorithm,
                       s.workspace.data(),
                       s.workspace.bytes(),
                       stream));
}

}  // namespace epsim::kernels
