#include "sim/report_text.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include <fmt/format.h>

#include "sim/base/quantity_text.hpp"

namespace epsim {
namespace {

constexpr double kBarWidth = 16;  // characters for the whole latency

// Characters on the screen: what continues a UTF-8 sequence takes no room of its own.
std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

std::string padded(std::string text, std::size_t width) {
  text.append(width - std::min(width, width_of(text)), ' ');
  return text;
}

// A bar of whole and eighth blocks.
std::string bar(double share) {
  constexpr std::array<const char*, 8> kEighths = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const auto eighths = static_cast<std::size_t>(std::lround(share * kBarWidth * 8));
  std::string text;
  for (std::size_t i = 0; i < eighths / 8; ++i) text += "█";
  return text + kEighths[eighths % 8];
}

std::string percent(double share) {
  return fmt::format("{:>3.0f} %", 100 * share);
}

// Always microseconds, so that a column reads from top to bottom.
std::string us_text(Duration length) {
  return fmt::format("{:>7.2f} us", to_us(length));
}

double share_of(Duration part, const Report& report) {
  return report.latency > Duration{} ? to_us(part) / to_us(report.latency) : 0.0;
}

// One column an operation; a row without any cell is a heading.
class Columns {
 public:
  explicit Columns(std::span<const Report> reports) : reports_(reports) {}

  void heading(std::string text) { rows_.push_back({std::move(text), {}}); }
  void row(std::string label, const std::function<std::string(const Report&)>& cell) {
    Row row{std::move(label), {}};
    for (const Report& report : reports_) row.cells.push_back(cell(report));
    const bool is_blank = std::all_of(
        row.cells.begin(), row.cells.end(), [](const std::string& text) { return text.empty(); });
    if (!is_blank) rows_.push_back(std::move(row));
  }

  [[nodiscard]] std::string text() const {
    constexpr std::size_t kGap = 3;
    std::size_t label_width = 0;
    std::vector<std::size_t> widths(reports_.size());
    for (const Row& row : rows_) {
      if (!row.cells.empty()) label_width = std::max(label_width, width_of(row.label));
      for (std::size_t c = 0; c < row.cells.size(); ++c)
        widths[c] = std::max(widths[c], width_of(row.cells[c]));
    }
    std::string text;
    for (const Row& row : rows_) {
      std::string line = padded(row.label, label_width);
      for (std::size_t c = 0; c < row.cells.size(); ++c)
        line += std::string(kGap, ' ') + padded(row.cells[c], widths[c]);
      text += line.substr(0, line.find_last_not_of(' ') + 1) + '\n';
    }
    return text;
  }

