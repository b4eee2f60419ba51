#include "topologies/import_nccl_xml.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "sim/base/quantity_text.hpp"
#include "topologies/count_text.hpp"
#include "topologies/xml_text.hpp"

namespace epsim {
namespace {

using Element = pugi::xml_node;

struct NvlinkTarget {
  std::string bus;
  int count = 0;
  bool is_switch = false;
  Element element;
};

struct FoundGpu {
  Element element;
  std::string bus;
  std::string device;  // of PCI
  int dev = 0;
  int sm = 0;
  NodeId parent;
  NodeId cpu;
  Bandwidth pcie;
  Bandwidth c2c;
  std::vector<NvlinkTarget> nvlinks;
};

class XmlDrawing {
 public:
  XmlDrawing(std::string_view text, std::string_view file, const GpuChoice& choice)
      : xml_(text, file), file_(file), choice_(choice) {}

  HostDrawing draw() {
    const Element root = xml_.root();
    if (std::string_view(root.name()) != "system")
      xml_.fail(root, "expected <system>, which NCCL_TOPO_DUMP_FILE starts with");
    (void)xml_.integer(root, "version", 1, 1);
    for (const Element cpu : xml_.children(root, {"cpu"})) read_cpu(cpu);
    if (gpus_.empty()) xml_.fail(root, "expected at least one <gpu>");
    number_gpus();
    host_.gpu = known_gpu();
    state_sources();
    for (const FoundGpu& gpu : gpus_) draw_gpu(gpu);
    draw_nvlinks();
    return std::move(host_);
  }

 private:
  // NCCL's own words and numbers: MB/s of a link, Mb/s of a NIC.
  static constexpr int kMostLinks = 1000;
  static constexpr int kMostMegabits = 100'000'000;
  static constexpr int kDeepest = 32;
  static constexpr std::size_t kMostCpus = 64;

  void read_cpu(Element element) {
    const std::string host = element.attribute("host_hash").value();
    if (!cpus_.empty() && host != host_hash_)
      xml_.fail(element, "of a second host; a file of one host is read, and --hosts repeats it");
    host_hash_ = host;
    (void)xml_.required(element, "numaid");
    if (cpus_.size() == kMostCpus)
      xml_.fail(element, fmt::format("more than {} CPUs in one host", kMostCpus));
    const NodeId cpu = host_.add(fmt::format("cpu{}", cpus_.size()), NodeKind::cpu);
    for (const NodeId other : cpus_) host_.join(other, cpu, kSocketBandwidth, LinkKind::pcie);
    cpus_.push_back(cpu);
    for (const Element child : xml_.children(element, {"pci", "nic"})) {
      if (std::string_view(child.name()) == "pci")
        read_pci(child, cpu, cpu, 0);
      else
        read_nic(child, cpu, std::nullopt);
    }
  }

  // Kernels write "16 GT/s" or "16.0 GT/s PCIe"; virtual machines leave it out, or say width 0.
  Bandwidth pcie_link(Element element) {
    const std::string speed = element.attribute("link_speed").value();
    double rate = 0.0;
    const auto [end, error] = std::from_chars(speed.data(), speed.data() + speed.size(), rate);
    if (!speed.empty() && (error != std::errc() || !std::string_view(end).starts_with(" GT/s")))
      xml_.fail(element,
                fmt::format("link_speed: expected for example \"32.0 GT/s PCIe\", found "
                            "\"{}\"",
                            speed));
    int width = 0;
    if (element.attribute("link_width")) width = xml_.integer(element, "link_width", 0, 32);
    if (speed.empty() || width == 0) ++unmeasured_links_;
    if (speed.empty()) rate = 8.0;
    if (width == 0) width = 16;
    const std::optional<Bandwidth> bandwidth = pcie_bandwidth(rate, width);
    if (!bandwidth)
      xml_.fail(element, fmt::format("no PCIe link has {} GT/s on {} lanes", rate, width));
    if (rate < 8.0 && !element.child("gpu") && !element.child("nic")) ++slow_bridges_;
    return *bandwidth;
  }

  // Whether a GPU or a NIC is below: other devices are not drawn.
  [[nodiscard]] static bool holds_device(Element element) {
    return element.find_node([](Element below) {
      const std::string_view name = below.name();
      return name == "gpu" || name == "net";
    });
  }

