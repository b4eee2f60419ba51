#include "models/fence_placement.hpp"

#include <array>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "models/fence_sites.hpp"
#include "sim/base/input_error.hpp"

using namespace epsim;

namespace {

using P = FencePlacement;

constexpr std::array kSome = {P::P0, P::P1b, P::P3, P::P3g, P::P4, P::P5, P::P1b_P4};
constexpr FenceRules kRules{.placements = kSome, .otherwise = "there is no such place"};

FenceChoice read(const std::string& text, const FenceRules& rules = kRules) {
  JsonObject object = JsonDocument::parse(text, "f.json").root().object();
  const FenceChoice choice = read_fence_choice(object, rules);
  object.finish();
  return choice;
}

FenceSites sites(const std::string& text) {
  const FenceChoice choice = read(text);
  return fence_sites(choice.placement, choice.form);
}

std::string error_of(const std::string& text, const FenceRules& rules = kRules) {
  try {
    (void)read(text, rules);
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

std::string written(const FenceChoice& choice) {
  JsonWriter writer(0);
  writer.begin_object();
  write_fence_choice(choice, writer);
  writer.end_object();
  return writer.take();
}

}  // namespace

TEST_CASE("fence placement: P3 in one state space is P3g or P3s") {
  CHECK(sites(R"({"fence": "P3", "fence_space": "global"})") == fence_sites(P::P3g));
  CHECK(sites(R"({"fence": "P3", "fence_space": "shared::cta"})") == fence_sites(P::P3s));
  CHECK(sites(R"({"fence": "P3", "fence_space": "both"})") == fence_sites(P::P3));
  CHECK(sites(R"({"fence": "P3g", "fence_space": "global"})") == fence_sites(P::P3g));
}

TEST_CASE("fence placement: a state space is that of all proxy fences of a placement, or of each") {
  const FenceSites both = sites(R"({"fence": "P1b+P4", "fence_space": "both"})");
  CHECK(both.after_grid_sync == FenceKind::proxy_async);
  CHECK(both.stage_release == FenceKind::proxy_async);
  const FenceSites each = sites(R"({"fence": "P1b+P4", "fence_space": "global+shared::cta"})");
  CHECK(each.after_grid_sync == FenceKind::proxy_async_global);
  CHECK(each.stage_release == FenceKind::proxy_async_shared_cta);
  CHECK(sites(R"({"fence": "P1b+P4", "fence_space": "both+shared::cta"})") ==
        fence_sites(P::P1b_P4));
  CHECK(sites(R"({"fence": "P4", "fence_space": "both"})").stage_release == FenceKind::proxy_async);
}

TEST_CASE("fence placement: a scope is that of the thread fence of P5") {
  CHECK(sites(R"({"fence": "P5"})").load == FenceKind::acq_rel_sys);
  CHECK(sites(R"({"fence": "P5", "fence_scope": "sys"})").load == FenceKind::acq_rel_sys);
  CHECK(sites(R"({"fence": "P5", "fence_scope": "gpu"})").load == FenceKind::acq_rel_gpu);
  CHECK(sites(R"({"fence": "P5", "fence_scope": "cluster"})").load == FenceKind::acq_rel_cluster);
  CHECK(sites(R"({"fence": "P5", "fence_scope": "cta"})").load == FenceKind::acq_rel_cta);
}

TEST_CASE("fence placement: a form that means nothing is refused, and says why") {
  CHECK(error_of(R"({"fence_space": "global"})") ==
        "f.json: /fence_space: P0 has no proxy fence, and so no state space");
  CHECK(error_of(R"({"fence": "P5", "fence_space": "both"})") ==
        "f.json: /fence_space: P5 has no proxy fence, and so no state space");
  CHECK(error_of(R"({"fence": "P3g", "fence_space": "both"})") ==
        "f.json: /fence_space: P3g is P3 with global; set fence to P3");
  CHECK(error_of(R"({"fence": "P3", "fence_space": "global+shared::cta"})") ==
        "f.json: /fence_space: two spaces are of P1b+P4 alone; fence is P3");
  CHECK(error_of(R"({"fence": "P3", "fence_scope": "gpu"})") ==
        "f.json: /fence_scope: only P5 has a thread fence, and with it a scope; fence is P3");
  CHECK(error_of(R"({"fence": "P3", "fence_space": "shared"})") ==
        "f.json: /fence_space: expected one of both, global, shared::cta, both+shared::cta, "
        "global+shared::cta, found \"shared\"");
  CHECK(error_of(R"({"fence": "P5", "fence_scope": "system"})") ==
        "f.json: /fence_scope: expected one of cta, cluster, gpu, sys, found \"system\"");
}

TEST_CASE("fence placement: an operation refuses placements and spaces that it has no room for") {
  CHECK(error_of(R"({"fence": "P7"})") ==
        "f.json: /fence: P7 means nothing here: there is no such place");
  const FenceRules no_shared{
      .placements = kSome, .in_shared_memory = false, .otherwise = "there is no such place"};
  CHECK(error_of(R"({"fence": "P3", "fence_space": "shared::cta"})", no_shared) ==
        "f.json: /fence_space: shared::cta means nothing here: there is no such place");
  CHECK(error_of(R"({"fence": "P3", "fence_space": "global"})", no_shared) == "no error");
}

TEST_CASE("fence placement: what is written names every form and reads back as it was") {
  CHECK(written(read("{}")) == "{\"fence\": \"P0\"}\n");
  CHECK(written(read(R"({"fence": "P3g"})")) ==
        "{\"fence\": \"P3g\", \"fence_space\": \"global\"}\n");
  for (const char* text : {R"({"fence": "P0"})",
                           R"({"fence": "P1b"})",
                           R"({"fence": "P3", "fence_space": "global"})",
                           R"({"fence": "P3g"})",
                           R"({"fence": "P4", "fence_space": "both"})",
                           R"({"fence": "P5", "fence_scope": "gpu"})",
                           R"({"fence": "P1b+P4"})",
                           R"({"fence": "P1b+P4", "fence_space": "global+shared::cta"})"}) {
    CAPTURE(text);
    const FenceChoice choice = read(text);
    CHECK(read(written(choice)) == choice);
    CHECK(written(read(written(choice))) == written(choice));
  }
}
