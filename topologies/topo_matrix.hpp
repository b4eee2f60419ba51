// TopoMatrix: the matrix of `nvidia-smi topo -m` as it was printed, checked: square, symmetric, and
// of words that the tool knows.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace epsim {

// How near two devices are, from nearest to farthest, but for NVLink, which does not tell.
enum class TopoWord { self, nvlink, pix, pxb, phb, node, sys };

struct TopoCell {
  TopoWord word = TopoWord::self;
  int nvlink_count = 0;
  bool operator==(const TopoCell&) const = default;
};

struct TopoDevice {
  std::string name;  // of a NIC, what the legend calls it: "mlx5_0"
  std::string column;
  bool is_gpu = false;
  std::string numa;  // of a GPU; empty where it is not told
  std::size_t line = 0;
};

struct TopoMatrix {
  std::vector<TopoDevice> devices;  // GPUs first, as the tool prints them
  std::vector<TopoCell> cells;      // row by row

  [[nodiscard]] const TopoCell& cell(std::size_t row, std::size_t column) const {
    return cells[row * devices.size() + column];
  }
};

// Throws InputError with the line that is wrong.
[[nodiscard]] TopoMatrix read_topo_matrix(std::string_view text, std::string_view file);

}  // namespace epsim
