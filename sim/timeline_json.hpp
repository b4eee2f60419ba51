// Timeline blocks: what a report says about when things ran, for those who draw it: spans of
// kernels and phases on each GPU, how busy links were, and the tasks of a step on their streams.
#pragma once

#include "sim/base/json_writer.hpp"
#include "sim/prediction.hpp"
#include "sim/step_report.hpp"
#include "topologies/topology.hpp"

namespace epsim {

// A picture shows no more, and a reader no more takes in.
inline constexpr std::size_t kMostSpans = 4000;
inline constexpr std::size_t kMostRanks = 16;
inline constexpr std::size_t kMostLinks = 64;
inline constexpr std::int64_t kLinkBins = 60;

// The fields "timeline" and "link_use" of an operation that was executed with record_link_uses.
// Ranks are shown from 0 on as long as there is room, each whole.
void write_timeline(const Prediction& prediction, const Topology& topology, JsonWriter& writer);

// The field "timeline" of a step: its first tasks in the order in which they started.
void write_step_timeline(const ScheduledStep& scheduled, const StepRun& run, JsonWriter& writer);

}  // namespace epsim
