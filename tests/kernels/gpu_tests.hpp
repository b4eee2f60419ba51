// GPU tests run where there are GPUs and are skipped, visibly, where there are not.
#pragma once

namespace epsim {

// Whether `count` GPUs are here. Where not, the running case counts as skipped: return at once.
[[nodiscard]] bool enough_gpus(int count);

}  // namespace epsim
