// DeviceError: the GPU, its driver or its recorder did not do what was asked; or a kernel's output
// is not what its reference says. Caught in main: one line on stderr, exit 1.
#pragma once

#include <stdexcept>

namespace epsim {

class DeviceError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace epsim
