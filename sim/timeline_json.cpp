#include "sim/timeline_json.hpp"

#include <algorithm>
#include <array>
#include <numeric>
#include <string_view>
#include <vector>

#include "sim/link_load.hpp"
#include "sim/trace_lanes.hpp"

namespace epsim {
namespace {

// A lane with more spans than this is drawn in as many slices, each in the colour of what fills
// most of it.
constexpr std::size_t kMostLaneSpans = 240;
constexpr std::string_view kKernelLane = "kernels";

struct Span {
  std::string_view lane;
  std::string_view name;
  Instant start;
  Instant end;
};

struct RankSpans {
  std::vector<Span> spans;
  Duration grain{};  // of slices, where there are any
};

double us_of(Duration length) {
  return static_cast<double>(length.count()) / 1e6;
}

Instant end_of(const Timeline& timeline) {
  Instant end{};
  for (const Instant at : timeline.kernel_end) end = std::max(end, at);
  for (const LinkUse& use : timeline.link_uses) end = std::max(end, use.end);
  return end;
}

// An agent's operations, those of one phase that follow each other as one span.
void append_phases(const Prediction& prediction, std::uint32_t a, std::vector<Span>& spans) {
  const Agent& agent = prediction.plan.agents[a];
  for (const PhaseStretch& stretch : phase_stretches(prediction.plan, prediction.timeline, agent))
    if (stretch.finish > stretch.start)
      spans.push_back({kRoleNames[static_cast<std::size_t>(agent.role)],
                       kPhaseNames[static_cast<std::size_t>(stretch.phase)],
                       stretch.start,
                       stretch.finish});
}

// Spans of one lane as slices of `grain`, equal neighbours joined.
std::vector<Span> sliced(const std::vector<Span>& spans, Instant end, Duration grain) {
  const auto slices = static_cast<std::size_t>((end - Instant{}) / grain + 1);
  std::vector<std::array<Duration, kPhaseNames.size()>> time(slices);
  for (const Span& span : spans) {
    const auto phase = static_cast<std::size_t>(
        std::find(kPhaseNames.begin(), kPhaseNames.end(), span.name) - kPhaseNames.begin());
    for (Instant at = span.start; at < span.end;) {
      const std::int64_t slice = (at - Instant{}) / grain;
      const Instant next = std::min(span.end, Instant{(slice + 1) * grain});
      time[static_cast<std::size_t>(slice)][phase] += next - at;
      at = next;
    }
  }
  std::vector<Span> joined;
  for (std::size_t s = 0; s < slices; ++s) {
    const auto most = std::max_element(time[s].begin(), time[s].end());
    if (2 * std::accumulate(time[s].begin(), time[s].end(), Duration{}) < grain) continue;
    const std::string_view name = kPhaseNames[static_cast<std::size_t>(most - time[s].begin())];
    const Instant start{static_cast<std::int64_t>(s) * grain};
    const Instant finish = std::min(end, start + grain);
    if (!joined.empty() && joined.back().end == start && joined.back().name == name)
      joined.back().end = finish;
    else
      joined.push_back({spans.front().lane, name, start, finish});
  }
  return joined;
}

// A role's first lane stands for the others.
std::vector<RankSpans> spans_of_ranks(const Prediction& prediction, Instant end) {
  const Plan& plan = prediction.plan;
  std::vector<RankSpans> ranks(plan.rank_count);
  for (std::size_t k = 0; k < plan.kernels.size(); ++k)
    ranks[plan.kernels[k].rank.index()].spans.push_back({kKernelLane,
                                                         plan.kernels[k].name,
                                                         prediction.timeline.kernel_start[k],
                                                         prediction.timeline.kernel_end[k]});
  const Duration grain =
      std::max(Duration{1}, (end - Instant{}) / static_cast<std::int64_t>(kMostLaneSpans));
  for (const TraceRole& role : trace_lanes(plan, prediction.timeline, 1)) {
    std::vector<Span> lane;
    for (const TraceLane& shown : role.shown) append_phases(prediction, shown.agent, lane);
    RankSpans& rank = ranks[role.rank.index()];
    if (lane.size() > kMostLaneSpans) {
      lane = sliced(lane, end, grain);
      rank.grain = grain;
    }
    rank.spans.insert(rank.spans.end(), lane.begin(), lane.end());
  }
  return ranks;
}

void write_spans(const std::vector<RankSpans>& ranks, Instant end, JsonWriter& writer) {
  std::size_t shown = 0, count = 0;
  Duration grain{};
  while (shown < std::min(ranks.size(), kMostRanks)) {
    if (shown > 0 && count + ranks[shown].spans.size() > kMostSpans) break;
    count += ranks[shown].spans.size();
    grain = std::max(grain, ranks[shown].grain);
    ++shown;
  }
  writer.key("timeline").begin_object().field("rank_count", ranks.size()).key("ranks");
  writer.begin_array();
  for (std::size_t r = 0; r < shown; ++r) writer.value(r);
  writer.end_array().field("grain_us", us_of(grain)).field("end_us", us_of(end - Instant{}));
  writer.key("spans").begin_array();
  for (std::size_t r = 0; r < shown; ++r)
    for (const Span& span : ranks[r].spans) {
      writer.begin_object().field("rank", r).field("lane", span.lane).field("name", span.name);
      writer.field("start_us", us_of(span.start - Instant{}));
      writer.field("end_us", us_of(span.end - Instant{})).end_object();
    }
  writer.end_array().end_object();
}

// The busiest links, in the topology's order.
std::vector<LinkLoad> busiest_loads(const Timeline& timeline, Duration bin, std::size_t& used) {
  std::vector<LinkLoad> loads = link_loads(timeline, bin);
  used = loads.size();
  if (loads.size() <= kMostLinks) return loads;
  std::vector<LinkId> links;
  for (const LinkLoad& load : loads) links.push_back(load.link);
  std::stable_sort(links.begin(), links.end(), [&](LinkId a, LinkId b) {
    return timeline.link_busy[a.index()] > timeline.link_busy[b.index()];
  });
  links.resize(kMostLinks);
  std::erase_if(loads, [&](const LinkLoad& load) {
    return std::find(links.begin(), links.end(), load.link) == links.end();
  });
  return loads;
}

void write_links(const Timeline& timeline,
                 const Topology& topology,
                 Instant end,
                 JsonWriter& writer) {
  const Duration bin = (end - Instant{}) / kLinkBins + Duration{1};
  std::size_t used = 0;
  const std::vector<LinkLoad> loads = busiest_loads(timeline, bin, used);
  writer.key("link_use").begin_object().field("link_count", used).field("bin_us", us_of(bin));
  writer.key("links").begin_array();
  for (const LinkLoad& load : loads) {
    writer.begin_object().field("link", topology.link_name(load.link)).key("busy_pct");
    writer.begin_array();
    int busy_pct = 0;
    auto sample = load.samples.begin();
    for (std::int64_t b = 0; b < kLinkBins; ++b) {
      for (; sample != load.samples.end() && sample->at <= Instant{b * bin}; ++sample)
        busy_pct = sample->busy_pct;
      writer.value(busy_pct);
    }
    writer.end_array().end_object();
  }
  writer.end_array().end_object();
}

}  // namespace

void write_timeline(const Prediction& prediction, const Topology& topology, JsonWriter& writer) {
  const Instant end = end_of(prediction.timeline);
  write_spans(spans_of_ranks(prediction, end), end, writer);
  write_links(prediction.timeline, topology, end, writer);
}

void write_step_timeline(const ScheduledStep& scheduled, const StepRun& run, JsonWriter& writer) {
  const GpuStep& step = scheduled.step;
  std::vector<std::size_t> order(step.tasks.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return run.start[a] < run.start[b];
  });
  Instant end{};
  for (const Instant at : run.end) end = std::max(end, at);
  writer.key("timeline").begin_object().field("task_count", step.tasks.size());
  writer.field("end_us", us_of(end - Instant{})).key("spans").begin_array();
  for (std::size_t i = 0; i < std::min(order.size(), kMostSpans); ++i) {
    const StepTask& task = step.tasks[order[i]];
    const bool computes = scheduled.lanes[order[i]] == StepLane::compute;
    writer.begin_object().field("stream", step.streams[task.stream]).field("name", task.name);
    writer.field("class", computes ? "compute" : "communication").field("layer", task.layer);
    writer.field("micro_batch", task.micro_batch);
    writer.field("start_us", us_of(run.start[order[i]] - Instant{}));
    writer.field("end_us", us_of(run.end[order[i]] - Instant{})).end_object();
  }
  writer.end_array().end_object();
}

}  // namespace epsim
