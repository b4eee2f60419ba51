#include "traces/kineto_glance.hpp"

#include <doctest/doctest.h>

using namespace epsim;

TEST_CASE("Kineto glance: names of categories of all years are known, whatever their case") {
  for (const char* name : {"kernel", "Kernel", "Concurrent_Kernel"})
    CHECK(kineto_category(name) == KinetoCategory::kernel);
  for (const char* name : {"gpu_memcpy", "Memcpy"})
    CHECK(kineto_category(name) == KinetoCategory::copy);
  for (const char* name : {"gpu_memset", "Memset"})
    CHECK(kineto_category(name) == KinetoCategory::fill);
  for (const char* name : {"cuda_runtime", "cuda_driver", "Runtime", "hip_runtime"})
    CHECK(kineto_category(name) == KinetoCategory::host_call);
  for (const char* name : {"user_annotation", "gpu_user_annotation"})
    CHECK(kineto_category(name) == KinetoCategory::range);
  for (const char* name : {"cpu_op", "Operator"})
    CHECK(kineto_category(name) == KinetoCategory::host_operator);
  for (const char* name : {"ac2g", "python_function", "Trace", "overhead", "kernels"})
    CHECK(kineto_category(name) == KinetoCategory::other);
  CHECK(kineto_category("") == KinetoCategory::none);
}

TEST_CASE("Kineto glance: category and name are found before the first nested member") {
  const KinetoGlance glance =
      glance_at_event(R"({ "ph": "X", "ts": 1.5,"cat" : "kernel", "name": "a\"b", "args": {}})");
  CHECK(glance.is_whole);
  CHECK(glance.category == KinetoCategory::kernel);
  CHECK(glance.phase == "X");
  CHECK(glance.name == R"(a\"b)");
}

TEST_CASE("Kineto glance: flows, counters and metadata are told by their phase alone") {
  for (const char* event :
       {R"({"ph": "f", "id": 1})", R"({"name": "x", "ph": "M"})", R"({"ph": "C", "x)"}) {
    const KinetoGlance glance = glance_at_event(event);
    CHECK(glance.is_whole);
    CHECK(glance.category == KinetoCategory::other);
  }
}

TEST_CASE("Kineto glance: an answer that stands behind a nested member is not whole") {
  CHECK_FALSE(
      glance_at_event(R"({"args": {"cat": "ac2g"}, "cat": "kernel", "name": "k"})").is_whole);
  CHECK_FALSE(glance_at_event(R"({"ph": "X", "cat": "kernel", "args": {}, "name": "k"})").is_whole);
  CHECK_FALSE(glance_at_event(R"({"ph": "X", "ts": 1})").is_whole);
  for (const char* wrong : {"", "{", "{}", "[1]", R"({"ph)", R"({"ph" "X"})", R"({"ph": )"})
    CHECK_FALSE(glance_at_event(wrong).is_whole);
}