 private:
  struct Row {
    std::string label;
    std::vector<std::string> cells;
  };
  std::span<const Report> reports_;
  std::vector<Row> rows_;
};

void add_latency(Columns& columns) {
  columns.row("", [](const Report& r) {
    return std::string(kMoeOperationNames[static_cast<std::size_t>(r.operation)]);
  });
  columns.row("latency [80 %]", [](const Report& r) {
    return fmt::format(
        "{}  [{:.1f}, {:.1f}]", us_text(r.latency), r.interval.low_us, r.interval.high_us);
  });
  columns.row("lower bound", [](const Report& r) {
    return fmt::format("{}  {}", us_text(r.bounds.tightest().latency), r.bound_name);
  });
}

void add_phases(std::span<const Report> reports, Columns& columns) {
  columns.heading("\ncritical path");
  for (std::size_t p = 0; p < kPhaseNames.size(); ++p) {
    const bool is_used = std::any_of(reports.begin(), reports.end(), [&](const Report& r) {
      return r.path.by_phase[p] > Duration{};
    });
    if (!is_used) continue;
    columns.row(fmt::format("  {}", kPhaseNames[p]), [p](const Report& r) -> std::string {
      const Duration time = r.path.by_phase[p];
      if (time == Duration{}) return {};
      const double share = share_of(time, r);
      return fmt::format("{}  {}  {}", us_text(time), percent(share), bar(share));
    });
  }
}

void add_kernels(std::span<const Report> reports, Columns& columns) {
  std::size_t most = 0;
  for (const Report& report : reports) most = std::max(most, report.kernels.size());
  if (most > 0) columns.heading("\nkernels");
  for (std::size_t k = 0; k < most; ++k)
    columns.row("", [k](const Report& r) -> std::string {
      if (k >= r.kernels.size()) return {};
      return fmt::format("{}  {}", us_text(r.kernels[k].latency), r.kernels[k].name);
    });
}

void add_busiest(Columns& columns) {
  columns.heading("\nbusiest");
  for (const BoundKind kind : {BoundKind::link, BoundKind::memory, BoundKind::sm})
    columns.row(fmt::format("  {}", kBoundKindNames[static_cast<std::size_t>(kind)]),
                [kind](const Report& r) -> std::string {
                  for (const ResourceUse& use : r.busiest)
                    if (use.kind == kind)
                      return fmt::format(
                          "{:>10}  {}, {}", percent(use.busy), use.place, to_text(use.bytes));
                  return fmt::format("{:>8}", "-");
                });
}

void add_traffic(Columns& columns) {
  columns.heading("\ntraffic");
  columns.row("  messages", [](const Report& r) {
    return fmt::format("{:>10}  {}, {} remote",
                       r.traffic.messages,
                       to_text(r.traffic.bytes),
                       to_text(r.traffic.remote_bytes));
  });
  const auto load_text = [](const char* what, const Imbalance& load) {
    return fmt::format("{:>10}  {} {}, {:.2f} x mean", load.max, what, load.busiest, load.ratio());
  };
  columns.row("  busiest rank",
              [&](const Report& r) { return load_text("rank", r.traffic.ranks); });
  columns.row("  busiest expert",
              [&](const Report& r) { return load_text("expert", r.traffic.experts); });
  columns.row("  receive buffer", [](const Report& r) {
    if (!r.buffer) return std::string();
    return fmt::format("{:>10}  rows, {} a rank, {} dropped",
                       r.buffer->rows,
                       to_text(r.buffer->size),
                       r.buffer->dropped);
  });
  columns.heading("\nsimulation");
  columns.row("  operations", [](const Report& r) {
    return fmt::format("{:>10}  of {} agents", r.plan.operations, r.plan.agents);
  });
  columns.row("  events", [](const Report& r) { return fmt::format("{:>10}", r.events); });
}

std::string range_line(const Report& report) {
  std::string what;
  for (const std::string& dimension : report.beyond_range)
    what += (what.empty() ? "" : "; ") + dimension;
  return fmt::format("out of calibrated range: {}\n", what);
}

}  // namespace

std::string scenario_text(const Scenario& scenario) {
  const RoutingSpec& traffic = scenario.routing;
  const FamilyKind& kind = *find_family(scenario.kernel);
  std::string how;
  if (kind.takes_split) how = scenario.split.split ? ", split" : ", fused";
  if (kind.takes_sms) how = fmt::format(", {} SMs", scenario.sms);
  const std::string tokens = traffic.tokens_per_rank
                                 ? fmt::format("{} tokens a rank", *traffic.tokens_per_rank)
                                 : "tokens from a file";
  std::string text = fmt::format("{}\n", scenario.name);
  text += fmt::format("  {} x {} ({}), kernel {}{}, calibration {}\n",
                      traffic.shape.ranks,
                      scenario.topology->gpu_spec().model,
                      scenario.topology_name,
                      scenario.kernel,
                      how,
                      scenario.calibration);
  if (scenario.fold.planned != 0)
    text += fmt::format("  one host of {} told, {} ranks by symmetry\n",
                        traffic.shape.ranks / scenario.fold.planned,
                        traffic.shape.ranks);
  text += fmt::format("  {}, top-{} of {} experts, routing {}, seed {}\n",
                      tokens,
                      traffic.shape.top_k,
                      traffic.shape.experts,
                      to_text(traffic.name),
                      scenario.seed);
  text += fmt::format("  hidden {}: {} to dispatch, {} to combine",
                      scenario.hidden,
                      kDispatchFormatNames[static_cast<std::size_t>(scenario.dispatch_format)],
                      kCombineFormatNames[static_cast<std::size_t>(scenario.combine_format)]);
  if (kind.takes_fences)
    text += fmt::format(", fence {}", to_text(FenceChoice{scenario.fence, scenario.fence_form}));
  if (!kind.dispatch_fences.empty())
    text += fmt::format(", dispatch fence {}", to_text(scenario.dispatch_fence));
  text += "\n";
  for (const std::string& change : scenario.overridden)
    text += fmt::format("  override {}\n", change);
  return text;
}

std::string summary_line(const Report& report) {
  const auto& phases = report.path.by_phase;
  const auto longest = std::max_element(phases.begin(), phases.end());
  std::string limit = fmt::format("limited by latencies, {} most ({:.0f} %)",
                                  kPhaseNames[static_cast<std::size_t>(longest - phases.begin())],
                                  100 * share_of(*longest, report));
  if (const ResourceUse* use = report.bottleneck())
    limit = fmt::format("bottleneck {} ({:.0f} % busy)", use->name(), 100 * use->busy);
  return fmt::format("{:<8}  {:.1f} us [{:.1f}, {:.1f}]  bound {:.1f} us  {}\n",
                     kMoeOperationNames[static_cast<std::size_t>(report.operation)],
                     to_us(report.latency),
                     report.interval.low_us,
                     report.interval.high_us,
                     to_us(report.bounds.tightest().latency),
                     limit);
}

std::string report_text(const Scenario& scenario, std::span<const Report> reports) {
  Columns columns(reports);
  add_latency(columns);
  add_phases(reports, columns);
  add_kernels(reports, columns);
  add_busiest(columns);
  add_traffic(columns);
  std::string text = scenario_text(scenario) + "\n" + columns.text() + "\n";
  if (!reports.empty() && !reports.front().beyond_range.empty())
    text += range_line(reports.front());
  for (const Report& report : reports) text += summary_line(report);
  return text;
}

}  // namespace epsim
