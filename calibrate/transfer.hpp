// Transfer: one figure that a standard tool printed about moving bytes, in our units and with its
// place in the file it came from. epsim.transfers/1 keeps them, whatever tool they are of.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sim/base/units.hpp"

namespace epsim {

enum class TransferUnit { us, gb_per_s, million_per_s };

struct Spread {
  double low = 0;
  double high = 0;
};

struct Transfer {
  std::string id;           // its own within a set
  std::string tool;         // "nvbandwidth", "nccl-tests", "perftest"
  std::string operation;    // "rdma_write_latency", "message_rate", "peer_write", "alltoall", ...
  std::string variant;      // how: "sm", "ce", "in_place", "host", "gpu"; may be empty
  Bytes size;               // 0: the tool does not say
  std::uint32_t ranks = 0;  // 0: not of ranks
  std::optional<std::pair<std::uint32_t, std::uint32_t>> pair;  // from one GPU to another
  std::uint32_t queue_pairs = 0;                                // 0: no RDMA
  std::uint32_t writes_per_doorbell = 0;                        // 0: no RDMA
  double value = 0;
  TransferUnit unit = TransferUnit::us;
  std::optional<Spread> interval;  // as far as the tool tells its spread
  std::string file;
  std::string place;  // "line 24" or a JSON pointer
};

struct TransferSet {
  std::string system;              // as the user calls it; may be empty
  std::vector<std::string> files;  // in the order in which they were given
  std::vector<std::string> notes;  // what was left out, and why
  std::vector<Transfer> records;
};

[[nodiscard]] std::string_view name_of(TransferUnit unit);  // "us", "GB/s", "Mmsg/s"

[[nodiscard]] std::string transfers_text(const TransferSet& set);
// Throws InputError at the first key that is missing, unknown or out of range.
[[nodiscard]] TransferSet read_transfers(const std::filesystem::path& path);

}  // namespace epsim
