#include "models/workload.hpp"

#include <utility>

#include "sim/base/check.hpp"

namespace epsim {

double read_exchange_capacity(const JsonValue& value) {
  if (value.is_string()) {
    (void)value.one_of({"worst"});
    return 0;
  }
  return value.number_in(1e-3, 65'536);
}

// FP8: 16 B header, H values of one byte, one float scale for each 128 of them. BF16: header and
// 2H. NVFP4, which DeepEP's layouts do not know: H values of half a byte and one scale of a byte
// for each 16 of them; what else goes with a token is its family's.
Bytes dispatch_message(std::int64_t hidden, DispatchFormat format) {
  check(hidden > 0 && hidden % 128 == 0, "a row is a whole number of 128-channel groups");
  switch (format) {
    case DispatchFormat::fp8:
      return Bytes{16 + hidden + hidden / 128 * 4};
    case DispatchFormat::nvfp4:
      return Bytes{hidden / 2 + hidden / 16};
    case DispatchFormat::bf16:
      break;
  }
  return Bytes{16 + 2 * hidden};
}

// LogFMT-10 stores a coded block in 10 of 16 bits and a (max, min) pair of bf16 a 128 channels.
Bytes combine_message(std::int64_t hidden, CombineFormat format) {
  check(hidden > 0 && hidden % 128 == 0, "a row is a whole number of 128-channel groups");
  if (format == CombineFormat::bf16) return Bytes{2 * hidden};
  return Bytes{2 * hidden * 10 / 16 + hidden / 128 * 4};
}

}  // namespace epsim
