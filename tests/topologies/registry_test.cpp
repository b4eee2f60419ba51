#include "topologies/registry.hpp"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <string>

#include <doctest/doctest.h>

#include "sim/base/input_error.hpp"
#include "sim/base/json.hpp"
#include "sim/base/text_file.hpp"

using namespace epsim;
using namespace std::chrono_literals;

namespace {

// The value /topology/override of a scenario, as it would be read.
JsonObject overrides(const std::string& text) {
  return JsonDocument::parse(R"({"topology": {"override": )" + text + "}}", "scenario.json")
      .root()
      .object()
      .required("topology")
      .object()
      .required("override")
      .object();
}

Topology preset(std::string_view name) {
  return load_topology(name).topology;
}

}  // namespace

TEST_CASE("registry: every kind has a name of its own and a description") {
  for (const TopologyKind& kind : kTopologyKinds) {
    CHECK(!kind.name.empty());
    CHECK(!kind.description.empty());
    CHECK(std::count_if(kTopologyKinds.begin(), kTopologyKinds.end(), [&](const auto& other) {
            return other.name == kind.name;
          }) == 1);
  }
}

TEST_CASE("registry: every preset loads under its own name, is described and names its sources") {
  CHECK(topology_presets().size() >= 4);
  for (const TopologyPreset& entry : topology_presets()) {
    CAPTURE(entry.name);
    const Topology topology = preset(entry.name);
    CHECK(topology.name() == entry.name);
    CHECK(topology.description() == entry.description);
    CHECK(!topology.sources().empty());
    CHECK(topology.gpu_count() >= 8);
    CHECK(entry.description.size() < 100);
  }
  for (const char* host : {"hgx-h100", "hgx-h20", "hgx-h200", "hgx-h800"})
    CHECK(preset(host).gpu_count() == 8);
  for (const char* fabric : {"hgx-h800-cx7", "hgx-hopper-ib400", "h100-fat-tree"})
    CHECK(preset(fabric).gpu_count() == 128);
}

