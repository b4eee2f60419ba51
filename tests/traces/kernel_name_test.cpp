#include "traces/kernel_name.hpp"

#include <doctest/doctest.h>

using namespace epsim;

TEST_CASE("Kernel name: the function's name is left of all that compilers put around it") {
  CHECK(function_name("void a::b<c::d<1> >(int, float*)") == "a::b");
  CHECK(function_name("void a::(anonymous namespace)::b<1>(int)") == "a::(anonymous)::b");
  CHECK(function_name("void <unnamed>::b(int)") == "(anonymous)::b");
  CHECK(function_name("nvjet_sm90_tst") == "nvjet_sm90_tst");
  CHECK(function_name("Memcpy DtoD (Device -> Device)") == "Memcpy DtoD");
  CHECK(function_name("void a<b") == "a");  // cut off by a profiler
  CHECK(function_name("").empty());
  CHECK(function_name(">>)(") == ">>)");
}

TEST_CASE("Kernel name: a mangled name is demangled, and anything else stays") {
  CHECK(demangled("_ZN5aiter3addEv") == "aiter::add()");
  CHECK(demangled("_Z9short") == "_Z9short");  // cut off
  CHECK(demangled("_Zqq") == "_Zqq");
  CHECK(demangled("plain") == "plain");
  CHECK(demangled("_ZN") == "_ZN");
  CHECK(demangled("_ZN999999999999999999999999a") == "_ZN999999999999999999999999a");
}

TEST_CASE("Kernel name: of a mangled name that is cut off or too new the nested names are left") {
  CHECK(demangled("_ZN7deep_ep9intranode8dispatchILi4ELi768") == "deep_ep::intranode::dispatch");
  CHECK(demangled("_ZN7sgl_hip10activation18act_and_mul_kernelI14__hip_bfloat16TnPFT_RKS3_E") ==
        "sgl_hip::activation::act_and_mul_kernel");
  CHECK(demangled("_ZN7deep_ep9intra") == "deep_ep");
}

TEST_CASE("Kernel name: a short name loses its namespaces first") {
  CHECK(short_kernel_name("void a::bb::ccc<1>(int)", 20) == "a::bb::ccc");
  CHECK(short_kernel_name("void a::bb::ccc<1>(int)", 7) == "bb::ccc");
  CHECK(short_kernel_name("void a::bb::ccc<1>(int)", 3) == "ccc");
  CHECK(short_kernel_name("nvjet_sm90", 8) == "nvjet_..");
}