  void read_pci(Element element, NodeId above, NodeId cpu, int depth) {
    if (depth > kDeepest) xml_.fail(element, fmt::format("deeper than {} bridges", kDeepest));
    const std::string bus = xml_.required(element, "busid");
    if (!buses_.insert(bus).second) xml_.fail(element, fmt::format("a second busid \"{}\"", bus));
    const auto children = xml_.children(element, {"pci", "gpu", "nic", "pcilink"});
    if (!holds_device(element)) return;
    const Bandwidth link = pcie_link(element);
    std::optional<NodeId> bridge;
    for (const Element child : children) {
      const std::string_view name = child.name();
      if (name == "gpu") {
        read_gpu(child, above, cpu, link);
      } else if (name == "nic") {
        read_nic(child, above, link);
      } else if (name == "pci" && holds_device(child)) {
        if (!bridge) {
          bridge = host_.add("pcie_" + bus, NodeKind::pcie_switch);
          host_.join(*bridge, above, link, LinkKind::pcie);
        }
        read_pci(child, *bridge, cpu, depth + 1);
      }
    }
  }

  void read_gpu(Element element, NodeId above, NodeId cpu, Bandwidth link) {
    FoundGpu gpu{.element = element,
                 .bus = xml_.required(element.parent(), "busid"),
                 .device = element.parent().attribute("device").value(),
                 .dev = xml_.integer(element, "dev", 0, 1023),
                 .sm = xml_.integer(element, "sm", 0, 999),
                 .parent = above,
                 .cpu = cpu,
                 .pcie = link,
                 .c2c = {},
                 .nvlinks = {}};
    for (const Element child : xml_.children(element, {"nvlink", "c2c"})) {
      const int count = xml_.integer(child, "count", 1, kMostLinks);
      if (std::string_view(child.name()) == "c2c") {
        gpu.c2c = Bandwidth{1e6 * xml_.integer(child, "bw", 1, kMostMegabits) * count};
        continue;
      }
      const std::string target_class = xml_.required(child, "tclass");
      const bool is_switch = target_class == "0x068000";
      if (!is_switch && !target_class.starts_with("0x03"))
        xml_.fail(child,
                  fmt::format("tclass: expected a GPU (0x03...) or an NVSwitch (0x068000), found "
                              "\"{}\"",
                              target_class));
      gpu.nvlinks.push_back({.bus = xml_.required(child, "target"),
                             .count = count,
                             .is_switch = is_switch,
                             .element = child});
    }
    gpus_.push_back(std::move(gpu));
  }

  // A card with several ports is one link of PCIe for all of them.
  void read_nic(Element element, NodeId above, std::optional<Bandwidth> link) {
    const std::vector<Element> nets = xml_.children(element, {"net", "gin", "rma"});
    const auto ports = std::count_if(nets.begin(), nets.end(), [](Element net) {
      return std::string_view(net.name()) == "net";
    });
    if (!link && ports > 0) {
      ++unmeasured_links_;
      link = pcie_bandwidth(8.0, 16);
    }
    NodeId parent = above;
    if (ports > 1) {
      parent = host_.add(fmt::format("card{}", cards_++), NodeKind::pcie_switch);
      host_.join(parent, above, *link, LinkKind::pcie);
    }
    for (const Element net : nets)
      if (std::string_view(net.name()) == "net") read_net(net, parent, *link);
  }

  void read_net(Element element, NodeId parent, Bandwidth link) {
    const std::string name = xml_.required(element, "name");
    if (name.empty() || !nets_.insert(name).second)
      xml_.fail(element, fmt::format("name: expected one of its own, found \"{}\"", name));
    // NICs of virtual machines may say -1 or 0: not known.
    const int megabits = xml_.integer(element, "speed", -1, kMostMegabits);
    const NodeId nic = host_.add(name, NodeKind::nic);
    host_.join(nic, parent, link, LinkKind::pcie);
    NicPort port{.nic = nic, .speed = std::nullopt};
    if (megabits > 0) port.speed = Bandwidth{megabits * 1e6 / 8.0};
    host_.ports.push_back(port);
  }

  void number_gpus() {
    std::stable_sort(gpus_.begin(), gpus_.end(), [](const FoundGpu& a, const FoundGpu& b) {
      return a.dev < b.dev;
    });
    for (std::size_t i = 1; i < gpus_.size(); ++i) {
      if (gpus_[i].dev == gpus_[i - 1].dev)
        xml_.fail(gpus_[i].element, fmt::format("a second GPU of dev {}", gpus_[i].dev));
      if (gpus_[i].sm != gpus_[0].sm || gpus_[i].device != gpus_[0].device)
        xml_.fail(gpus_[i].element, "another kind of GPU than the others: one kind is simulated");
    }
  }

  [[nodiscard]] KnownGpu known_gpu() const {
    return find_gpu(file_, choice_, gpu_model_of(gpus_[0].device), gpus_[0].sm);
  }

