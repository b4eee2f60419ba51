// One-sided dispatch and combine over NVLink, in the protocol of TensorRT-LLM's MoE all-to-all
// (cpp/tensorrt_llm/kernels/communicationKernels/moeAlltoAllKernels.cu): a CTA a token, one copy
// for each rank that hosts any of its experts. Dispatch pushes rows and then exchanges flags;
// combine exchanges flags and then pulls rows, each already reduced within its rank.
#pragma once

#include <cstdint>
#include <span>

#include "models/constants.hpp"
#include "models/plan.hpp"
#include "models/workload.hpp"

namespace epsim {

[[nodiscard]] std::span<const ConstantSpec> one_sided_constants();

// Bytes of a token that a dispatch copies to one rank: its values, the scales of NVFP4, and 4 B of
// expert id and 4 B of weight for each choice. FP8 has one static scale for the whole tensor.
[[nodiscard]] Bytes one_sided_payload(const Workload& workload);

[[nodiscard]] Plan plan_one_sided_dispatch(const Workload& workload,
                                           const ConstantSet& hardware,
                                           const ConstantSet& family);
[[nodiscard]] Plan plan_one_sided_combine(const Workload& workload,
                                          const ConstantSet& hardware,
                                          const ConstantSet& family);

}  // namespace epsim
