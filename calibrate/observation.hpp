// Observations: latencies that somebody measured, each with the shape it was measured on. Reads
// epsim.observations/1. Our own latencies are aligned: last rank's kernel start to last rank's
// kernel end, median over iterations. Published ones are as their source reports them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "models/workload.hpp"

namespace epsim {

// The seed of routings that observations name but do not list.
inline constexpr std::uint64_t kObservationSeed = 1;

struct Observation {
  std::string id;
  std::string kernel;  // family: "deepep-ll-1.2.1"
  std::string system;  // calibration: "hgx-h200"
  MoeOperation op = MoeOperation::dispatch;
  std::uint32_t ranks = 0;
  std::uint32_t gpus_per_node = 0;  // 0: the file does not say
  std::uint32_t tokens = 0;
  std::uint32_t experts = 0;
  std::uint32_t top_k = 0;
  std::int64_t hidden = 0;
  DispatchFormat dispatch_format = DispatchFormat::fp8;
  CombineFormat combine_format = CombineFormat::bf16;
  std::string routing;  // a routing name; file paths are relative to the observations
  std::uint64_t seed = kObservationSeed;  // of the draw, where the routing is drawn
  FencePlacement fence = FencePlacement::P0;
  std::int64_t sms = 0;               // 0: the kernel does not take any
  ExchangeOptions exchange;           // of families that take them
  SplitPart part = SplitPart::whole;  // send, receive: that half of a split launch
  double latency_us = 0;
  bool from_bandwidth = false;  // the source states a bandwidth; the latency was told from it
  double p10_us = 0;            // 0 where the file does not say
  double p90_us = 0;
  bool held_out = false;  // no fit may see it; the file says so before any fit
};

struct ObservationSet {
  std::string file;
  std::filesystem::path folder;
  std::string source;  // how the records came to be; may be empty
  std::vector<Observation> records;
  std::size_t without_latency = 0;  // records that state neither a latency nor what tells it
  std::size_t unknown_kernels =
      0;  // records of kernels that epsim has no model of; not read further
};

// Throws InputError at the first key that is missing, unknown or out of range.
[[nodiscard]] ObservationSet read_observations(const std::filesystem::path& path);

[[nodiscard]] std::string observations_text(const ObservationSet& set);

}  // namespace epsim
