#include "topologies/import_topo_matrix.hpp"

#include <algorithm>
#include <numeric>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "sim/base/check.hpp"
#include "sim/base/input_error.hpp"
#include "sim/base/quantity_text.hpp"
#include "topologies/count_text.hpp"
#include "topologies/topo_matrix.hpp"

namespace epsim {
namespace {

// Sets of devices that are joined, directly or by others.
class Groups {
 public:
  explicit Groups(std::size_t count) : first_(count) {
    std::iota(first_.begin(), first_.end(), std::size_t{0});
  }
  void unite(std::size_t a, std::size_t b) {
    const auto [low, high] = std::minmax(first_[a], first_[b]);
    const std::size_t kept = low;
    const std::size_t gone = high;
    std::replace(first_.begin(), first_.end(), gone, kept);
  }
  // The first device of the group names it.
  [[nodiscard]] std::size_t of(std::size_t device) const { return first_[device]; }
  [[nodiscard]] std::vector<std::size_t> members(std::size_t group) const {
    std::vector<std::size_t> found;
    for (std::size_t i = 0; i < first_.size(); ++i)
      if (first_[i] == group) found.push_back(i);
    return found;
  }

 private:
  std::vector<std::size_t> first_;
};

class MatrixDrawing {
 public:
  MatrixDrawing(const TopoMatrix& matrix, std::string_view file, KnownGpu gpu)
      : matrix_(matrix), file_(file), count_(matrix.devices.size()) {
    host_.gpu = std::move(gpu);
  }

  HostDrawing draw() {
    std::size_t gpu_count = 0;
    for (const TopoDevice& device : matrix_.devices) {
      nodes_.push_back(host_.add(device.name, device.is_gpu ? NodeKind::gpu : NodeKind::nic));
      if (device.is_gpu)
        ++gpu_count;
      else
        host_.ports.push_back({.nic = nodes_.back(), .speed = std::nullopt});
    }
    host_.sources.push_back(
        fmt::format("read from the matrix of nvidia-smi topo -m: {}, {}, and what joins them",
                    counted(gpu_count, "GPU"),
                    counted(count_ - gpu_count, "NIC")));
    draw_nvlinks();
    draw_pcie();
    return std::move(host_);
  }

 private:
  [[nodiscard]] bool is_nvlink(std::size_t a, std::size_t b) const {
    return matrix_.cell(a, b).word == TopoWord::nvlink;
  }

  void draw_nvlinks() {
    Groups groups(count_);
    for (std::size_t a = 0; a < count_; ++a)
      for (std::size_t b = 0; b < a; ++b)
        if (is_nvlink(a, b)) {
          if (!matrix_.devices[a].is_gpu || !matrix_.devices[b].is_gpu) fail_nvlink(a, b);
          groups.unite(a, b);
        }
    bool has_nvlinks = false;
    for (std::size_t i = 0; i < count_; ++i) {
      const std::vector<std::size_t> members = groups.members(i);
      if (members.size() < 2) continue;
      has_nvlinks = true;
      draw_nvlink_group(members);
    }
    if (!has_nvlinks) host_.sources.emplace_back("NVLink: the matrix shows none");
  }

  [[noreturn]] void fail_nvlink(std::size_t a, std::size_t b) const {
    throw InputError(file_,
                     fmt::format("line {}: {}/{}",
                                 matrix_.devices[a].line,
                                 matrix_.devices[a].column,
                                 matrix_.devices[b].column),
                     "expected NVLinks between GPUs alone");
  }

  // Of cables a GPU has as many as its row counts; an NVSwitch shows them all in every pair.
  void draw_nvlink_group(const std::vector<std::size_t>& members) {
    const GpuGeneration& generation = host_.gpu.generation;
    const int per_pair = matrix_.cell(members[0], members[1]).nvlink_count;
    int most = 0;
    std::size_t busiest = members[0];
    bool is_uniform = true;
    for (const std::size_t a : members) {
      int sum = 0;
      for (const std::size_t b : members) {
        if (a == b) continue;
        sum += matrix_.cell(a, b).nvlink_count;
        if (matrix_.cell(a, b).nvlink_count != per_pair) is_uniform = false;
      }
      if (sum > most) busiest = a;
      most = std::max(most, sum);
    }
    if (most > generation.nvlink_count && (!is_uniform || per_pair > generation.nvlink_count))
      throw InputError(
          file_,
          fmt::format(
              "line {}: {}", matrix_.devices[busiest].line, matrix_.devices[busiest].column),
          fmt::format("{} NVLinks to its peers: more than the {} of {}, as of cables, and not the "
                      "same in each pair, as of an NVSwitch",
                      most,
                      generation.nvlink_count,
                      host_.gpu.spec.model));
    if (most > generation.nvlink_count)
      draw_nvswitch(members, per_pair);
    else
      draw_nvlink_cables(members);
  }

  void draw_nvswitch(const std::vector<std::size_t>& members, int per_pair) {
    const Bandwidth one = host_.gpu.generation.nvlink_bandwidth;
    const NodeId nvswitch = host_.add(fmt::format("nvswitch{}", nvswitches_++), NodeKind::nvswitch);
    for (const std::size_t gpu : members)
      host_.join_switch(nodes_[gpu], nvswitch, Bandwidth{one.bytes_per_second * per_pair});
    host_.sources.push_back(
        fmt::format("NVLink: NV{} in every pair of {} GPUs is more than the {} links of one: an "
                    "NVSwitch plane, "
                    "{} links of {} each way a GPU; {}",
                    per_pair,
                    members.size(),
                    host_.gpu.generation.nvlink_count,
                    per_pair,
                    to_text(one),
                    host_.gpu.generation.source));
  }

