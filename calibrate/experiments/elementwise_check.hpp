// elementwise_check: whether an elementwise kernel wrote what its reference says.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/overlap/elementwise.cuh"

namespace epsim {

// Of the normal_value() that the inputs are filled with.
inline constexpr std::uint32_t kElementwiseSeedX = 1;
inline constexpr std::uint32_t kElementwiseSeedY = 2;

// `found` are the elements from `first` on. Throws DeviceError when one is wrong.
void check_elementwise(kernels::ElementwiseOp op,
                       std::span<const std::uint16_t> found,
                       std::int64_t first);

}  // namespace epsim
