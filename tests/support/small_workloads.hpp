// Small workloads: the odd cases that every kernel model must get through.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "tests/support/round_constants.hpp"

namespace epsim {

struct NamedWorkload {
  std::string name;
  Workload workload;
};

// Zero tokens, one rank, everything masked, ranks with different numbers of tokens.
inline std::vector<NamedWorkload> odd_workloads() {
  std::vector<NamedWorkload> all;
  const auto add = [&](std::string name, const SmallRouting& routing) {
    all.push_back({std::move(name), round_workload(routing, 4)});
  };
  add("no tokens", {.experts = 8, .top_k = 2, .tokens = {{}, {}}});
  add("one rank", {.experts = 8, .top_k = 2, .tokens = {same_tokens(9, {1, 6})}});
  add("one rank, no tokens", {.experts = 4, .top_k = 1, .tokens = {{}}});
  add("one expert", {.experts = 1, .top_k = 1, .tokens = {{{0}}}});
  add("all masked",
      {.experts = 8,
       .top_k = 2,
       .tokens = {same_tokens(5, {kMasked, kMasked}), same_tokens(3, {kMasked, kMasked})}});
  add("half masked",
      {.experts = 8,
       .top_k = 2,
       .tokens = {same_tokens(5, {kMasked, 7}), same_tokens(3, {0, kMasked})}});
  add("one rank is idle",
      {.experts = 8, .top_k = 2, .tokens = {same_tokens(20, {0, 7}), {}, {}, {}}});
  return all;
}

}  // namespace epsim
