// network_derive: what imported transfers say about a calibration's constants of NICs and NVLink.
//
// A constant that no transfer tells keeps the base's value. Collectives are no inputs: they are
// compared with what the links allow, so that a figure that nobody fitted can contradict.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "calibrate/transfer.hpp"
#include "models/calibration.hpp"

namespace epsim {

// What the topology says of the way that the transfers took.
struct FabricFacts {
  std::string topology;
  bool has_network = false;
  std::string path;          // "gpu0->nic0->leaf0->nic8->gpu8"
  Duration path_latency{};   // of its links
  Bandwidth wire;            // its slowest RDMA link
  Bandwidth host_links;      // the slowest of its others
  Bandwidth nvlink;          // between two GPUs of one NVLink domain; 0: there are none
  std::uint32_t domain = 1;  // GPUs of an NVLink domain
};

struct DerivedConstant {
  double before = 0;
  Constant constant;
};

struct NetworkDerivation {
  Calibration calibration;
  std::vector<DerivedConstant> derived;
  std::vector<std::string> kept;          // constants without a transfer, and why
  std::vector<std::string> checks;        // what looks odd; collectives against their links
  std::vector<std::string> observations;  // operations that nothing was derived from
};

// Throws InputError for a rate above that of its link, for a constant out of its range, and for
// RDMA transfers where topology or base has no network.
[[nodiscard]] NetworkDerivation derive_network(const Calibration& base,
                                               const TransferSet& transfers,
                                               const FabricFacts& facts);

}  // namespace epsim
