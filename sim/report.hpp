// Report: one predicted operation in numbers that a person asks for. Latency, what it is made of,
// what limits it, and how the traffic that caused it looks.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "models/bounds.hpp"
#include "models/calibration.hpp"
#include "sim/base/json_writer.hpp"
#include "sim/critical_path.hpp"
#include "sim/prediction.hpp"
#include "sim/scenario.hpp"

namespace epsim {

// A resource and the share of the latency in which it worked.
struct ResourceUse {
  BoundKind kind;
  std::string place;  // "gpu3->nvswitch0"
  double busy;        // 0 to 1
  Bytes bytes;
  [[nodiscard]] std::string name() const;  // "link gpu3->nvswitch0"
};

struct KernelLatency {
  std::string name;
  Duration latency;
};

// A message is a row that travels on its own: one a (token, expert) for low-latency kernels, one a
// (token, rank) for normal ones.
struct TrafficFacts {
  std::uint64_t messages = 0;
  std::uint64_t remote_messages = 0;
  Bytes bytes{};  // of messages, those to the own rank included
  Bytes remote_bytes{};
  Imbalance ranks;    // messages that arrive at a rank
  Imbalance experts;  // tokens of an expert
};

// A graph exchange keeps room for what may come, not for what comes.
struct BufferFacts {
  std::uint32_t rows = 0;  // of one rank
  Bytes size{};            // of one rank
  std::uint64_t dropped = 0;
};

struct PlanSize {
  std::size_t kernels = 0;
  std::size_t ctas = 0;
  std::size_t agents = 0;
  std::size_t operations = 0;
};

struct Report {
  MoeOperation operation;
  Duration latency;
  LatencyInterval interval;
  std::vector<std::string> beyond_range;  // "ranks 8, calibrated for 4"; empty when in range
  Bounds bounds;
  std::string bound_name;  // of the tightest
  CriticalPath path;
  std::vector<KernelLatency> kernels;  // where the operation is several launches
  std::vector<ResourceUse> busiest;    // of each kind that works at all: link, memory, SM
  TrafficFacts traffic;
  std::optional<BufferFacts> buffer;  // of a dispatch that keeps a capacity
  PlanSize plan;
  std::uint64_t events = 0;

  // The busiest resource of any kind, or nullptr when none is busy for half of the time: then
  // latencies limit, not rates.
  [[nodiscard]] const ResourceUse* bottleneck() const;
};

// One line for each dimension of the workload that no fitted observation has covered.
[[nodiscard]] std::vector<std::string> beyond_range(const Workload& workload,
                                                    const KernelFamily& family);

[[nodiscard]] Report summarize(const Prediction& prediction,
                               const Workload& workload,
                               const KernelFamily& family,
                               const LatencyInterval& interval);

// An epsim.report/1 document: the resolved scenario and one entry an operation. Those of
// `timelines`, if given, are the predictions that the reports are of, executed with
// record_link_uses: when things ran is then told too.
[[nodiscard]] std::string report_json(const Scenario& scenario,
                                      std::span<const Report> reports,
                                      std::span<const Prediction> timelines = {});

}  // namespace epsim
