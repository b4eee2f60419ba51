#include "cli/topology_import.hpp"

#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "cli/output.hpp"
#include "sim/base/input_error.hpp"
#include "sim/base/json_writer.hpp"
#include "sim/base/quantity_text.hpp"
#include "sim/base/text_file.hpp"
#include "topologies/import_host.hpp"
#include "topologies/topology_text.hpp"

namespace epsim {
namespace {

constexpr Bytes kLargestDrawing{16LL << 20};

struct ImportOptions {
  std::string file;
  std::string out = "-";
  std::string nic_speed;
  HostChoices choices;
};

Bandwidth read_nic_speed(const std::string& text) {
  Bandwidth speed;
  try {
    speed = parse_bandwidth(text);
  } catch (const std::invalid_argument& error) {
    throw InputError("--nic-speed", "", error.what());
  }
  if (speed < Bandwidth{1e6} || speed > Bandwidth{1e12})
    throw InputError(
        "--nic-speed", "", fmt::format("expected 1 MB/s to 1 TB/s, found \"{}\"", text));
  return speed;
}

void import_file(const ImportOptions& options) {
  HostChoices choices = options.choices;
  if (!options.nic_speed.empty()) choices.nic_speed = read_nic_speed(options.nic_speed);
  if (choices.name.empty()) choices.name = std::filesystem::path(options.file).stem().string();
  const Topology topology =
      import_host(read_text_file(options.file, kLargestDrawing), options.file, choices);
  JsonWriter writer;
  write_topology(topology, writer);
  write_result(options.out, writer.take());
  if (options.out != "-") print_result(describe_topology(topology));
}

}  // namespace

void add_topology_import(CLI::App& topology) {
  CLI::App* verb = topology.add_subcommand(
      "import", "nvidia-smi topo -m or NCCL_TOPO_DUMP_FILE to a topology file");
  const auto options = std::make_shared<ImportOptions>();
  verb->add_option("FILE", options->file, "what the tool wrote: a matrix or an XML")->required();
  verb->add_option("--out", options->out, "the topology file to write; - is the terminal")
      ->capture_default_str();
  verb->add_option("--name", options->choices.name, "name of the topology; else the file's")
      ->type_name("NAME");
  verb->add_option("--gpu", options->choices.gpu.model, "GPU model, where FILE does not tell: H200")
      ->type_name("GPU");
  verb->add_option("--preset",
                   options->choices.gpu.preset,
                   "preset or .json file to take the GPU's data from, instead of --gpu")
      ->type_name("TOPOLOGY|FILE");
  verb->add_option("--nic-speed",
                   options->nic_speed,
                   "speed of NICs whose speed FILE does not tell: \"400 Gbit/s\"")
      ->type_name("SPEED");
  verb->add_option("--nics", options->choices.nics, "these NICs alone: mlx5_0,mlx5_1")
      ->type_name("NICS")
      ->delimiter(',');
  verb->add_option("--hosts", options->choices.host_count, "so many of this host around one switch")
      ->check(CLI::Range(1, 2048))
      ->capture_default_str();
  verb->footer(
      "What was assumed stands under \"sources\" in the file.\n"
      "Example:\n"
      "  epsim topology import examples/imports/hgx_h20_topo_m.txt --gpu H20 \\\n"
      "    --nic-speed \"400 Gbit/s\" --hosts 2 --out two_hosts.json\n"
      "  epsim topology show two_hosts.json");
  verb->callback([options] { import_file(*options); });
}

}  // namespace epsim
