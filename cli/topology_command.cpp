// epsim topology show: nodes, links and routes of a preset or a file.
#include <memory>

#include <CLI/CLI.hpp>

#include "cli/commands.hpp"
#include "cli/topology_import.hpp"
#include "sim/base/input_error.hpp"
#include "topologies/registry.hpp"
#include "topologies/topology_drawing.hpp"
#include "topologies/topology_svg.hpp"
#include "topologies/topology_text.hpp"

namespace epsim {
namespace {

struct TopologyOptions {
  std::string name;
  std::string json;
  std::string svg;
};

void show(const TopologyOptions& options) {
  if (options.json == "-" && options.svg == "-")
    throw InputError("--svg -", "", "only one result goes to stdout");
  const Topology topology = load_topology(options.name).topology;
  if (!options.json.empty()) {
    JsonWriter writer;
    write_topology(topology, writer);
    write_result(options.json, writer.take());
  }
  if (!options.svg.empty()) write_result(options.svg, topology_svg(draw_topology(topology)));
  if (options.json != "-" && options.svg != "-") print_result(describe_topology(topology));
}

}  // namespace

void add_topology_command(CLI::App& app) {
  CLI::App* topology = app.add_subcommand("topology", "who is connected by what");
  topology->require_subcommand(1);
  topology->footer("Example:\n  epsim topology show hgx-h200\n  epsim topology import --help");
  CLI::App* verb = topology->add_subcommand("show", "print nodes, links and routes");
  const auto options = std::make_shared<TopologyOptions>();
  verb->add_option("NAME", options->name, "preset, see epsim list topologies, or a .json file")
      ->required();
  add_json_option(*verb, options->json);
  verb->add_option("--svg", options->svg, "draw it: write a picture for browsers and documents");
  verb->footer(
      "Example:\n  epsim topology show hgx-h200\n"
      "  epsim topology show hgx-h800-cx7 --svg fabric.svg");
  verb->callback([options] { show(*options); });
  add_topology_import(*topology);
}

}  // namespace epsim