  void draw_nvlink_cables(const std::vector<std::size_t>& members) {
    const Bandwidth one = host_.gpu.generation.nvlink_bandwidth;
    for (std::size_t i = 0; i < members.size(); ++i)
      for (std::size_t j = i + 1; j < members.size(); ++j) {
        const TopoCell& cell = matrix_.cell(members[i], members[j]);
        if (cell.word != TopoWord::nvlink) continue;
        host_.join(nodes_[members[i]],
                   nodes_[members[j]],
                   Bandwidth{one.bytes_per_second * cell.nvlink_count},
                   LinkKind::nvlink);
      }
    host_.sources.push_back(
        fmt::format("NVLink: no GPU has more than its {} links, so that they are cables between "
                    "GPUs, {} each way a link; {}",
                    host_.gpu.generation.nvlink_count,
                    to_text(one),
                    host_.gpu.generation.source));
  }

  // Devices that are at least as near as `farthest`.
  [[nodiscard]] Groups grouped(TopoWord farthest) const {
    Groups groups(count_);
    for (std::size_t a = 0; a < count_; ++a)
      for (std::size_t b = 0; b < a; ++b)
        if (!is_nvlink(a, b) && matrix_.cell(a, b).word <= farthest) groups.unite(a, b);
    for (std::size_t a = 0; a < count_; ++a)
      for (std::size_t b = 0; b < a; ++b)
        if (!is_nvlink(a, b) && groups.of(a) == groups.of(b) && matrix_.cell(a, b).word > farthest)
          throw InputError(file_,
                           fmt::format("line {}: {}/{}",
                                       matrix_.devices[a].line,
                                       matrix_.devices[a].column,
                                       matrix_.devices[b].column),
                           "farther apart than others that both of them are near to allow");
    return groups;
  }

  // Whether one of a's group and one of b's are told to be at different CPUs.
  [[nodiscard]] bool are_apart(const Groups& sockets, std::size_t a, std::size_t b) const {
    for (const std::size_t i : sockets.members(sockets.of(a)))
      for (const std::size_t j : sockets.members(sockets.of(b)))
        if (!is_nvlink(i, j) && matrix_.cell(i, j).word > TopoWord::node) return true;
    return false;
  }

  void draw_pcie() {
    const double rate = host_.gpu.generation.pcie_gigatransfers;
    const std::optional<Bandwidth> lane16 = pcie_bandwidth(rate, 16);
    check(lane16.has_value(), "every generation of GPUs has a PCIe rate that exists");
    pcie_ = *lane16;
    host_.sources.push_back(
        fmt::format("PCIe: who shares a switch or a CPU is read; {} GT/s x16 on every link, {}, is "
                    "an assumption "
                    "from the GPU's generation",
                    rate,
                    to_text(pcie_)));

    const Groups switches = grouped(TopoWord::pix);
    const Groups trees = grouped(TopoWord::pxb);
    Groups sockets = grouped(TopoWord::node);
    // NVLink stands in the matrix in the place of a word for PCIe: NUMA nodes tell instead.
    for (std::size_t a = 0; a < count_; ++a)
      for (std::size_t b = 0; b < a; ++b)
        if (is_nvlink(a, b) && matrix_.devices[a].numa == matrix_.devices[b].numa &&
            sockets.of(a) != sockets.of(b) && !are_apart(sockets, a, b))
          sockets.unite(a, b);

    std::vector<NodeId> cpus;
    for (std::size_t socket = 0; socket < count_; ++socket) {
      if (sockets.of(socket) != socket) continue;
      const NodeId cpu = host_.add(fmt::format("cpu{}", cpus.size()), NodeKind::cpu);
      for (const NodeId other : cpus) host_.join(other, cpu, kSocketBandwidth, LinkKind::pcie);
      cpus.push_back(cpu);
      for (const std::size_t tree : sockets.members(socket))
        if (trees.of(tree) == tree) draw_tree(trees.members(tree), switches, cpu);
    }
    if (cpus.size() > 1)
      host_.sources.push_back(
          fmt::format("CPUs: {} between two is an assumption, what NCCL takes "
                      "for Sapphire Rapids (src/graph/topo.h)",
                      to_text(kSocketBandwidth)));
  }

  // Devices below one bridge of a CPU: one switch, or several below another.
  void draw_tree(const std::vector<std::size_t>& members, const Groups& switches, NodeId cpu) {
    const bool is_deep = std::any_of(members.begin(), members.end(), [&](std::size_t device) {
      return switches.of(device) != switches.of(members[0]);
    });
    NodeId above = cpu;
    if (is_deep) above = add_switch(cpu);
    for (const std::size_t device : members) {
      if (switches.of(device) != device) continue;
      const std::vector<std::size_t> below = switches.members(device);
      const NodeId parent = below.size() > 1 ? add_switch(above) : above;
      for (const std::size_t each : below) host_.join(nodes_[each], parent, pcie_, LinkKind::pcie);
    }
  }

  NodeId add_switch(NodeId above) {
    const NodeId added = host_.add(fmt::format("pcie{}", pcie_switches_++), NodeKind::pcie_switch);
    host_.join(added, above, pcie_, LinkKind::pcie);
    return added;
  }

  const TopoMatrix& matrix_;
  std::string file_;
  std::size_t count_;
  HostDrawing host_;
  std::vector<NodeId> nodes_;  // by device
  Bandwidth pcie_;
  int nvswitches_ = 0;
  int pcie_switches_ = 0;
};

}  // namespace

HostDrawing draw_topo_matrix(std::string_view text, std::string_view file, const GpuChoice& gpu) {
  const TopoMatrix matrix = read_topo_matrix(text, file);
  return MatrixDrawing(matrix, file, find_gpu(file, gpu)).draw();
}

}  // namespace epsim
