#include "models/cta_residency.hpp"

#include <algorithm>
#include <optional>
#include <vector>

namespace epsim {
namespace {

// CUDA C++ Programming Guide, technical specifications by compute capability 9.0 and 10.0, and the
// Hopper tuning guide: 64 warps and 32 blocks to an SM; 65 536 registers, given out to a warp in
// lots of 256; 228 KiB of shared memory, of which the system keeps 1 KiB a block.
constexpr std::uint32_t kWarpsOfSm = 64, kBlocksOfSm = 32, kRegistersOfSm = 65'536;
constexpr std::uint32_t kRegisterLot = 256, kThreadsOfWarp = 32, kPartsOfSm = 4;
constexpr std::uint32_t kSharedMemoryOfSm = 228 * 1024, kSharedMemoryKept = 1024;
constexpr std::uint32_t kLargestCluster = 16;  // cudaFuncAttributeNonPortableClusterSizeAllowed

constexpr std::uint32_t ceil_divide(std::uint32_t a, std::uint32_t b) {
  return (a + b - 1) / b;
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// The numbers of "2x1" or "2x1x1" when `word` is nothing else; their product, else nothing.
struct Extent {
  std::uint32_t dimensions = 0, product = 1;
};
std::optional<Extent> extent_of(std::string_view word) {
  Extent extent;
  std::size_t at = 0;
  while (at < word.size()) {
    std::uint32_t number = 0;
    const std::size_t first = at;
    for (; at < word.size() && is_digit(word[at]) && at < first + 4; ++at)
      number = number * 10 + static_cast<std::uint32_t>(word[at] - '0');
    if (at == first || number == 0) return std::nullopt;
    extent.product *= number;
    if (++extent.dimensions > 3) return std::nullopt;
    if (at == word.size()) break;
    if (word[at] != 'x' || at + 1 == word.size()) return std::nullopt;
    ++at;
  }
  if (extent.dimensions < 2) return std::nullopt;
  return extent;
}

// "nvjet_sm90_tst_256x128_64x4_1x2_h_bz": tile, depth by stages, cluster. CUTLASS writes tile and
// cluster with three numbers each ("128x128x64_2x1x1_0"), cuDNN "cga1x1x1". A tile is far larger
// than a cluster can be, so the last small extent is the cluster.
std::uint32_t cluster_of_name(std::string_view name) {
  const bool is_nvjet = name.starts_with("nvjet");
  std::uint32_t cluster = 1, extents = 0;
  for (std::size_t first = 0; first < name.size();) {
    const std::size_t last = std::min(name.find('_', first), name.size());
    std::string_view word = name.substr(first, last - first);
    const bool is_cga = word.starts_with("cga");
    if (is_cga) word.remove_prefix(3);
    if (const auto extent = extent_of(word)) {
      ++extents;
      const bool is_cluster = is_nvjet ? extent->dimensions == 2 && extents == 3
                                       : is_cga || (extent->dimensions == 3 && extents > 1);
      if (is_cluster && extent->product <= kLargestCluster) cluster = extent->product;
    }
    first = last + 1;
  }
  return cluster;
}

// DeepEP's SETUP_LAUNCH_CONFIG: cooperative, in pairs when the number of blocks is even.
bool is_of_deep_ep(std::string_view kernel_name) {
  return kernel_name.find("deep_ep::") != std::string_view::npos;
}

// NCCL's kernels on Hopper and later (NCCL_CGA_CLUSTER_SIZE in its user guide: 4 by default).
bool is_of_nccl(std::string_view kernel_name) {
  return kernel_name.starts_with("nccl");
}

}  // namespace

std::uint16_t ctas_per_sm(const GpuActivity& kernel) {
  const std::uint32_t threads =
      std::max(1U, kernel.block[0] * std::max(1U, kernel.block[1]) * std::max(1U, kernel.block[2]));
  const std::uint32_t warps = ceil_divide(threads, kThreadsOfWarp);
  const std::uint32_t warp_registers =
      ceil_divide(std::uint32_t{kernel.registers} * kThreadsOfWarp, kRegisterLot) * kRegisterLot;
  std::uint32_t fit = std::min(kBlocksOfSm, kWarpsOfSm / std::min(warps, kWarpsOfSm));
  // Each of the four parts of an SM has a quarter of the registers.
  if (warp_registers > 0)
    fit = std::min(fit, kRegistersOfSm / kPartsOfSm / warp_registers * kPartsOfSm / warps);
  fit = std::min(
      fit,
      kSharedMemoryOfSm / (std::min(kernel.shared_memory, kSharedMemoryOfSm) + kSharedMemoryKept));
  return static_cast<std::uint16_t>(std::max(1U, fit));
}

std::uint16_t cluster_size(std::string_view kernel_name, std::uint64_t block_count) {
  std::uint32_t cluster = 1;
  if (is_of_deep_ep(kernel_name))
    cluster = block_count % 2 == 0 ? 2 : 1;
  else if (is_of_nccl(kernel_name))
    cluster = block_count % 4 == 0 ? 4 : (block_count % 2 == 0 ? 2 : 1);
  else
    cluster = cluster_of_name(kernel_name);
  return static_cast<std::uint16_t>(block_count % cluster == 0 ? cluster : 1);
}

bool starts_whole(std::string_view kernel_name) {
  return is_of_deep_ep(kernel_name);
}

}  // namespace epsim
