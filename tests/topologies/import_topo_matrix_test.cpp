#include "topologies/import_topo_matrix.hpp"
#include "tests/support/imported_topology.hpp"

#include <algorithm>
#include <string>

#include <doctest/doctest.h>

#include "sim/base/input_error.hpp"
#include "sim/base/text_file.hpp"
#include "topologies/import_host.hpp"

using namespace epsim;

namespace {

const std::string kSamples = EPSIM_SOURCE_DIR "/examples/imports/";

HostChoices choices(const std::string& gpu) {
  HostChoices chosen;
  chosen.name = "host";
  chosen.gpu.model = gpu;
  chosen.nic_speed = Bandwidth{50e9};
  return chosen;
}

Topology sample(const std::string& file, const std::string& gpu) {
  return import_host(read_text_file(kSamples + file), file, choices(gpu));
}

Topology host(const std::string& text, const std::string& gpu = "H100") {
  return import_host(text, "m.txt", choices(gpu));
}

std::string error_of(const std::string& text, const std::string& gpu = "H100") {
  try {
    (void)host(text, gpu);
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

bool has_source(const Topology& topology, const std::string& part) {
  return std::any_of(topology.sources().begin(), topology.sources().end(), [&](const auto& text) {
    return text.find(part) != std::string::npos;
  });
}

// Two GPUs with a NIC each under a switch of their own, one NUMA node.
const std::string kPair =
    "\tGPU0\tGPU1\tNIC0\tNIC1\tCPU Affinity\tNUMA Affinity\n"
    "GPU0\t X \tNV4\tPIX\tNODE\t0-31\t0\n"
    "GPU1\tNV4\t X \tNODE\tPIX\t0-31\t0\n"
    "NIC0\tPIX\tNODE\t X \tNODE\t\t\n"
    "NIC1\tNODE\tPIX\tNODE\t X \t\t\n"
    "\nNIC Legend:\n\n  NIC0: mlx5_2\n  NIC1: mlx5_7\n";

}  // namespace

TEST_CASE("Topology matrix: a host of eight H20 has an NVSwitch and a NIC beside each GPU") {
  const Topology h20 = sample("hgx_h20_topo_m.txt", "H20");
  CHECK(h20.gpu_count() == 8);
  CHECK(h20.gpu_spec().sm_count == 78);
  CHECK(count_of(h20, NodeKind::nvswitch) == 1);
  CHECK(count_of(h20, NodeKind::nic) == 8);
  CHECK(count_of(h20, NodeKind::pcie_switch) == 8);  // each GPU is PIX to one NIC
  CHECK(count_of(h20, NodeKind::cpu) == 2);          // GPUs 0 to 3 are SYS to NICs 4 to 7
  CHECK(count_of(h20, NodeKind::network_switch) == 1);
  // NV18: 18 links of 25 GB/s each way.
  CHECK(link_named(h20, "gpu3->nvswitch0").bandwidth == Bandwidth{450e9});
  CHECK(link_named(h20, "nvswitch0->gpu3").sharing == LinkSharing::fair);
  // The legend says that NIC0 is mlx5_1.
  CHECK(link_named(h20, "mlx5_1->leaf0").bandwidth == Bandwidth{50e9});
  CHECK(link_named(h20, "leaf0->mlx5_8").kind == LinkKind::rdma);
  // 32 GT/s x 16 lanes / 8 bits x 128/130 = 63.015 GB/s.
  CHECK(link_named(h20, "gpu0->pcie0").bandwidth.bytes_per_second ==
        doctest::Approx(63.015e9).epsilon(1e-4));
  CHECK(has_source(h20, "an assumption from the GPU's generation"));
  CHECK(has_source(h20, "leaf0: an assumption"));
}

TEST_CASE(
    "Topology matrix: two NICs below one bridge share its switch, and GPUs without any are at the "
    "CPU") {
  const Topology h100 = sample("h100_six_nics_topo_m.txt", "H100");
  CHECK(h100.gpu_count() == 8);
  CHECK(count_of(h100, NodeKind::nic) == 6);
  // GPU0 with NIC0 and NIC1, GPU3 with NIC2, GPU4 with NIC3 and NIC4, GPU6 with NIC5.
  CHECK(count_of(h100, NodeKind::pcie_switch) == 4);
  CHECK(count_of(h100, NodeKind::cpu) == 1);  // the matrix says NODE of all others
  CHECK(link_named(h100, "gpu1->cpu0").kind == LinkKind::pcie);
  CHECK(link_named(h100, "mlx5_1->pcie0").kind == LinkKind::pcie);
}

TEST_CASE("Topology matrix: as many links as a GPU has are cables, more are an NVSwitch") {
  const Topology pair = host(kPair);
  CHECK(count_of(pair, NodeKind::nvswitch) == 0);
  CHECK(link_named(pair, "gpu0->gpu1").bandwidth == Bandwidth{100e9});  // 4 x 25 GB/s
  CHECK(link_named(pair, "mlx5_2->leaf0").kind == LinkKind::rdma);
  CHECK(error_of(replaced(replaced(kPair, "NV4", "NV20"), "NV4", "NV20")) ==
        "m.txt: line 2: GPU0: 20 NVLinks to its peers: more than the 18 of H100, as of cables, and "
        "not the same in each pair, as of an NVSwitch");
}

TEST_CASE("Topology matrix: PXB is two switches below a third") {
  const std::string text =
      "      GPU0 GPU1 NIC0 NIC1\n"
      "GPU0  X    NV18 PIX  PXB\n"
      "GPU1  NV18 X    PXB  PIX\n"
      "NIC0  PIX  PXB  X    PXB\n"
      "NIC1  PXB  PIX  PXB  X\n";
  const Topology topology = host(text);
  CHECK(count_of(topology, NodeKind::pcie_switch) == 3);
  CHECK(link_named(topology, "pcie1->pcie0").kind == LinkKind::pcie);
  CHECK(link_named(topology, "pcie2->pcie0").kind == LinkKind::pcie);
  CHECK(link_named(topology, "pcie0->cpu0").kind == LinkKind::pcie);
  CHECK(link_named(topology, "gpu1->pcie2").kind == LinkKind::pcie);
}

TEST_CASE("Topology matrix: what stands around it, colours and line ends do not matter") {
  std::string text = "$ nvidia-smi topo -m\n\x1b[0m" + kPair;
  text = replaced(text, "GPU0\tGPU1\tNIC0", "\x1b[4mGPU0\tGPU1\tNIC0");
  text = replaced(text, "NUMA Affinity", "NUMA Affinity\x1b[0m");
  std::string with_returns;
  for (const char c : text) with_returns += c == '\n' ? std::string("\r\n") : std::string(1, c);
  CHECK(host(with_returns).links().size() == host(kPair).links().size());
  // A copy from a terminal loses the escape character alone.
  CHECK(host(replaced(kPair, "\tGPU0\tGPU1", "\t[4mGPU0\tGPU1")).gpu_count() == 2);
}

TEST_CASE("Topology matrix: a GPU that only NVLink joins is at the CPU of its NUMA node") {
  const std::string text =
      "\tGPU0\tGPU1\tCPU Affinity\tNUMA Affinity\tGPU NUMA ID\n"
      "GPU0\t X \tNV18\t0-31\t0\t\tN/A\n"
      "GPU1\tNV18\t X \t32-63\t1\t\tN/A\n";
  const Topology topology = host(text);
  CHECK(count_of(topology, NodeKind::cpu) == 2);
  CHECK_FALSE(topology.has_network());
  CHECK(count_of(host(replaced(text, "\t1\t\tN/A", "\t0\t\tN/A")), NodeKind::cpu) == 1);
}

TEST_CASE(
    "Topology matrix: where NVLink hides how near GPUs are, NUMA nodes tell which CPU is theirs") {
  const std::string text =
      "     GPU0 GPU1 GPU2 GPU3 NIC0 CPU Affinity NUMA Affinity\n"
      "GPU0 X    NV4  NV4  SYS  PHB  0-3 0\n"
      "GPU1 NV4  X    SYS  NV4  PHB  0-3 0\n"
      "GPU2 NV4  SYS  X    NV4  SYS  4-7 1\n"
      "GPU3 SYS  NV4  NV4  X    SYS  4-7 1\n"
      "NIC0 PHB  PHB  SYS  SYS  X\n";
  const Topology mesh = host(text);
  CHECK(count_of(mesh, NodeKind::cpu) == 2);
  CHECK(link_named(mesh, "gpu3->cpu1").kind == LinkKind::pcie);
  CHECK(link_named(mesh, "NIC0->cpu0").kind == LinkKind::pcie);
  CHECK(mesh.route(GpuId{0}, GpuId{1}).size() == 1);  // the cable
  // A NUMA node that spans both would hold GPU0 and NIC0, which are SYS to GPU2.
  CHECK(count_of(host(replaced(replaced(text, "4-7 1", "4-7 0"), "4-7 1", "4-7 0")),
                 NodeKind::cpu) == 2);
}

TEST_CASE("Topology matrix: damage is refused with its line") {
  const std::string none =
      "expected the output of nvidia-smi topo -m or an NCCL topology XML, found ";
  CHECK(error_of("") == "m.txt: it is empty");
  CHECK(error_of("hello\n") == "m.txt: " + none + "no line that starts with the column GPU0");
  CHECK(error_of(std::string("\x7f"
                             "ELF\0\1",
                             6)) == "m.txt: " + none + "a binary file");
  // Cut after a row, and within one.
  CHECK(error_of(kPair.substr(0, kPair.find("NIC1\tNODE"))) ==
        "m.txt: line 4: expected the row of NIC1, found the end");
  CHECK(error_of(kPair.substr(0, kPair.find("\tNODE\t X \t\t\n\n"))) ==
        "m.txt: line 5: NIC1: expected 4 entries, found 2");
  CHECK(error_of(replaced(kPair, "GPU1\tNV4", "GPU2\tNV4")) ==
        "m.txt: line 3: expected the row of GPU1, found \"GPU2\"");
  CHECK(
      error_of(replaced(kPair, "PIX\tNODE\t0-31", "PIZ\tNODE\t0-31")) ==
      "m.txt: line 2: GPU0/NIC0: expected one of X, NV#, PIX, PXB, PHB, NODE, SYS, found \"PIZ\"");
  CHECK(
      error_of(replaced(kPair, "NV4\t X ", "NV0\t X ")) ==
      "m.txt: line 3: GPU1/GPU0: expected one of X, NV#, PIX, PXB, PHB, NODE, SYS, found \"NV0\"");
  CHECK(error_of(replaced(kPair, "NIC1\tNODE\tPIX", "NIC1\tNODE\tSYS")) ==
        "m.txt: line 5: NIC1/GPU1: expected what line 3 says of GPU1/NIC1");
  CHECK(error_of(replaced(kPair, " X \tNV4", "PIX\tNV4")) ==
        "m.txt: line 2: GPU0/GPU0: expected X, found PIX");
  CHECK(error_of(replaced(kPair, " X \tNODE\t\t", " X \tNODE\tNODE\t")) ==
        "m.txt: line 4: NIC0: expected 4 entries, found 5");
  CHECK(error_of(replaced(kPair, "mlx5_7", "mlx5_2")) ==
        "m.txt: line 10: NIC1: \"mlx5_2\" is also the name of NIC0");
}

TEST_CASE("Topology matrix: nearness that cannot be is refused") {
  // NIC0 shares a switch with both GPUs, and the GPUs one with each other are on two CPUs.
  const std::string text =
      "     GPU0 GPU1 NIC0\n"
      "GPU0 X    SYS  PIX\n"
      "GPU1 SYS  X    PIX\n"
      "NIC0 PIX  PIX  X\n";
  CHECK(error_of(text) ==
        "m.txt: line 3: GPU1/GPU0: farther apart than others that both of them are near to allow");
}

TEST_CASE("Topology matrix: which GPU it is must be said") {
  CHECK(error_of(kPair, "").find(
            "m.txt: it does not tell which GPU this is; say --gpu and one of") == 0);
  CHECK(error_of(kPair, "K80").find("m.txt: no preset has the GPU \"K80\": expected one of") == 0);
}
