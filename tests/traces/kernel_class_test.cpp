#include "traces/kernel_class.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "sim/base/input_error.hpp"
#include "sim/base/text_file.hpp"
#include "tests/base/temporary_folder.hpp"

using namespace epsim;

namespace {

struct Named {
  std::string_view name;
  KernelClass kernel_class;
  CommunicationPhase phase;
  std::string_view family;
};

constexpr KernelClass kCompute = KernelClass::compute;
constexpr KernelClass kCommunication = KernelClass::communication;
constexpr CommunicationPhase kNone = CommunicationPhase::none;

void check_all(const std::vector<Named>& names) {
  const KernelClassTable table = KernelClassTable::built_in();
  for (const Named& expected : names) {
    CAPTURE(expected.name);
    const KernelRole role = table.role_of(expected.name);
    CHECK(role.kernel_class == expected.kernel_class);
    CHECK(role.phase == expected.phase);
    CHECK(role.family == expected.family);
  }
}

void check_communication(
    std::string_view family,
    const std::vector<std::pair<std::string_view, CommunicationPhase>>& names) {
  std::vector<Named> all;
  for (const auto& [name, phase] : names) all.push_back({name, kCommunication, phase, family});
  check_all(all);
}

void check_compute(std::string_view family, const std::vector<std::string_view>& names) {
  std::vector<Named> all;
  for (const std::string_view name : names) all.push_back({name, kCompute, kNone, family});
  check_all(all);
}

std::string refusal_of(const std::string& rules) {
  const TemporaryFolder folder;
  const std::string path = (folder.path() / "rules.json").string();
  replace_text_file(path, rules);
  KernelClassTable table = KernelClassTable::built_in();
  try {
    table.add_rules(path);
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("Kernel classes: NCCL is communication in every generation of its names") {
  using enum CommunicationPhase;
  check_communication(
      "NCCL",
      {{"ncclDevKernel_SendRecv(ncclDevKernelArgsStorage<4096ul>)", exchange},
       {"ncclDevKernel_AllGather_RING_LL(ncclDevKernelArgsStorage<4096ul>)", gather},
       {"ncclDevKernel_ReduceScatter_Sum_bf16_RING_LL(ncclDevKernelArgsStorage<4096ul>)", reduce},
       {"ncclDevKernel_AllReduce_Sum_f32_TREE_LL", reduce},
       {"ncclDevKernel_Reduce_Sum_f32_RING_LL", reduce},
       {"ncclKernel_AllReduce_RING_LL_Sum_float(ncclDevComm*, unsigned long, ncclWork*)", reduce},
       {"ncclKernel_Broadcast_RING_LL_Sum_int8_t(ncclDevComm*, unsigned long, ncclWork*)", gather},
       {"ncclKernel_SendRecv_RING_SIMPLE_Sum_int8_t", exchange},
       {"_Z42ncclKernel_SendRecv_RING_SIMPLE_Sum_int8_tP11ncclDevCommmP8ncclWork", exchange},
       {"ncclAllReduceRingLLKernel_sum_f32(ncclColl)", reduce},
       {"ncclSymkDevKernel_AllReduce_RSxLDMC_AGxSTMC_sum_bf16", reduce},
       {"ncclSymkDevKernel_AllGather_STMC", gather},
       {"ncclSymkDevKernel_ReduceScatter_LL_sum_f8e4m3", reduce}});
  check_communication("RCCL",
                      {{"ncclDevKernel_Generic_4(ncclDevKernelArgsStorage<4096ul>)", exchange},
                       {"rccl_main_kernel(ncclDevComm*, unsigned long, ncclWork*)", exchange}});
  check_communication("MSCCL", {{"mscclKernel_Sum_half_Simple_false(ncclDevComm*)", exchange}});
  check_communication(
      "NCCL EP",
      {{"void nccl_ep::internode_ll::dispatch<(bool)0, (bool)0, (int)7168>()", dispatch},
       {"nccl_ep_jit_ht_combine_kernel", combine}});
}

TEST_CASE("Kernel classes: DeepEP is communication in every generation of its names") {
  using enum CommunicationPhase;
  check_communication(
      "DeepEP",
      {{"void deep_ep::intranode::dispatch<4, 768, 8192>(int4*, float*, int*)", dispatch},
       {"void deep_ep::intranode::combine<__nv_bfloat16, 4, 768, 4096>(__nv_bfloat16*)", combine},
       {"void deep_ep::intranode::notify_dispatch<8>(int const*, int*)", notify},
       {"void deep_ep::intranode::cached_notify_dispatch<4>(int const*)", notify},
       {"void deep_ep::intranode::cached_notify_combine<4>(void**, int*)", notify},
       {"void deep_ep::intranode::barrier<8>(int**, int)", notify},
       {"void deep_ep::internode_ll::combine<false, 7168, 11, 4>(void*, void*)", combine},
       {"void deep_ep::legacy::internode_ll::dispatch<true, false, 7168>(void*)", dispatch},
       {"void deep_ep::internode_ll::clean_low_latency_buffer<512>(int*, int)", notify},
       {"void deep_ep::layout::get_dispatch_layout<256, 32, 8>(long const*, int*)", layout},
       {"void dpsk::ep::internode::dispatch<false, 8, true, 8>(int4*)", dispatch},
       {"void dpsk::ep::internode::dispatch_ll<7168>(void*)", dispatch},
       {"void dpsk::ep::internode::notify_dispatch<false, 4>(int const*, long*)", notify},
       {"void dpsk::ep::internode::cached_notify<false, 8>(int, int)", notify},
       {"void dpsk::ep::cuda::get_dispatch_layout<256, 32>(long const*)", layout},
       {"void deep_ep::elastic::hybrid_dispatch_impl<24, 8>(int4*)", dispatch},
       {"void deep_ep::elastic::dispatch_copy_epilogue_impl<true, false>(int4*)", dispatch},
       {"void deep_ep::elastic::combine_reduce_epilogue_impl<8>(void*)", combine},
       {"_ZN7deep_ep9intranode8dispatchILi4ELi768", dispatch},
       {"hybrid_dispatch_impl", dispatch},
       {"combine_impl", combine}});
}

TEST_CASE("Kernel classes: other expert-parallel libraries are communication, with the phase") {
  using enum CommunicationPhase;
  check_communication("Hybrid-EP",
                      {{"void hybrid_ep::dispatch_kernel<unsigned char>()", dispatch},
                       {"void hybrid_ep::combine_kernel<8>(int)", combine},
                       {"hybrid_ep::device_sync_kernel(unsigned int*)", notify},
                       {"void hybrid_ep::scan<256>(bool const*)", layout}});
  check_communication(
      "pplx",
      {{"void pplx::(anonymous namespace)::dispatchKernel<10, true>()", dispatch},
       {"void a2a_dispatch_send_kernel<true, false, 16ul>(unsigned long)", dispatch},
       {"void a2a_combine_recv_kernel<16ul>(unsigned long)", combine}});
  check_communication("MORI",
                      {{"void mori::moe::EpDispatchIntraNodeKernel<float>()", dispatch},
                       {"EpCombineInterNodeV1Kernel_bf16", combine},
                       {"EpDispatchCopyToStaging_bf16", dispatch},
                       {"EpCombineSyncBarrier_bf16", notify}});
  check_communication("UCCL",
                      {{"void uccl::internode_ll::dispatch<true, 7168>(void*)", dispatch},
                       {"void uccl::intranode::notify_dispatch<8>(int const*)", notify}});
  check_communication(
      "NVSHMEM",
      {{"void barrier_on_stream_kernel_threadgroup<(threadgroup_t)1>(int, int)", notify},
       {"nvshmemi_proxy_quiet_kernel()", notify},
       {"void nvshmemi_init_array_kernel<long>(long*, int, long)", layout}});
  check_communication(
      "one-sided all-to-all",
      {{"tensorrt_llm::kernels::moe_comm::moeA2ADispatchKernel(int const*)", dispatch},
       {"tensorrt_llm::kernels::moe_comm::moeA2ACombineKernel<8>()", combine},
       {"tensorrt_llm::kernels::moe_comm::moeA2APrepareDispatchKernel(int*)", layout},
       {"void flashinfer::moeAllToAllKernel<true>(int)", exchange}});
}

TEST_CASE("Kernel classes: custom collectives are communication") {
  using enum CommunicationPhase;
  check_communication(
      "custom all-reduce",
      {{"void vllm::cross_device_reduce_1stage<__nv_bfloat16, 8>(vllm::RankData*)", reduce},
       {"void sglang::cross_device_reduce_2stage<__half, 8>(sglang::RankData*)", reduce},
       {"void quickreduce::allreduce_prototype_twoshot<AllReduceTwoshot, __half>()", reduce},
       {"void flashinfer::trtllm_allreduce_fusion::allreduce_fusion_kernel_oneshot_lamport<1>()",
        reduce}});
  check_communication(
      "symmetric memory",
      {{"void (anonymous namespace)::multimem_all_reduce_kernel<c10::BFloat16, 16>()", reduce},
       {"void (anonymous namespace)::two_shot_all_reduce_kernel_inplace<c10::BFloat16>()",
        reduce}});
  check_communication("custom all-to-all", {{"dlslime::intranode_alltoall_kernel(int)", exchange}});
}

TEST_CASE("Kernel classes: names that only sound like communication are compute") {
  check_compute("reduction",
                {"void at::native::reduce_kernel<512, 1, at::native::ReduceOp<float> >(int)",
                 "void (anonymous namespace)::softmax_warp_forward<float, float, 10>(float*)"});
  check_compute("GEMM",
                {"void cublasLt::splitKreduce_kernel<32, 16, int, float>(float*)",
                 // What a template argument says is not what the kernel does.
                 "void cutlass::Kernel<dispatch_policy::all_to_all>(int)",
                 "void deep_gemm::sm100_fp8_fp4_mega_moe_impl<7168>(void*)"});
  check_compute("attention",
                {"void flash_fwd_mla_combine_kernel<float, int>(Params)",
                 "void flash::flash_fwd_splitkv_combine_kernel<Traits, 4>(Params)"});
  check_compute("data movement",
                {"void at::native::(anonymous namespace)::CatArrayBatchedCopy<float, 1>(int)",
                 "void at::native::vectorized_gather_kernel<16, long>(char*, char*, long*)",
                 "void at::native::_scatter_gather_elementwise_kernel<128, 8>(int)"});
  check_compute("routing", {"void vllm::moe::moe_align_block_size_kernel<int>(int*)"});
  check_compute("elementwise",
                {"void at::native::elementwise_kernel<128, 4, dispatch_all_reduce>(int)"});
  // A scan of a library that has the name of another inside its own.
  CHECK(KernelClassTable::built_in()
            .role_of("void cdpsk::ep::CUB_200_NS::DeviceScanKernel<int>()")
            .kernel_class == kCompute);
  check_compute("other",
                {"", "x", "my_kernel", "void <unnamed>::spin(long)", "_Zqq", "(((", "<<<"});
}

TEST_CASE("Kernel classes: compute falls into families") {
  check_compute("GEMM",
                {"nvjet_sm90_tst_256x128_64x4_1x2_h_bz_coopA_NNT",
                 "Cijk_Alik_Bljk_BBS_BH_Bias_HA_S_SAV_UserArgs_MT256x32x64",
                 "ampere_sgemm_128x64_nn",
                 "void marlin_moe_wna16::Marlin<1125899906909960l>(int4 const*)",
                 "void dpsk::gemm::fp8_gemm_kernel<128>(int)",
                 "bmm_E2m1_E2m1E2m1_Fp32_t128x8x512_sm100f",
                 "fused_moe_kernel"});
  check_compute("attention",
                {"cudnn_generated_fort_native_sdpa_sm90_flash_fprop_wgmma_f16_knob_7",
                 "fmhaSm100fKernel_QkvE4m3OBfloat16H128",
                 "void cutlass::device_kernel<flash::FlashAttnFwdSm90<128> >(int)",
                 "void paged_attention_ll4mi_QKV_mfma16_kernel<0, __hip_bfloat16>(int)",
                 "kernel_unified_attention_2d"});
  check_compute("normalisation",
                {"_ZN5aiter24add_rmsnorm_quant_kernelIDF16bDF16bLi256ELi16ELb1ELb0ELb1ELi1EEEvPT0_"
                 "PT_PfS4_S4_S4_diiiiiiib",
                 "void cudnn::bn_bw_1C11_kernel_new<float, float, float2, 128, true, 1>(float)"});
  check_compute("top-k and sort",
                {"void at::native::sbtopk::gatherTopK<c10::BFloat16, unsigned int, 2, false>(int)",
                 "void at::native::bitonicSortKVInPlace<2, -1, 16, 16, c10::BFloat16, long>(int)",
                 "void moe::topkGatingSoftmax<8, 256>(float const*)"});
  check_compute(
      "elementwise",
      {"void at::native::vectorized_elementwise_kernel<8, at::native::CUDAFunctor_add>(int)",
       "void rotary_embedding_kernel<c10::BFloat16, true>(long const*)",
       "triton_poi_fused_add_mul_0"});
}

TEST_CASE("Kernel classes: a user's rules go in front of those built in") {
  const TemporaryFolder folder;
  const std::string path = (folder.path() / "rules.json").string();
  replace_text_file(path, R"({"schema": "epsim.kernel_classes/1", "rules": [
    {"family": "ours", "class": "communication", "phase": "dispatch", "prefix": "my_send"},
    {"family": "ring", "class": "communication", "phase": "reduce", "regex": "NVJET.*ring"},
    {"family": "tagged", "class": "compute", "in": "name", "contains": ["<tag", "<label"]}]})");
  const KernelClassTable plain = KernelClassTable::built_in();
  KernelClassTable table = plain;
  const KernelRole before = table.role_of("nvjet_x");
  table.add_rules(path);
  CHECK(table.role_of("void My_Send_rows<4>(int)").family == "ours");
  CHECK(table.role_of("nvjet_sm90_ring_x").family == "ring");
  CHECK(table.role_of("nvjet_sm90").family == "GEMM");
  CHECK(table.role_of("void f<label::a>()").family == "tagged");
  CHECK(plain.role_of("my_send_rows").family == "other");  // a copy keeps its own rules
  CHECK(before.family == "GEMM");                          // and names stay where they are
  CHECK(table.rules().size() == plain.rules().size() + 3);
  CHECK(table.rules().front().match == "prefix my_send");
}

TEST_CASE("Kernel classes: a bad rule is refused with its place") {
  const auto rule = [](const std::string& text) {
    return R"({"schema": "epsim.kernel_classes/1", "rules": [)" + text + "]}";
  };
  CHECK(refusal_of(rule(R"({"family": "a", "class": "compute", "prefix": "b"})")) == "");
  CHECK(refusal_of(R"({"schema": "x", "rules": []})").find("/schema") != std::string::npos);
  CHECK(refusal_of(rule(R"({"family": "a", "class": "compute"})"))
            .find("/rules/0: a rule needs one of prefix, contains and regex") != std::string::npos);
  CHECK(refusal_of(rule(R"({"family": "a", "class": "compute", "prefix": "b", "regex": "c"})"))
            .find("a rule has one of") != std::string::npos);
  CHECK(refusal_of(rule(R"({"family": "a", "class": "compute", "regex": "(b"})"))
            .find("/rules/0/regex: \"(b\" is no regular expression") != std::string::npos);
  CHECK(refusal_of(rule(R"({"family": "a", "class": "compute", "prefix": ""})"))
            .find("a pattern that is not empty") != std::string::npos);
  CHECK(refusal_of(rule(R"({"family": "a", "class": "communication", "prefix": "b"})"))
            .find("communication has a phase") != std::string::npos);
  CHECK(refusal_of(rule(R"({"family": "a", "class": "compute", "phase": "reduce", "prefix": "b"})"))
            .find("nothing else has one") != std::string::npos);
  CHECK(refusal_of(rule(R"({"family": "a", "class": "comptue", "prefix": "b"})")).find("/class") !=
        std::string::npos);
  CHECK(refusal_of(rule(R"({"family": "a", "class": "compute", "prefix": "b", "colour": 1})"))
            .find("colour") != std::string::npos);
}

TEST_CASE("Kernel classes: a name of any length and any bytes has a class") {
  const KernelClassTable table = KernelClassTable::built_in();
  std::string huge = "void f<";
  for (int i = 0; i < 100'000; ++i) huge += "a::b<";
  CHECK(table.role_of(huge).kernel_class == kCompute);
  CHECK(table.role_of(std::string(1'000'000, 'x')).kernel_class == kCompute);
  std::string bytes;
  for (int c = 0; c < 256; ++c) bytes += static_cast<char>(c);
  CHECK(table.role_of(bytes).kernel_class == kCompute);
}
