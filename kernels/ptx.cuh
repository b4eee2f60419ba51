// ptx: the instructions that CUDA C++ has no word for, one function an instruction. Every one that
// orders memory carries a "memory" clobber, so that the compiler moves nothing across it.
#pragma once

#include <cstdint>

#include <cuda_runtime.h>

namespace epsim::kernels {

// --- Signals -----------------------------------------------------------------------------------

__device__ __forceinline__ void store_release_sys(int* word, int value) {
  asm volatile("st.release.sys.global.s32 [%0], %1;" ::"l"(word), "r"(value) : "memory");
}
__device__ __forceinline__ void store_relaxed_sys(int* word, int value) {
  asm volatile("st.relaxed.sys.global.s32 [%0], %1;" ::"l"(word), "r"(value) : "memory");
}
__device__ __forceinline__ int load_acquire_sys(const int* word) {
  int value;
  asm volatile("ld.acquire.sys.global.s32 %0, [%1];" : "=r"(value) : "l"(word) : "memory");
  return value;
}
__device__ __forceinline__ int load_relaxed_sys(const int* word) {
  int value;
  asm volatile("ld.relaxed.sys.global.s32 %0, [%1];" : "=r"(value) : "l"(word) : "memory");
  return value;
}
__device__ __forceinline__ int load_acquire_gpu(const int* word) {
  int value;
  asm volatile("ld.acquire.gpu.global.s32 %0, [%1];" : "=r"(value) : "l"(word) : "memory");
  return value;
}
// Returns the value before the addition.
__device__ __forceinline__ int add_release_gpu(int* word, int value) {
  int before;
  asm volatile("atom.add.release.gpu.global.s32 %0, [%1], %2;"
               : "=r"(before)
               : "l"(word), "r"(value)
               : "memory");
  return before;
}

// --- Clocks ------------------------------------------------------------------------------------

// Nanoseconds of a clock that all SMs of a GPU share; ticks of 32 ns on H200.
__device__ __forceinline__ std::uint64_t global_timer() {
  std::uint64_t now;
  asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(now)::"memory");
  return now;
}
// Cycles of this SM.
__device__ __forceinline__ std::uint64_t cycle_counter() {
  std::uint64_t now;
  asm volatile("mov.u64 %0, %%clock64;" : "=l"(now)::"memory");
  return now;
}

// --- Streaming loads and stores of 16 bytes ------------------------------------------------------

__device__ __forceinline__ uint4 load_streaming(const uint4* from) {
  uint4 v;
  asm volatile("ld.global.nc.L1::no_allocate.L2::256B.v4.u32 {%0,%1,%2,%3}, [%4];"
               : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
               : "l"(from));
  return v;
}
__device__ __forceinline__ void store_streaming(uint4* to, uint4 v) {
  asm volatile("st.global.L1::no_allocate.v4.u32 [%0], {%1,%2,%3,%4};" ::"l"(to),
               "r"(v.x),
               "r"(v.y),
               "r"(v.z),
               "r"(v.w)
               : "memory");
}

// --- Fences ------------------------------------------------------------------------------------

__device__ __forceinline__ void fence_acq_rel_cta() {
  asm volatile("fence.acq_rel.cta;" ::: "memory");
}
__device__ __forceinline__ void fence_acq_rel_gpu() {
  asm volatile("fence.acq_rel.gpu;" ::: "memory");
}
__device__ __forceinline__ void fence_acq_rel_sys() {
  asm volatile("fence.acq_rel.sys;" ::: "memory");
}
__device__ __forceinline__ void fence_sc_gpu() {
  asm volatile("fence.sc.gpu;" ::: "memory");
}
__device__ __forceinline__ void fence_sc_sys() {
  asm volatile("fence.sc.sys;" ::: "memory");
}

// Named barrier of `threads` threads of the CTA.
__device__ __forceinline__ void named_barrier(int id, int threads) {
  asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(threads) : "memory");
}

// --- Asynchronous proxy: bulk copies and the barriers that count their bytes (sm_90 and later) ---

#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 900
#define EPSIM_HAS_BULK_COPY 1

__device__ __forceinline__ void fence_proxy_async() {
  asm volatile("fence.proxy.async;" ::: "memory");
}
__device__ __forceinline__ void fence_proxy_async_global() {
  asm volatile("fence.proxy.async.global;" ::: "memory");
}
__device__ __forceinline__ void fence_proxy_async_shared_cta() {
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}

__device__ __forceinline__ std::uint32_t shared_address(const void* p) {
  return static_cast<std::uint32_t>(__cvta_generic_to_shared(p));
}
__device__ __forceinline__ void mbarrier_init(std::uint64_t* barrier, int arrivals) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(barrier)),
               "r"(arrivals)
               : "memory");
}
__device__ __forceinline__ void mbarrier_invalidate(std::uint64_t* barrier) {
  asm volatile("mbarrier.inval.shared::cta.b64 [%0];" ::"r"(shared_address(barrier)) : "memory");
}
// Makes initialised barriers visible to the asynchronous proxy.
__device__ __forceinline__ void fence_mbarrier_init() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}
__device__ __forceinline__ void mbarrier_arrive(std::uint64_t* barrier) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(barrier))
               : "memory");
}
__device__ __forceinline__ void mbarrier_arrive_expect(std::uint64_t* barrier, int bytes) {
  asm volatile(
      "mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(barrier)),
      "r"(bytes)
      : "memory");
}
// Waits until the phase of that parity has completed.
__device__ __forceinline__ void mbarrier_wait(std::uint64_t* barrier, std::uint32_t parity) {
  asm volatile(
      "{\n.reg .pred done;\nWAIT_%=:\n"
      "mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1, 0x989680;\n"
      "@done bra DONE_%=;\nbra WAIT_%=;\nDONE_%=:\n}" ::"r"(shared_address(barrier)),
      "r"(parity)
      : "memory");
}
// Addresses and size: multiples of 16 bytes. Counts its bytes into `barrier`.
__device__ __forceinline__ void bulk_load(void* shared,
                                          const void* global,
                                          std::uint64_t* barrier,
                                          int bytes) {
  asm volatile(
      "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::
          "r"(shared_address(shared)),
      "l"(global),
      "r"(bytes),
      "r"(shared_address(barrier))
      : "memory");
}
// A bulk group of its own.
__device__ __forceinline__ void bulk_store(void* global, const void* shared, int bytes) {
  asm volatile(
      "cp.async.bulk.global.shared::cta.bulk_group [%0], [%1], %2;\n"
      "cp.async.bulk.commit_group;" ::"l"(global),
      "r"(shared_address(shared)),
      "r"(bytes)
      : "memory");
}
// Until at most N groups of this thread are under way: done, or (read) no longer need their source.
template <int N>
__device__ __forceinline__ void bulk_wait() {
  asm volatile("cp.async.bulk.wait_group %0;" ::"n"(N) : "memory");
}
template <int N>
__device__ __forceinline__ void bulk_wait_read() {
  asm volatile("cp.async.bulk.wait_group.read %0;" ::"n"(N) : "memory");
}
#endif

// --- Waiting for others --------------------------------------------------------------------------

// A wait that outlasts this many cycles (about 2 s) traps: a hang becomes an error that the host
// sees.
inline constexpr std::uint64_t kLongestWait = 4'000'000'000ULL;

// Spins until ready() is true.
template <typename Ready>
__device__ __forceinline__ void spin_until(Ready ready) {
  const std::uint64_t begin = cycle_counter();
  while (!ready())
    if (cycle_counter() - begin > kLongestWait) __trap();
}

}  // namespace epsim::kernels