  void state_sources() {
    host_.sources.push_back(
        fmt::format("read from an NCCL topology XML: {} of sm {}, {}, {}, and the PCIe "
                    "tree, whose rates are what its links say after their line code",
                    counted(gpus_.size(), "GPU"),
                    gpus_[0].sm,
                    counted(host_.ports.size(), "NIC"),
                    counted(cpus_.size(), "CPU")));
    if (unmeasured_links_ > 0)
      host_.sources.push_back(
          fmt::format("PCIe: {} links leave out their speed or width: 8 GT/s for no speed and x16 "
                      "for no width, as "
                      "NCCL assumes",
                      unmeasured_links_));
    if (slow_bridges_ > 0)
      host_.sources.push_back(
          fmt::format("PCIe: {} bridges say less than 8 GT/s, as the emulated ones of virtual "
                      "machines do; taken "
                      "as they say it",
                      slow_bridges_));
    if (cpus_.size() > 1)
      host_.sources.push_back(
          fmt::format("CPUs: {} between two is an assumption, what NCCL takes "
                      "for Sapphire Rapids (src/graph/topo.h)",
                      to_text(kSocketBandwidth)));
  }

  void draw_gpu(const FoundGpu& gpu) {
    const NodeId node = host_.add(fmt::format("gpu{}", gpu.dev), NodeKind::gpu);
    gpu_nodes_.emplace(gpu.bus, node);
    host_.join(node, gpu.parent, gpu.pcie, LinkKind::pcie);
    if (gpu.c2c > Bandwidth{}) host_.join(node, gpu.cpu, gpu.c2c, LinkKind::c2c);
  }

  void draw_nvlinks() {
    const Bandwidth one = host_.gpu.generation.nvlink_bandwidth;
    std::optional<NodeId> nvswitch;
    int drawn = 0;
    int outside = 0;
    for (const FoundGpu& gpu : gpus_) {
      int to_switch = 0;
      int all = 0;
      for (const NvlinkTarget& nvlink : gpu.nvlinks) {
        all += nvlink.count;
        if (nvlink.is_switch)
          to_switch += nvlink.count;
        else
          (draw_cable(gpu, nvlink) ? drawn : outside) += nvlink.count;
      }
      if (all > host_.gpu.generation.nvlink_count)
        xml_.fail(gpu.element,
                  fmt::format("{} NVLinks, more than the {} of sm {}",
                              all,
                              host_.gpu.generation.nvlink_count,
                              gpu.sm));
      if (to_switch == 0) continue;
      drawn += to_switch;
      if (!nvswitch) nvswitch = host_.add("nvswitch0", NodeKind::nvswitch);
      host_.join_switch(
          gpu_nodes_.at(gpu.bus), *nvswitch, Bandwidth{one.bytes_per_second * to_switch});
    }
    host_.sources.push_back(
        drawn == 0 ? std::string("NVLink: the XML shows none")
                   : fmt::format("NVLink: links are counted in the XML, {} each way a link; {}{}",
                                 to_text(one),
                                 host_.gpu.generation.source,
                                 nvswitch ? "; its NVSwitches are one plane, as addresses are "
                                            "spread over all"
                                          : ""));
    if (outside > 0)
      host_.sources.push_back(fmt::format(
          "NVLink: {} links lead to GPUs that the XML does not show; left out", outside));
  }

  // Each of the two GPUs tells of the cable; it is drawn once. False if the other is not in the
  // file.
  bool draw_cable(const FoundGpu& gpu, const NvlinkTarget& nvlink) {
    const auto peer = std::find_if(
        gpus_.begin(), gpus_.end(), [&](const FoundGpu& other) { return other.bus == nvlink.bus; });
    if (peer == gpus_.end()) return false;
    if (peer->bus == gpu.bus) xml_.fail(nvlink.element, "leads to its own GPU");
    const auto back = std::find_if(peer->nvlinks.begin(),
                                   peer->nvlinks.end(),
                                   [&](const NvlinkTarget& other) { return other.bus == gpu.bus; });
    if (back == peer->nvlinks.end() || back->count != nvlink.count)
      xml_.fail(nvlink.element,
                fmt::format("{} links to gpu{}, which tells of {} back",
                            nvlink.count,
                            peer->dev,
                            back == peer->nvlinks.end() ? 0 : back->count));
    if (gpu.dev < peer->dev)
      host_.join(gpu_nodes_.at(gpu.bus),
                 gpu_nodes_.at(peer->bus),
                 Bandwidth{host_.gpu.generation.nvlink_bandwidth.bytes_per_second * nvlink.count},
                 LinkKind::nvlink);
    return true;
  }

  XmlText xml_;
  std::string file_;
  const GpuChoice& choice_;
  HostDrawing host_;
  std::string host_hash_;
  std::vector<NodeId> cpus_;
  std::set<std::string> buses_;
  std::set<std::string> nets_;
  std::vector<FoundGpu> gpus_;
  std::map<std::string, NodeId> gpu_nodes_;  // by bus
  int cards_ = 0;
  int unmeasured_links_ = 0;
  int slow_bridges_ = 0;
};

}  // namespace

HostDrawing draw_nccl_xml(std::string_view text, std::string_view file, const GpuChoice& gpu) {
  return XmlDrawing(text, file, gpu).draw();
}

}  // namespace epsim
