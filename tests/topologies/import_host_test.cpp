#include "topologies/import_host.hpp"

#include <string>

#include <doctest/doctest.h>

#include "sim/base/input_error.hpp"
#include "sim/base/json.hpp"
#include "sim/base/json_writer.hpp"
#include "sim/base/text_file.hpp"
#include "topologies/registry.hpp"
#include "topologies/topology_text.hpp"

using namespace epsim;

namespace {

Topology hosts(std::uint32_t count) {
  HostChoices choices;
  choices.name = "cluster";
  choices.host_count = count;
  return import_host(
      read_text_file(EPSIM_SOURCE_DIR "/examples/imports/hgx_h100_vm_nccl.xml"), "t.xml", choices);
}

std::string error_of(const std::string& text, const HostChoices& choices) {
  try {
    (void)import_host(text, "t.txt", choices);
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

const std::string kOneGpu = "GPU0 NIC0\nGPU0 X PIX\nNIC0 PIX X\n";

}  // namespace

TEST_CASE("Import of a host: the file that it writes reads back as the same topology") {
  const Topology imported = hosts(2);
  JsonWriter writer;
  write_topology(imported, writer);
  const Topology read = build_topology(JsonDocument::parse(writer.take(), "t.json")).topology;
  REQUIRE(read.links().size() == imported.links().size());
  for (std::uint32_t id = 0; id < read.links().size(); ++id)
    CHECK(read.link(LinkId{id}) == imported.link(LinkId{id}));
  CHECK(read.gpu_spec() == imported.gpu_spec());
  CHECK(read.sources().size() == imported.sources().size());
  CHECK(read.gpu_count() == 16);
}

TEST_CASE("Import of a host: several of it meet in one leaf, and posts go by the nearest NIC") {
  const Topology two = hosts(2);
  CHECK(two.node(two.gpu(GpuId{0})).name == "host0.gpu0");
  CHECK(two.node(two.gpu(GpuId{8})).name == "host1.gpu0");
  CHECK(two.nvlink_domain_count() == 2);
  REQUIRE(two.has_network());
  // GPU 0 lies beside mlx5_7, GPU 9 beside mlx5_6; and the same from GPU 0 to GPU 1 of its host.
  for (const auto& [target, way] :
       {std::pair{9U,
                  std::string("host0.gpu0->host0.pcie_0000:a1:00.0 "
                              "host0.pcie_0000:a1:00.0->host0.mlx5_7 host0.mlx5_7->leaf0 "
                              "leaf0->host1.mlx5_6 host1.mlx5_6->host1.pcie_0000:ab:00.0 "
                              "host1.pcie_0000:ab:00.0->host1.gpu1 ")},
        std::pair{1U,
                  std::string("host0.gpu0->host0.pcie_0000:a1:00.0 "
                              "host0.pcie_0000:a1:00.0->host0.mlx5_7 host0.mlx5_7->leaf0 "
                              "leaf0->host0.mlx5_6 host0.mlx5_6->host0.pcie_0000:ab:00.0 "
                              "host0.pcie_0000:ab:00.0->host0.gpu1 ")}}) {
    std::string found;
    for (NodeId at = two.gpu(GpuId{0}); at != two.gpu(GpuId{target});) {
      const auto links = two.network_links(at, GpuId{target});
      REQUIRE(links.size() == 1);
      found += two.link_name(links.front()) + " ";
      at = two.link(links.front()).target;
    }
    CHECK(found == way);
  }
}

TEST_CASE("Import of a host: NICs are chosen by name, and their speed is asked for") {
  HostChoices choices;
  choices.gpu.model = "H100";
  CHECK(error_of(kOneGpu, choices) ==
        "t.txt: NIC0: how fast this NIC is, is not told; say --nic-speed and for example \"400 "
        "Gbit/s\"");
  choices.nic_speed = Bandwidth{50e9};
  CHECK(import_host(kOneGpu, "t.txt", choices).has_network());
  choices.nics = {"mlx5_0"};
  CHECK(error_of(kOneGpu, choices) == "t.txt: --nics: no NIC \"mlx5_0\"; there are NIC0");
  choices.nics.clear();
  CHECK(error_of(kOneGpu + "NIC0: cpu0\n", choices) ==
        "t.txt: cpu0: a NIC has the name of another node; rename it");
  choices.nics = {"NIC0"};
  choices.host_count = 3000;
  CHECK(error_of(kOneGpu, choices) ==
        "t.txt: --hosts: expected at most 2048 GPUs in all, found 3000 hosts of 1");
  choices.nics.clear();
  choices.host_count = 2;
  CHECK(error_of("GPU0\nGPU0 X\n", choices) ==
        "t.txt: it has no NICs, so that one host cannot reach another");
}

TEST_CASE("Import of a host: PCIe carries what is left after its line code") {
  // 8 x 1 / 8 x 128/130, 2.5 x 1 / 8 x 8/10, 64 x 16 / 8 x 236/256 GB/s.
  CHECK(pcie_bandwidth(8.0, 1)->bytes_per_second == doctest::Approx(0.98462e9).epsilon(1e-5));
  CHECK(*pcie_bandwidth(2.5, 1) == Bandwidth{250e6});
  CHECK(*pcie_bandwidth(64.0, 16) == Bandwidth{118e9});
  CHECK_FALSE(pcie_bandwidth(7.0, 16).has_value());
  CHECK_FALSE(pcie_bandwidth(8.0, 3).has_value());
}
