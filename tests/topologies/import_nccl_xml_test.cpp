#include "topologies/import_nccl_xml.hpp"
#include "tests/support/imported_topology.hpp"

#include <algorithm>
#include <string>

#include <doctest/doctest.h>

#include "sim/base/input_error.hpp"
#include "sim/base/text_file.hpp"
#include "topologies/import_host.hpp"

using namespace epsim;

namespace {

Topology host(const std::string& text, const std::string& gpu = "") {
  HostChoices choices;
  choices.name = "host";
  choices.gpu.model = gpu;
  return import_host(text, "t.xml", choices);
}

std::string sample() {
  return read_text_file(EPSIM_SOURCE_DIR "/examples/imports/hgx_h100_vm_nccl.xml");
}

std::string error_of(const std::string& text, const std::string& gpu = "") {
  try {
    (void)host(text, gpu);
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

// Two H100 with a cable of four links, a card with two ports, and C2C on the second GPU.
const std::string kPair = R"(<system version="1">
  <cpu numaid="0" affinity="ffff" arch="arm64">
    <pci busid="0000:01:00.0" class="0x060400" link_speed="16.0 GT/s PCIe" link_width="8">
      <pci busid="0000:02:00.0" class="0x030200" device="0x2330" link_speed="32.0 GT/s PCIe" link_width="16">
        <gpu dev="1" sm="90" rank="1" gdr="1">
          <nvlink target="0000:03:00.0" count="4" tclass="0x030200"/>
          <c2c bw="45000" count="10"/>
        </gpu>
      </pci>
      <pci busid="0000:04:00.0" class="0x020700" link_speed="" link_width="0">
        <nic>
          <net name="mlx5_0" dev="0" speed="200000" port="1" gdr="1"/>
          <net name="mlx5_1" dev="1" speed="100000" port="2" gdr="1" coll="1"/>
        </nic>
      </pci>
    </pci>
    <pci busid="0000:03:00.0" class="0x030200" device="0x2330" link_speed="32 GT/s" link_width="16">
      <gpu dev="0" sm="90" rank="0" gdr="1">
        <nvlink target="0000:02:00.0" count="4" tclass="0x030200"/>
      </gpu>
    </pci>
    <pci busid="0000:05:00.0" class="0x010802" link_speed="8.0 GT/s PCIe" link_width="4"/>
  </cpu>
</system>
)";

}  // namespace

TEST_CASE("NCCL topology: a virtual machine of eight H100 has what its dump says") {
  const Topology h100 = host(sample());
  CHECK(h100.gpu_count() == 8);
  CHECK(h100.gpu_spec().model == "H100");  // PCI device 0x2330
  CHECK(count_of(h100, NodeKind::cpu) == 2);
  CHECK(count_of(h100, NodeKind::pcie_switch) == 8);
  CHECK(count_of(h100, NodeKind::nic) == 8);
  CHECK(count_of(h100, NodeKind::nvswitch) == 1);  // four chips, one plane
  // 5 + 5 + 4 + 4 links of 25 GB/s.
  CHECK(link_named(h100, "gpu0->nvswitch0").bandwidth == Bandwidth{450e9});
  // 200000 Mb/s.
  CHECK(link_named(h100, "mlx5_7->leaf0").bandwidth == Bandwidth{25e9});
  // mlx5_7 is beside GPU 0. Its width is 0, which stands for x16: 32 GT/s x 16 / 8 x 128/130.
  CHECK(link_named(h100, "mlx5_7->pcie_0000:a1:00.0").bandwidth.bytes_per_second ==
        doctest::Approx(63.015e9).epsilon(1e-4));
  // The emulated bridge says 2.5 GT/s on one lane, 8 bits in 10: 0.25 GB/s.
  CHECK(link_named(h100, "pcie_0000:a1:00.0->cpu0").bandwidth == Bandwidth{250e6});
  CHECK(link_named(h100, "gpu0->pcie_0000:a1:00.0").kind == LinkKind::pcie);
}

TEST_CASE("NCCL topology: cables, cards of two ports and C2C are drawn, other devices are not") {
  const Topology pair = host(kPair);
  REQUIRE(pair.gpu_count() == 2);
  CHECK(pair.node(pair.gpu(GpuId{0})).name == "gpu0");  // in order of dev
  // 4 links of 25 GB/s, drawn once for each direction.
  CHECK(link_named(pair, "gpu0->gpu1").bandwidth == Bandwidth{100e9});
  CHECK(std::count_if(pair.links().begin(), pair.links().end(), [](const Link& link) {
          return link.kind == LinkKind::nvlink;
        }) == 2);
  CHECK(link_named(pair, "gpu0->cpu0").bandwidth.bytes_per_second ==
        doctest::Approx(63.015e9).epsilon(1e-4));
  // 16 GT/s x 8 / 8 x 128/130.
  CHECK(link_named(pair, "pcie_0000:01:00.0->cpu0").bandwidth.bytes_per_second ==
        doctest::Approx(15.754e9).epsilon(1e-4));
  CHECK(link_named(pair, "gpu1->cpu0").kind == LinkKind::c2c);
  CHECK(link_named(pair, "gpu1->cpu0").bandwidth == Bandwidth{450e9});  // 10 of 45000 MB/s
  CHECK(link_named(pair, "mlx5_0->card0").kind == LinkKind::pcie);
  CHECK(link_named(pair, "mlx5_1->leaf0").bandwidth == Bandwidth{12.5e9});
  CHECK(pair.nodes().size() == 2 + 2 + 1 + 1 + 1 + 1);  // GPUs, NICs, bridge, card, CPU, leaf
}

TEST_CASE("NCCL topology: a file that is cut off, or another one, is refused") {
  CHECK(error_of(kPair.substr(0, kPair.find("rank=\"0\""))) ==
        "t.xml: line 18: not XML, or cut off: Error parsing start element tag");
  CHECK(error_of(kPair.substr(0, kPair.find("    <pci busid=\"0000:05")))
            .find("not XML, or cut off: ") != std::string::npos);
  std::string cpus = "<system version=\"1\">";
  for (int i = 0; i < 65; ++i) cpus += "<cpu numaid=\"0\"/>";
  CHECK(error_of(cpus + "</system>") == "t.xml: line 1: <cpu>: more than 64 CPUs in one host");
  CHECK(error_of("<graphs version=\"1\"></graphs>") ==
        "t.xml: line 1: <graphs>: expected <system>, which NCCL_TOPO_DUMP_FILE starts with");
  CHECK(error_of("<system version=\"2\"></system>") ==
        "t.xml: line 1: <system>: version: expected a whole number from 1 to 1, found \"2\"");
  CHECK(error_of("<system version=\"1\"></system>") ==
        "t.xml: line 1: <system>: expected at least one <gpu>");
  CHECK(error_of("<").find("t.xml: line 1: not XML, or cut off: ") == 0);
}

TEST_CASE("NCCL topology: a wrong element or attribute is refused with its line") {
  CHECK(error_of(replaced(kPair, " count=\"4\"", "")) ==
        "t.xml: line 6: <nvlink>: missing attribute \"count\"");
  CHECK(error_of(replaced(kPair, " busid=\"0000:02:00.0\"", "")) ==
        "t.xml: line 4: <pci>: missing attribute \"busid\"");
  CHECK(error_of(replaced(kPair, " speed=\"200000\"", "")) ==
        "t.xml: line 12: <net>: missing attribute \"speed\"");
  CHECK(error_of(replaced(kPair, "sm=\"90\"", "sm=\"9x\"")) ==
        "t.xml: line 5: <gpu>: sm: expected a whole number from 0 to 999, found \"9x\"");
  CHECK(error_of(replaced(kPair, "<c2c", "<c3c")) ==
        "t.xml: line 7: <c3c>: not expected inside "
        "<gpu>");
  CHECK(
      error_of(replaced(kPair, "16.0 GT/s PCIe", "fast")) ==
      "t.xml: line 3: <pci>: link_speed: expected for example \"32.0 GT/s PCIe\", found \"fast\"");
  CHECK(error_of(replaced(kPair, "link_width=\"8\"", "link_width=\"7\"")) ==
        "t.xml: line 3: <pci>: no PCIe link has 16 GT/s on 7 lanes");
  CHECK(
      error_of(replaced(kPair, "tclass=\"0x030200\"", "tclass=\"0x068001\"")) ==
      "t.xml: line 6: <nvlink>: tclass: expected a GPU (0x03...) or an NVSwitch (0x068000), found "
      "\"0x068001\"");
  CHECK(error_of(replaced(kPair, "0000:04:00.0", "0000:03:00.0")).find("a second busid") !=
        std::string::npos);
  CHECK(error_of(replaced(kPair, "mlx5_1", "mlx5_0")) ==
        "t.xml: line 13: <net>: name: expected one of its own, found \"mlx5_0\"");
}

TEST_CASE("NCCL topology: GPUs that tell different things of one cable are refused") {
  CHECK(error_of(replaced(kPair, "count=\"4\"", "count=\"3\"")) ==
        "t.xml: line 19: <nvlink>: 4 links to gpu1, which tells of 3 back");
  CHECK(error_of(replaced(
            replaced(kPair, "count=\"4\"", "count=\"19\""), "count=\"4\"", "count=\"19\"")) ==
        "t.xml: line 18: <gpu>: 19 NVLinks, more than the 18 of sm 90");
  CHECK(error_of(replaced(kPair, "dev=\"0\" sm", "dev=\"1\" sm")) ==
        "t.xml: line 18: <gpu>: a second GPU of dev 1");
  CHECK(error_of(replaced(kPair, "dev=\"0\" sm=\"90\"", "dev=\"0\" sm=\"80\""))
            .find("another kind of GPU") != std::string::npos);
}

TEST_CASE("NCCL topology: a GPU that no preset has is asked for") {
  std::string unknown = kPair;
  while (unknown.find("0x2330") != std::string::npos)
    unknown = replaced(unknown, "0x2330", "0x20b2");
  CHECK(error_of(unknown).find("t.xml: it does not tell which GPU this is; say --gpu") == 0);
  CHECK(host(unknown, "H200").gpu_spec().model == "H200");
  CHECK(error_of(kPair, "H200") ==
        "t.xml: its GPUs are H100 by their PCI device, but --gpu says H200");
}
