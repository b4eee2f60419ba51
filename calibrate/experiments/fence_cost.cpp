// M8: what fence.acq_rel and fence.sc cost, by scope, by the stores under way and whose they are,
// and by how many fence at once.
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "calibrate/experiments/experiments.hpp"
#include "calibrate/experiments/fence_bench.hpp"
#include "sim/base/check.hpp"

namespace epsim::fence_cost {
namespace {

using kernels::FenceKind;

FenceKind kind_of(const std::string& fence) {
  if (fence == "acq_rel_cta") return FenceKind::acq_rel_cta;
  if (fence == "acq_rel_gpu") return FenceKind::acq_rel_gpu;
  if (fence == "acq_rel_sys") return FenceKind::acq_rel_sys;
  if (fence == "sc_gpu") return FenceKind::sc_gpu;
  check(fence == "sc_sys", "the fence is one of the sweep's");
  return FenceKind::sc_sys;
}

FenceRun run_of(const Point& point, Lab& lab) {
  FenceRun run;
  run.kind = kind_of(point.text("fence"));
  set_extent(run, point.text("extent"), lab.gpus().sm_count());
  run.stores = static_cast<int>(point.integer("stores"));
  run.neighbours_store = point.text("stored_by") == "neighbours";
  run.to_peer = point.text("target") == "peer";
  if (run.neighbours_store) run.warps = kFencingCtaWarps;
  return run;
}

struct Traffic {
  std::int64_t stores;
  const char* stored_by;
  const char* target;
};

constexpr Traffic kIdle{0, "self", "local"};

Point point_of(const char* fence, const char* extent, const Traffic& traffic) {
  return Point{}
      .with("fence", fence)
      .with("extent", extent)
      .with("stores", traffic.stores)
      .with("stored_by", traffic.stored_by)
      .with("target", traffic.target);
}

}  // namespace

std::vector<Point> points(int gpus) {
  constexpr const char* kFences[] = {
      "acq_rel_cta", "acq_rel_gpu", "acq_rel_sys", "sc_gpu", "sc_sys"};
  std::vector<Point> all;
  for (const char* fence : kFences)
    for (const char* extent : {"warp", "cta", "load_warps", "all_sms"})
      all.push_back(point_of(fence, extent, kIdle));
  for (const char* target : {"local", "peer"}) {
    if (gpus < 2 && target[0] == 'p') continue;
    for (const char* fence : kFences) {
      for (const std::int64_t stores : {1, 8, 64})
        all.push_back(point_of(fence, "warp", {stores, "self", target}));
      for (const std::int64_t stores : {1, 8, 64})
        all.push_back(point_of(fence, "warp", {stores, "neighbours", target}));
    }
    for (const char* fence : {"acq_rel_gpu", "acq_rel_sys"})
      for (const char* extent : {"cta", "all_sms"})
        all.push_back(point_of(fence, extent, {8, "self", target}));
  }
  return all;
}

Bench open(Lab& lab) {
  auto bench = std::make_shared<FenceBench>(lab);
  return [bench, &lab](const Point& point) { return bench->measure(run_of(point, lab)); };
}

}  // namespace epsim::fence_cost
