#include "calibrate/experiments/elementwise_check.hpp"

#include <cstddef>
#include <string>

#include "calibrate/device_error.hpp"
#include "kernels/overlap/matrix_value.hpp"
#include "kernels/reference/elementwise_reference.hpp"

namespace epsim {

void check_elementwise(kernels::ElementwiseOp op,
                       std::span<const std::uint16_t> found,
                       std::int64_t first) {
  const auto reference =
      op == kernels::ElementwiseOp::add ? &kernels::added : &kernels::silu_multiplied;
  for (std::size_t i = 0; i < found.size(); ++i) {
    const auto index = static_cast<std::uint64_t>(first) + i;
    const double expected = reference(kernels::normal_value(index, kElementwiseSeedX),
                                      kernels::normal_value(index, kElementwiseSeedY));
    if (!kernels::is_elementwise_result(found[i], expected))
      throw DeviceError("elementwise kernel: element " + std::to_string(index) + " is BF16 " +
                        std::to_string(found[i]) + ", not about " + std::to_string(expected));
  }
}

}  // namespace epsim
