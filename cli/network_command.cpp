// epsim calibrate network: imported transfers as constants of NICs and NVLink.
#include <algorithm>
#include <limits>
#include <memory>
#include <optional>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "calibrate/network_derive.hpp"
#include "cli/output.hpp"
#include "cli/verbs.hpp"
#include "sim/base/text_file.hpp"
#include "topologies/registry.hpp"

namespace epsim {
namespace {

struct Options {
  std::string transfers;
  std::string base;
  std::string topology;
  std::string out;
};

constexpr GpuId kFirst{0};

// The way of a message that always takes the first of equally short links.
std::vector<LinkId> network_path(const Topology& topology, GpuId target) {
  std::vector<LinkId> path;
  NodeId at = topology.gpu(kFirst);
  while (at != topology.gpu(target)) {
    const auto links = topology.network_links(at, target);
    if (links.empty()) return {};
    path.push_back(links.front());
    at = topology.link(links.front()).target;
  }
  return path;
}

Duration latency_of(const Topology& topology, const std::vector<LinkId>& path) {
  Duration latency{};
  for (const LinkId link : path) latency += topology.link(link).latency;
  return latency;
}

// Between NICs of one rail, as tools measure: to the nearest GPU of another NVLink domain, or, if
// there is one domain alone, to the nearest GPU.
std::vector<LinkId> shortest_network_path(const Topology& topology) {
  std::vector<LinkId> shortest;
  for (std::uint32_t i = 1; i < topology.gpu_count(); ++i) {
    const GpuId target{i};
    const bool is_inside = topology.nvlink_domain(target) == topology.nvlink_domain(kFirst);
    if (is_inside && topology.nvlink_domain_count() > 1) continue;
    const std::vector<LinkId> path = network_path(topology, target);
    if (path.empty()) continue;
    if (shortest.empty() || latency_of(topology, path) < latency_of(topology, shortest))
      shortest = path;
  }
  return shortest;
}

void read_path(const Topology& topology, FabricFacts& facts) {
  const std::vector<LinkId> path = shortest_network_path(topology);
  facts.has_network = !path.empty();
  if (path.empty()) return;
  facts.path = topology.node(topology.gpu(kFirst)).name;
  facts.path_latency = latency_of(topology, path);
  for (const LinkId id : path) {
    const Link& link = topology.link(id);
    facts.path += "->" + topology.node(link.target).name;
    Bandwidth& slowest = link.kind == LinkKind::rdma ? facts.wire : facts.host_links;
    slowest = slowest == Bandwidth{} ? link.bandwidth : std::min(slowest, link.bandwidth);
  }
}

void read_domain(const Topology& topology, FabricFacts& facts) {
  facts.domain = 0;
  std::optional<GpuId> peer;
  for (std::uint32_t i = 0; i < topology.gpu_count(); ++i) {
    if (topology.nvlink_domain(GpuId{i}) != topology.nvlink_domain(kFirst)) continue;
    ++facts.domain;
    if (i > 0 && !peer) peer = GpuId{i};
  }
  if (peer) facts.nvlink = topology.route_bandwidth(kFirst, *peer);
}

FabricFacts facts_of(const Topology& topology) {
  FabricFacts facts;
  facts.topology = topology.name();
  if (topology.has_network()) read_path(topology, facts);
  read_domain(topology, facts);
  return facts;
}

std::string lines_of(std::string_view title, const std::vector<std::string>& lines) {
  if (lines.empty()) return "";
  std::string text = fmt::format("{}\n", title);
  for (const std::string& line : lines) text += fmt::format("  {}\n", line);
  return text;
}

std::string describe(const NetworkDerivation& result) {
  std::string text = fmt::format("{} constant{} read from transfers\n",
                                 result.derived.size(),
                                 result.derived.size() == 1 ? "" : "s");
  for (const DerivedConstant& derived : result.derived)
    text += fmt::format("  {:<16} {:>8.4g} {:<3} ({:.4g} to {:.4g}; was {:.4g})\n      {}\n",
                        derived.constant.name,
                        derived.constant.value,
                        derived.constant.unit,
                        derived.constant.low,
                        derived.constant.high,
                        derived.before,
                        derived.constant.source);
  text += lines_of("kept as the base has them", result.kept);
  text += lines_of("checks", result.checks);
  text += lines_of("kept as observations", result.observations);
  return text;
}

void run_network(const Options& options) {
  const TransferSet transfers = read_transfers(options.transfers);
  Calibration base = load_calibration(options.base);
  const Topology topology = load_topology(options.topology).topology;
  NetworkDerivation result = derive_network(base, transfers, facts_of(topology));
  if (!transfers.system.empty()) result.calibration.system = transfers.system;
  result.calibration.topology = options.topology;
  replace_text_file(options.out, calibration_text(result.calibration));
  print_result(describe(result) + fmt::format("wrote {}\n", options.out));
}

}  // namespace

void add_network_verb(CLI::App& calibrate) {
  const auto options = std::make_shared<Options>();
  CLI::App* verb =
      calibrate.add_subcommand("network", "read constants of NICs and NVLink off transfers");
  verb->add_option("TRANSFERS", options->transfers, "epsim.transfers/1, of epsim calibrate import")
      ->required();
  verb->add_option("--base", options->base, "calibration, name or file, to start from")
      ->type_name("CALIBRATION|FILE")
      ->required();
  verb->add_option("--topology", options->topology, "preset or file of the measured system")
      ->required();
  verb->add_option("--out", options->out, "epsim.calibration/1 to write")->required();
  verb->footer(
      "Example:\n  epsim calibrate network transfers.json --base hgx-h200 --topology hgx-h200 \\\n"
      "    --out calibration.json");
  verb->callback([options] { run_network(*options); });
}

}  // namespace epsim
