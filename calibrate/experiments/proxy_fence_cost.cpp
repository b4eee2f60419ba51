// M9: what fence.proxy.async costs, by state space, by what is under way, and by how many fence.
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "calibrate/experiments/experiments.hpp"
#include "calibrate/experiments/fence_bench.hpp"
#include "sim/base/check.hpp"

namespace epsim::proxy_fence_cost {
namespace {

using kernels::FenceKind;

constexpr int kStores = 8;  // of a lane before each fence, where the state is "own_stores"

FenceRun run_of(const Point& point, Lab& lab) {
  FenceRun run;
  const std::string& space = point.text("space");
  check(space == "all" || space == "global" || space == "shared", "the space is the sweep's");
  run.kind = space == "all"      ? FenceKind::proxy_async
             : space == "global" ? FenceKind::proxy_async_global
                                 : FenceKind::proxy_async_shared;
  set_extent(run, point.text("extent"), lab.gpus().sm_count());
  const std::string& state = point.text("state");
  if (state == "own_stores" || state == "own_peer_stores") run.stores = kStores;
  run.to_peer = state == "own_peer_stores";
  run.bulk_loads = state == "bulk_loads";
  run.inbound_stores = state == "inbound";
  return run;
}

}  // namespace

std::vector<Point> points(int gpus) {
  std::vector<const char*> states = {"idle", "own_stores", "bulk_loads"};
  if (gpus >= 2) states.insert(states.end(), {"own_peer_stores", "inbound"});
  std::vector<Point> all;
  for (const char* state : states)
    for (const char* space : {"all", "global", "shared"})
      for (const char* extent : {"warp", "cta", "load_warps", "all_sms"})
        all.push_back(Point{}.with("space", space).with("state", state).with("extent", extent));
  return all;
}

Bench open(Lab& lab) {
  auto bench = std::make_shared<FenceBench>(lab);
  return [bench, &lab](const Point& point) { return bench->measure(run_of(point, lab)); };
}

}  // namespace epsim::proxy_fence_cost