TEST_CASE("registry: the presets hold the datasheet facts") {
  const Topology h100 = preset("hgx-h100");
  const Topology h200 = preset("hgx-h200");
  const Topology h800 = preset("hgx-h800");
  const Topology h20 = preset("hgx-h20");
  constexpr std::int64_t kMebibyte = 1 << 20;

  CHECK(h100.gpu_spec() ==
        GpuSpec{"H100", 132, Bandwidth{3.35e12}, Bytes{80'000'000'000}, Bytes{50 * kMebibyte}});
  CHECK(h200.gpu_spec() ==
        GpuSpec{"H200", 132, Bandwidth{4.8e12}, Bytes{141'000'000'000}, Bytes{60 * kMebibyte}});
  CHECK(h800.gpu_spec() ==
        GpuSpec{"H800", 132, Bandwidth{3.35e12}, Bytes{80'000'000'000}, Bytes{50 * kMebibyte}});
  CHECK(h20.gpu_spec() ==
        GpuSpec{"H20", 78, Bandwidth{4e12}, Bytes{96'000'000'000}, Bytes{60 * kMebibyte}});
  CHECK(h100.link(LinkId{0}).bandwidth == Bandwidth{450e9});
  CHECK(h200.link(LinkId{0}).bandwidth == Bandwidth{450e9});
  CHECK(h800.link(LinkId{0}).bandwidth == Bandwidth{200e9});
  CHECK(h20.link(LinkId{0}).bandwidth == Bandwidth{450e9});
}

TEST_CASE("registry: a rack of 72 GB200 is one switch with 900 GB/s a GPU each way") {
  const Topology rack = preset("gb200-nvl72");
  CHECK(rack.gpu_spec() ==
        GpuSpec{"GB200", 148, Bandwidth{8e12}, Bytes{186'000'000'000}, Bytes{126'000'000}});
  // 18 links of 50 GB/s; 72 GPUs x 1.8 TB/s both ways are the 130 TB/s of the datasheet.
  CHECK(rack.link(LinkId{0}).bandwidth == Bandwidth{900e9});
  CHECK(load_topology("gb200-nvl72", overrides(R"({"gpus": 64})")).topology.gpu_count() == 64);
}

TEST_CASE("registry: an override replaces a parameter and is written down") {
  const LoadedTopology loaded =
      load_topology("hgx-h200", overrides(R"({"nvlink_latency": "1.1 us", "gpus": 4})"));
  CHECK(loaded.topology.gpu_count() == 4);
  CHECK(loaded.topology.route_latency(GpuId{0}, GpuId{3}) == 2200ns);
  CHECK(loaded.topology.gpu_spec().sm_count == 132);
  CHECK(loaded.overridden ==
        std::vector<std::string>{"gpus: 8 -> 4", "nvlink_latency: 250 ns -> 1.1 us"});
  CHECK(load_topology("hgx-h200").overridden.empty());
}

TEST_CASE("registry: a wrong override is an error in the scenario, not in the preset") {
  CHECK_THROWS_WITH_AS(load_topology("hgx-h200", overrides(R"({"gpus": 0})")),
                       "scenario.json: /topology/override/gpus: expected a whole number from 1 to "
                       "2048, found 0",
                       InputError);
  CHECK_THROWS_WITH_AS(
      load_topology("hgx-h200", overrides(R"({"nvlink_latensy": "1 us"})")),
      "scenario.json: /topology/override/nvlink_latensy: unknown key; did you mean "
      "\"nvlink_latency\"?",
      InputError);
  CHECK_THROWS_WITH_AS(load_topology("hgx-h200", overrides(R"({"nvlink_bandwidth": "450"})")),
                       "scenario.json: /topology/override/nvlink_bandwidth: \"450\" has no unit; "
                       "write for example \"450 GB/s\"",
                       InputError);
}

TEST_CASE("registry: what a topology is called and made of cannot be overridden") {
  for (const char* key : {"name", "kind", "schema", "description", "sources"}) {
    CAPTURE(key);
    CHECK_THROWS_AS(load_topology("hgx-h200", overrides(std::string("{\"") + key + "\": \"x\"}")),
                    InputError);
  }
}

TEST_CASE("registry: an unknown name is answered with the known ones") {
  std::string known;
  for (const TopologyPreset& entry : topology_presets())
    known += (known.empty() ? "" : ", ") + entry.name;
  const std::string answer =
      "no such topology; known: " + known + "; or write the path of a .json file";
  CHECK(known.starts_with("gb200-nvl36, gb200-nvl72, gb300-nvl72, h100-dragonfly-plus, "));
  const std::string unknown = "h200: " + answer;
  CHECK_THROWS_WITH_AS(load_topology("h200"), unknown.c_str(), InputError);
  CHECK_THROWS_WITH_AS(load_folded_topology("h200"), unknown.c_str(), InputError);

  const JsonValue name = JsonDocument::parse(R"({"preset": "h200"})", "scenario.json")
                             .root()
                             .object()
                             .required("preset");
  const std::string placed = "scenario.json: /preset: \"h200\": " + answer;
  CHECK_THROWS_WITH_AS(load_topology(name), placed.c_str(), InputError);
}

TEST_CASE("registry: a path in a file starts at that file") {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / "epsim_registry_test";
  std::filesystem::create_directories(folder);
  replace_text_file(folder / "pair.json", R"({
    "schema": "epsim.topology/1", "name": "pair", "description": "two", "kind": "nvswitch_node",
    "sources": [], "gpu": "H200", "gpus": 2, "sms": 132, "hbm_bandwidth": "4.8 TB/s",
    "hbm_capacity": "141 GB", "l2_size": "60 MiB", "nvlink_bandwidth": "450 GB/s",
    "nvlink_latency": "250 ns"})");
  const JsonValue name =
      JsonDocument::parse(R"({"topology": "pair.json"})", (folder / "scenario.json").string())
          .root()
          .object()
          .required("topology");
  CHECK(load_topology(name).topology.gpu_count() == 2);
  CHECK(load_topology((folder / "pair.json").string()).topology.name() == "pair");
  std::filesystem::remove_all(folder);
  CHECK_THROWS_AS(load_topology(name), InputError);
}
