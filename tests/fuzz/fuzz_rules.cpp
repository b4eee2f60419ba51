// Any bytes as a user's rules, applied to a small step.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "models/what_if.hpp"
#include "sim/base/input_error.hpp"

namespace {

epsim::GpuStep small_step() {
  using namespace epsim;
  GpuStep step;
  step.streams = {"7", "13"};
  step.sm_count = 132;
  StepTask gemm;
  gemm.name = "void gemm<float>(float*)";
  gemm.family = "GEMM";
  gemm.time = Duration{100'000'000};
  gemm.cta_count = 132;
  StepTask dispatch;
  dispatch.name = "deep_ep::intranode::dispatch";
  dispatch.family = "DeepEP";
  dispatch.kernel_class = KernelClass::communication;
  dispatch.phase = CommunicationPhase::dispatch;
  dispatch.stream = 1;
  dispatch.time = Duration{200'000'000};
  dispatch.cta_count = 24;
  dispatch.after = {0};
  step.tasks = {gemm, dispatch, gemm};
  return step;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const auto edited = epsim::WhatIfRules::parse(text, "fuzz")
                            .apply(small_step(), [](const epsim::ReplacementSpec&) {
                              return epsim::Duration{50'000'000};
                            });
    (void)edited;
  } catch (const epsim::InputError&) {
    // The right answer to most bytes.
  }
  return 0;
}
