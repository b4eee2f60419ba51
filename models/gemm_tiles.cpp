#include "models/gemm_tiles.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <vector>

namespace epsim {
namespace {

// Of a round that cuBLASLt leaves used: it picks tiles by it, and shapes are multiples of 128.
constexpr double kUsedRound = 128.0 / 132.0;
// Threads of a CTA of PyTorch's elementwise kernels (aten/src/ATen/native/cuda/thread_constants.h).
constexpr std::uint64_t kElementwiseThreads = 128;

// Unsigned number at `at`, which moves behind it.
std::optional<std::uint64_t> number_at(std::string_view text, std::size_t& at) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data() + at, text.data() + text.size(), value);
  if (error != std::errc{}) return std::nullopt;
  at = static_cast<std::size_t>(end - text.data());
  return value;
}

// What a kernel of a layer reads, as far as it tells how deep its sums are.
enum class Place : std::uint8_t { behind_elementwise, elsewhere };

struct Gemm {
  std::size_t task;
  double elements_per_tile;
  double slots;
  Place place;
};

// Next task of the stream that is no copy, or the last one before: -1 where there is none.
std::ptrdiff_t neighbour(const GpuStep& step, std::size_t task, std::ptrdiff_t direction) {
  auto i = static_cast<std::ptrdiff_t>(task) + direction;
  for (; i >= 0 && i < std::ssize(step.tasks); i += direction) {
    const StepTask& other = step.tasks[static_cast<std::size_t>(i)];
    if (other.stream == step.tasks[task].stream && other.kernel_class != KernelClass::copy)
      return i;
  }
  return -1;
}

bool is_elementwise(const GpuStep& step, std::ptrdiff_t task) {
  if (task < 0) return false;
  const StepTask& other = step.tasks[static_cast<std::size_t>(task)];
  return elementwise_elements(other.name, other.cta_count).has_value();
}

// An activation of a gate and a product with it follow one GEMM that wrote both halves.
std::optional<double> elements_written(const GpuStep& step, std::size_t gemm) {
  const std::ptrdiff_t first = neighbour(step, gemm, 1);
  if (!is_elementwise(step, first)) return std::nullopt;
  const StepTask& one = step.tasks[static_cast<std::size_t>(first)];
  const double elements = static_cast<double>(*elementwise_elements(one.name, one.cta_count));
  const std::ptrdiff_t second = neighbour(step, static_cast<std::size_t>(first), 1);
  const bool pair = is_elementwise(step, second) &&
                    step.tasks[static_cast<std::size_t>(second)].cta_count == one.cta_count;
  return pair ? 2.0 * elements : elements;
}

std::vector<Gemm> gemms_of(const GpuStep& step) {
  std::vector<Gemm> gemms;
  for (std::size_t i = 0; i < step.tasks.size(); ++i) {
    const StepTask& task = step.tasks[i];
    if (!task.is_persistent || task.family != "GEMM") continue;
    const auto elements = tile_elements(task.name);
    if (!elements) continue;
    // An addition is a residual: behind it, a row of the hidden size is read.
    const std::ptrdiff_t before = neighbour(step, i, -1);
    const bool product =
        is_elementwise(step, before) &&
        step.tasks[static_cast<std::size_t>(before)].name.find("add") == std::string::npos &&
        step.tasks[static_cast<std::size_t>(before)].name.find("Add") == std::string::npos;
    gemms.push_back(
        {i,
         static_cast<double>(*elements),
         static_cast<double>(std::min(task.cta_count, step.sm_count * task.ctas_per_sm)),
         product ? Place::behind_elementwise : Place::elsewhere});
  }
  return gemms;
}

}  // namespace

std::optional<std::uint64_t> tile_elements(std::string_view kernel_name) {
  // The first "AxB" of two numbers of which neither is small: clusters are, tiles are not.
  for (std::size_t i = 1; i < kernel_name.size(); ++i) {
    if (std::isdigit(static_cast<unsigned char>(kernel_name[i])) == 0 || kernel_name[i - 1] != '_')
      continue;
    std::size_t at = i;
    const auto rows = number_at(kernel_name, at);
    if (!rows || at >= kernel_name.size() || kernel_name[at] != 'x') continue;
    ++at;
    const auto columns = number_at(kernel_name, at);
    constexpr std::uint64_t kLeast = 16, kMost = 1024;
    if (columns && *rows >= kLeast && *columns >= kLeast && *rows <= kMost && *columns <= kMost)
      return *rows * *columns;
  }
  return std::nullopt;
}

std::optional<std::uint64_t> elementwise_elements(std::string_view kernel_name,
                                                  std::uint32_t cta_count) {
  // Elements of a thread stand behind the kernel's name: <8, ...> of the vectorised one, <128, 4,
  // ...> of the other.
  const auto behind = [&](std::string_view kernel) -> std::optional<std::size_t> {
    const std::size_t found = kernel_name.find(kernel);
    if (found == std::string_view::npos) return std::nullopt;
    return found + kernel.size();
  };
  for (const std::string_view kernel : {std::string_view("vectorized_elementwise_kernel<"),
                                        std::string_view("elementwise_kernel<128, ")})
    if (auto at = behind(kernel))
      if (const auto each = number_at(kernel_name, *at))
        return std::uint64_t{cta_count} * kElementwiseThreads * *each;
  return std::nullopt;
}

TileEvidence find_tiles(GpuStep& step) {
  TileEvidence evidence;
  const std::vector<Gemm> gemms = gemms_of(step);
  // Microseconds of an output element, by place: longest, because it is the deepest sums' that
  // unknown GEMMs elsewhere share.
  std::array<double, 2> element_us{};
  for (const Gemm& gemm : gemms) {
    StepTask& task = step.tasks[gemm.task];
    const auto written = elements_written(step, gemm.task);
    if (!written) continue;
    const double tiles = std::ceil(*written / gemm.elements_per_tile);
    task.tile_count = static_cast<std::uint32_t>(tiles);
    ++evidence.told;
    const double rounds = std::ceil(tiles / gemm.slots);
    double& longest = element_us.at(static_cast<std::size_t>(gemm.place));
    longest = std::max(longest, to_us(task.time) / rounds / gemm.elements_per_tile);
  }
  for (const Gemm& gemm : gemms) {
    StepTask& task = step.tasks[gemm.task];
    if (task.tile_count > 0) continue;
    const double us = element_us.at(static_cast<std::size_t>(gemm.place));
    if (us <= 0) {
      ++evidence.unknown;
      continue;
    }
    const double rounds =
        std::max(1.0, std::round(to_us(task.time) / (us * gemm.elements_per_tile)));
    task.tile_count = static_cast<std::uint32_t>(std::ceil(rounds * gemm.slots * kUsedRound));
    ++evidence.alike;
  }
  return evidence;
}

}  // namespace epsim
