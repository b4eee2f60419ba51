#include "models/network_constants.hpp"

#include <array>

namespace epsim {
namespace {

constexpr std::array kNetwork = {
    ConstantSpec{"post_write", "us", 0, 20, "a warp writes a work request and rings the doorbell"},
    ConstantSpec{"doorbell", "us", 0, 20, "queue pair: a doorbell seen and its request fetched"},
    ConstantSpec{"queue_message", "us", 0, 20, "queue pair: a message, whatever its size"},
    ConstantSpec{"nic_message", "us", 0, 5, "NIC: a message, over all queue pairs"},
    ConstantSpec{
        "write_latency", "us", 0, 50, "small write, handed over to seen, beyond the links"},
    ConstantSpec{"atomic_latency", "us", 0, 20, "more of the same, for an atomic"},
    ConstantSpec{"acknowledge", "us", 0, 50, "write seen to its completion at the poster"},
    ConstantSpec{"wire_efficiency", "1", 0.1, 1, "payload share of an RDMA link"},
    ConstantSpec{"pcie_efficiency", "1", 0.1, 1, "payload share of the links from GPU to NIC"},
    ConstantSpec{
        "proxy_message", "us", 0, 50, "host thread: a message it posts; 0 if the GPU does"},
    ConstantSpec{"proxy_latency", "us", 0, 50, "a GPU's request to its host thread seeing it"},
};

}  // namespace

std::span<const ConstantSpec> network_constants() {
  return kNetwork;
}

bool has_network(const ConstantSet& hardware) {
  return hardware.contains("write_latency");
}

NicRates nic_rates(const ConstantSet& hardware) {
  return {.message = hardware.duration("nic_message"),
          .queue_message = hardware.duration("queue_message"),
          .doorbell = hardware.duration("doorbell"),
          .latency = hardware.duration("write_latency"),
          .atomic = hardware.duration("atomic_latency"),
          .acknowledge = hardware.duration("acknowledge"),
          .wire_efficiency = hardware.ratio("wire_efficiency"),
          .pcie_efficiency = hardware.ratio("pcie_efficiency"),
          .proxy_message = hardware.duration("proxy_message"),
          .proxy_latency = hardware.duration("proxy_latency")};
}

}  // namespace epsim
